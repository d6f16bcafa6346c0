# allow PORT TRANSPORT, disallow PORT TRANSPORT: ufw's rules, ours by their comment.
# shellcheck shell=sh disable=SC2154

allow() {
    # ufw would make a rule of the owner's ours.
    ! rule "$1" "$2" '' || already
    try "ufw allow $1/$2" ufw allow "$1/$2" comment spore
    finish
}

disallow() {
    rule "$1" "$2" 'comment=73706f7265$' || already
    try "ufw delete allow $1/$2" ufw delete allow "$1/$2"
    finish
}

rule() {
    [ -f "$root/etc/ufw/user.rules" ] || return 1
    grep -Eq "^### tuple ### allow ($2|any) $1 0\.0\.0\.0/0 any 0\.0\.0\.0/0 in( |\$).*$3" \
        "$root/etc/ufw/user.rules"
}
