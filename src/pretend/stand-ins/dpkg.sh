#!/bin/sh
# dpkg: nothing that `apt-get` does is ever left half done.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
