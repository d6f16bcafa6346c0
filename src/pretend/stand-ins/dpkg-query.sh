#!/bin/sh
# dpkg-query -W -f FORMAT -- PACKAGE...: prints the status of each package that `apt-get`
# has installed, ignoring FORMAT.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

status=1
for package; do
    case $package in
    */*) ;;
    *) [ ! -e "$state/packages/$package" ] || { echo installed && status=0; } ;;
    esac
done
exit "$status"
