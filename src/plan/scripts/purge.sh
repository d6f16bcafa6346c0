# purge PATH
# shellcheck shell=sh disable=SC2154

purge() {
    # Asking for anything else is a mistake, whoever makes it.
    case $1 in
        */ | *//* | */. | */.. | */./* | */../*) fail "refusing to remove $1" ;;
        /tb/storage/?*) ;;
        *) fail "refusing to remove $1: it isn't below /tb/storage" ;;
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
