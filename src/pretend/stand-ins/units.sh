# The units of a simulated host, for `systemctl`: loading, starting and stopping.
# shellcheck shell=sh disable=SC1090,SC2034,SC2154

wants=/etc/systemd/system/multi-user.target.wants

# look UNIT: finds the unit's files; sets $fragment, $drop_ins, $load and $enabled.
look() {
    load=loaded enabled=disabled drop_ins=''
    template=${1%%@*}@.service
    for fragment in "/etc/systemd/system/$1" "/lib/systemd/system/$1" \
        "/etc/systemd/system/$template" "/lib/systemd/system/$template" ''; do
        [ -z "$fragment" ] || [ ! -e "$root$fragment" ] || break
    done
    for file in "$root/etc/systemd/system/$template.d"/*.conf "$root/etc/systemd/system/$1.d"/*.conf; do
        [ ! -f "$file" ] || drop_ins="$drop_ins${drop_ins:+ }${file#"$root"}"
    done
    if [ -z "$fragment" ]; then
        load=not-found enabled=''
    elif [ "$(PATH=$real_path readlink -- "$root$fragment")" = /dev/null ]; then
        load=masked enabled=masked
    fi
    [ ! -L "$root$wants/$1" ] || enabled=enabled
}

# text: prints the contents of the files that `look` found.
# changed UNIT: prints the paths and modification times of the unit's files.
text() {
    for file in $fragment $drop_ins; do
        cat -- "$root$file"
    done
}
changed() {
    look "$1"
    for file in $fragment $drop_ins; do
        printf '%s=%s;' "$file" "$(PATH=$real_path stat -c %.9Y -- "$root$file")"
    done
}

# read_unit UNIT TEXT: sets a variable for each directive that is simulated. The last value
# of a directive wins.
read_unit() {
    instance=${1%.service}
    instance=${instance##*@}
    exec_start='' exec_before='' user='' group=''
    nofile=1024:524288 as=infinity rss=infinity core=infinity
    while IFS= read -r line; do
        value=${line#*=}
        case $line in
        ExecStart=*) specified "$value" && exec_start=$specified ;;
        ExecStartPre=*) specified "$value" && exec_before=$specified ;;
        User=*) user=$value ;;
        Group=*) group=$value ;;
        LimitNOFILE=*) nofile=$value ;;
        LimitAS=*) as=$value ;;
        LimitRSS=*) rss=$value ;;
        LimitCORE=*) core=$value ;;
        esac
    done <<END
$2
END
}

# specified TEXT: sets $specified to TEXT with each %i replaced by the instance.
specified() {
    specified='' rest=$1
    while :; do
        case $rest in
        *%i*) specified=$specified${rest%%%i*}$instance rest=${rest#*%i} ;;
        *) break ;;
        esac
    done
    specified=$specified$rest
}

# monotonic: sets $monotonic to the microseconds since boot.
monotonic() {
    read -r monotonic line <"$root/proc/uptime"
    monotonic=${monotonic%.*}${monotonic#*.}0000
}

# load_unit UNIT: loads the unit's files, as a daemon-reload does.
load_unit() {
    look "$1"
    text >"$state/units/$1/text"
    set_state "$1" loaded "$(changed "$1")"
}

# set_state UNIT NAME VALUE: records a property of the unit. The last value wins.
set_state() {
    printf "%s='%s'\n" "$2" "$3" >>"$state/units/$1/state"
}

start_unit() {
    [ ! -d "$state/units/$1" ] || return 0
    look "$1"
    case $load in
    not-found)
        echo "Failed to start $1: Unit $1 not found." >&2
        exit 5
        ;;
    masked)
        echo "Failed to start $1: Unit $1 is masked." >&2
        exit 1
        ;;
    esac
    mkdir -- "$state/units/$1" || exit 1
    load_unit "$1"
    read_unit "$1" "$(text)"
    program=${exec_start%% *}
    read -r invocation </proc/sys/kernel/random/uuid
    invocation=$(printf %s "$invocation" | sed 's/-//g')
    monotonic
    read -r last 2>/dev/null <"$state/last-pid" || last=1000
    pid=$((last + 1))
    echo "$pid" >"$state/last-pid"
    set_state "$1" invocation "$invocation"
    set_state "$1" entered "$monotonic"
    before
    set_state "$1" started "$(date -u '+%a %Y-%m-%d %H:%M:%S.%6N UTC')"

    said=$(begin "$1")
    ended=$?
    printf '%s\n' "$said" | tee -a "$state/journal/$1" >"$state/journal/$invocation"
    if [ "$ended" = 0 ]; then
        set_state "$1" active active
        set_state "$1" sub running
        set_state "$1" pid "$pid"
        process "$pid"
        listening
    else
        set_state "$1" active activating
        set_state "$1" sub auto-restart
        set_state "$1" result exit-code
        set_state "$1" code "$ended"
    fi
}

# before: runs the template's ExecStartPre, with its paths below the host's root.
before() {
    case $exec_before in "-/bin/sh -c '"*"'") ;; *) return ;; esac
    exec_before=${exec_before#*"'"}
    # shellcheck disable=SC2016 # expanded by the eval below
    exec_before=$(printf '%s\n' "${exec_before%"'"}" |
        sed -e 's/\\\\/\\/g' -e 's|/run/spore|"$root"&|g' -e 's|/tb/config|"$root"&|g' \
            -e 's|/tb/plugins|"$root"&|g')
    (INVOCATION_ID=$invocation && export INVOCATION_ID && eval "$exec_before") >/dev/null 2>&1
}

# begin UNIT: prints the output of the unit's command; fails if the command would exit.
begin() {
    case $program in
    /tb/bin/tau)
        if [ ! -x "$root$program" ]; then
            echo "$program: No such file or directory"
            return 203
        fi
        # shellcheck disable=SC2086 # words
        LISTENS=$state/units/$1/ports "$stand_ins/tau" ${exec_start#* } 2>&1
        ;;
    *) echo "$program (simulated)" ;;
    esac
}

# process PID: creates the process's entry in /proc. A hard link keeps the program's bytes
# if its file is replaced.
process() {
    mkdir -p -- "$root/proc/$1" "$state/programs"
    if [ -e "$root$program" ]; then
        ln -f -- "$root$program" "$state/programs/$1"
        ln -sfn -- "$state/programs/$1" "$root/proc/$1/exe"
    fi
    # shellcheck disable=SC2086 # words
    printf '%s\0' $exec_start >"$root/proc/$1/cmdline"
    id=0
    case $user in '' | root) ;; *) id=1000 ;; esac
    printf 'Name:\t%s\nUid:\t%s\t%s\t%s\t%s\nGid:\t%s\t%s\t%s\t%s\n' \
        "${program##*/}" $id $id $id $id $id $id $id $id >"$root/proc/$1/status"
    {
        echo 'Limit                     Soft Limit           Hard Limit           Units     '
        limit 'Max core file size' "$core" bytes
        limit 'Max resident set' "$rss" bytes
        limit 'Max open files' "$nofile" files
        limit 'Max address space' "$as" bytes
    } >"$root/proc/$1/limits"
}

limit() {
    soft=${2%:*} hard=${2#*:}
    [ "$soft" != infinity ] || soft=unlimited
    [ "$hard" != infinity ] || hard=unlimited
    printf '%-25s %-20s %-20s %s\n' "$1" "$soft" "$hard" "$3"
}

stop_unit() {
    [ -d "$state/units/$1" ] || return 0
    pid=''
    . "$state/units/$1/state"
    rm -rf -- "$state/units/$1"
    [ -z "$pid" ] || rm -rf -- "$root/proc/$pid" "$state/programs/$pid"
    listening
}

# listening: writes the ports of sshd and of the nodes to /proc/net/tcp.
listening() {
    {
        echo '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
        socket 0 22
        n=1
        for file in "$state"/units/*/ports; do
            [ -f "$file" ] || continue
            read -r ports <"$file"
            for port in $ports; do
                socket "$n" "$port"
                n=$((n + 1))
            done
        done
    } >"$root/proc/net/tcp.part"
    mv -f -- "$root/proc/net/tcp.part" "$root/proc/net/tcp"
}

socket() {
    printf '%4d: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d\n' \
        "$1" "$2" "$((1000 + $1))"
}
