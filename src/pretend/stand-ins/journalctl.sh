#!/bin/sh
# journalctl: the output of a unit, from one start or from all; each has a file.
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
# Of everything, only the oldest entry is asked for: it keeps all there ever was.
'')
    echo '0.000000 systemd[1]: booted'
    exit
    ;;
*/*) refuse "$name" ;;
esac
[ ! -f "$state/journal/$name" ] || exec tail -n "$lines" -- "$state/journal/$name"
