# record UNIT INVOCATION INPUT...: records what a running unit was started with, in the form
# in which our unit template records it before each start.
# shellcheck shell=sh disable=SC2154

record() {
    unit=$1 planned=$2
    shift 2
    show "$unit"
    is_in_start "$planned"
    record_of "$unit" "$planned"
    [ ! -e "$root$record/digests" ] || already
    started_after "$@" || differs "$unit" "start $planned" changed-input
    umask 077
    dir=${record%/*}
    part=$dir/.part
    try "cannot remove $part" rm -rf -- "$root$part"
    try "cannot create $part" mkdir -p -- "$root$part"
    for input; do
        look "$input"
        [ "$kind" = file ] || changed "$input" file
        digest
        case $input in
            "$plugin_directory"/*)
                printf '%s  %s\n' "$digest" "${input#"$plugin_directory"/}" >>"$root$part/plugins" ||
                    fail "cannot record $input"
                continue
                ;;
            # The configuration is recorded without its private key, but with its other
            # secrets. A change of such a secret needs a restart, so the probe has to
            # compare them, and it does so by digests whose key isn't known here.
            *.yaml)
                # If the private key can't be found in the text with certainty, only the
                # digest of the file is recorded.
                run cut_into "$root$input" "$root$part/config.yaml"
                case $status in
                    0) ;;
                    9) try "cannot record $input" rm -f -- "$root$part/config.yaml" ;;
                    *) fail "cannot record $input: $said" ;;
                esac
                ;;
        esac
        printf '%s  %s\n' "$digest" "${input#"$config_directory"/}" >>"$root$part/digests" ||
            fail "cannot record $input"
    done
    try "cannot record the plugins of $unit" touch -- "$root$part/plugins"
    # The unit's directives are those of this start only if the unit files haven't changed
    # since the start.
    # shellcheck disable=SC2086 # words
    if [ "$stale" = no ] && started_after $files; then
        run timeout -k 5 "$patience" systemctl show -p User,Group,LimitNOFILE,LimitNOFILESoft \
            -p LimitAS,LimitASSoft,LimitRSS,LimitRSSSoft,LimitCORE,LimitCORESoft -- "$unit"
        [ "$status" = 0 ] || fail "systemctl show $unit: $said"
        printf '%s\n' "$said" >"$root$part/unit" || fail "cannot record the directives of $unit"
    fi
    # The record is valid only if no input changed, and the unit wasn't started again, while
    # it was written.
    started_after "$@" || differs "$unit" "start $planned" changed-input
    show "$unit"
    is_in_start "$planned"
    # The records of earlier starts are obsolete. The pattern doesn't match .part.
    for old in "$root$dir"/*; do
        [ ! -e "$old" ] || try "cannot remove ${old#"$root"}" rm -rf -- "$old"
    done
    try "cannot record what $unit was started with" mv -T -- "$root$part" "$root$record"
    finish
}

# is_in_start ID: ends the action if the unit that was shown is in another start.
is_in_start() {
    [ "$invocation" = "$1" ] || differs "$unit" "start $1" "start $invocation"
}

# cut_into FROM TO: copies a configuration without its private key. It returns 9 if the key
# isn't written in a known form.
cut_into() {
    sed "$cutting" -- "$1" >"$2"
}
