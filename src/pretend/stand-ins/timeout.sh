#!/bin/sh
# timeout: runs the real timeout, except that the stand-in for tau is run instead of a
# program in the host's /tb/bin.
# timeout -k N SECONDS COMMAND...
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

case ${4-} in
"$root"/tb/bin/*)
    [ -s "$4" ] || exit 127
    shift 4
    exec tau "$@"
    ;;
esac
real=$(PATH=$real_path && command -v timeout) || exit 127
exec "$real" "$@"
