# link PATH TARGET KIND VALUE: makes PATH a symbolic link to TARGET. KIND and VALUE describe
# what was found at PATH: `absent`, `link` to VALUE, or `file` with the digest VALUE. A file
# is kept under another name.
# shellcheck shell=sh disable=SC2154

link() {
    parent "$1"
    look "$1"
    value=''
    case $kind in
        link) value=$(readlink -- "$root$1") ;;
        file)
            digest
            value=$digest
            ;;
    esac
    if [ "$kind" = link ] && [ "$value" = "$2" ]; then
        sync_path "$parent"
        already
    fi
    if [ "$kind" != "$3" ] || [ "$value" != "$4" ]; then
        case $3 in
            absent) changed "$1" nothing ;;
            *) changed "$1" "$3 $4" ;;
        esac
    fi
    if [ "$kind" = file ]; then
        kept=$1.before-spore
        # shellcheck disable=SC3013 # dash has -ef
        [ "$root$1" -ef "$root$kept" ] ||
            try "cannot keep $1 as $kept" ln --backup=numbered -- "$root$1" "$root$kept"
    fi
    part=$parent/.spore-${1##*/}.part
    # shellcheck disable=SC2064 # expands to the present value
    trap "rm -f -- '$root$part'" EXIT
    try "cannot link $1" ln -sfn -- "$2" "$root$part"
    try "cannot link $1" mv -fT -- "$root$part" "$root$1"
    sync_path "$parent"
    finish
}
