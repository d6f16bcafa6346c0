# remove PATH DIGEST
# shellcheck shell=sh disable=SC2154

remove() {
    look "$1"
    parent "$1"
    if [ "$kind" = absent ]; then
        [ ! -d "$root$parent" ] || sync_path "$parent"
        already
    fi
    [ "$kind" != file ] || digest
    if [ "$kind" != file ] || [ "$digest" != "$2" ]; then
        changed "$1" "a file with sha256 $(short "$2")"
    fi
    try "cannot remove $1" rm -f -- "$root$1"
    sync_path "$parent"
    finish
}
