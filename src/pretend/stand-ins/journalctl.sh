#!/bin/sh
# journalctl: prints the output of a unit, of one start or of all. There is one file for
# each start and one for each unit.
# journalctl -q --no-pager -o cat [-n LINES] (-u UNIT | _SYSTEMD_UNIT=UNIT | _SYSTEMD_INVOCATION_ID=ID)
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

lines=+1 name=''
while [ $# -gt 0 ]; do
    case $1 in
    -q | --no-pager) ;;
    -o) shift ;;
    -n)
        lines=$2
        shift
        ;;
    -u)
        name=$2
        shift
        ;;
    _SYSTEMD_INVOCATION_ID=* | _SYSTEMD_UNIT=*) name=${1#*=} ;;
    *) refuse "$@" ;;
    esac
    shift
done
case $name in
# Without a unit, the scripts ask only for the oldest entry of the whole journal. The
# simulated journal has kept every entry, so the oldest is from the boot.
'')
    echo '0.000000 systemd[1]: booted'
    exit
    ;;
*/*) refuse "$name" ;;
esac
[ ! -f "$state/journal/$name" ] || exec tail -n "$lines" -- "$state/journal/$name"
