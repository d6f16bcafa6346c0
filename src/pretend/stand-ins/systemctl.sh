#!/bin/sh
# systemctl: a running unit is a directory in $state/units with its properties, and
# an entry in the host's /proc. There is no process.
# systemctl VERB [OPTION...] [--] UNIT...
# shellcheck disable=SC1091,SC2154 # assigned by a unit's state
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
# shellcheck source=units.sh
. "$stand_ins/units.sh"

verb='' units='' now=''
while [ $# -gt 0 ]; do
    case $1 in
    # `show` always prints every property.
    -p) shift ;;
    --now) now=yes ;;
    -*) ;;
    *) if [ -z "$verb" ]; then
        verb=$1
    else
        case $1 in
        *.service) units="$units $1" ;;
        *) units="$units $1.service" ;;
        esac
    fi ;;
    esac
    shift
done

show() {
    active=inactive sub=dead result=success invocation='' pid=0 restarts=0 code=0
    entered=0 started='' loaded=''
    look "$1"
    if [ -f "$state/units/$1/state" ]; then
        . "$state/units/$1/state"
        read_unit "$1" "$(cat -- "$state/units/$1/text")"
    else
        read_unit "$1" "$(text)"
    fi
    reload=no
    [ -z "$loaded" ] || [ "$loaded" = "$(changed "$1")" ] || reload=yes
    if [ "$active" = activating ]; then
        # The node exits at once, and systemd would restart it every second.
        monotonic
        restarts=$(((monotonic - entered) / 1000000))
    fi
    command=${exec_start%% *}
    cat <<END
Id=$1
LoadState=$load
ActiveState=$active
SubState=$sub
Result=$result
UnitFileState=$enabled
InvocationID=$invocation
FragmentPath=$fragment
DropInPaths=$drop_ins
NeedDaemonReload=$reload
MainPID=$pid
NRestarts=$restarts
ExecMainStatus=$code
ExecMainStartTimestamp=$started
ExecMainStartTimestampMonotonic=$entered
ActiveEnterTimestampMonotonic=$entered
ExecStart=${exec_start:+{ path=$command ; argv[]=$exec_start ; ignore_errors=no ; pid=$pid \}}
User=$user
Group=$group
LimitNOFILE=${nofile#*:}
LimitNOFILESoft=${nofile%:*}
LimitAS=${as#*:}
LimitASSoft=${as%:*}
LimitRSS=${rss#*:}
LimitRSSSoft=${rss%:*}
LimitCORE=${core#*:}
LimitCORESoft=${core%:*}

END
}

# matching PATTERN: prints the running units that match. A name without `*` is printed
# unchanged.
matching() {
    case $1 in
    *\**)
        for found in "$state"/units/$1; do
            [ ! -d "$found" ] || printf '%s\n' "${found##*/}"
        done
        ;;
    *) printf '%s\n' "$1" ;;
    esac
}

enable_unit() {
    look "$1"
    [ -n "$fragment" ] || {
        echo "Failed to enable unit: Unit file $1 does not exist." >&2
        exit 1
    }
    ln -sfn -- "$fragment" "$root$wants/$1"
    [ -z "$now" ] || start_unit "$1"
}

disable_unit() {
    rm -f -- "$root$wants/$1"
    [ -z "$now" ] || stop_unit "$1"
}

case $verb in
daemon-reload)
    for dir in "$state"/units/*/; do
        [ -f "$dir/state" ] || continue
        unit=${dir%/}
        load_unit "${unit##*/}"
    done
    ;;
show | start | stop | restart | reset-failed | enable | disable | is-enabled | is-active)
    status=0
    for pattern in $units; do
        for unit in $(matching "$pattern"); do
            case $verb in
            show) show "$unit" ;;
            start) start_unit "$unit" ;;
            stop) stop_unit "$unit" ;;
            restart)
                stop_unit "$unit"
                start_unit "$unit"
                ;;
            reset-failed) ;;
            enable) enable_unit "$unit" ;;
            disable) disable_unit "$unit" ;;
            is-enabled)
                look "$unit"
                echo "${enabled:-not-found}"
                [ "$enabled" = enabled ] || status=1
                ;;
            is-active)
                active=inactive
                [ ! -f "$state/units/$unit/state" ] || . "$state/units/$unit/state"
                echo "$active"
                [ "$active" = active ] || status=3
                ;;
            esac
        done
    done
    exit "$status"
    ;;
*) refuse "$verb" ;;
esac
