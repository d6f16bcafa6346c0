# allow PORT TRANSPORT, disallow PORT TRANSPORT: ufw's rules, ours by their comment.
#
# ufw writes a rule for IPv4 into its file, loads it into the kernel, and does the
# same for IPv6; it syncs nothing. A rule that is in the file it takes for loaded,
# so after an interruption all rules have to be loaded again. An interruption
# between the last file and the kernel shows in no plan, because asking the kernel
# takes long; the next boot or reload fixes it.
#
# ufw keeps one rule per port and transport: allowing a port would replace the owner's
# rule, and deleting ours would delete it. So if the owner has one, neither is done.
# shellcheck shell=sh disable=SC2154

allow() {
    rules "$1" "$2"
    case $owners in
        '') ;;
        allow* | limit*) already ;;
        *) differs "changed on the host since the plan: ufw now has a rule for $1/$2 that isn't spore's ($owners)" ;;
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

# rules PORT TRANSPORT: in how many files a rule of ours opens the port, into
# $ours; a rule of the owner's for it, if there is one, into $owners. Where IPv6
# is off there is one file only: then the rule is made again, which does no harm.
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
