#!/bin/sh
# stat: everything belongs to root, except files whose owner `chown` recorded.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
PATH=$real_path

if [ "$1" = -f ] && has full-disk; then
    # The probe's format: the number of free blocks, and the size of a block.
    echo '0 4096'
    exit
fi
# The directory of a process that has just started tells the time.
case " $* " in *" $root/proc/self/. "*) touch -c -- "$root/proc/self" ;; esac
owner=root:root given=''
if [ -s "$state/owners" ]; then
    # Inode numbers are reused, so the time of birth is part of a file's key.
    owner='<%d:%i:%.9W>'
fi
left=$#
while [ "$left" -gt 0 ]; do
    word=$1 left=$((left - 1))
    shift
    case $word in
    *%U:%G*)
        word=${word%%'%U:%G'*}$owner${word#*'%U:%G'}
        given=yes
        ;;
    esac
    set -- "$@" "$word"
done
if [ "$owner" = root:root ] || [ -z "$given" ]; then
    exec stat "$@"
fi
said=$(stat "$@")
status=$?
[ -z "$said" ] || printf '%s\n' "$said" | awk -v table="$state/owners" '
    BEGIN { while ((getline line < table) > 0) { split(line, words, " "); owners[words[1]] = words[2] } }
    match($0, /<[0-9]+:[0-9]+:[0-9.]+>/) {
        key = substr($0, RSTART + 1, RLENGTH - 2)
        owner = key in owners ? owners[key] : "root:root"
        $0 = substr($0, 1, RSTART - 1) owner substr($0, RSTART + RLENGTH)
    }
    { print }'
exit "$status"
