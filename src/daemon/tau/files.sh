# What the scripts of actions need to know about tau's files. A request contains this before
# its first action that concerns a node of tau. Other daemons define the same names.
# shellcheck shell=sh disable=SC2034,SC2154

daemon=tau
# The root directory that is passed to tau, and the directories of its files below it.
daemon_root=/tb
config_directory=/tb/config
key_directory=/tb/config/keys
plugin_directory=/tb/plugins
# tau itself creates this directory, for the directories in it.
emptied=/tb/raft

# is_data PATH: whether only the data of a node can be at this path.
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
