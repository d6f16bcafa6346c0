# shellcheck shell=sh
# Describes a host without changing anything on it. `probe.rs` puts assignments before it and
# a subshell around it; `answer.rs` documents the output. Assigned are
#   version, root, key, fingerprint (the key's), machines, shapes, directories, roster (the name
#   of the one that is known), rehash, and lines of
#   questions   lines READER:PATTERN, of the files to look for; see below
#   configs     configurations of the nodes that are wanted
#   staging     directories in which files are staged
#   daemons     lines PREFIX, PROGRAM and SIGN, separated by tabs: what the names of its units
#               begin with, its program, and what its journal says once a node has started
#   services    other units to query where they are installed
#   packages    packages whose unfinished installation matters
#   directives  those of the daemons' unit templates
#   ports       the ports that the wanted nodes bind, as four hexadecimal digits each
#   texts       an awk program
#
# A READER says what is printed of a file that matches the pattern:
#   stat        only the output of `stat`
#   program     the digest; a remembered one if the file hasn't changed since
#   digest      the digest
#   leftover    the digest of a file in /tmp
#   config      a node's configuration; its node's unit is queried
#   unit        the directives of a unit file
#   text        the whole text
#   roster      the whole text, unless the roster is known
#   settings    a text without its comments
#   wants       nothing; the file is a link to a unit, which is queried
#
# A probe costs as much as the processes that it starts, so it starts as few as possible:
# `stat`, `sha256sum`, `systemctl show` and `awk` run once, if possible, with all of their
# input.
#
# shellcheck disable=SC2154 # assigned by probe.rs

LC_ALL=C QUOTING_STYLE=escape
export LC_ALL QUOTING_STYLE
tab='	'
nl='
'
printf 'probe\t%s\nkey\t%s\nasked\t%s\t%s\n' "$version" "$fingerprint" "$shapes" "$directories"
printf 'root\t%s\narchitecture\t%s\n' "$root" "$(uname -m)"
if [ -r "$root/etc/os-release" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in PRETTY_NAME=*) printf 'os\t%s\n' "${line#*=}" && break ;; esac
    done <"$root/etc/os-release"
fi
# The id is confidential, so only its digest leaves the host.
if [ -r "$root/etc/machine-id" ]; then
    line=''
    IFS= read -r line <"$root/etc/machine-id"
    case $line in
    *[!0-9a-f]*) ;;
    ????????????????????????????????)
        printf 'machine\t%s\n' "$(printf %s%s "$machines" "$line" | sha256sum)"
        ;;
    esac
fi
uptime=0
if [ -r "$root/proc/uptime" ]; then
    read -r uptime line <"$root/proc/uptime"
    printf 'uptime\t%s\n' "$uptime"
fi

# Finds the apply that holds the host's lock. The holder's file names its shell, and the
# apply counts as long as this shell has the lock's file open. Trying to take the lock
# instead could block an apply that tries at the same moment, and the kernel's list of locks
# isn't complete in a container.
if [ -f "$root/run/spore/.holder" ]; then
    shell=''
    while read -r name line; do
        [ "$name" != shell ] || shell=$line
    done <"$root/run/spore/.holder"
    case $shell in
    '' | *[!0-9]*) ;;
    *)
        # shellcheck disable=SC3013 # dash has -ef
        if [ "/proc/$shell/fd/9" -ef "$root/run/spore/.lock" ]; then
            printf 'held\t%s\n' "$(head -c 4000 -- "$root/run/spore/.holder" 2>/dev/null | base64 -w0)"
        fi
        ;;
    esac
fi

# Collects the paths. The file of remembered digests comes first, because the other files
# are looked up in it. `/.` describes the directory behind a link. The directory of a
# process that has just started tells the current user and the current time. The wanted
# configurations are also asked for by name if no file is found, so that they count as
# absent only if that is certain.
set -- "$root/var/lib/spore/digests" "$root/proc/self/."
for path in $directories; do
    set -- "$@" "$root$path"
    [ ! -L "$root$path" ] || set -- "$@" "$root$path/."
done
for path in $configs; do
    [ -f "$root$path" ] || set -- "$@" "$root$path"
done
# A pattern without a match stays unexpanded, and counts as absent. Every temporary file of
# spore's has a name like this and is in one of these directories; the next apply removes
# the files that an interrupted apply has left.
for path in $staging; do
    set -- "$@" "$root$path"/.spore-*
