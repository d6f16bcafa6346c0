# make_directory PATH MODE OWNER
# shellcheck shell=sh disable=SC2154

make_directory() {
    look "$1"
    if [ "$kind" = absent ]; then
        parent "$1"
        # Beside its place first, so that nobody ever sees it with other access.
        part=$parent/.spore-${1##*/}.part
        [ ! -e "$root$part" ] || try "cannot clear $part away" rm -rf -- "$root$part"
        try "cannot make $1" mkdir -m "$2" -- "$root$part"
        look "$part"
        [ "$access" = "$2 $3" ] || set_access "$part" "$2" "$3"
        try "cannot make $1" mv -T -- "$root$part" "$root$1"
        sync_path "$parent"
        finish
    fi
    # A link to a directory is the owner's choice of a disk.
    if [ "$kind" = link ] && [ -d "$root$1" ]; then
        kind=directory access=$(stat -L -c '%a %U:%G' -- "$root$1")
    fi
    if [ "$kind $access" = "directory $2 $3" ]; then
        already
    fi
    differs "expected nothing at $1, found $(found) with access $access"
}
