# The first script on a connection, run as the user that logged in: becomes root and
# executes the shell that runs requests ($driver). Each line for the controller begins with
# the marker, which tells it apart from the login shell's output.
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
exec sudo -n sh -c "$driver" spore "$m"
