# What the scripts of actions share. Each of those files defines one function;
# `step` calls it and says how it ended.
#
# $m, set by the shell that reads requests, begins every line that is meant for
# the controller. $root comes before every path; it is empty on a host.
# shellcheck shell=sh disable=SC2034,SC2154

LC_ALL=C
export LC_ALL
root=${SPORE_ROOT-}
umask 022
exec 3>&1 >/dev/null

newline='
'

# step INDEX FUNCTION WORD...: says that an action begins, does it, and sees to it
# that it is said how it ended. Nothing after one that didn't end well is begun,
# nor anything after the process that holds the lock is gone.
step() {
    index=$1
    shift
    [ -z "${supervisor-}" ] || kill -0 "$supervisor" 2>/dev/null || exit 1
    printf '%s %s began\n' "$m" "$index" >&3
    # It says itself how it ended, and then ends with 40 or 41.
    ("$@")
    status=$?
    case $status in
        40) ;;
        41) exit 0 ;;
        *)
            (fail "its script ended with status $status")
            exit 0
            ;;
    esac
}

# How an action ends: was done, had been done, found something else, failed.
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
fail() {
    printf '%s %s failed %s\n' "$m" "$index" "$(printf '%s' "$1" | base64 -w0)" >&3
    exit 41
}

# runs INVOCATION: the start that a unit is in when its action ends.
runs() {
    printf '%s %s runs %s\n' "$m" "$index" "$1" >&3
}

# run COMMAND...: its output, standard error included, is left in $said, of a
# talkative one the end; its exit status in $status.
run() {
    said=$({ "$@" 2>&1 3>&- </dev/null; printf '\n%s' "$?"; } | tail -c 8000)
    status=${said##*"$newline"}
    said=${said%"$newline"*}
    said=${said%"$newline"}
}

# try WHAT COMMAND...: fails with what the command said.
try() {
    what=$1
    shift
    run "$@"
    [ "$status" = 0 ] || fail "$what: ${said:-status $status}"
}

# look PATH: what is there, links not followed, into $kind (absent, file, link,
# directory or other), $access, $identity, $size, $mtime and $ctime. What can't
# be looked at isn't absent.
look() {
    path=$1 kind=absent access='' identity='' size='' mtime='' ctime=''
    if ! seen=$(stat -c '%F|%a %U:%G|%d:%i|%s|%.9Y|%.9Z' -- "$root$path" 2>&1); then
        case $seen in
            *': No such file or directory' | *': Not a directory') return ;;
            *) fail "cannot look at $path: $seen" ;;
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

# The digest of the file that was looked at last, into $digest. A big one's is
# believed where it was noted and the file hasn't changed since, as git does.
digest() {
    digest=''
    if [ "$size" -ge 1048576 ]; then
        recall
    fi
    if [ -z "$digest" ]; then
        digest=$(sha256sum <"$root$path") || fail "cannot read $path"
        digest=${digest%% *}
    fi
}

memory=/var/lib/spore/digests
# The probe finds whatever is called .spore-*, should this one be left.
new_memory=/var/lib/spore/.spore-digests

# precedes A B: of two times, as stat says them with nine decimals.
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

# remember PATH DIGEST: notes a big file's digest. A digest counts only if the
# file last changed before it was noted, so this waits for the clock's next tick;
# digests that don't count aren't copied.
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
                # The newest come first; those of files that are gone fall off the end.
                while read -r sum id bytes modified changed; do
                    if [ "$id" != "$identity" ] && precedes "${changed:-9.000000000}" "$noted"; then
                        printf '%s\n' "$sum $id $bytes $modified $changed"
                    fi
                done <"$root$memory"
            fi | head -n 63
            printf '%s\n' "$2 $identity $size $mtime $ctime"
        } >"$root$new_memory" || exit 0
        until precedes "$ctime" "$(stat -c %.9Y -- "$root$new_memory")"; do
            sleep 0.01
            touch -- "$root$new_memory" || exit 0
        done
        sync -- "$root$new_memory" && mv -fT -- "$root$new_memory" "$root$memory"
    ) 2>/dev/null
}

# short DIGEST: as much of it as tells it apart for a person.
short() {
    printf %.12s "$1"
}

# Of what was looked at last, in words, with its digest where there is one.
found() {
    case $kind in
        absent) printf 'nothing there' ;;
        file) printf 'a file %s' "$(short "$digest")" ;;
        link) printf 'a symbolic link to %s' "$(readlink -- "$root$path")" ;;
        directory) printf 'a directory' ;;
        *) printf 'something that is neither file nor directory' ;;
    esac
}

# set_access PATH MODE OWNER: the owner first, for a change of it clears bits.
set_access() {
    try "cannot give $1 to $3" chown -h -- "$3" "$root$1"
    try "cannot set the mode of $1" chmod -- "$2" "$root$1"
}

# sync_path PATH: what was written there outlives a power cut.
sync_path() {
    try "cannot sync $1" sync -- "$root$1"
}

# parent PATH
parent() {
    parent=${1%/*}
    parent=${parent:-/}
}

# has_storage SHAPE: whether a node of that shape has left data.
has_storage() {
    [ -d "$root/tb/storage/$1" ] || [ -d "$root/tb/storage/${1}_client" ] || [ -d "$root/tb/raft/$1" ]
}

# remove_if_empty DIRECTORY...
remove_if_empty() {
    for path; do
        [ ! -d "$root$path" ] || run rmdir --ignore-fail-on-non-empty -- "$root$path"
    done
}
