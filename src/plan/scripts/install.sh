# install_packages NAME...
# shellcheck shell=sh disable=SC2154

install_packages() {
    if installed "$@"; then
        already
    fi
    apt_get install -y --no-install-recommends -- "$@"
    if [ "$status" != 0 ]; then
        # An installation that was cut off has to be completed first.
        case $said in
            *'dpkg --configure -a'*) try 'cannot complete the interrupted installation' env DEBIAN_FRONTEND=noninteractive \
                dpkg --force-confdef --force-confold --configure -a ;;
            *'nable to locate package'* | *'no installation candidate'* | *'ailed to fetch'* | *'nable to fetch'*)
                apt_get update
                [ "$status" = 0 ] || fail "apt-get update: $said"
                ;;
            *) fail "apt-get install $*: $said" ;;
        esac
        apt_get install -y --no-install-recommends -- "$@"
        [ "$status" = 0 ] || fail "apt-get install $*: $said"
    fi
    installed "$@" || fail "apt-get install $*: still not installed"
    finish
}

# Asks no questions, keeps the owner's changes to configuration files, and waits if
# another process holds the package lock.
apt_get() {
    run env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq \
        -o DPkg::Lock::Timeout="$package_lock" -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}\n' -- "$@" 2>/dev/null | grep -cx installed)" = $# ]
}
