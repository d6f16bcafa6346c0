# Holds the host's lock while a second shell, the worker, runs requests. If the controller's
# heartbeat stops, kills the worker and everything that it has started, and only then
# releases the lock. Runs in its own session, so that a signal to the connection's processes
# can't end this script before the worker.
#
# Exits with 0 if the controller released the lock or another process holds it, and with 75
# if the worker ended in any other way, for example because the heartbeat stopped. After 75
# the controller must not go on, because it no longer has the lock.
#
# lock.sh MARKER DRIVER HOLDER STEP LIMIT: checks for a heartbeat every STEP seconds, and
# kills the worker after LIMIT checks without one.
# shellcheck shell=sh disable=SC2154

m=$1 driver=$2 holder=$3 step=$4 limit=$5
dir=${SPORE_ROOT-}/run/spore
umask 077

# A holder may remove the lock file, but only while it has the lock. A lock therefore counts
# only if the locked file is still the one with that name: otherwise two processes could
# each hold a lock, on different files with the same name. The names of spore's own files
# begin with a dot, because the other entries of the directory are named after shapes, whose
# names can't begin with a dot.
for _ in 1 2 3 4 5; do
    mkdir -p -- "$dir" || exit 1
    # If the directory is removed at this moment, the redirection fails. Without `command`,
    # a failed redirection of `exec` ends the shell.
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
    # The user that logged in writes the heartbeat, without sudo.
    chown -- "$SUDO_UID:${SUDO_GID-}" "$beats"
fi
# A probe looks at this shell's descriptor to see whether the lock is still held.
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
        # The process name, in parentheses, may contain anything. State, parent, group and
        # session follow the last closing parenthesis.
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
        # Send SIGTERM at first, and SIGKILL to processes that are still running five checks
        # later.
        signal=KILL
        [ "$missed" -gt "$((limit + 5))" ] || signal=TERM
        # shellcheck disable=SC2086 # words
        kill -s "$signal" -- $members
    done
}
watch >/dev/null 2>&1 &
watcher=$!

# A trapped signal makes `wait` return early, so repeat it until the worker has ended.
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
# If the directory has no record of a node's start, spore manages no running node on this
# host, so remove the lock file and the directory.
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
