# Holds the host's lock while a second shell, the worker, runs requests. If the
# controller's heartbeat stops, kills the worker and everything that it has started,
# and only then releases the lock. Runs in a session of its own, so that a signal to
# the connection's processes can't end it before the worker.
#
# Exits with 0 if the controller released the lock, and with 75 if the heartbeat
# stopped: the controller must then not go on, because it no longer has the lock.
#
# lock.sh MARKER DRIVER HOLDER STEP LIMIT: checks every STEP seconds, and acts after
# LIMIT checks without a beat.
# shellcheck shell=sh disable=SC2154

m=$1 driver=$2 holder=$3 step=$4 limit=$5
dir=${SPORE_ROOT-}/run/spore
umask 077

# The last holder may remove the file, but only while it holds the lock. So a lock
# counts only if the file is still the one of that name: otherwise two processes
# could each lock a file of that name. Names that begin with a dot can't be those of
# shapes.
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

# Remove the files of previous holders that were killed.
rm -rf -- "$dir"/../spore-beat-* "$dir/.holder.part" "$dir/.verify"
beats=$(mktemp -d -- "${dir%/spore}/spore-beat-XXXXXXXX") || exit 1
if [ -n "${SUDO_UID-}" ]; then
    # The heartbeat comes from the user that logged in, without sudo.
    chown -- "$SUDO_UID:${SUDO_GID-}" "$beats"
fi
# A probe tells from this shell's descriptor whether the lock is still held.
printf '%s\nsince %s\nshell %s\n' "$holder" "$(date -u '+%Y-%m-%d %H:%M:%S UTC')" "$$" >"$dir/.holder.part" &&
    mv -f -- "$dir/.holder.part" "$dir/.holder"

# The shell redirects the standard input of a background process from /dev/null,
# unless it is passed as another descriptor.
exec 8<&0 </dev/null
supervisor=$$ setsid sh -c "$driver" spore "$m" <&8 8<&- 9>&- &
worker=$!
exec 8<&-
printf '\n%s locked %s\n' "$m" "$beats"

# Sets $members to the processes in the worker's session. Its process group isn't
# enough, because some programs, such as `timeout`, create a group of their own.
members() {
    members=''
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        # The process name may contain anything. State, parent, group and session
        # follow its last parenthesis.
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
        # SIGTERM at first; SIGKILL for processes that are still running five checks
        # later.
        signal=KILL
        [ "$missed" -gt "$((limit + 5))" ] || signal=TERM
        # shellcheck disable=SC2086 # words
        kill -s "$signal" -- $members
    done
}
watch >/dev/null 2>&1 &
watcher=$!

# A trapped signal makes `wait` return early.
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
