# record UNIT INVOCATION INPUT...: notes what a running unit was started with, as
# the unit template of ours does by itself.
# shellcheck shell=sh disable=SC2154

record() {
    unit=$1 planned=$2
    shift 2
    show "$unit"
    if [ "$invocation" != "$planned" ]; then
        differs "expected $unit to run as started in $(short "$planned"), found $(short "$invocation")"
    fi
    record_of "$unit" "$planned"
    [ ! -e "$root$record/digests" ] || already
    started_after "$@" || differs "expected all that $unit reads to be older than its start"
    umask 077
    dir=${record%/*}
    part=$dir/.part
    try "cannot clear $part away" rm -rf -- "$root$part"
    try "cannot make $part" mkdir -p -- "$root$part"
    for input; do
        look "$input"
        [ "$kind" = file ] || differs "expected $unit to read a file $input, found $(found)"
        digest
        case $input in
            # Without the private key, of which the last 32 of 68 bytes are public.
            # Other secrets stay in it: that they have changed asks for a restart,
            # and the digests by which a probe tells that have a key that isn't here.
            *.yaml)
                # Where it is named in any other way than tau and spore write it, what
                # is left of the file can't be told from the key: only its digest stays.
                run sed -n \
                    -e 's|^privatekey: *[^A-Za-z]\{0,1\}CAESQ[A-Za-z0-9+/]\{43\}\([A-Za-z0-9+/]\{43\}=\)[^A-Za-z]\{0,1\} *$|publickey: \1|' \
                    -e 't write' -e '/privatekey/Q9' -e '/CAES/Q9' -e ':write' -e "w $root$part/config.yaml" \
                    -- "$root$input"
                case $status in
                    0) ;;
                    9) try "cannot note $input" rm -f -- "$root$part/config.yaml" ;;
                    *) fail "cannot note $input: $said" ;;
                esac
                ;;
        esac
        printf '%s  %s\n' "$digest" "${input#/tb/config/}" >>"$root$part/digests" ||
            fail "cannot note $input"
    done
    # Nothing changed, and the unit didn't start again, while that was written.
    started_after "$@" || differs "expected all that $unit reads to be older than its start"
    show "$unit"
    [ "$invocation" = "$planned" ] || differs "expected $unit to run on, found it started again"
    # Earlier starts' are of no use any more; a name that begins with a dot is ours.
    for old in "$root$dir"/*; do
        [ ! -e "$old" ] || try "cannot clear ${old#"$root"} away" rm -rf -- "$old"
    done
    try "cannot note what $unit runs with" mv -T -- "$root$part" "$root$record"
    finish
}
