#!/bin/sh
# ufw: its rules are lines of its file; nothing is kept out.
# ufw [delete] allow PORT/PROTOCOL [comment TEXT]
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

rules=$root/etc/ufw/user.rules
verb=$1
[ "$verb" != delete ] || shift
[ "$1" = allow ] || refuse "$@"
tuple="### tuple ### allow ${2#*/} ${2%/*} 0.0.0.0/0 any 0.0.0.0/0 in"
case ${3-}:${4-} in
: | comment:spore) ;;
*) refuse "$@" ;;
esac
{
    grep -v -F -e "$tuple" "$rules" 2>/dev/null
    # The comment, as ufw writes it: in hexadecimal.
    [ "$verb" = delete ] || printf '%s comment=73706f7265\n' "$tuple"
} >"$rules.part"
mv -f -- "$rules.part" "$rules"
