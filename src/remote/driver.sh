# Runs requests. A request is a line with the size of a script in bytes, the script, and the
# input that the script reads. `read` and `head -c` read exactly these bytes; a shell that
# took its script from standard input would read ahead, into the script's input.
#
# The line `end` ends the driver. So does any other line that isn't a number: the line is
# input that a script left unread, and it may be secret, so it isn't shown. A script that is
# killed by a signal, or that exits with 75 because no request may follow it, also ends the
# driver.
# shellcheck shell=sh

m=$1
# The usual directories come first: see PATH in shell.rs. sudo may have replaced the path
# that shell.rs sets.
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
