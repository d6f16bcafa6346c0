# start UNIT BEFORE PORTS SAYS WITHIN: BEFORE is stopped, failing or the id of a
# start; PORTS is - where the service manager's word is enough.
# await UNIT PORTS SAYS WITHIN
# shellcheck shell=sh disable=SC2154

start() {
    show "$1"
    verb=start
    did=finish
    case $2:$active in
        failing:inactive | failing:failed | stopped:inactive | stopped:failed) ;;
        # It is on its way down still: it starts when it has ended.
        stopped:deactivating) ;;
        failing:*) verb=restart ;;
        "$invocation":active) verb=restart ;;
        stopped:active | stopped:activating | stopped:reloading)
            # Installing a package may start its unit, or the boot does just now.
            if [ "$3" != - ] && ! runs_with_what_is_there "$1"; then
                differs "expected $1 to be stopped, found it $active ($(short "$invocation")), not started with what is there now"
            fi
            verb=''
            did=already
            ;;
        *)
            # Somebody started it: we did, if it is with what is there now.
            if [ "$active" = inactive ] || [ "$active" = failed ] || ! runs_with_what_is_there "$1"; then
                differs "expected $1 to be as it was ($(short "$2")), found it $active ($(short "$invocation")), not started with what is there now"
            fi
            verb=''
            did=already
            ;;
    esac
    if [ -n "$verb" ]; then
        if [ "$active" = failed ]; then
            try "systemctl reset-failed $1" timeout -k 5 "$patience" systemctl reset-failed -- "$1"
        fi
        run timeout -k 5 "$stopping" systemctl "$verb" -- "$1"
        case $status in
            0) ;;
            124 | 137) fail "systemctl $verb $1 took more than $stopping s" ;;
            *)
                words=$said
                last_words "$1"
                fail "systemctl $verb $1: $words$last"
                ;;
        esac
    fi
    gate "$1" "$3" "$4" "$5"
    "$did"
}

await() {
    gate "$1" "$2" "$3" "$4"
    finish
}

# gate UNIT PORTS SAYS WITHIN: returns when the unit is healthy, and has been so for
# $settle seconds: of one start it says so in its journal, is active and listens.
# One that died twice meanwhile won't get there.
gate() {
    now
    within=${4:-$starting}
    begun=$now watched='' since='' changes=0 first='' why='' fresh=yes
    while :; do
        show "$1"
        if [ "$invocation" != "$watched" ]; then
            [ -z "$watched" ] || changes=$((changes + 1))
            watched=$invocation since=''
        fi
        [ -n "$first" ] || first=$restarts
        # Either count may be behind: of the same death they tell at different times.
        deaths=$((restarts - first))
        [ "$deaths" -ge "$changes" ] || deaths=$changes
        # It says "success" again of the start that follows.
        if [ "$result" != success ]; then
            why=" ($result, status $status_of)"
        fi
        now
        case $active in
            inactive | failed) unhealthy "$1" "it has ended$why" ;;
        esac
        [ "$deaths" -lt 2 ] || unhealthy "$1" "it died $deaths times$why"
        if healthy "$2" "$3"; then
            if [ -z "$since" ]; then
                since=$now
                # One that had been up for long when we came has settled.
                # In a container systemd may count by another clock than it shows.
                [ -z "$fresh" ] || [ $((entered / 10000)) -gt "$now" ] || since=$((entered / 10000))
            fi
            [ $((now - since)) -lt "$settle" ] || break
        else
            since=''
            if [ $((now - begun)) -ge "$within" ]; then
                unhealthy "$1" "within $((within / 100)) s $(missing "$2" "$3")"
            fi
        fi
        fresh=''
        # Often while it matters; what takes long isn't asked as often.
        if [ $((now - begun)) -lt 300 ]; then
            sleep 0.1
        else
            sleep 0.5
        fi
    done
    record_of "$1" "$invocation"
    if [ -d "$root$record" ]; then
        (umask 077 && : >"$root$record/healthy")
    fi
    runs "$invocation"
}

healthy() {
    [ "$active" = active ] || return 1
    [ "$1" != - ] || return 0
    listens "$1" && says "$2"
}

missing() {
    if [ "$active" != active ]; then
        printf 'it was not up, but %s (%s)' "$active" "$sub"
    elif ! listens "$1"; then
        printf 'it did not listen on TCP port %s' "$port"
    else
        printf 'its journal did not say "%s"' "$2"
    fi
}

# On all of them; the first on which nobody does is left in $port. What
# systemd-resolved has on 127.0.0.53 and 127.0.0.54 is nobody else's.
listens() {
    sockets=$(cat "$root/proc/net/tcp" "$root/proc/net/tcp6" 2>/dev/null)
    for port in $1; do
        printf '%s\n' "$sockets" | grep -Ev '^ *[0-9]+: 3[56]00007F:' |
            grep -Eq "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$port") [0-9A-F]+:0000 0A " || return 1
    done
}

says() {
    journalctl -q --no-pager -o cat "_SYSTEMD_INVOCATION_ID=$invocation" 2>/dev/null 3>&- | grep -Fq -e "$1"
}

# Hundredths of a second since boot.
now() {
    read -r now _ <"$root/proc/uptime"
    now=${now%.*}${now#*.}
}

unhealthy() {
    last_words "$1"
    fail "$1 is not healthy: $2$last"
}

last_words() {
    last=$(journalctl -q --no-pager -o cat -n 10 -u "$1" 2>&1 3>&- | tail -c 4000)
    [ -z "$last" ] || last="; its journal ends:$newline$last"
}
