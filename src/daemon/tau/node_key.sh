# How a script finds the private key of a node that only its host has. private_key.rs replaces
# the words between @.
#
# The key is in a file of its own or, if another tool has put it there, only in the node's
# configuration. It is in no program's arguments or environment.
# The linter takes the words between @ for values.
# shellcheck shell=sh disable=SC2154,SC2170,SC2043

# private_in FILE: sets $private to the private key in the file, which is a key's file or a
# configuration; empty if there is none in a form that tau or spore writes.
private_in() {
    private=''
    [ -f "$1" ] || return 0
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        privatekey:*)
            text=${text#privatekey:}
            text=${text#"${text%%[! ]*}"}
            text=${text%"${text##*[! ]}"}
            case $text in
            \"*\") text=${text#\"} text=${text%\"} ;;
            \'*\') text=${text#\'} text=${text%\'} ;;
            esac
            ;;
        @prefix@*) case $1 in *.key) ;; *) continue ;; esac ;;
        *) continue ;;
        esac
        case $text in
        *[!A-Za-z0-9+/=]*) ;;
        @prefix@*=) [ ${#text} -ne @all@ ] || private=$text ;;
        esac
        return 0
    done <"$1"
}

# node_key CONFIGURATION [PUBLIC]: sets $private to the private key of the node with this
# configuration, and $held to the file that has it. With PUBLIC, only the key with this public
# half counts.
node_key() {
    held=${1##*/}
    for held in "${1%/*}/keys/${held%.yaml}.key" "$1"; do
        private_in "$root$held"
        case $private in
        '') ;;
        *"${2-}") return 0 ;;
        esac
    done
    private='' held=''
    return 1
}

# keyed_head PRIVATE: prints the first line of a configuration. What the controller sends of it
# is the rest.
keyed_head() {
    printf 'privatekey: %s\n' "$1"
}
