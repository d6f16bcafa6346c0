# purge PATH IDENTITY: removes a directory with data of a node, and the note that proves
# that it is a node's data. IDENTITY is the device and inode of the directory.
# shellcheck shell=sh disable=SC2154

purge() {
    case $1 in
        */ | *//* | */. | */.. | */./* | */../*) fail "refusing to remove $1" ;;
    esac
    is_data "$1" || fail "refusing to remove $1: it isn't a node's data"
    look "$1"
    parent "$1"
    if [ "$kind" = absent ]; then
        [ ! -d "$root$parent" ] || sync_path "$parent"
        forget_removed
        already
    fi
    case $kind:$identity in
        "directory:$2") ;;
        directory:*) differs "$1" directory another-directory ;;
        *)
            [ "$kind" != file ] || digest
            changed "$1" directory
            ;;
    esac
    try "cannot remove $1" rm -rf --one-file-system -- "$root$1"
    sync_path "$parent"
    forget_removed
    finish
}

# forget_removed: removes the notes about removed nodes whose data is gone.
forget_removed() {
    for note in "$root"/var/lib/spore/removed/*; do
        if [ -f "$note" ] && ! has_data "${note##*/}"; then
            try "cannot remove ${note#"$root"}" rm -f -- "$note"
        fi
    done
    remove_if_empty "$emptied" /var/lib/spore/removed /var/lib/spore
}
