#!/bin/sh
# id -u: 0 for a user who logged in as root or came through `sudo`, else 1000.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

[ "$*" = -u ] || refuse "$@"
if [ "${USER-}" = root ] || [ -n "${SUDO_UID-}" ]; then
    echo 0
else
    echo 1000
fi
