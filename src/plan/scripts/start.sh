# start UNIT BEFORE PORTS SAYS WITHIN FALLBACK...: BEFORE is `stopped`, `failing` or
# the id of a start; PORTS is - if it is enough that the unit is active. FALLBACK is
# described in fallback.sh.
# await UNIT PORTS SAYS WITHIN FALLBACK...
# shellcheck shell=sh disable=SC2154

start() {
    unit=$1 planned=$2 ports=$3 says=$4 within=$5
    shift 5
    switched "$@"
    show "$unit"
    verb=start
    did=finish
    case $planned:$active in
        failing:inactive | failing:failed | stopped:inactive | stopped:failed) ;;
        # It is still stopping: it starts once it has stopped.
        stopped:deactivating) ;;
        failing:*) verb=restart ;;
        # Also if it has died since, and systemd is about to start it again.
        "$invocation":active | "$invocation":activating) verb=restart ;;
        stopped:active | stopped:activating | stopped:reloading)
            # Installing a package may start its unit, or the host is just booting.
            if [ "$ports" != - ] && ! runs_with_what_is_there "$unit"; then
                restarted 'it to be stopped'
            fi
            verb=''
            did=already
            ;;
        *)
            # It was started since the plan: by an earlier request of ours if it runs with
            # the files on the disk.
            if [ "$active" = inactive ] || [ "$active" = failed ] || ! runs_with_what_is_there "$unit"; then
                restarted "it to be running in start $(short "$planned")"
            fi
            verb=''
            did=already
            ;;
    esac
    if [ -n "$verb" ] && ! launch "$verb"; then
        fall_back "$@"
    fi
    healthy_in_time || fall_back "$@"
    discard_kept "$@"
    runs "$invocation"
    "$did"
}

await() {
    unit=$1 ports=$2 says=$3 within=$4
    shift 4
    switched "$@"
    show "$unit"
    # One that has died is being restarted, or has failed; this one was stopped.
    [ "$active" != inactive ] || differs "changed on the host since the plan: $unit (expected it to be starting, found it stopped)"
    healthy_in_time || fall_back "$@"
    discard_kept "$@"
    runs "$invocation"
    finish
}

restarted() {
    differs "changed on the host since the plan: $unit (expected $1, found it $active in start $(short "$invocation"), running with files other than those on the disk)"
}

# launch start|restart: has the service manager do it. Fails with the reason in $why.
launch() {
    if [ "$active" = failed ]; then
        try "systemctl reset-failed $unit" timeout -k 5 "$patience" systemctl reset-failed -- "$unit"
    fi
    run timeout -k 5 "$stopping" systemctl "$1" -- "$unit"
    case $status in
        0) return 0 ;;
        124 | 137) why="systemctl $1 took more than $stopping s" ;;
        *) why="systemctl $1: $said" ;;
    esac
    return 1
}

# healthy_in_time: waits until the unit has been healthy for $settle hundredths of a
# second in one start: it is active, it listens, and its journal says so. Fails with
# the reason in $why; a unit that dies twice meanwhile won't get there.
healthy_in_time() {
    now
    begun=$now watched='' since='' changes=0 first='' because='' fresh=yes
    limit=${within:-$starting} enough=$settle
    while :; do
        show "$unit"
        if [ "$invocation" != "$watched" ]; then
            [ -z "$watched" ] || changes=$((changes + 1))
            watched=$invocation since=''
        fi
        if [ -z "$first" ]; then
            first=$restarts
            # The service manager had to restart it: it may live longer than usual before
            # it dies again, so what it did until now proves nothing.
            [ "$restarts" = 0 ] || enough=$((settle * 12)) fresh=''
        fi
        # Each count may lag behind the other: they change at different times.
        deaths=$((restarts - first))
        [ "$deaths" -ge "$changes" ] || deaths=$changes
        # In the start that follows a failure, the result is "success" again.
        if [ "$result" != success ]; then
            because=" with status $status_of ($result)"
        fi
        now
        case $active in
            inactive | failed)
                why="it exited$because"
                return 1
                ;;
        esac
        if [ "$deaths" -ge 2 ]; then
            why="it crashed $deaths times$because"
            return 1
        fi
        if healthy; then
            if [ -z "$since" ]; then
                since=$now
                # A unit that was up long before we looked has settled already. In a
                # container systemd may use another clock than the one we read.
                [ -z "$fresh" ] || [ $((entered / 10000)) -gt "$now" ] || since=$((entered / 10000))
            fi
            [ $((now - since)) -lt "$enough" ] || break
        else
            since=''
            if [ $((now - begun)) -ge "$limit" ]; then
                why="within $((limit / 100)) s $(missing)"
                return 1
            fi
        fi
        fresh=''
        # Often at first, when most of it happens; rarely if it takes long.
        if [ $((now - begun)) -lt 300 ]; then
            sleep 0.1
        else
            sleep 0.5
        fi
    done
    record_of "$unit" "$invocation"
    # It is only a note: without it, the next plan waits for the node again.
    if [ -d "$root$record" ]; then
        (umask 077 && : >"$root$record/healthy") || :
    fi
    return 0
}

