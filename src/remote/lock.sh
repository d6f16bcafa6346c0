# Holds the host's lock while a second shell reads requests, and ends that one and
# all it has begun when the controller isn't heard of any more. Only then the lock
# is let go. Runs in a session of its own, so that nothing that happens to the
# connection's processes ends it before those it answers for.
#
# It ends with 0 where it was told to; with 75 where the controller was given up:
# who was that must not go on without the lock.
#
# lock.sh MARKER DRIVER HOLDER STEP LIMIT: it looks every STEP seconds; after LIMIT
# looks without a beat it has heard enough.
# shellcheck shell=sh disable=SC2154

m=$1 driver=$2 holder=$3 step=$4 limit=$5
dir=${SPORE_ROOT-}/run/spore
umask 077

# The last holder may remove the file, but only while it holds the lock: so a lock
# on a file that is not the one of that name any more is worth nothing. No shape
# can have a name like these.
for _ in 1 2 3 4 5; do
    mkdir -p -- "$dir" || exit 1
    # Without `command` it would end the shell, should the directory go just now.
    command exec 9>>"$dir/.lock" || continue
    if ! flock -n 9; then
        printf '\n%s held %s\n' "$m" "$(head -c 4000 -- "$dir/.holder" 2>/dev/null | base64 -w0)"
        exit 0
    fi
    # shellcheck disable=SC3013 # dash has -ef
    [ ! "/proc/$$/fd/9" -ef "$dir/.lock" ] || break
    exec 9>&-
done
[ -e "/proc/$$/fd/9" ] || exit 1
trap : HUP INT TERM PIPE

# What holders left that were killed.
rm -rf -- "$dir"/../spore-beat-* "$dir/.holder.part" "$dir/.verify"
beats=$(mktemp -d -- "${dir%/spore}/spore-beat-XXXXXXXX") || exit 1
if [ -n "${SUDO_UID-}" ]; then
    # Beats come from whoever logged in, who needn't become root for them.
    chown -- "$SUDO_UID:${SUDO_GID-}" "$beats"
fi
printf '%s\nsince %s\n' "$holder" "$(date -u '+%Y-%m-%d %H:%M:%S UTC')" >"$dir/.holder.part" &&
    mv -f -- "$dir/.holder.part" "$dir/.holder"

# A process in the background gets no input but by another name.
exec 8<&0 </dev/null
supervisor=$$ setsid sh -c "$driver" spore "$m" <&8 8<&- 9>&- &
worker=$!
exec 8<&-
printf '\n%s locked %s\n' "$m" "$beats"

# Whatever runs of the worker's session, into $members. Its process group isn't
# enough: `timeout`, for one, makes a group of its own.
members() {
    members=''
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        # The name may hold anything; state, parent, group and session follow it.
        # shellcheck disable=SC2086 # words
        set -- ${line##*) }
        if [ "$4" = "$worker" ] && [ "$1" != Z ]; then
            members="$members ${line%% *}"
        fi
    done
    [ -n "$members" ]
}

watch() {
    last='' missed=0
    while kill -0 "$worker" 2>/dev/null || members; do
        sleep "$step" 9>&-
        beat=''
        [ ! -f "$beats/beat" ] || read -r beat <"$beats/beat"
        if [ "$beat" != "$last" ]; then
            last=$beat missed=0
        else
            missed=$((missed + 1))
        fi
        if [ "$missed" -lt "$limit" ] || ! members; then
            continue
        fi
        # What doesn't end when it is told to isn't asked twice.
        signal=KILL
        [ "$missed" -gt "$((limit + 5))" ] || signal=TERM
        # shellcheck disable=SC2086 # words
        kill -s "$signal" -- $members
    done
}
watch >/dev/null 2>&1 &
watcher=$!

# A signal ends a wait early.
ended=0
while kill -0 "$worker" 2>/dev/null; do
    wait "$worker"
    ended=$?
done
while members; do
    sleep 0.1 9>&-
done
kill "$watcher" 2>/dev/null
rm -rf -- "$beats" "$dir/.holder"
# Where no start of a node is recorded, spore has no business any more, or has none
# yet: nothing of it stays.
recorded=''
for entry in "$dir"/* "$dir"/.[!.]*; do
    if [ -e "$entry" ] && [ "$entry" != "$dir/.lock" ]; then
        recorded=yes
    fi
done
if [ -z "$recorded" ]; then
    rm -f -- "$dir/.lock"
    rmdir -- "$dir"
fi 2>/dev/null
[ "$ended" = 0 ] || exit 75
