# How a host hands over what a network's folder needs and the probe cuts out. The private key of a
# node isn't among it.
# shellcheck shell=sh disable=SC2154

# hand_over_key NUMBER FILE: prints a key of the network.
hand_over_key() {
    printf 'piece\t%s\t%s\n' "$1" "$(head -c 65536 -- "$root$2" | base64 -w0)"
}

# hand_over_config NUMBER FILE: prints a configuration with the public half in place of the node's
# private key, or nothing if the key is there in another form than the probe has followed.
hand_over_config() {
    cut=$(sed '@cut@' -- "$root$2") || return 0
    printf 'piece\t%s\t%s\n' "$1" "$(printf '%s\n' "$cut" | head -c 1048576 | base64 -w0)"
}
