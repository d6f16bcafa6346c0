# What the scripts of the actions share. Each of those files defines the function
# of an action; `step` calls it and reports how it ended.
#
# $m, set by the shell that reads requests, begins every line that is meant for
# the controller. $root comes before every path; it is empty on a real host.
# shellcheck shell=sh disable=SC2034,SC2154

LC_ALL=C
export LC_ALL
root=${SPORE_ROOT-}
umask 022
exec 3>&1 >/dev/null

newline='
'

# is_data PATH: whether only a node's data can be there. The daemon's own function comes
# before the action that needs it.
is_data() {
    return 1
}

# step INDEX FUNCTION WORD...: reports that an action begins, runs it, and makes
# sure that its end is reported too. After an action that didn't succeed, or once
# the process that holds the lock is gone, nothing else is begun.
step() {
    index=$1
    shift
    [ -z "${supervisor-}" ] || kill -0 "$supervisor" 2>/dev/null || exit 1
    printf '%s %s began\n' "$m" "$index" >&3
    # The function reports its own end, and then exits with 40 or 41.
    ("$@")
    status=$?
    case $status in
        40) ;;
        41) exit 0 ;;
        *)
            (fail "its script exited with status $status")
            exit 0
            ;;
    esac
}

# How an action ends: done now, done before, not applicable because the host has
# changed, or failed.
finish() {
    printf '%s %s done\n' "$m" "$index" >&3
    exit 40
}
already() {
    printf '%s %s already\n' "$m" "$index" >&3
    exit 40
}
differs() {
    printf '%s %s differs %s\n' "$m" "$index" "$(printf '%s' "$1" | base64 -w0)" >&3
    exit 41
}
# What has failed before goes into $failure, so that it is still reported if what
# follows it (a rollback) fails too.
fail() {
    printf '%s %s failed %s\n' "$m" "$index" "$(printf '%s' "${failure-}$1${last-}" | base64 -w0)" >&3
    exit 41
}

# runs INVOCATION: the start that a unit is in when its action ends.
runs() {
    printf '%s %s runs %s\n' "$m" "$index" "$1" >&3
}

# run COMMAND...: leaves its output (standard error included; of a long one, the
# end, in whole lines) in $said and its exit status in $status. The first line is
# either the empty one or cut, and spore doesn't mask a secret of which a part is
# missing.
run() {
    said=$({ echo; "$@" 2>&1 3>&- </dev/null; printf '\n\n%s' "$?"; } | tail -c 8000)
    said=${said#*"$newline"}
    status=${said##*"$newline"}
    said=${said%"$newline"*}
    said=${said%"$newline"}
    said=${said%"$newline"}
}

# try WHAT COMMAND...: fails with the command's output.
try() {
    what=$1
    shift
    run "$@"
    [ "$status" = 0 ] || fail "$what: ${said:-status $status}"
}

# look PATH: what is there, without following a link, into $kind (absent, file,
# link, directory or other), $access, $identity, $size, $mtime and $ctime. A path
# that can't be examined doesn't count as absent.
look() {
    path=$1 kind=absent access='' identity='' size='' mtime='' ctime=''
    if ! seen=$(stat -c '%F|%a %U:%G|%d:%i|%s|%.9Y|%.9Z' -- "$root$path" 2>&1); then
        case $seen in
            *': No such file or directory' | *': Not a directory') return ;;
            *) fail "cannot examine $path: $seen" ;;
        esac
    fi
    IFS='|' read -r kind access identity size mtime ctime <<END
$seen
END
    case $kind in
        'regular file' | 'regular empty file') kind='file' ;;
        'symbolic link') kind='link' ;;
        directory) ;;
        *) kind=other ;;
    esac
}

