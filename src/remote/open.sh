# The first script on a connection, run as the user that logged in: becomes root and
# executes the shell that runs requests ($driver). Each line for the controller begins with
# the marker, which tells it apart from the login shell's output. If the controller has a
# password ($password is `yes`), sudo may ask for it, with a prompt that contains the marker:
# see sudo.rs.
# shellcheck shell=sh disable=SC2154

m=$1
if [ "$(id -u)" = 0 ]; then
    exec sh -c "$driver" spore "$m"
fi
if ! command -v sudo >/dev/null; then
    printf '\n%s nosudo\n' "$m"
    exit 1
fi
printf '\n%s sudo\n' "$m"
if [ "$password" = yes ]; then
    # The controller recognizes sudo's complaint about a wrong password.
    LC_ALL=C
    export LC_ALL
    exec sudo -S -p "$m password" sh -c "$driver" spore "$m"
fi
exec sudo -n sh -c "$driver" spore "$m"
