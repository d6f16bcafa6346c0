# allow PORT TRANSPORT, disallow PORT TRANSPORT: opens or closes a port with ufw. The rules
# that spore has added are recognized by their comment.
#
# ufw writes the rule for IPv4 into a file and loads it into the kernel, and then does the
# same for IPv6. It doesn't sync the files. If an action is cut off in between, a rule may
# be in a file without being in the kernel. ufw doesn't load a rule that is in its file
# already, so if this action finds a rule of ours in a file, it has ufw reload all rules. If
# an action was cut off between the last file and the kernel, no plan shows it, because the
# probe reads only the files: asking the kernel takes too long. The next boot or reload
# fixes that.
#
# ufw has one rule for each port and transport. So allowing a port would replace the owner's
# rule for it, and deleting our rule would delete the owner's. If the owner has a rule,
# neither is done.
# shellcheck shell=sh disable=SC2154

allow() {
    rules "$1" "$2"
    case $owners in
        '') ;;
        allow* | limit*) already ;;
        *) differs "$1/$2" no-rule "rule $owners" ;;
    esac
    [ "$ours" = 2 ] || try "ufw allow $1/$2" ufw allow "$1/$2" comment spore
    [ "$ours" = 0 ] || try 'ufw reload' ufw reload
    sync_rules
    [ "$ours" != 2 ] || already
    finish
}

disallow() {
    rules "$1" "$2"
    [ -z "$owners" ] || already
    [ "$ours" = 0 ] || try "ufw delete allow $1/$2" ufw delete allow "$1/$2"
    [ "$ours" = 2 ] || try 'ufw reload' ufw reload
    sync_rules
    [ "$ours" != 0 ] || already
    finish
}

# rules PORT TRANSPORT: sets $ours to the number of files in which a rule of ours opens the
# port, and $owners to the owner's rule for the port if there is one. If IPv6 is disabled,
# there may be one file only; then a rule of ours is added again, which has no effect.
rules() {
    ours=0 owners=''
    for any in 0.0.0.0/0 ::/0; do
        file=$root/etc/ufw/user.rules
        [ "$any" != ::/0 ] || file=$root/etc/ufw/user6.rules
        [ -f "$file" ] || continue
        found=$(grep -m1 -E "^### tuple ### [a-z]+(_[a-z-]+)? $2 $1 $any any $any in( comment=.*)?\$" -- "$file")
        case $found in
            '### tuple ### allow '*' comment=73706f7265') ours=$((ours + 1)) ;;
            ?*) owners=${found#'### tuple ### '} ;;
        esac
    done
}

sync_rules() {
    for file in /etc/ufw/user.rules /etc/ufw/user6.rules; do
        [ ! -f "$root$file" ] || sync_path "$file"
    done
}
