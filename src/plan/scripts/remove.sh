# remove PATH DIGEST SHAPE: removes the file with this digest. If it is the configuration of
# a node, SHAPE is the node's shape, otherwise it is -.
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
        case $1 in
            # The file to remove is gone, and any user may have put another there: see
            # `Meaning::Leftover` in src/daemon/mod.rs.
            /tmp/*) already ;;
        esac
        changed "$1" "file $2"
    fi
    [ "$3" = - ] || remember_removed "$3"
    try "cannot remove $1" rm -f -- "$root$1"
    sync_path "$parent"
    case $1 in
        /var/lib/spore/*) remove_if_empty "$parent" /var/lib/spore ;;
    esac
    finish
}

# remember_removed SHAPE: notes that a node of this shape has left data. A node's
# configuration proves that the data of its shape belongs to a node. Once the configuration
# is gone, the note proves it. If there is no data, no note is needed.
remember_removed() {
    note=/var/lib/spore/removed/$1
    if has_data "$1"; then
        (umask 077 && mkdir -p -- "$root${note%/*}" && : >"$root$note") 2>/dev/null ||
            fail "cannot write $note"
        sync_path "$note"
        sync_path "${note%/*}"
    elif [ -f "$root$note" ]; then
        try "cannot remove $note" rm -f -- "$root$note"
        remove_if_empty "${note%/*}" /var/lib/spore
    fi
}
