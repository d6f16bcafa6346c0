#!/bin/sh
# readlink: for /proc/PID/exe, reports whether the program's file was replaced, as the
# kernel does.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
PATH=$real_path

for path; do :; done
case ${path-} in
"$root"/proc/[0-9]*/exe)
    [ -e "$path" ] || exit 1
    # shellcheck disable=SC3013 # dash has -ef
    if [ "$path" -ef "$root/tb/bin/tau" ]; then
        echo /tb/bin/tau
    else
        echo '/tb/bin/tau (deleted)'
    fi
    ;;
*) exec readlink "$@" ;;
esac
