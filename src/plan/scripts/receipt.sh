# The receipt of an apply, and the roster next to it.
# shellcheck shell=sh disable=SC2034

# receipt PATH TEXT NAME ROSTER SUPERSEDED: writes a receipt, and the roster as NAME next to it,
# each completely or not at all. The directory and the files are root's alone. The receipt
# names the roster, so it is written after it, and as the superseded receipt. Then earlier
# receipts, the other rosters and what was cut off earlier are removed. The new receipt becomes
# valid only in the last step, when nothing else is left: a host with a valid receipt isn't cleaned
# up again. If this is cut off before, the receipt is still due, and the next apply writes it.
# Prints `written` if it succeeds; otherwise the output says what has failed.
receipt() {
    root=${SPORE_ROOT-}
    directory=$root${1%/*}
    if [ ! -d "$directory" ]; then
        mkdir -m 0700 -- "$directory" && sync -- "${directory%/*}" || return
    fi
    chmod 0700 -- "$directory" || return
    put "$directory/$3" "$4" && put "$root$5" "$2" || return
    # The earlier receipt goes before the roster that it names.
    if [ -e "$root$1" ]; then
        rm -f -- "$root$1" && sync -- "$directory" || return
    fi
    for path in "$directory"/.spore-* "$directory"/roster-*.json; do
        [ "$path" = "$directory/$3" ] || rm -f -- "$path" || return
    done
    sync -- "$directory" && mv -fT -- "$root$5" "$root$1" && sync -- "$directory" && echo written
}

# put PATH TEXT: writes a file, so that it survives a power cut.
put() {
    part=$directory/.spore-${1##*/}
    # The file is created with its final mode.
    if (umask 077 && rm -f -- "$part" && printf '%s\n' "$2" >"$part") &&
        sync -- "$part" && mv -fT -- "$part" "$1" && sync -- "$directory"; then
        return
    fi
    rm -f -- "$part"
    return 1
}

# supersede PATH SUPERSEDED: gives the receipt its other name, before an apply changes
# anything. Where no receipt is going to follow, SUPERSEDED is empty, and the receipt is removed.
# If that fails, $obstacle says why, and the first action fails (`step`).
supersede() {
    root=${SPORE_ROOT-}
    [ -e "$root$1" ] || return 0
    if said=$(
        if [ -n "$2" ]; then mv -fT -- "$root$1" "$root$2"; else rm -f -- "$root$1"; fi 2>&1 &&
            sync -- "$root${1%/*}" 2>&1
    ); then return; fi
    obstacle="cannot supersede $1: $said"
}
