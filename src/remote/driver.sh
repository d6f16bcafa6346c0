# Reads requests: a line with the number of bytes of a script, and the script.
# What else stands on standard input is for the script to take. `read` and
# `head -c` take no byte too many; a shell that reads a script would.
#
# `end` ends it. So does whatever else is no request: it is what a script didn't
# take, and nobody should see it. And so does a request that was ended from
# outside, or that says with 75 that nothing may follow it.
# shellcheck shell=sh

m=$1
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
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
