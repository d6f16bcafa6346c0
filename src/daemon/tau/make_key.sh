# make_key CONFIGURATION NETWORK: reports the public half of the key of the node with this
# configuration, and generates the key if the host has none. The private key never leaves the
# host.
#
# The answer is a line `key CONFIGURATION made|found PUBLIC`, or `key CONFIGURATION failed WHY`
# (in base64). If it is lost, or the script is cut off, the next one finds the key.
# The linter takes the words between @ for values.
# shellcheck shell=sh disable=SC2154,SC2170,SC2043

answer() {
    printf 'key\t%s\t%s\t%s\n' "$config" "$1" "$2"
}
refuse() {
    answer failed "$(printf '%s' "$1" | base64 -w0)"
}

# public_of PRIVATE: sets $public. The last @public@ characters are those of the public half.
public_of() {
    public=$1
    while [ ${#public} -gt @public@ ]; do
        public=${public#?}
    done
}

# foreign: whether a configuration on the host names another network.
foreign() {
    for other in "$root${config%/*}"/*.yaml; do
        [ -f "$other" ] || continue
        while IFS= read -r text || [ -n "$text" ]; do
            case $text in
            network-fqdn:*)
                text=${text#network-fqdn:}
                text=${text#"${text%%[! \"\']*}"}
                text=${text%"${text##*[! \"\']}"}
                [ "$text" = "$network" ] || return 0
                ;;
            esac
        done <"$other"
    done
    return 1
}

# file_of CONFIGURATION: sets $key to the file with the key of the node. Fails, and says so, if it
# can't be one.
file_of() {
    keys=${1%/*}/keys
    key=${1##*/}
    key=$keys/${key%.yaml}.key
    case ${key##*/} in
    @reserved@)
        refuse "$key is the name of a key of the network; rename the shape, or write a key for the node into the folder"
        return 1
        ;;
    esac
}

make_key() {
    config=$1 network=$2
    file_of "$config" || return
    if [ -e "$root$key" ] || [ -L "$root$key" ]; then
        private_in "$root$key"
        if [ -z "$private" ]; then
            refuse "$key isn't a node's private key; move it away, so that a new one is generated"
            return
        fi
    elif [ -e "$root$config" ] || [ -L "$root$config" ]; then
        private_in "$root$config"
        if [ -z "$private" ]; then
            refuse "no private key of a kind that spore knows is in $config; move the file away, so that a new one is generated"
            return
        fi
    elif foreign; then
        refuse "its configurations name the network $text"
        return
    else
        private=''
    fi
    made=found replace=''
    if [ -z "$private" ]; then
        made=made
        write_key || return
    fi
    public_of "$private"
    answer "$made" "$public"
}

# renew_key CONFIGURATION NETWORK PUBLIC: reports the public half of another key of the node, whose
# key has had this public half, and generates it if the host has none. The old key is in the
# configuration until an apply replaces that.
renew_key() {
    config=$1 network=$2
    file_of "$config" || return
    if foreign; then
        refuse "its configurations name the network $text"
        return
    fi
    made=found private='' replace=''
    if [ -e "$root$key" ] || [ -L "$root$key" ]; then
        private_in "$root$key"
        if [ -z "$private" ]; then
            refuse "$key isn't a node's private key; move it away, so that a new one is generated"
            return
        fi
        case $private in
        *"$3")
            # A key that has been in use isn't lost before the node has another one.
            private_in "$root$config"
            case $private in
            *"$3") ;;
            *)
                if [ -e "$root$config" ]; then
                    refuse "$config doesn't have the key of the node; run \`spore apply\` first"
                    return
                fi
                ;;
            esac
            private='' replace=$3
            ;;
        esac
    fi
    if [ -z "$private" ]; then
        made=made
        write_key || return
    fi
    public_of "$private"
    answer "$made" "$public"
}

# write_key: generates a key, and sets $private to it. Fails, and says so, if it can't.
write_key() {
    # A temporary file of this name is removed by the next apply, if this is cut off.
    part=$keys/.spore-key-$$
    said=$(generate 2>&1) || {
        rm -f -- "$root$part" "$root$part.pub" "$root$part.der"
        refuse "${said:-cannot write $key}"
        return 1
    }
    rm -f -- "$root$part" "$root$part.pub" "$root$part.der"
    private_in "$root$key"
    if [ -z "$private" ]; then
        refuse "cannot write $key"
        return 1
    fi
}

# generate: writes a new key, unless another process is faster. If $replace is set, it replaces the
# key with this public half. The tools know a key as 32 bytes of seed and 32 of public half, to which
# the protobuf's type and length are added.
generate() {
    umask 077
    for directory in @directories@; do
        path=${directory%:*}
        [ -d "$root$path" ] || mkdir -m "${directory#*:}" -- "$root$path" || [ -d "$root$path" ] || return 1
    done
    rm -f -- "$root$part" "$root$part.pub" "$root$part.der"
    if command -v ssh-keygen >/dev/null; then
        ssh-keygen -q -t ed25519 -N '' -C '' -f "$root$part" </dev/null || return 1
        text=$({
            printf '\010\001\022\100'
            sed '/^-/d' "$root$part" | base64 -d | tail -c +162 | head -c 64
        } | base64 -w0)
    elif command -v openssl >/dev/null; then
        openssl genpkey -algorithm ed25519 -outform DER -out "$root$part.der" || return 1
        text=$({
            printf '\010\001\022\100'
            tail -c 32 "$root$part.der"
            openssl pkey -inform DER -in "$root$part.der" -pubout -outform DER | tail -c 32
        } | base64 -w0)
    else
        echo 'it has neither ssh-keygen nor openssl to generate a key with; install openssh-client'
        return 1
    fi
    [ ${#text} -eq @all@ ] || {
        echo 'the generated key has an unknown form'
        return 1
    }
    rm -f -- "$root$part"
    printf '%s\n' "$text" >"$root$part" || return 1
    sync -- "$root$part" || return 1
    if [ -n "$replace" ]; then
        # Of two processes, both take the key of the first.
        exec 9<"$root$keys"
        flock 9 || return 1
        private_in "$root$key"
        case $private in
        *"$replace") mv -f -- "$root$part" "$root$key" || return 1 ;;
        esac
        exec 9<&-
    else
        # A link replaces nothing: of two processes, both take the key of the first.
        ln -- "$root$part" "$root$key" 2>/dev/null || [ -e "$root$key" ] || return 1
    fi
    sync -- "$root$keys"
}
