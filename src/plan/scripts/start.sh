# start UNIT BEFORE PORTS SAYS WITHIN SPEAKS FALLBACK...: starts or restarts a unit. BEFORE is
# `stopped`, `failing` or the id of a start.
#
# await UNIT PORTS SAYS WITHIN SPEAKS FALLBACK...: waits for a unit that is starting.
#
# The unit is healthy when it listens on the TCP ports PORTS and its journal says SAYS,
# which it should reach within WITHIN hundredths of a second. If PORTS is -, it is enough
# that the unit is active. If SPEAKS isn't -, the controller then completes the handshake with
# the node, on TCP port SPEAKS, and writes a line with the result to descriptor 4. FALLBACK is
# described in fallback.sh.
# shellcheck shell=sh disable=SC2154

start() {
    unit=$1 planned=$2 ports=$3 says=$4 within=$5 speaks=$6
    shift 6
    switched "$@"
    show "$unit"
    verb=start
    did=finish
    case $planned:$active in
        failing:inactive | failing:failed | stopped:inactive | stopped:failed) ;;
        # The unit is still stopping. The service manager starts it once it has stopped.
        stopped:deactivating) ;;
        failing:*) verb=restart ;;
        # The second pattern is for a unit that has died since the plan, so that systemd is
        # about to start it again.
        "$invocation":active | "$invocation":activating) verb=restart ;;
        stopped:active | stopped:activating | stopped:reloading)
            # Something else has started the unit: the installation of its package, or the
            # host's boot. That is enough for a unit that isn't a node's. A node has to run
            # with the files on the disk.
            if [ "$ports" != - ] && ! runs_with_what_is_there "$unit"; then
                outdated stopped
            fi
            verb=''
            did=already
            ;;
        *)
            # The unit was started after the plan. If it runs with the files on the disk, an
            # earlier request for this action has started it.
            if [ "$active" = inactive ] || [ "$active" = failed ] || ! runs_with_what_is_there "$unit"; then
                outdated "start $planned"
            fi
            verb=''
            did=already
            ;;
    esac
    if [ -n "$verb" ] && ! launch "$verb"; then
        fall_back "$@"
    fi
    proves_healthy || fall_back "$@"
    discard_kept "$@"
    "$did"
}

await() {
    unit=$1 ports=$2 says=$3 within=$4 speaks=$5
    shift 5
    switched "$@"
    show "$unit"
    # A unit that has died is being restarted, or is `failed`. An inactive unit was stopped
    # on purpose.
    [ "$active" != inactive ] || differs "$unit" starting stopped
    proves_healthy || fall_back "$@"
    discard_kept "$@"
    finish
}

# outdated EXPECTED: ends the action, because the unit was started since the plan, with other
# files than those on the disk.
outdated() {
    differs "$unit" "$1" "outdated $active $invocation"
}

# launch start|restart: has the service manager start or restart the unit. Returns 1 if that
# fails, with the reason in $why.
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

# proves_healthy: waits until the unit is healthy, also in the eyes of the controller, and has
# stayed so for $settle hundredths of a second in one start. Returns 1 if that doesn't happen, with
# the reason in $why.
proves_healthy() {
    watch_from_now
    until_healthy now || return 1
    while :; do
        proved=$invocation
        runs "$proved"
        if [ "$speaks" != - ] && ! speaks_well; then
            unproved=$why
            # If the unit has ended meanwhile, that is the reason.
            until_healthy now || return 1
            [ "$invocation" = "$proved" ] || continue
            why=$unproved
            return 1
        fi
        if [ -z "$settling" ]; then
            settling=yes
            settles
        fi
        until_healthy settled || return 1
        # In another start, the unit has to prove itself again.
        [ "$invocation" != "$proved" ] || break
    done
    note_healthy
}

# speaks_well: waits for the controller's verdict on the node's handshake. Returns 1 if the node
# has failed it, with the reason in $why.
#
# If the controller is gone, nothing is concluded: the node keeps running, and the next plan
# waits for it again.
speaks_well() {
    IFS= read -r verdict <&4 ||
        fail "$unit runs, but the connection was lost before its handshake was completed"
    case $verdict in
        proved | unknown) return 0 ;;
        refused) why="it doesn't accept connections on TCP port $speaks" ;;
        closed) why="it closes connections on TCP port $speaks at once" ;;
        silent) why="it accepts connections on TCP port $speaks, but doesn't answer" ;;
        other-swarm) why="the node on TCP port $speaks probably has another swarm key" ;;
        no-tls) why="the node on TCP port $speaks has the swarm key, but doesn't complete the TLS handshake" ;;
        'other-node '*) why="another node answers on TCP port $speaks: ${verdict#* }" ;;
        *) fail "$unit runs, but the result of its handshake is unknown" ;;
    esac
    return 1
}

# healthy_in_time: waits until the unit has stayed healthy, without asking the controller.
healthy_in_time() {
    watch_from_now
    until_healthy settled
}

