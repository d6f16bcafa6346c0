# Functions about units that the actions on units share.
# shellcheck shell=sh disable=SC2034,SC2154

# show UNIT: sets variables to the unit's properties, as the service manager reports them.
# Other functions refer to these as the start that was shown.
show() {
    active='' sub='' result='' invocation='' pid=0 restarts=0 status_of='' entered=0 started='' files=''
    stale=yes
    shown=$(timeout -k 5 "$patience" systemctl show --timestamp=us+utc \
        -p ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,ExecMainStatus \
        -p ActiveEnterTimestampMonotonic,ExecMainStartTimestamp,FragmentPath,DropInPaths,NeedDaemonReload \
        -- "$1" 2>&1 3>&- 4<&-) || fail "systemctl show $1: ${shown:-no answer within $patience s}"
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

# record_of UNIT INVOCATION: sets $record to the directory with the record of a start.
record_of() {
    shape=${1%.service}
    record=/run/spore/${shape##*@}/$2
}

# started_after FILE...: whether the start that was shown came after the last change of
# every file. If a file is missing, it isn't known when it last changed, so the answer is
# no.
started_after() {
    start=$(date -u -d "$started" +%s.%N 2>/dev/null) || return 1
    for file; do
        changed=$(stat -L -c %.9Z -- "$root$file" 2>/dev/null) || return 1
        precedes "$changed" "$start" || return 1
    done
}

# runs_with_what_is_there UNIT: whether the unit was started with what is on the disk now:
# its inputs, its unit files and its program. If the start has no record, that isn't known,
# so the answer is no.
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
