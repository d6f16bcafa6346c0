#!/bin/sh
# id -u: root is who logged in as root, or came through `sudo`.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

[ "$*" = -u ] || refuse "$@"
if [ "${USER-}" = root ] || [ -n "${SUDO_UID-}" ]; then
    echo 0
else
    echo 1000
fi
