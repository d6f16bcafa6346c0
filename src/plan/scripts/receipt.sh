# receipt PATH TEXT NAME ROSTER: writes a receipt, and the roster as NAME next to it, each
# completely or not at all, and prints `written`. The directory and the files are root's alone.
# The receipt names the roster, so it is written after it; then other rosters are removed.
# shellcheck shell=sh

# put PATH TEXT
put() {
    part=$directory/.spore-${1##*/}
    printf '%s\n' "$2" >"$part" && sync -- "$part" && mv -fT -- "$part" "$1"
}

receipt() {
    root=${SPORE_ROOT-}
    directory=$root${1%/*}
    umask 077
    mkdir -p -- "$directory" &&
        put "$directory/$3" "$4" &&
        put "$root$1" "$2" &&
        sync -- "$directory" || return
    for path in "$directory"/roster-*.json; do
        [ "$path" = "$directory/$3" ] || rm -f -- "$path"
    done
    echo written
}