done
IFS=$nl
for path in $questions; do
    # shellcheck disable=SC2086 # a pattern
    set -- "$@" "$root"${path#*:}
done
unset IFS
# Only what `stat` prints to its standard output is captured. Its complaints go straight
# to the answer: if a link is replaced after `stat` has recognized it as one, the complaint
# would otherwise come in the middle of that link's line.
exec 3>&1
found=$(stat --printf 'path\t%f\t%a\t%U:%G\t%s\t%d:%i\t%.9Y\t%.9Z\t%N\n' -- "$@" \
    "$root"/var/lib/spore/removed/* \
    "$root/etc/ufw/ufw.conf" "$root/etc/ufw/user.rules" \
    "$root/etc/ufw/user6.rules" "$root/etc/default/ufw" "$root/proc/sys/net/ipv6" \
    "$root/usr/bin/apt-get" \
    "$root"/run/spore/*/*/config.yaml "$root"/run/spore/*/.[ps]*/config.yaml 2>&3)
printf '%s\n' "$found"
set -f

# remembered DEVICE:INODE SIZE MTIME CTIME: looks a file up among the remembered digests. A
# digest counts only if the file last changed before the digests were written: a file that
# changed in the same tick may have changed again.
known='' known_since=0
remembered() {
    case $known in *"$nl"*" $1 $2 $3 $4$nl"*) ;; *) return 1 ;; esac
    [ "${4%.*}${4#*.}" -lt "$known_since" ] || return 1
    sum=${known%%" $1 $2 $3 $4$nl"*}
    sum=${sum##*"$nl"}
    case $sum in *[!0-9a-f]*) return 1 ;; esac
    [ ${#sum} -eq 64 ]
}

# The files to digest, and the arguments of the awk program, one per line. The limits of
# process 1 are included, because no process is granted more than process 1 has.
sums='' reads="net$nl$root/proc/net${nl}machine$nl$root/proc${nl}process$nl$root/proc/1$nl"
# Each unit costs the service manager as much as another process, so units that don't run
# nodes are queried only if their file exists.
units=' '
IFS=$nl
for daemon in $daemons; do
    units="$units${daemon%%"$tab"*}*.service "
done
for unit in $services; do
    for path in "$root"/etc/systemd/system "$root"/lib/systemd/system; do
        if [ -e "$path/$unit" ] || [ -L "$path/$unit" ]; then
            units="$units$unit "
            break
        fi
    done
done
# daemon_of UNIT: whether the unit runs a node. Sets the daemon's variables and the shape.
daemon_of() {
    for daemon in $daemons; do
        prefix=${daemon%%"$tab"*}
        sign=${daemon#*"$tab"}
        program=${sign%%"$tab"*}
        sign=${sign#*"$tab"}
        shape=${1#"$prefix"}
        case $1 in
        *[!A-Za-z0-9_.@-]* | "$prefix"[!A-Za-z0-9]*) ;;
        "$prefix"?*.service)
            shape=${shape%.service}
            return
            ;;
        esac
    done
    return 1
}
# unit NAME: adds a node's unit to the query.
unit() {
    case $units in *" $1 "*) ;; *) ! daemon_of "$1" || units="$units$1 " ;; esac
}
# node_of CONFIGURATION: adds the unit of the configuration's node to the query.
node_of() {
    name_of=${1##*/}
    for daemon in $daemons; do
        unit "${daemon%%"$tab"*}${name_of%.*}.service"
    done
}
# reader_of PATH: sets the reader of the first pattern that the path matches.
reader_of() {
    for reader in $questions; do
        # shellcheck disable=SC2254 # a pattern
        case $1 in ${reader#*:})
            reader=${reader%%:*}
            return
            ;;
        esac
    done
    reader=''
}
for path in $configs; do
    node_of "$path"
done
# A loop with `read` would make a system call for every byte.
IFS=$nl
for line in $found; do
    # Names are escaped, so a name with a backslash stands for another one.
    case $line in *\\*) continue ;; "path$tab"*) ;; *) continue ;; esac
    IFS=$tab
    # shellcheck disable=SC2086 # fields
    set -- $line
    IFS=$nl
    mode=$2 access=$3 owner=$4 size=$5 inode=$6 mtime=$7 ctime=$8 name=$9
    path=${name#"$root"}
    case $mode:$path in
    8*:/var/lib/spore/digests)
        sums=$sums$name$nl
        # The digests count only if root owns the file and no other user may write to it.
        case $owner:$access in root:*[2367] | root:*[2367]?) continue ;; root:*) ;; *) continue ;; esac
        known=$nl
        while IFS= read -r line; do
            case $line in *' version '*) printf 'version\t%s\n' "$line" ;; esac
            known=$known$line$nl
        done <"$name"
        # With `rehash`, known_since stays 0, so that no digest counts.
        [ -n "$rehash" ] || known_since=${mtime%.*}${mtime#*.}
        ;;
    8*/.spore-* | 8*:/run/spore/* | 8*:/var/lib/spore/removed/*)
        sums=$sums$name$nl
        continue
        ;;
    8*:/usr/bin/apt-get) continue ;;
    8*:/etc/ufw/user*.rules)
        reads=${reads}tuples$nl$name$nl
        continue
        ;;
    8*:/etc/ufw/* | 8*:/etc/default/ufw) reader=settings ;;
    *) reader_of "${path%% -> *}" ;;
    esac
    case $mode:$reader in
    8*:program)
        if remembered "$inode" "$size" "$mtime" "$ctime"; then
            printf '%s  %s\n' "$sum" "$name"
        else
            sums=$sums$name$nl
        fi
        ;;
    8*:stat | 8*:) ;;
    8*:leftover)
        # `Meaning::Leftover` in src/daemon defines which files in /tmp count, and why.
        [ "$size" -le 65536 ] || continue
        sum=$(dd if="$name" iflag=nofollow,nonblock,fullblock bs=65536 count=1 status=none 2>/dev/null |
            sha256sum)
        printf '%s  %s\n' "${sum%% *}" "$name"
        ;;
    8*)
        [ "$size" -le 1048576 ] || continue
        sums=$sums$name$nl
        case $reader in
        config)
            reads=${reads}cut$nl$name$nl
            node_of "$path"
            ;;
        roster) [ "${path##*/}" = "$roster" ] || reads=${reads}text$nl$name$nl ;;
        unit | text | settings) reads=$reads$reader$nl$name$nl ;;
        esac
        ;;
    *:wants)
        path=${path%% -> *}
        unit "${path##*/}"
        ;;
    esac