# watch_from_now: begins to watch the unit.
watch_from_now() {
    now
    begun=$now watched='' since='' changes=0 first='' because='' fresh=yes settling='' heard=''
    limit=${within:-$starting} enough=$settle
}

# until_healthy now|settled: waits until the unit is healthy (see `healthy`), or has been for
# $settle hundredths of a second in one start. Returns 1 if that doesn't happen in time, with the
# reason in $why.
#
# A unit may crash after it has been healthy for a moment, and the service manager then
# restarts it again and again. So a unit is given up when it has died twice while it was
# watched. The service manager's count of restarts and the unit's id of the start are both
# observed, because either may change first.
until_healthy() {
    while :; do
        show "$unit"
        if [ "$invocation" != "$watched" ]; then
            [ -z "$watched" ] || changes=$((changes + 1))
            watched=$invocation since=''
        fi
        if [ -z "$first" ]; then
            first=$restarts
            # The service manager had to restart the unit before it was first looked at.
            # Such a unit has to stay healthy for longer, and what it did until now doesn't
            # count: it may take a while until it dies again.
            [ "$restarts" = 0 ] || enough=$((settle * 12)) fresh=''
        fi
        # The two counts of deaths change at different times, so the greater one is right.
        deaths=$((restarts - first))
        [ "$deaths" -ge "$changes" ] || deaths=$changes
        # The result is kept, because in the start that follows a failure it is "success"
        # again.
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
                # At the first look, the time since the unit came up counts as well: a unit
                # that has been up for long needn't be watched. In a container systemd may
                # use another clock than `now`; then this time may be in the future, and is
                # ignored.
                [ -z "$fresh" ] || [ $((entered / 10000)) -gt "$now" ] || since=$((entered / 10000))
            fi
            [ "$1" != now ] || break
            [ $((now - since)) -lt "$enough" ] || break
        else
            since=''
            if [ $((now - begun)) -ge "$limit" ]; then
                why="within $((limit / 100)) s $(missing)"
                return 1
            fi
        fi
        fresh=''
        pause
    done
    return 0
}

# pause: waits until the unit is worth another look, each of which costs the host a dozen processes.
# Most units are healthy soon, so the first looks are frequent. Once the unit is healthy, what
# happens between two looks shows in its counts as well.
pause() {
    if [ -n "$since" ]; then
        left=$((enough - (now - since)))
        [ "$left" -lt 100 ] || left=100
    elif [ $((now - begun)) -lt 50 ]; then
        left=10
    elif [ $((now - begun)) -lt 300 ]; then
        left=25
    else
        left=50
    fi
    case $left in
        100) sleep 1 ;;
        ?) sleep "0.0$left" ;;
        *) sleep "0.$left" ;;
    esac
}

# note_healthy: notes in the record of the start that the unit has become healthy. A failure to
# note this is ignored: without the note, the next plan waits for the node again.
note_healthy() {
    record_of "$unit" "$invocation"
    if [ -d "$root$record" ]; then
        (umask 077 && : >"$root$record/healthy") || :
    fi
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

# listens: whether some process listens on each of $ports; if not, $port is the first port
# on which none does. The sockets of systemd-resolved, on 127.0.0.53 and 127.0.0.54, don't
# count.
listens() {
    sockets=$(cat "$root/proc/net/tcp" "$root/proc/net/tcp6" 2>/dev/null)
    for port in $ports; do
        printf '%s\n' "$sockets" | grep -Ev '^ *[0-9]+: 3[56]00007F:' |
            grep -Eq "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$port") [0-9A-F]+:0000 0A " || return 1
    done
}

# said_so: whether the journal of this start says $says. If the journal has no line of this
# start, because it was rotated, isn't stored or can't be read, that the unit listens has to
# be enough. $heard is the start whose journal has said it.
said_so() {
    [ "$heard" != "$invocation" ] || return 0
    journal "_SYSTEMD_INVOCATION_ID=$invocation" | grep -Fq -e "$says" ||
        [ -z "$(journal -n 1 "_SYSTEMD_INVOCATION_ID=$invocation")" ] || return 1
    heard=$invocation
}

journal() {
    journalctl -q --no-pager -o cat "$@" 2>/dev/null 3>&- 4<&-
}

# now: sets $now to the time since boot, in hundredths of a second.
now() {
    read -r now _ <"$root/proc/uptime"
    now=${now%.*}${now#*.}
}

# last_words: sets $last to the end of the unit's journal. These are the unit's own lines if
# there are any, because the service manager's lines only say that the unit died.
last_words() {
    last=$(last_lines "_SYSTEMD_UNIT=$unit")
    [ -n "$last" ] || last=$(last_lines -u "$unit")
    holders
    [ -z "$last" ] || last="; its journal ends:$newline$last"
}

# last_lines FILTER...: prints the end of the journal, in whole lines, as `run` does.
last_lines() {
    { echo; journal -n 10 "$@"; } | tail -c 4000 | sed 1d
}

# holders: if another process holds a port that the unit needs, adds to $why which process
# that is.
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
