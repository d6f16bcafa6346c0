# make_directory PATH MODE OWNER: creates a directory with this mode and owner.
# shellcheck shell=sh disable=SC2154

make_directory() {
    look "$1"
    if [ "$kind" = absent ]; then
        parent "$1"
        # The directory is created at its final path: it is empty, and has its mode from the
        # beginning. Its group and mode can be wrong for a moment only if the parent has the
        # setgid bit. If the action is cut off then, the next plan shows it.
        try "cannot create $1" mkdir -m "$2" -- "$root$1"
        look "$1"
        [ "$access" = "$2 $3" ] || set_access "$1" "$2" "$3"
        sync_path "$1"
        sync_path "$parent"
        finish
    fi
    # The owner may have put the directory on another disk, with a link to it.
    if [ "$kind" = link ] && [ -d "$root$1" ]; then
        kind=directory access=$(stat -L -c '%a %U:%G' -- "$root$1")
    fi
    if [ "$kind $access" = "directory $2 $3" ]; then
        parent "$1"
        sync_path "$parent"
        already
    fi
    [ "$kind" != file ] || digest
    differs "$1" nothing "access $access $(found)"
}
