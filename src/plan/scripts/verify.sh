# verify STAGED COMMAND WORD...
# shellcheck shell=sh disable=SC2154

verify() {
    look "$1"
    [ "$kind" != absent ] || already
    shift
    program=$root$1
    shift
    # What it leaves where temporary files go, goes.
    scratch=$root/run/spore/.verify
    umask 077
    try "cannot clear ${scratch#"$root"} away" rm -rf -- "$scratch"
    try "cannot make ${scratch#"$root"}" mkdir -p -- "$scratch"
    run env TMPDIR="$scratch" timeout -k 5 "$judging" "$program" "$@"
    rm -rf -- "$scratch"
    case $status in
        0) finish ;;
        124 | 137) fail "${program##*/} came to no judgement within $judging s: $said" ;;
        *) fail "${said:-${program##*/} ended with status $status}" ;;
    esac
}
