# remove PATH DIGEST SHAPE: SHAPE is that of the node whose configuration it is, or -.
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
            # Ours is gone: see `Meaning::Leftover` in src/daemon/mod.rs.
            /tmp/*) already ;;
        esac
        changed "$1" "a file with sha256 $(short "$2")"
    fi
    [ "$3" = - ] || remember_removed "$3"
    try "cannot remove $1" rm -f -- "$root$1"
    sync_path "$parent"
    case $1 in
        /var/lib/spore/*) remove_if_empty "$parent" /var/lib/spore ;;
    esac
    finish
}

# remember_removed SHAPE: a node's configuration shows that its shape's data is a node's. Once
# the configuration is gone, this note shows it, as long as there is any data.
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
