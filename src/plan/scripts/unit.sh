# What is known about a unit; shared by the actions on units.
# shellcheck shell=sh disable=SC2034,SC2154

# show UNIT: what the service manager says of it, into variables.
show() {
    active='' sub='' result='' invocation='' pid=0 restarts=0 status_of='' entered=0 started='' files=''
    stale=yes
    shown=$(timeout -k 5 "$patience" systemctl show --timestamp=us+utc \
        -p ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,ExecMainStatus \
        -p ActiveEnterTimestampMonotonic,ExecMainStartTimestamp,FragmentPath,DropInPaths,NeedDaemonReload \
        -- "$1" 2>&1 3>&-) || fail "systemctl show $1: ${shown:-no answer within $patience s}"
    while IFS= read -r line; do
        value=${line#*=}
        case $line in
            ActiveState=*) active=$value ;;
            SubState=*) sub=$value ;;
            Result=*) result=$value ;;
            InvocationID=*) invocation=$value ;;
            MainPID=*) pid=$value ;;
            NRestarts=*) restarts=$value ;;
            ExecMainStatus=*) status_of=$value ;;
            ActiveEnterTimestampMonotonic=*) entered=$value ;;
            ExecMainStartTimestamp=*) started=$value ;;
            NeedDaemonReload=*) stale=$value ;;
            FragmentPath=* | DropInPaths=*) files="$files $value" ;;
        esac
    done <<END
$shown
END
}

# The directory with what is noted of a start: record UNIT INVOCATION
record_of() {
    shape=${1%.service}
    record=/run/spore/${shape##*@}/$2
}

# started_after FILE...: whether the start that was shown came after the last
# change of every file; of a missing one nothing is known.
started_after() {
    start=$(date -u -d "$started" +%s.%N 2>/dev/null) || return 1
    for file; do
        changed=$(stat -L -c %.9Z -- "$root$file" 2>/dev/null) || return 1
        precedes "$changed" "$start" || return 1
    done
}

# Whether the start that was shown is with what is on the disk now: its inputs,
# its unit's files and its program. Of a start without a record that isn't known.
runs_with_what_is_there() {
    record_of "$1" "$invocation"
    [ -f "$root$record/digests" ] || return 1
    (cd -- "$root$config_directory" && sha256sum --status --strict -c -- "$root$record/digests") || return 1
    if [ -s "$root$record/plugins" ]; then
        (cd -- "$root$plugin_directory" && sha256sum --status --strict -c -- "$root$record/plugins") || return 1
    fi
    # shellcheck disable=SC2086 # words
    started_after $files || return 1
    case $(readlink -- "$root/proc/$pid/exe") in
        '' | *' (deleted)') return 1 ;;
    esac
}
