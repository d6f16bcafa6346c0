# change_access PATH MODE OWNER MODE OWNER: those it has, and those it gets.
# shellcheck shell=sh disable=SC2154

change_access() {
    look "$1"
    if [ "$kind" = link ] && [ -d "$root$1" ]; then
        kind=directory access=$(stat -L -c '%a %U:%G' -- "$root$1")
    fi
    case $kind:$access in
        *":$4 $5")
            sync_path "$1"
            already
            ;;
        file:"$2 $3" | directory:"$2 $3") ;;
        *) differs "expected access $2 $3 of $1, found $kind $access" ;;
    esac
    # Through a link: it is what that leads to that has access.
    if [ "$3" != "$5" ]; then
        try "cannot give $1 to $5" chown -- "$5" "$root$1"
    fi
    try "cannot set the mode of $1" chmod -- "$4" "$root$1"
    sync_path "$1"
    finish
}
