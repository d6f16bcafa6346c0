#!/bin/sh
# tau: checks that a configuration has a key and a port, and that the files it names exist.
# At a start, also prints what a node prints. It doesn't use the network.
#
# tau --root DIR config validate -s SHAPE -p FILE
# tau start -s SHAPE --root /tb: its output is the node's journal. It exits with 0 if
# a real node would keep running, and writes the ports to $LISTENS.
# shellcheck source=machine.sh
. "${0%/*}/machine.sh"

refused() {
    printf 'tau stand-in: %s\n' "$1" >&2
    exit 1
}

top=/tb
if [ "$1" = --root ]; then
    top=$2
    shift 2
fi
verb=$1 shape='' file=''
while [ $# -gt 0 ]; do
    case $1 in
    -s)
        shape=$2
        shift
        ;;
    -p)
        file=$2
        shift
        ;;
    esac
    shift
done
[ -n "$shape" ] || refuse "$verb without a shape"
file=${file:-/tb/config/$shape.yaml}
[ -s "$root$file" ] || refused "no configuration at $file"

# shellcheck disable=SC2016 # awk's
words=$(awk '
    function unquoted(text) { gsub(/["'\'']/, "", text); return text }
    /^[a-z]/ { section = $1 }
    $1 == "privatekey:" { key = unquoted($2) }
    $1 == "swarmkey:" || section == "domains:" && ($1 == "private:" || $1 == "public:") {
        files = files " " unquoted($2)
    }
    section == "ports:" && $1 == "main:" { port = unquoted($2) }
    section == "services:" && $2 == "seer" { dns = "53" }
    END { print (key == "" ? "-" : key), (port == "" ? "-" : port), (dns == "" ? "-" : dns) files }
' "$root$file")
# shellcheck disable=SC2086 # words
set -- $words
key=$1 port=$2 dns=${3#-}
shift 3
[ ${#key} -eq 92 ] || refused "$file has no private key"
case $port in *[!0-9]*) refused "$file has no main port" ;; esac
for name; do
    [ -s "$root$top/config/$name" ] || refused "$file names $name, which doesn't exist"
done
[ "$verb" = start ] || exit 0

# The peer id of the public key: protobuf in an identity multihash, in base58.
id=$(printf %s "$key" | base64 -d | od -An -v -tu1 | awk '
    { for (i = 1; i <= NF; i++) bytes[++n] = $i }
    END {
        split("0 36 8 1 18 32", begin, " ")
        for (i = 1; i <= 6; i++) add(begin[i])
        for (i = n - 31; i <= n; i++) add(bytes[i])
        letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
        text = "1"
        for (i = length_of; i >= 1; i--) text = text substr(letters, digits[i] + 1, 1)
        print text
    }
    function add(carry,    i) {
        for (i = 1; i <= length_of; i++) {
            carry += digits[i] * 256
            digits[i] = carry % 58
            carry = int(carry / 58)
        }
        while (carry > 0) {
            digits[++length_of] = carry % 58
            carry = int(carry / 58)
        }
    }')
if grep -q ":$(printf %04X "$port") 00000000:0000 0A" "$root/proc/net/tcp"; then
    echo "listen tcp4 0.0.0.0:$port: bind: address already in use"
    exit 1
fi
echo "$port $dns" >"$LISTENS"
echo "$shape started! with id: $id"
