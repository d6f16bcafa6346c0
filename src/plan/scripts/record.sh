# record UNIT INVOCATION INPUT...: records what a running unit was started with, as
# our unit template does before each start.
# shellcheck shell=sh disable=SC2154

record() {
    unit=$1 planned=$2
    shift 2
    show "$unit"
    if [ "$invocation" != "$planned" ]; then
        differs "changed on the host since the plan: $unit was restarted (expected start $(short "$planned"), found $(short "$invocation"))"
    fi
    record_of "$unit" "$planned"
    [ ! -e "$root$record/digests" ] || already
    started_after "$@" || differs "changed on the host since the plan: a file that $unit reads has changed since it was started"
    umask 077
    dir=${record%/*}
    part=$dir/.part
    try "cannot remove $part" rm -rf -- "$root$part"
    try "cannot create $part" mkdir -p -- "$root$part"
    for input; do
        look "$input"
        [ "$kind" = file ] || differs "changed on the host since the plan: $input (expected a file, found $(found))"
        digest
        case $input in
            "$plugin_directory"/*)
                printf '%s  %s\n' "$digest" "${input#"$plugin_directory"/}" >>"$root$part/plugins" ||
                    fail "cannot record $input"
                continue
                ;;
            # Without the private key. Other secrets stay: a change of one needs a restart,
            # and the digests by which a probe compares them have a key that isn't known here.
            *.yaml)
                # If the key can't be told from the rest of the file, only the digest is kept.
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
    # The directives in force are those of that start while their files are as old.
    # shellcheck disable=SC2086 # words
    if [ "$stale" = no ] && started_after $files; then
        run timeout -k 5 "$patience" systemctl show -p User,Group,LimitNOFILE,LimitNOFILESoft \
            -p LimitAS,LimitASSoft,LimitRSS,LimitRSSSoft,LimitCORE,LimitCORESoft -- "$unit"
        [ "$status" = 0 ] || fail "systemctl show $unit: $said"
        printf '%s\n' "$said" >"$root$part/unit" || fail "cannot record the directives of $unit"
    fi
    # Nothing changed, and the unit wasn't started again, while that was written.
    started_after "$@" || differs "changed on the host since the plan: a file that $unit reads has changed since it was started"
    show "$unit"
    [ "$invocation" = "$planned" ] || differs "changed on the host since the plan: $unit was restarted"
    # Records of earlier starts are obsolete; names that begin with a dot are ours.
    for old in "$root$dir"/*; do
        [ ! -e "$old" ] || try "cannot remove ${old#"$root"}" rm -rf -- "$old"
    done
    try "cannot record what $unit was started with" mv -T -- "$root$part" "$root$record"
    finish
}

# cut_into FROM TO: copies a configuration without its private key.
cut_into() {
    sed "$cutting" -- "$1" >"$2"
}
