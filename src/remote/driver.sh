# Runs requests: each is a line with the size of a script in bytes, the script, and
# the input that the script reads. `read` and `head -c` don't read beyond that; a
# shell that reads its script from standard input would.
#
# The line `end` exits. So does any other line that isn't a number: it is input that
# a script left unread, and it may be secret. A script that is killed by a signal,
# or that exits with 75 because no request may follow it, also ends the driver.
# shellcheck shell=sh

m=$1
# The usual directories first: see shell.rs. sudo may have set a path of its own.
[ -n "${SPORE_ROOT-}" ] || PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
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
