# watch UNIT...: prints the present states of units as systemd reports them. It changes
# nothing.
# shellcheck shell=sh disable=SC2154

watch() {
    LC_ALL=C timeout -k 5 "$patience" systemctl show \
        -p Id,ActiveState,InvocationID -- "$@" 2>/dev/null
}
