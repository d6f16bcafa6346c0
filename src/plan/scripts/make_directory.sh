# make_directory PATH MODE OWNER
# shellcheck shell=sh disable=SC2154

make_directory() {
    look "$1"
    if [ "$kind" = absent ]; then
        parent "$1"
        # At its final path right away: it is empty, and has its mode from the start.
        # Only below a parent that hands its group down are group and mode wrong for a
        # moment; if the action is cut off there, the next plan sees it.
        try "cannot create $1" mkdir -m "$2" -- "$root$1"
        look "$1"
        [ "$access" = "$2 $3" ] || set_access "$1" "$2" "$3"
        sync_path "$1"
        sync_path "$parent"
        finish
    fi
    # A link to a directory is the owner's choice of a disk.
    if [ "$kind" = link ] && [ -d "$root$1" ]; then
        kind=directory access=$(stat -L -c '%a %U:%G' -- "$root$1")
    fi
    if [ "$kind $access" = "directory $2 $3" ]; then
        parent "$1"
        sync_path "$parent"
        already
    fi
    [ "$kind" != file ] || digest
    differs "changed on the host since the plan: $1 (expected nothing, found $(found) with mode and owner $access)"
}