# The digest of the file that was examined last, into $digest. A big file's is
# taken from the notes if the file hasn't changed since, as git does.
digest() {
    digest=''
    case $path in
        /tmp/*)
            # `Meaning::Leftover` in src/facts/interpret.rs says what counts in /tmp, and why.
            digest=$(dd if="$root$path" iflag=nofollow,nonblock,fullblock bs=65536 count=1 status=none 2>/dev/null |
                sha256sum)
            digest=${digest%% *}
            return
            ;;
    esac
    if [ "$size" -ge 1048576 ]; then
        recall
    fi
    if [ -z "$digest" ]; then
        digest=$(sha256sum <"$root$path") || fail "cannot read $path"
        digest=${digest%% *}
    fi
}

# is_file PATH DIGEST: whether that file is there.
is_file() {
    look "$1"
    [ "$kind" = file ] || return 1
    digest
    [ "$digest" = "$2" ]
}

memory=/var/lib/spore/digests
# The probe finds whatever is called .spore-*, should this one be left.
new_memory=/var/lib/spore/.spore-digests

# precedes A B: compares two times in stat's form with nine decimals.
precedes() {
    [ "${1%.*}${1#*.}" -lt "${2%.*}${2#*.}" ]
}

recall() {
    [ -f "$root$memory" ] || return 0
    noted=$(stat -c %.9Y -- "$root$memory") || return 0
    precedes "$ctime" "$noted" || return 0
    while read -r line; do
        if [ "${line#* }" = "$identity $size $mtime $ctime" ]; then
            digest=${line%% *}
        fi
    done <"$root$memory"
}

# remember PATH DIGEST [VERSION]: notes a big file's digest and, for later plans, the
# version of the program that has it. A note counts only if the file last changed
# before the note was written, so this waits for the clock's next tick; and notes
# that didn't count before aren't carried over.
remember() {
    look "$1"
    if [ "$kind" != file ] || [ "$size" -lt 1048576 ]; then
        return 0
    fi
    (
        umask 077
        mkdir -p -- "$root${memory%/*}" || exit 0
        noted=0.000000000
        if [ -f "$root$memory" ]; then
            noted=$(stat -c %.9Y -- "$root$memory") || exit 0
        fi
        {
            if [ -f "$root$memory" ]; then
                # The newest come first; those of removed files drop off the end.
                while read -r sum id bytes modified changed; do
                    # A version goes with a digest, whichever file has it.
                    [ "$sum:$id:${3:+new}" != "$2:version:new" ] || continue
                    if [ "$id" != "$identity" ] && precedes "${changed:-9.000000000}" "$noted"; then
                        printf '%s\n' "$sum $id $bytes $modified $changed"
                    fi
                done <"$root$memory"
            fi | head -n 63
            [ -z "${3-}" ] || printf '%s\n' "$2 version $3"
            printf '%s\n' "$2 $identity $size $mtime $ctime"
        } >"$root$new_memory" || exit 0
        # Of a file that was changed in the future, because the clock was set back, nothing
        # can be noted.
        tries=100
        until precedes "$ctime" "$(stat -c %.9Y -- "$root$new_memory")"; do
            tries=$((tries - 1))
            if [ "$tries" = 0 ]; then
                rm -f -- "$root$new_memory"
                exit 0
            fi
            sleep 0.01
            touch -- "$root$new_memory" || exit 0
        done
        sync -- "$root$new_memory" && mv -fT -- "$root$new_memory" "$root$memory"
    ) 2>/dev/null
}

# short DIGEST: enough of it for a person to tell it apart.
short() {
    printf %.12s "$1"
}

# Describes what was examined last, with its digest if it has one.
found() {
    case $kind in
        absent) printf 'nothing' ;;
        file) printf 'a file with sha256 %s' "$(short "$digest")" ;;
        link) printf 'a symbolic link to %s' "$(readlink -- "$root$path")" ;;
        directory) printf 'a directory' ;;
        *) printf 'something that is neither a file nor a directory' ;;
    esac
}

# changed PATH EXPECTED: ends the action, because what was examined last isn't what
# the plan was made from.
changed() {
    differs "changed on the host since the plan: $1 (expected $2, found $(found))"
}

# content PATH: which file is there, into $content: its digest, or - if there is nothing.
content() {
    look "$1"
    case $kind in
        absent) content=- ;;
        file)
            digest
            content=$digest
            ;;
        *) changed "$1" 'a file' ;;
    esac
}

# expect PATH CONTENT: ends the action unless `content` has found that.
expect() {
    [ "$content" != "$2" ] || return 0
    case $2 in
        -) changed "$1" nothing ;;
        *) changed "$1" "a file with sha256 $(short "$2")" ;;
    esac
}

# set_access PATH MODE OWNER: the owner first, because changing it clears bits of
# the mode. Only with leading zeros does `chmod` clear the bits that hand a
# directory's group down.
set_access() {
    try "cannot change the owner of $1 to $3" chown -h -- "$3" "$root$1"
    try "cannot set the mode of $1" chmod -- "0000$2" "$root$1"
    look "$1"
    [ "$access" = "$2 $3" ] || fail "cannot set the mode of $1 to $2 $3: it is still $access"
}

# sync_path PATH: makes sure that what was written there survives a power cut.
sync_path() {
    try "cannot sync $1" sync -- "$root$1"
}

# parent PATH
parent() {
    parent=${1%/*}
    parent=${parent:-/}
}

# remove_if_empty DIRECTORY...
remove_if_empty() {
    for path; do
        [ ! -d "$root$path" ] || run rmdir --ignore-fail-on-non-empty -- "$root$path"
    done
}
