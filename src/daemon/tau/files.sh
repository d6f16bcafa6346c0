# What the scripts of the actions need to know about tau's files. A request has this before
# the first action that concerns a node of tau's; another daemon defines the same names.
# shellcheck shell=sh disable=SC2034,SC2154

daemon=tau
# The directory that its program is told to work in, and those of its files below that.
daemon_root=/tb
config_directory=/tb/config
key_directory=/tb/config/keys
plugin_directory=/tb/plugins
# Made by tau itself, for the directories in it.
emptied=/tb/raft

# is_data PATH: whether only a node's data can be there.
is_data() {
    case $1 in
        /tb/storage/?* | /tb/raft/?*) ;;
        *) return 1 ;;
    esac
}

# has_data SHAPE: whether a node of that shape has left data.
has_data() {
    [ -d "$root/tb/storage/$1" ] || [ -d "$root/tb/storage/${1}_client" ] || [ -d "$root/tb/raft/$1" ]
}
