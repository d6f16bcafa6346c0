#!/bin/sh
# ufw: adds and removes lines in the files with its rules, and filters nothing.
# ufw [delete] allow PORT/PROTOCOL [comment TEXT], ufw reload
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

verb=$1
[ "$verb" != delete ] || shift
[ "$*" != reload ] || exit 0
[ "$1" = allow ] || refuse "$@"
case ${3-}:${4-} in
: | comment:spore) ;;
*) refuse "$@" ;;
esac
for any in 0.0.0.0/0 ::/0; do
    rules=$root/etc/ufw/user.rules
    [ "$any" != ::/0 ] || rules=$root/etc/ufw/user6.rules
    tuple="### tuple ### allow ${2#*/} ${2%/*} $any any $any in"
    {
        grep -v -F -e "$tuple" "$rules" 2>/dev/null
        # ufw writes comments in hexadecimal.
        [ "$verb" = delete ] || printf '%s comment=73706f7265\n' "$tuple"
    } >"$rules.part"
    mv -f -- "$rules.part" "$rules"
done
