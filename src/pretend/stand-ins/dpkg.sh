#!/bin/sh
# dpkg: does nothing, because the stand-in for `apt-get` never leaves a half-configured
# package.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
