# receipt PATH TEXT: writes a receipt, completely or not at all, and prints `written`. The
# directory and the file are root's alone.
# shellcheck shell=sh

receipt() {
    root=${SPORE_ROOT-}
    directory=$root${1%/*}
    part=$directory/.spore-${1##*/}
    umask 077
    mkdir -p -- "$directory" &&
        printf '%s\n' "$2" >"$part" &&
        sync -- "$part" &&
        mv -fT -- "$part" "$root$1" &&
        sync -- "$directory" &&
        echo written
}
