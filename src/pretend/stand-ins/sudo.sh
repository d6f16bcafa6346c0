#!/bin/sh
# sudo -n COMMAND... or sudo -S -p PROMPT COMMAND...: sets SUDO_UID, which makes `id` report
# root, and runs the command. Each answer to the prompt is recorded.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

case $1$2 in
    -S-p) prompt=$3 && shift 3 ;;
    -n*) prompt='' && shift ;;
    *) refuse "$@" ;;
esac
case " ${SPORE_FAULTS-} " in
    *' sudo-password='*)
        right=${SPORE_FAULTS#*sudo-password=}
        right=${right%% *}
        ;;
    *) right='' ;;
esac
if has no-sudo || { [ -n "$right" ] && [ -z "$prompt" ]; }; then
    echo 'sudo: a password is required' >&2
    exit 1
fi
given=''
while [ -n "$right" ] && [ "$given" != "$right" ]; do
    printf '%s' "$prompt" >&2
    if ! IFS= read -r given; then
        echo 'sudo: no password was provided' >&2
        exit 1
    fi
    printf '%s\n' "$given" >>"$state/sudo-passwords"
    [ "$given" = "$right" ] || echo 'Sorry, try again.' >&2
done
SUDO_UID=1000 SUDO_GID=1000 SUDO_USER=${USER-}
export SUDO_UID SUDO_GID SUDO_USER
exec "$@"
