# The first words to a host, as whoever logs in: becomes the shell that reads
# requests ($driver), as root. What the login shell prints is told apart by the
# marker, which begins each line that is meant for the controller.
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