healthy() {
    [ "$active" = active ] || return 1
    [ "$ports" != - ] || return 0
    listens && said_so
}

missing() {
    if [ "$active" != active ]; then
        printf 'it did not become active, but is %s (%s)' "$active" "$sub"
    elif ! listens; then
        printf 'it did not listen on TCP port %s' "$port"
    else
        printf 'its journal did not say "%s"' "$says"
    fi
}

# Whether it listens on all of $ports; if not, $port is the first on which it
# doesn't. What systemd-resolved has on 127.0.0.53 and 127.0.0.54 doesn't count.
listens() {
    sockets=$(cat "$root/proc/net/tcp" "$root/proc/net/tcp6" 2>/dev/null)
    for port in $ports; do
        printf '%s\n' "$sockets" | grep -Ev '^ *[0-9]+: 3[56]00007F:' |
            grep -Eq "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$port") [0-9A-F]+:0000 0A " || return 1
    done
}

# Whether the journal of this start says what it should. A journal that holds nothing
# of it (rotated, not stored, unreadable) can't tell: then listening has to do.
said_so() {
    journal "_SYSTEMD_INVOCATION_ID=$invocation" | grep -Fq -e "$says" ||
        [ -z "$(journal -n 1 "_SYSTEMD_INVOCATION_ID=$invocation")" ]
}

journal() {
    journalctl -q --no-pager -o cat "$@" 2>/dev/null 3>&-
}

# Hundredths of a second since boot.
now() {
    read -r now _ <"$root/proc/uptime"
    now=${now%.*}${now#*.}
}

# The end of the unit's journal, into $last: its own lines, if there are any, because the
# service manager's lines only say that it died.
last_words() {
    last=$(last_lines "_SYSTEMD_UNIT=$unit")
    [ -n "$last" ] || last=$(last_lines -u "$unit")
    holders
    [ -z "$last" ] || last="; its journal ends:$newline$last"
}

# The end of the journal, in whole lines: the first one is cut if it isn't the empty one.
last_lines() {
    { echo; journal -n 10 "$@"; } | tail -c 4000 | sed 1d
}

# If a port that it needs is taken, adds to $why which process has it.
holders() {
    wanted=$(printf '%s\n' "$last" |
        sed -n 's/.*:\([0-9]\{1,5\}\): bind: address already in use.*/\1/p')
    case $wanted$why in
        *'did not listen on TCP port'*) wanted="$wanted $port" ;;
    esac
    command -v ss >/dev/null || return 0
    for port in $wanted; do
        case $why in *"TCP port $port is held"*) continue ;; esac
        holder=$(ss -Hltnp "sport = :$port" 2>/dev/null |
            sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\),.*/\1 (process \2)/p' | head -n 1)
        case $holder in
            '' | *"(process $pid)") ;;
            *) why="$why; TCP port $port is held by $holder" ;;
        esac
    done
}
