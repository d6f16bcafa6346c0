# Staging a file needs two requests: the first asks whether the file has to be sent, and the
# second receives it.
# shellcheck shell=sh disable=SC2154

# is_staged PATH STAGED DIGEST MODE OWNER: the action is done already if the file is at PATH
# or at STAGED; otherwise the file is asked for.
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
            # The directory is synced when the file is renamed to its final path.
            already
        fi
    fi
    printf '%s %s need\n' "$m" "$index" >&3
    exit 40
}

# stage PATH STAGED DIGEST MODE OWNER BYTES gzip|raw: writes the file to STAGED, reading
# BYTES bytes from standard input. If it leaves some of them unread, the request discards
# them.
stage() {
    dir=${1%/*}
    name=${1##*/}
    # Removes earlier versions that were staged for this path, complete or partial.
    hex='[0-9a-f]'
    hex=$hex$hex$hex$hex
    # shellcheck disable=SC2231 # a pattern
    for old in "$root$dir/.spore-$name"-$hex$hex$hex$hex "$root$dir/.spore-$name"-$hex$hex$hex$hex.part; do
        if [ -e "$old" ] || [ -L "$old" ]; then
            try "cannot remove ${old#"$root"}" rm -rf -- "$old"
        fi
    done
    part=$2.part
    # shellcheck disable=SC2064 # expands to the present value
    trap "rm -f -- '$root$part'" EXIT
    said=$(
        umask 077
        {
            case $7 in
                gzip) head -c "$6" | gzip -dc >"$root$part" ;;
                *) head -c "$6" >"$root$part" ;;
            esac
        } 2>&1 3>&- 4<&-
        printf '\n%s' "$?"
    )
    status=${said##*"$newline"}
    said=${said%"$newline"*}
    # The beginning of a message of the shell, which names the shell itself, is dropped.
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
