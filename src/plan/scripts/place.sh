# place PATH STAGED DIGEST MODE OWNER BEFORE: the last is a digest, or - for nothing.
# shellcheck shell=sh disable=SC2154

place() {
    parent "$1"
    look "$1"
    before=-
    case $kind in
        absent) ;;
        file)
            digest
            before=$digest
            ;;
        *) differs "expected a file at $1, found $(found)" ;;
    esac
    if [ "$before" = "$3" ]; then
        # Who put it there may have been cut off before all else.
        placed=$access
        [ ! -e "$root$2" ] || try "cannot remove $2" rm -f -- "$root$2"
        [ "$placed" = "$4 $5" ] || set_access "$1" "$4" "$5"
        sync_path "$1"
        sync_path "$parent"
        remember "$1" "$3"
        [ "$placed" != "$4 $5" ] || already
        finish
    fi
    if [ "$before" != "$6" ]; then
        wanted='nothing there'
        [ "$6" = - ] || wanted="a file $(short "$6")"
        differs "expected $1 to be as it was ($wanted), found $(found)"
    fi
    look "$2"
    [ "$kind" = file ] || differs "expected $1 to be staged, found $(found) at $2"
    digest
    [ "$digest" = "$3" ] || differs "expected $1 to be staged as $(short "$3"), found $(found)"
    if [ "$access" != "$4 $5" ]; then
        set_access "$2" "$4" "$5"
        sync_path "$2"
    fi
    try "cannot put $1 in its place" mv -fT -- "$root$2" "$root$1"
    sync_path "$parent"
    remember "$1" "$3"
    finish
}
