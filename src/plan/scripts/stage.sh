# Staging a file takes two requests: the first finds out whether it must be sent.
# shellcheck shell=sh disable=SC2154

# is_staged PATH STAGED DIGEST MODE OWNER
is_staged() {
    look "$1"
    if [ "$kind" = file ]; then
        digest
        [ "$digest" != "$3" ] || already
    fi
    look "$2"
    if [ "$kind" = file ]; then
        digest
        if [ "$digest" = "$3" ]; then
            if [ "$access" != "$4 $5" ]; then
                set_access "$2" "$4" "$5"
                sync_path "$2"
            fi
            # Its directory is synced once it is renamed.
            already
        fi
    fi
    printf '%s %s need\n' "$m" "$index" >&3
    exit 40
}

# stage PATH STAGED DIGEST MODE OWNER BYTES gzip|raw: reads the file from standard
# input. What it leaves there, the request that calls it discards.
stage() {
    dir=${1%/*}
    name=${1##*/}
    # Earlier versions that were staged for this path, whole or partly.
    hex='[0-9a-f]'
    hex=$hex$hex$hex$hex
    # shellcheck disable=SC2231 # a pattern
    for old in "$root$dir/.spore-$name"-$hex$hex$hex$hex "$root$dir/.spore-$name"-$hex$hex$hex$hex.part; do
        if [ -e "$old" ] || [ -L "$old" ]; then
            try "cannot remove ${old#"$root"}" rm -rf -- "$old"
        fi
    done
    part=$2.part
    # shellcheck disable=SC2064 # with its value of now
    trap "rm -f -- '$root$part'" EXIT
    said=$(
        umask 077
        {
            case $7 in
                gzip) head -c "$6" | gzip -dc >"$root$part" ;;
                *) head -c "$6" >"$root$part" ;;
            esac
        } 2>&1 3>&-
        printf '\n%s' "$?"
    )
    status=${said##*"$newline"}
    said=${said%"$newline"*}
    # The part of a message that names the shell is of no interest.
    said=${said#*: eval: }
    said=${said#"$newline"}
    [ "$status" = 0 ] || fail "cannot write $part: ${said%"$newline"}"
    look "$part"
    digest
    [ "$digest" = "$3" ] || fail "$1 was damaged in transit: expected sha256 $(short "$3"), got $(short "$digest")"
    [ "$access" = "$4 $5" ] || set_access "$part" "$4" "$5"
    sync_path "$part"
    try "cannot rename $part" mv -fT -- "$root$part" "$root$2"
    sync_path "${dir:-/}"
    remember "$2" "$3"
    finish
}