done
# The free space where the first daemon's program is, or would be.
path=${daemons#*"$tab"}
path=${path%%"$tab"*}
path=${path%/*}
while [ -n "$path" ] && [ ! -d "$root$path/." ]; do
    path=${path%/*}
done
printf 'space\t%s\n' "$(stat -f -c '%a %S' -- "$root$path/.")"
unset IFS

# Finds packages whose installation dpkg hasn't finished. If none of the packages has files,
# dpkg isn't queried, because a query takes as long as the rest of the probe.
for package in $packages; do
    if [ -e "$root/var/lib/dpkg/info/$package.list" ]; then
        # A package that dpkg doesn't know is ignored.
        # shellcheck disable=SC2086 # words
        dpkg-query -W -f 'package\t${Package}\t${db:Status-Status}\n' -- $packages 2>/dev/null
        break
    fi
done

# property NAME: sets `is` to the property of the unit in `block`; empty if the unit has
# none.
property() {
    is=${block#*"$nl$1="}
    is=${is%%"$nl"*}
}

# node UNIT: collects what a node's unit runs, and what is known about its start.
node() {
    id=$1 healthy=
    property DropInPaths
    # shellcheck disable=SC2086 # words
    set -- $is
    for path; do
        # The same drop-in may apply to several units of the host.
        case $reads in *"${nl}drop-in$nl$root$path$nl"*) continue ;; esac
        [ ! -r "$root$path" ] || reads=${reads}drop-in$nl$root$path$nl
    done
    property InvocationID
    invocation=$is
    if [ -n "$invocation" ]; then
        record=$root/run/spore/$shape/$invocation
        [ ! -f "$record/config.yaml" ] || reads=${reads}cut$nl$record/config.yaml$nl
        for path in digests plugins unit; do
            [ ! -f "$record/$path" ] || reads=${reads}text$nl$record/$path$nl
        done
        if [ -e "$record/healthy" ]; then
            printf 'healthy\t%s\n' "$id"
            healthy=yes
        fi
    fi
    property MainPID
    pid=$is
    [ "${pid:-0}" -gt 0 ] || return
    reads=${reads}process$nl$root/proc/$pid$nl
    exe=$root/proc/$pid/exe
    # shellcheck disable=SC3013 # dash has -ef
    if [ "$exe" -ef "$root$program" ]; then
        printf 'exe\t%s\n' "$pid"
    else
        # shellcheck disable=SC2046 # four words
        if remembered $(stat -L -c '%d:%i %s %.9Y %.9Z' -- "$exe" 2>/dev/null || echo - - - -); then
            printf '%s  %s\n' "$sum" "$exe"
        else
            sums=$sums$exe$nl
        fi
    fi
    # The journal is slow, and adds information only while a start is recent.
    property ActiveState
    [ "$is:$healthy" = active: ] || return
    property ExecMainStartTimestampMonotonic
    started=${is:-0}
    [ $((${uptime%%.*} - started / 1000000)) -lt 600 ] || return
    said=$(journalctl -q --no-pager -o cat "_SYSTEMD_INVOCATION_ID=$invocation" |
        grep -m1 -F -e "$sign")
    if [ -n "$said" ]; then
        printf 'said\t%s\t%.500s\n' "$id" "$said"
        return
    fi
    # The journal is no evidence if it stores nothing, or no longer covers the time of the
    # start.
    property ExecMainStartTimestamp
    oldest=$(journalctl -q --no-pager -o short-unix 2>/dev/null | head -n 1)
    oldest=${oldest%%[!0-9]*}
    since=$(date -u -d "$is" +%s 2>/dev/null)
    [ "${oldest:-9999999999}" -le "${since:-0}" ] || printf 'silent\t%s\n' "$id"
}

# show_units: stores the service manager's description of the units in $shown.
show_units() {
    # shellcheck disable=SC2086 # words
    shown=$(systemctl show --no-pager --timestamp=us+utc \
        -p Id,LoadState,ActiveState,SubState,Result,UnitFileState,InvocationID,FragmentPath,DropInPaths \
        -p NeedDaemonReload,MainPID,NRestarts,ExecMainStatus,ExecMainStartTimestamp \
        -p ExecMainStartTimestampMonotonic,ExecStart,User,Group,LimitNOFILE,LimitNOFILESoft \
        -p LimitAS,LimitASSoft,LimitRSS,LimitRSSSoft,LimitCORE,LimitCORESoft \
        -- $units 2>&1)
}

if [ -d "$root/run/systemd/system" ]; then
    echo systemd
    if show_units; then
        # While ExecStartPre runs, the process doesn't exist yet and has read nothing, so
        # there is nothing to compare. Wait for it; it usually takes a moment.
        tries=40
        while [ "$tries" -gt 0 ]; do
            case $shown in *"${nl}SubState=start-pre$nl"*) ;; *) break ;; esac
            sleep 0.05
            show_units || break
            tries=$((tries - 1))
        done
        printf 'units\n%s\n.\n' "$shown"
    else
        printf 'failed\tsystemctl show\t%s\n' "${shown##*"$nl"}"
    fi
    # A unit that is named twice is shown twice.
    seen=' '
    while [ -n "$shown" ]; do
        block=$nl${shown%%"$nl$nl"*}$nl
        case $shown in *"$nl$nl"*) shown=${shown#*"$nl$nl"} ;; *) shown='' ;; esac
        property Id
        case $is$seen in
        *" $is "*) ;;
        *)
            IFS=$nl
            if daemon_of "$is"; then
                unset IFS
                node "$is"
            fi
            unset IFS
            ;;
        esac
        seen="$seen$is "
    done
fi

# keyed CONFIGURATION PUBLIC REST TEXT: prints the digest that the configuration would have with
# the private key that only this host has. The key reaches no other process but the one that
# digests it, through a pipe.
keyed() {
    sum=''
    if node_key "$1" "$2"; then
        sum=$({
            keyed_head "$private"
            printf %s "$4"
        } | sha256sum)
    fi
    printf 'keyed\t%s\t%s\t%s\n' "$root$1" "$3" "${sum%% *}"
}
eval "$keyed"

IFS=$nl
# shellcheck disable=SC2086 # lines
[ -z "$sums" ] || sha256sum -- $sums 2>&1
# shellcheck disable=SC2086 # lines
SPORE_KEY=$key SPORE_DIRECTIVES=$directives SPORE_PORTS=$ports awk "$texts" $reads || printf 'failed\tawk\tcode %s\n' $?
echo end
