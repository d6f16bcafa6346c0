# Reads requests: a line with the number of bytes of a script, then the script.
# Anything else on standard input is for the script to read. `read` and `head -c`
# don't read a byte too many; a shell that reads a script would.
#
# It exits on `end`, and on anything that isn't a request: that is input which a
# script didn't read, and must not be shown. It also exits after a request that was
# killed, or that exited with 75 because nothing may follow it.
# shellcheck shell=sh

m=$1
# The usual directories first: scripts rely on what coreutils and util-linux do, and
# an administrator may have put other programs of these names (busybox) first.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LC_ALL=C
export PATH LC_ALL
unset ENV CDPATH
cd / || exit 1
printf '\n%s ready\n' "$m"
while IFS= read -r n; do
    case $n in
        end) break ;;
        '' | *[!0-9]*) exit 1 ;;
    esac
    (eval "$(head -c "$n")")
    status=$?
    printf '\n%s end %s\n' "$m" "$status"
    [ "$status" -lt 75 ] || exit 1
done
