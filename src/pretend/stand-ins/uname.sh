#!/bin/sh
# uname -m: prints the architecture that the host simulates.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

[ "$*" = -m ] || refuse "$@"
read -r machine <"$state/machine" && echo "$machine"
