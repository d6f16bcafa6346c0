# place PATH STAGED DIGEST MODE OWNER BEFORE KEPT: renames a staged file to its final path.
# BEFORE is the digest of the file that it replaces, or - if there is no such file. KEPT is
# the path at which the replaced file is kept, or - if it isn't kept.
# shellcheck shell=sh disable=SC2154

place() {
    parent "$1"
    content "$1"
    if [ "$content" = "$3" ]; then
        # An earlier request that was cut off may have done the rename and nothing that
        # follows it.
        placed=$access
        [ ! -e "$root$2" ] || try "cannot remove $2" rm -f -- "$root$2"
        [ "$placed" = "$4 $5" ] || set_access "$1" "$4" "$5"
        sync_path "$1"
        sync_path "$parent"
        remember "$1" "$3"
        [ "$placed" != "$4 $5" ] || already
        finish
    fi
    expect "$1" "$6"
    look "$2"
    [ "$kind" = file ] || changed "$2" "staged - $1"
    digest
    [ "$digest" = "$3" ] || changed "$2" "staged $3 $1"
    if [ "$access" != "$4 $5" ]; then
        set_access "$2" "$4" "$5"
        sync_path "$2"
    fi
    if [ "$7" != - ]; then
        keep "$1" "$7"
        remember "$7" "$6"
    fi
    try "cannot rename $2 to $1" mv -fT -- "$root$2" "$root$1"
    sync_path "$parent"
    remember "$1" "$3"
    finish
}

# keep PATH NAME: gives the file a second name. The name is on the disk before PATH is given
# to another file, so that a power cut can't lose the old file.
keep() {
    # shellcheck disable=SC3013 # dash has -ef
    if ! [ "$root$1" -ef "$root$2" ]; then
        try "cannot keep $1 as $2" ln -fT -- "$root$1" "$root$2"
    fi
    parent "$1"
    sync_path "$parent"
}
