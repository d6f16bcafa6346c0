#!/bin/sh
# cat, gzip and zstd on a disk that fills up: if stdout is a file, the program writes to
# /dev/full instead, which fails with ENOSPC.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"
PATH=$real_path

if [ -f /dev/fd/1 ]; then
    exec "${0##*/}" "$@" >/dev/full
fi
exec "${0##*/}" "$@"
