# What happens to a unit that isn't healthy in time. FALLBACK is one of
#
#   leave: it is left as it failed;
#   stop: it is stopped instead of being left in a crash loop;
#   revert PORTS SAYS WITHIN (PATH OLD KEPT NEW STAGED)...: the kept files are put
#       back, and it is started with them.
#
# An action that falls back has failed, whether or not the fallback succeeds.
# shellcheck shell=sh disable=SC2034,SC2154

# each_file FUNCTION PATH OLD KEPT NEW STAGED...
each_file() {
    function=$1
    shift
    while [ $# -ge 5 ]; do
        "$function" "$1" "$2" "$3" "$4" "$5"
        shift 5
    done
}

# switched FALLBACK...: the unit is started with the files of the plan. If it is
# started again after a rollback, the old ones are there.
switched() {
    [ "$1" = revert ] || return 0
    shift 4
    each_file is_switched "$@"
}

is_switched() {
    is_file "$1" "$4" || changed "$1" "a file with sha256 $(short "$4")"
}

# discard_kept FALLBACK...: the unit is healthy with the new files.
discard_kept() {
    [ "$1" = revert ] || return 0
    shift 4
    each_file discard "$@"
}

discard() {
    if is_file "$3" "$2"; then
        try "cannot remove $3" rm -f -- "$root$3"
        parent "$3"
        sync_path "$parent"
    fi
}

# fall_back FALLBACK...: never returns.
fall_back() {
    last_words
    failure="$unit is not healthy: $why; "
    case $1 in
        leave)
            failure=${failure%; }
            fail ''
            ;;
        stop)
            try 'it could not be stopped' timeout -k 5 "$stopping" systemctl stop -- "$unit"
            run timeout -k 5 "$patience" systemctl reset-failed -- "$unit"
            fail 'stopped to end the crash loop; the next apply starts it'
            ;;
        *)
            shift
            roll_back "$@"
            ;;
    esac
}

# roll_back PORTS SAYS WITHIN (PATH OLD KEPT NEW STAGED)...
#
# It may be cut off at any point. The files stay kept until the unit is healthy with
# them: they tell the next plan that this switch is unfinished, and what the unit
# falls back on if it doesn't become healthy then either.
roll_back() {
    ports=$1 says=$2 within=$3
    shift 3
    failure="${failure}it could not be rolled back: "
    each_file can_be_put_back "$@"
    restored='' staged='' reload=''
    each_file put_back "$@"
    failure=${failure%it could not be rolled back: }
    failure="${failure}rolled back: restored$restored (the new files are staged as$staged)"
    failure="$failure, but $unit is not healthy with the old files either: "
    if [ -n "$reload" ]; then
        try 'systemctl daemon-reload' timeout -k 5 "$patience" systemctl daemon-reload
    fi
    show "$unit"
    if ! launch restart || ! healthy_in_time; then
        fail "$why"
    fi
    each_file discard "$@"
    failure=${failure%, but *}
    fail ", and $unit is healthy again with the old files"
}

can_be_put_back() {
    is_file "$1" "$4" || fail "expected $1 to be the new file, found $(found)"
    is_file "$3" "$2" || fail "expected the old file at $3, found $(found)"
}

# Every file has its second name before it loses its first: neither of them, nor the
# path itself, is ever missing.
put_back() {
    parent "$1"
    # shellcheck disable=SC3013 # dash has -ef
    if ! [ "$root$1" -ef "$root$5" ]; then
        try "cannot keep $1 as $5" ln -fT -- "$root$1" "$root$5"
    fi
    sync_path "$parent"
    try "cannot link $3" ln -fT -- "$root$3" "$root$5.part"
    try "cannot rename $5.part to $1" mv -fT -- "$root$5.part" "$root$1"
    sync_path "$parent"
    remember "$1" "$2"
    remember "$5" "$4"
    restored="$restored $1" staged="$staged $5"
    case $1 in
        /etc/systemd/system/*) reload=yes ;;
    esac
}
