# The actions on units, except for starting them: reload_units [PATH CONTENT]..., enable
# UNIT, disable UNIT BEFORE and stop UNIT BEFORE.
# shellcheck shell=sh disable=SC2154

# reload_units [PATH CONTENT]...: has the service manager load these unit files. CONTENT is
# the digest of the unit file, or - if there is no such file.
reload_units() {
    fresh=''
    while [ $# -gt 0 ]; do
        content "$1"
        expect "$1" "$2"
        if ! is_loaded "$1"; then
            fresh=no
        elif [ -z "$fresh" ]; then
            fresh=yes
        fi
        shift 2
    done
    [ "$fresh" != yes ] || already
    try 'systemctl daemon-reload' timeout -k 5 "$patience" systemctl daemon-reload
    finish
}

# is_loaded PATH: whether the service manager has loaded units of this file, all of them as
# they are on the disk. If there is no file at this path, whether it has loaded units of a
# file with the same name elsewhere. The names of the files have to be compared because
# NeedDaemonReload doesn't say that another file now takes precedence over the one that is
# loaded.
is_loaded() {
    name=${1##*/}
    any=''
    # Patterns match only units that are loaded.
    case $name in
        *@.service) units="${name%.service}*.service" ;;
        *) units="${name%.service}[.]service" ;;
    esac
    shown=$(timeout -k 5 "$patience" systemctl show -p FragmentPath,NeedDaemonReload -- "$units" 2>/dev/null 3>&- 4<&-) || return 1
    while IFS= read -r line; do
        case $line in
            NeedDaemonReload=yes) return 1 ;;
            "FragmentPath=$1") any=yes ;;
            FragmentPath=*/"$name")
                [ "$content" = - ] || return 1
                any=yes
                ;;
        esac
    done <<END
$shown
END
    [ -n "$any" ]
}

# boot UNIT: sets $boot to what the service manager reports about starting the unit at boot.
boot() {
    run timeout -k 5 "$patience" systemctl is-enabled -- "$1"
    boot=$said
}

enable() {
    boot "$1"
    case $boot in
        enabled)
            sync_wants
            already
            ;;
        masked*) differs "$1" disabled "boot $boot" ;;
        not-found | *'No such file'*) differs "$1" disabled no-unit-file ;;
    esac
    try "systemctl enable $1" timeout -k 5 "$patience" systemctl enable -- "$1"
    boot "$1"
    [ "$boot" = enabled ] || fail "systemctl enable $1: it is still ${boot:-not enabled}"
    sync_wants
    finish
}

# disable UNIT BEFORE: BEFORE is `enabled`, or `disabled` if the plan found the unit
# disabled.
disable() {
    boot "$1"
    [ "$boot:$2" != enabled:disabled ] ||
        differs "$1" disabled 'boot enabled'
    # The records of the unit's starts contain secrets.
    record_of "$1" none
    try "cannot remove ${record%/*}" rm -rf -- "$root${record%/*}"
    case $boot in
        disabled | static | masked* | not-found | *'No such file'* | *'ot found'*)
            sync_wants
            already
            ;;
    esac
    try "systemctl disable $1" timeout -k 5 "$patience" systemctl disable -- "$1"
    sync_wants
    finish
}

# The links in these directories determine what starts at boot.
sync_wants() {
    for wants in "$root"/etc/systemd/system/*.wants; do
        [ ! -d "$wants" ] || sync_path "${wants#"$root"}"
    done
}

# stop UNIT BEFORE: BEFORE is `stopped`, the id of a start, or `failing` if the unit may be
# in any start.
stop() {
    show "$1"
    case $2:$active in
        *:inactive) already ;;
        *:failed) ;;
        failing:* | "$invocation":* | *:deactivating)
            run timeout -k 5 "$stopping" systemctl stop -- "$1"
            case $status in
                0) ;;
                124 | 137) fail "$1 did not stop within $stopping s" ;;
                *) fail "systemctl stop $1: $said" ;;
            esac
            show "$1"
            ;;
        stopped:*) restarted "$1" stopped ;;
        *) restarted "$1" "start $2" ;;
    esac
    # A unit that had to be killed is `failed` until that is reset.
    if [ "$active" = failed ]; then
        try "systemctl reset-failed $1" timeout -k 5 "$patience" systemctl reset-failed -- "$1"
    elif [ "$active" != inactive ]; then
        fail "$1 is still $active after it was stopped"
    fi
    finish
}

# restarted UNIT EXPECTED: ends the action, because the unit isn't in the state that the
# plan found.
restarted() {
    differs "$1" "$2" "active $active $invocation"
}
