# reload_units, enable UNIT, disable UNIT, stop UNIT
# shellcheck shell=sh disable=SC2154

reload_units() {
    try 'systemctl daemon-reload' timeout -k 5 "$patience" systemctl daemon-reload
    finish
}

enable() {
    run timeout -k 5 "$patience" systemctl is-enabled -- "$1"
    if [ "$said" = enabled ]; then
        sync_wants
        already
    fi
    try "systemctl enable $1" timeout -k 5 "$patience" systemctl enable -- "$1"
    run timeout -k 5 "$patience" systemctl is-enabled -- "$1"
    [ "$said" = enabled ] || fail "systemctl enable $1: it is still ${said:-not enabled}"
    sync_wants
    finish
}

disable() {
    # The records of its starts contain secrets.
    record_of "$1" none
    try "cannot remove ${record%/*}" rm -rf -- "$root${record%/*}"
    run timeout -k 5 "$patience" systemctl is-enabled -- "$1"
    case $said in
        disabled | static | masked | not-found | *'No such file'* | *'ot found'*)
            sync_wants
            already
            ;;
    esac
    try "systemctl disable $1" timeout -k 5 "$patience" systemctl disable -- "$1"
    sync_wants
    finish
}

# Links in these directories say what starts at boot.
sync_wants() {
    for wants in "$root"/etc/systemd/system/*.wants; do
        [ ! -d "$wants" ] || sync_path "${wants#"$root"}"
    done
}

stop() {
    show "$1"
    case $active in
        inactive) already ;;
        failed) ;;
        *)
            run timeout -k 5 "$stopping" systemctl stop -- "$1"
            case $status in
                0) ;;
                124 | 137) fail "$1 did not stop within $stopping s" ;;
                *) fail "systemctl stop $1: $said" ;;
            esac
            show "$1"
            ;;
    esac
    # A unit that had to be killed counts as failed until this is reset.
    if [ "$active" = failed ]; then
        try "systemctl reset-failed $1" timeout -k 5 "$patience" systemctl reset-failed -- "$1"
    elif [ "$active" != inactive ]; then
        fail "$1 is still $active after it was stopped"
    fi
    finish
}
