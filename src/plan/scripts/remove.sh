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
        case $1 in
            # Ours is gone: see `Meaning::Leftover` in src/facts/interpret.rs.
            /tmp/*) already ;;
        esac
        changed "$1" "a file with sha256 $(short "$2")"
    fi
    case $1 in
        /tb/config/*.yaml) remember_removed "$1" ;;
    esac
    try "cannot remove $1" rm -f -- "$root$1"
    sync_path "$parent"
    case $1 in
        /var/lib/spore/*) remove_if_empty "$parent" /var/lib/spore ;;
    esac
    finish
}

# A node's configuration shows that its shape's storage is a node's. Once the
# configuration is gone, this note shows it, as long as there is any storage.
remember_removed() {
    shape=${1##*/}
    shape=${shape%.yaml}
    note=/var/lib/spore/removed/$shape
    if has_storage "$shape"; then
        (umask 077 && mkdir -p -- "$root${note%/*}" && : >"$root$note") 2>/dev/null ||
            fail "cannot write $note"
        sync_path "$note"
        sync_path "${note%/*}"
    elif [ -f "$root$note" ]; then
        try "cannot remove $note" rm -f -- "$root$note"
        remove_if_empty "${note%/*}" /var/lib/spore
    fi
}
