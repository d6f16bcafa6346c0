# Staging a file needs two requests: the first asks whether the file has to be sent, and the
# second receives it.
# shellcheck shell=sh disable=SC2154

# is_staged PATH STAGED DIGEST MODE OWNER: the action is done already if the file is at PATH
# or at STAGED; otherwise the file is asked for.
is_staged() {
    find_staged "$@"
    need ''
}

# need WHY: ends the action's first part by asking for the file, and names the best encoding that
# this host can decode. WHY is the reason why the host couldn't download it, or empty.
need() {
    how=raw
    for best in gzip zstd; do
        if command -v "$best" >/dev/null; then
            how=$best
        fi
    done
    printf '%s %s need %s%s\n' "$m" "$index" "$how" "${1:+ $(printf %s "$1" | base64 -w0)}" >&3
    exit 40
}

# find_staged PATH STAGED DIGEST MODE OWNER...: ends the action if the file is at PATH or at
# STAGED.
find_staged() {
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
}

# remove_staged PATH [KEPT]: removes earlier versions that were staged for this path, complete
# or partial, except KEPT.
remove_staged() {
    near="$root${1%/*}/.spore-${1##*/}"
    hex='[0-9a-f]'
    hex=$hex$hex$hex$hex
    # shellcheck disable=SC2231 # a pattern
    for old in "$near"-$hex$hex$hex$hex "$near"-$hex$hex$hex$hex.part; do
        if [ "$old" != "$root${2-}" ] && { [ -e "$old" ] || [ -L "$old" ]; }; then
            try "cannot remove ${old#"$root"}" rm -rf -- "$old"
        fi
    done
}

# parts: prints the file that is next on standard input. Each part of it follows a line with its
# number of bytes and `more` or `last`.
parts() {
    while IFS=' ' read -r bytes more; do
        case $bytes in
            '' | *[!0-9]*) exit 1 ;;
        esac
        head -c "$bytes"
        [ "$more" = more ] || break
    done
}

# skip_files: reads the files that no call has read, and the line `none` after them. After any other
# line, it isn't known where the next request begins, so there is none.
skip_files() {
    while IFS=' ' read -r bytes more; do
        case $bytes in
            none) return ;;
            '' | *[!0-9]*) exit 75 ;;
        esac
        head -c "$bytes" >/dev/null
    done
}

# stage PATH STAGED DIGEST MODE OWNER zstd|gzip|raw [PUBLIC]: writes the file that is next on
# standard input to STAGED. With PUBLIC, the file is a node's configuration without its private key,
# which only this host has: the one with this public half is added.
stage() {
    private=''
    [ -z "${7-}" ] || node_key "$1" "$7" || fail "the private key for $1 isn't on the host any more"
    remove_staged "$1"
    part=$2.part
    # shellcheck disable=SC2064 # expands to the present value
    trap "rm -f -- '$root$part'" EXIT
    parts | {
        said=$(
            umask 077
            {
                {
                    [ -z "$private" ] || keyed_head "$private"
                    case $6 in
                        gzip | zstd) "$6" -dc ;;
                        *) cat ;;
                    esac
                } >"$root$part"
            } 2>&1 3>&- 4<&-
            printf '\n%s' "$?"
        )
        status=${said##*"$newline"}
        said=${said%"$newline"*}
        # The beginning of a message of the shell, which names the shell itself, is dropped.
        said=${said#*: eval: }
        said=${said#"$newline"}
        # The failure is reported before the rest of the file is read, so that the controller needn't
        # send it.
        [ "$status" = 0 ] || (fail "cannot write $part: ${said%"$newline"}")
        cat >/dev/null
        [ "$status" = 0 ]
    } || exit 41
    look "$part"
    digest
    [ "$digest" = "$3" ] || fail "$1 was damaged in transit: expected sha256 $(short "$3"), got $(short "$digest")"
    conclude "$part" "$2" "$3" "$4" "$5"
    finish
}

# conclude PART STAGED DIGEST MODE OWNER: gives the file, which was looked at last and has this
# digest, its owner, its mode and its name.
conclude() {
    [ "$access" = "$4 $5" ] || set_access "$1" "$4" "$5"
    sync_path "$1"
    try "cannot rename $1" mv -fT -- "$root$1" "$root$2"
    parent "$2"
    sync_path "$parent"
    remember "$2" "$3"
}
