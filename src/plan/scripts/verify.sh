# verify STAGED COMMAND WORD...
# shellcheck shell=sh disable=SC2154

verify() {
    look "$1"
    [ "$kind" != absent ] || already
    shift
    program=$root$1
    shift
    run timeout -k 5 "$judging" "$program" "$@"
    case $status in
        0) finish ;;
        124 | 137) fail "${program##*/} came to no judgement within $judging s: $said" ;;
        *) fail "${said:-${program##*/} ended with status $status}" ;;
    esac
}
