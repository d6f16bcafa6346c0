# Functions that the scripts of the actions share. Each of these scripts defines the
# function of one or several actions; `step` calls such a function and reports how it ended.
#
# $m is set by the shell that reads requests, and begins every line that is meant for the
# controller. $root precedes every path; it is empty on a real host.
#
# By convention, a function returns its results in variables. A function that reports the
# end of the action (`finish`, `already`, `differs`, `fail`) doesn't return.
# shellcheck shell=sh disable=SC2034,SC2154

LC_ALL=C
export LC_ALL
root=${SPORE_ROOT-}
umask 022
exec 3>&1 >/dev/null

newline='
'

# is_data PATH: whether only a node's data can be at this path. The daemon's own function
# replaces this one before an action that needs it.
is_data() {
    return 1
}

# step INDEX FUNCTION WORD...: reports that an action begins, runs it, and makes sure that
# its end is reported, too. Nothing else is begun after an action that didn't succeed, or
# once the process that holds the lock has ended.
step() {
    index=$1
    shift
    [ -z "${supervisor-}" ] || kill -0 "$supervisor" 2>/dev/null || exit 1
    printf '%s %s began\n' "$m" "$index" >&3
    if [ -n "${obstacle-}" ]; then
        (fail "$obstacle")
        exit 0
    fi
    # The function itself reports its end, and then exits with 40 or 41.
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

# The ways in which an action ends: it was done now, it had been done before, it wasn't done
# because the host has changed since the plan, or it failed.
finish() {
    printf '%s %s done\n' "$m" "$index" >&3
    exit 40
}
already() {
    printf '%s %s already\n' "$m" "$index" >&3
    exit 40
}
# differs WHAT EXPECTED FOUND: each is a word, or a word and what follows it, that
# src/plan/wire/differs.rs reads.
differs() {
    printf '%s %s differs %s %s %s\n' "$m" "$index" "$(printf '%s' "$1" | base64 -w0)" \
        "$(printf '%s' "$2" | base64 -w0)" "$(printf '%s' "$3" | base64 -w0)" >&3
    exit 41
}
# fail TEXT: $failure has what has failed before, so that it is still reported if what
# follows it (a rollback) fails, too; $last has the end of the journal.
fail() {
    printf '%s %s failed %s\n' "$m" "$index" "$(printf '%s' "${failure-}$1${last-}" | base64 -w0)" >&3
    exit 41
}

# runs INVOCATION: reports the start that a unit is in when its action ends.
runs() {
    printf '%s %s runs %s\n' "$m" "$index" "$1" >&3
}

# settles: reports that the action has nothing left to do but to see whether its unit stays healthy.
settles() {
    printf '%s %s settles\n' "$m" "$index" >&3
}

# run COMMAND...: runs a command, and leaves its output in $said and its exit status in
# $status. The output includes standard error. Of a long output only the end is kept, in
# whole lines: the controller masks secrets in the text, and wouldn't recognize a secret of
# which a part is missing. That is why the first line is always dropped: it is either the
# empty line that comes first, or a line that `tail` has cut.
run() {
    said=$({ echo; "$@" 2>&1 3>&- 4<&- </dev/null; printf '\n\n%s' "$?"; } | tail -c 8000)
    said=${said#*"$newline"}
    status=${said##*"$newline"}
    said=${said%"$newline"*}
    said=${said%"$newline"}
    said=${said%"$newline"}
}

# try WHAT COMMAND...: runs a command. If it fails, the action fails with its output.
try() {
    what=$1
    shift
    run "$@"
    [ "$status" = 0 ] || fail "$what: ${said:-status $status}"
}

# look PATH: examines a path without following a link, and sets $kind (absent, file, link,
# directory or other), $access, $identity, $size, $mtime and $ctime. A path that can't be
# examined doesn't count as absent: the action fails.
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

# digest: sets $digest to the digest of the file that was examined last. For a big file the
# noted digest is used if the file hasn't changed since then, as git's index does.
digest() {
    digest=''
    case $path in
        /tmp/*)
            # `Meaning::Leftover` in src/daemon/mod.rs says which files in /tmp matter, and
            # why they are read like this.
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

# is_file PATH DIGEST: whether the file with this digest is at this path.
is_file() {
    look "$1"
    [ "$kind" = file ] || return 1
    digest
    [ "$digest" = "$2" ]
}

memory=/var/lib/spore/digests
# If this file is left behind, the next plan removes it, because the probe finds every file
# that is called .spore-*.
new_memory=/var/lib/spore/.spore-digests

# precedes A B: whether the time A is before B; both are in stat's form with nine decimals.
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

# remember PATH DIGEST [VERSION]: notes the digest of a big file and, if it is a program,
# the version that later plans show for this digest.
#
# A note is valid only if its file last changed before the notes were written: a file that
# was changed in the same tick of the clock could have been changed after it was read. So
# this waits for the next tick. Writing the notes anew must not validate notes that weren't
# valid before, so these aren't carried over.
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
                # The notes are in the order in which they were made. The number is limited,
                # because the notes of removed files stay.
                while read -r sum id bytes modified changed; do
                    # A version belongs to a digest, and not to a file.
                    [ "$sum:$id:${3:+new}" != "$2:version:new" ] || continue
                    if [ "$id" != "$identity" ] && precedes "${changed:-9.000000000}" "$noted"; then
                        printf '%s\n' "$sum $id $bytes $modified $changed"
                    fi
                done <"$root$memory"
            fi | tail -n 63
            [ -z "${3-}" ] || printf '%s\n' "$2 version $3"
            printf '%s\n' "$2 $identity $size $mtime $ctime"
        } >"$root$new_memory" || exit 0
        # If the clock was set back, a file may have been changed in the future. Then
        # nothing can be noted about it.
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

# short DIGEST: prints as much of a digest as a person needs to tell it from others.
short() {
    printf %.12s "$1"
}

# found: what was examined last, in the form that `differs` takes; a file with its digest if
# $digest has it.
found() {
    case $kind in
        absent) printf nothing ;;
        file) printf 'file%s' "${digest:+ $digest}" ;;
        link) printf 'link %s' "$(readlink -- "$root$path")" ;;
        *) printf %s "$kind" ;;
    esac
}

# changed PATH EXPECTED: ends the action, because what was examined last isn't what the plan
# was made for.
changed() {
    differs "$1" "$2" "$(found)"
}

# content PATH: sets $content to the digest of the file at this path, or to - if nothing is
# there. Anything else than a file ends the action.
content() {
    look "$1"
    case $kind in
        absent) content=- ;;
        file)
            digest
            content=$digest
            ;;
        *) changed "$1" file ;;
    esac
}

# expect PATH CONTENT: ends the action unless `content` has found this content.
expect() {
    [ "$content" != "$2" ] || return 0
    case $2 in
        -) changed "$1" nothing ;;
        *) changed "$1" "file $2" ;;
    esac
}

# set_access PATH MODE OWNER: sets the owner first, because changing the owner clears bits
# of the mode. The mode needs leading zeros, because without them `chmod` keeps the setuid
# and setgid bits of a directory.
set_access() {
    try "cannot change the owner of $1 to $3" chown -h -- "$3" "$root$1"
    try "cannot set the mode of $1" chmod -- "0000$2" "$root$1"
    look "$1"
    [ "$access" = "$2 $3" ] || fail "cannot set the mode of $1 to $2 $3: it is still $access"
}

# sync_path PATH: makes sure that what was written to this file or directory survives a
# power cut.
sync_path() {
    try "cannot sync $1" sync -- "$root$1"
}

# parent PATH: sets $parent to the directory of this path.
parent() {
    parent=${1%/*}
    parent=${parent:-/}
}

# remove_if_empty DIRECTORY...: removes each directory that exists and is empty.
remove_if_empty() {
    for path; do
        [ ! -d "$root$path" ] || run rmdir --ignore-fail-on-non-empty -- "$root$path"
    done
}
