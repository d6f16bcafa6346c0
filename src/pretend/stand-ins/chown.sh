#!/bin/sh
# chown: records the owner of a file for `stat`. The real owner doesn't change.
# chown [-h] [--] OWNER[:GROUP] FILE...
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
PATH=$real_path

follow=-L
if [ "$1" = -h ]; then
    follow=''
    shift
fi
[ "$1" != -- ] || shift
case $1 in -*) refuse "$@" ;; esac
wanted=$1
shift
for file; do
    # shellcheck disable=SC2086 # one word or none
    key=$(stat $follow -c '%d:%i:%.9W' -- "$file") || exit
    owner=$wanted
    case $owner in
    *:*) ;;
    *)
        group=$(sed -n "s/^$key .*://p" "$state/owners" 2>/dev/null)
        owner=$owner:${group:-root}
        ;;
    esac
    [ "$owner" != 0:0 ] || owner=root:root
    {
        grep -v "^$key " "$state/owners" 2>/dev/null
        [ "$owner" = root:root ] || printf '%s %s\n' "$key" "$owner"
    } >"$state/owners.part"
    mv -f -- "$state/owners.part" "$state/owners"
    # A real chown changes the ctime. This chmod, to the same mode, does so too.
    [ -z "$follow" ] || chmod -- "$(stat -L -c %a -- "$file")" "$file"
done
