# purge PATH
# shellcheck shell=sh disable=SC2154

purge() {
    # Whatever asks for anything else is mistaken.
    case $1 in
        */ | *//* | */. | */.. | */./* | */../*) fail "refuses to remove $1" ;;
        /tb/storage/?*) ;;
        *) fail "refuses to remove $1: it is not below /tb/storage" ;;
    esac
    look "$1"
    parent "$1"
    if [ "$kind" = absent ]; then
        [ ! -d "$root$parent" ] || sync_path "$parent"
        already
    fi
    try "cannot remove $1" rm -rf --one-file-system -- "$root$1"
    sync_path "$parent"
    finish
}
