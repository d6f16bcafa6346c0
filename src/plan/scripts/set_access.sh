# change_access PATH MODE OWNER MODE OWNER: changes the mode and owner of a file or
# directory. The first pair is what it had when the plan was made, the second what it gets.
# shellcheck shell=sh disable=SC2034,SC2154

change_access() {
    # For a link to a directory, the mode and owner of the directory matter.
    read_access "$1"
    case $kind:$access in
        *":$4 $5")
            sync_path "$1"
            already
            ;;
        file:"$2 $3" | directory:"$2 $3") ;;
        absent:*) differs "$1" "access $2 $3" nothing ;;
        *)
            digest="" # only the kind of a file counts
            differs "$1" "access $2 $3" "access $access $(found)"
            ;;
    esac
    if [ "$3" != "$5" ]; then
        try "cannot change the owner of $1 to $5" chown -- "$5" "$root$1"
    fi
    # Without leading zeros, `chmod` would keep the setuid and setgid bits of a directory.
    try "cannot set the mode of $1" chmod -- "0000$4" "$root$1"
    read_access "$1"
    [ "$access" = "$4 $5" ] || fail "cannot set the mode and owner of $1 to $4 $5: they are still $access"
    sync_path "$1"
    finish
}

read_access() {
    look "$1"
    if [ "$kind" = link ] && [ -d "$root$1" ]; then
        kind=directory access=$(stat -L -c '%a %U:%G' -- "$root$1")
    fi
}
