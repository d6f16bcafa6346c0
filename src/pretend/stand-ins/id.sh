#!/bin/sh
# id -u: prints 0 if the login was as root or the process was started by `sudo`, else 1000.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

[ "$*" = -u ] || refuse "$@"
if [ "${USER-}" = root ] || [ -n "${SUDO_UID-}" ]; then
    echo 0
else
    echo 1000
fi
