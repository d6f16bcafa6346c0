#!/bin/sh
# sync: only checks that the file exists, because no simulated host survives a power cut.
# sync -- FILE
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

for path; do
    [ "$path" = -- ] || [ -e "$path" ] || {
        echo "sync: error opening '$path': No such file or directory" >&2
        exit 1
    }
done
