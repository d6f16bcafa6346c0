# What happens to a unit that doesn't become healthy in time. FALLBACK is one of
#
#   leave: the unit is left as it is;
#   stop: the unit is stopped instead of being left in a crash loop;
#   revert PORTS SAYS WITHIN (PATH OLD KEPT NEW STAGED)...: the kept files are put back,
#       and the unit is restarted with them. PORTS, SAYS and WITHIN are as in start.sh,
#       for the old files. For each file at PATH, OLD and NEW are the digests of the old
#       and the new version, KEPT is where the old version is kept, and STAGED is where
#       the new version is staged again.
#
# The action has failed, whether or not its fallback succeeds.
# shellcheck shell=sh disable=SC2034,SC2154

# each_file FUNCTION (PATH OLD KEPT NEW STAGED)...: calls the function for each file.
each_file() {
    function=$1
    shift
    while [ $# -ge 5 ]; do
        "$function" "$1" "$2" "$3" "$4" "$5"
        shift 5
    done
}

# switched FALLBACK...: ends the action unless the new files are in place. They aren't if
# the action is requested again after it has rolled back.
switched() {
    [ "$1" = revert ] || return 0
    shift 4
    each_file is_switched "$@"
}

is_switched() {
    is_file "$1" "$4" || changed "$1" "file $4"
}

# discard_kept FALLBACK...: removes the kept files, because the unit is healthy with the new
# ones.
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

# fall_back FALLBACK...: carries out the fallback, and ends the action as failed. $why says
# why the unit isn't healthy.
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

# roll_back PORTS SAYS WITHIN (PATH OLD KEPT NEW STAGED)...: puts the kept files back.
#
# A rollback may be cut off at any point, for example by a power cut. So the kept files
# aren't removed until the unit is healthy with the old files. As long as they exist, the
# next plan knows that this switch is unfinished, and which files the unit can fall back on
# if it doesn't become healthy then either.
#
# $failure always has what is to be reported if the next step fails.
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
    note_healthy
    each_file discard "$@"
    failure=${failure%, but *}
    fail ", and $unit is healthy again with the old files"
}

can_be_put_back() {
    is_file "$1" "$4" || fail "expected $1 to be the new file, found $(found_instead)"
    is_file "$3" "$2" || fail "expected the old file at $3, found $(found_instead)"
}

# Describes what was examined last.
found_instead() {
    case $kind in
        absent) printf 'nothing' ;;
        file) printf 'a file with sha256 %s' "$(short "$digest")" ;;
        link) printf 'a symbolic link to %s' "$(readlink -- "$root$path")" ;;
        directory) printf 'a directory' ;;
        *) printf 'something that is neither a file nor a directory' ;;
    esac
}

# put_back PATH OLD KEPT NEW STAGED: replaces the new file by the kept one, and keeps the
# new one as staged. At any moment PATH exists, and both versions exist under some name: the
# new file gets its second name before it loses the first, and the old file gets the name
# PATH by a rename and keeps the name KEPT.
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
