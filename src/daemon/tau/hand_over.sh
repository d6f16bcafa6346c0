# How a host hands over what a network's folder needs and the probe cuts out. The private key of a
# node isn't among it.
# shellcheck shell=sh disable=SC2154

# hand_over_key NUMBER FILE: prints a key of the network.
hand_over_key() {
    printf 'piece\t%s\t%s\n' "$1" "$(head -c 65536 -- "$root$2" | base64 -w0)"
}

# hand_over_config NUMBER FILE: prints a configuration without the node's private key, which is on
# one line, because the probe has followed the file.
hand_over_config() {
    printf 'piece\t%s\t%s\n' "$1" "$(sed '/^privatekey:/d' -- "$root$2" | head -c 1048576 | base64 -w0)"
}
