# install_package NAME BEFORE: BEFORE is `absent`, or `unfinished` if an earlier
# installation of the package was cut off.
# shellcheck shell=sh disable=SC2154

install_package() {
    state=$(package_state "$1")
    case $state:$2 in
        installed:*) already ;;
        not-installed:absent | config-files:absent) ;;
        *:absent) differs "$1" not-installed "package $state" ;;
        not-installed:* | config-files:*) differs "$1" unfinished not-installed ;;
    esac
    apt_install "$1"
    if [ "$status" != 0 ]; then
        # An installation of any package that was cut off has to be completed first.
        case $said in
            *'dpkg --configure -a'*) try 'cannot complete the interrupted installation' env DEBIAN_FRONTEND=noninteractive \
                dpkg --force-confdef --force-confold --configure -a ;;
            *'nable to locate package'* | *'no installation candidate'* | *'ailed to fetch'* | *'nable to fetch'*)
                apt_get update
                [ "$status" = 0 ] || fail "apt-get update: $said"
                ;;
            *) fail "apt-get install $1: $said" ;;
        esac
        apt_install "$1"
        [ "$status" = 0 ] || fail "apt-get install $1: $said"
    fi
    [ "$(package_state "$1")" = installed ] || fail "apt-get install $1: still not installed"
    finish
}

# apt_install NAME: fails if the package could be installed only by removing another
# package, which may have been installed since the plan.
apt_install() {
    apt_get install -y --no-install-recommends --no-remove -- "$1"
}

# apt_get WORD...: runs apt-get so that it asks no questions, keeps the owner's changes to
# configuration files, and waits if another process holds the package lock.
apt_get() {
    run env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq \
        -o DPkg::Lock::Timeout="$package_lock" -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# package_state NAME: prints the state of a package as dpkg names it. A package that was
# removed may be in the state `config-files`.
package_state() {
    state=$(dpkg-query -W -f '${db:Status-Status}\n' -- "$1" 2>/dev/null)
    # There may be a line for each architecture.
    state=${state%%"$newline"*}
    printf %s "${state:-not-installed}"
}
