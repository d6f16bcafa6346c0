# reload_units, enable UNIT, disable UNIT, stop UNIT
# shellcheck shell=sh disable=SC2154

reload_units() {
    try 'systemctl daemon-reload' timeout -k 5 "$patience" systemctl daemon-reload
    finish
}

enable() {
    run timeout -k 5 "$patience" systemctl is-enabled -- "$1"
    before=$said
    [ "$before" = enabled ] ||
        try "systemctl enable $1" timeout -k 5 "$patience" systemctl enable -- "$1"
    sync_wants
    [ "$before" != enabled ] || already
    finish
}

disable() {
    # What was noted of its starts: secrets are in it.
    record_of "$1" none
    try "cannot clear ${record%/*} away" rm -rf -- "$root${record%/*}"
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

# What is started at boot are links in these directories.
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
    # One that had to be killed counts as failed for ever.
    if [ "$active" = failed ]; then
        try "systemctl reset-failed $1" timeout -k 5 "$patience" systemctl reset-failed -- "$1"
    elif [ "$active" != inactive ]; then
        fail "$1 is still $active after it was stopped"
    fi
    finish
}
