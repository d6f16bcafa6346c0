# allow PORT TRANSPORT, disallow PORT TRANSPORT: ufw's rules, ours by their comment.
#
# ufw writes a rule for IPv4 into its file, has the kernel heed it, and does the
# same for IPv6; it syncs nothing. What is in a file already it takes for heeded:
# so where one was cut off before, the kernel is given all rules anew. One that was
# killed between the last file and the kernel no plan sees, for to ask the kernel
# takes long; the next boot, or reload, mends it.
# shellcheck shell=sh disable=SC2154

allow() {
    rules "$1" "$2"
    # ufw would make a rule of the owner's ours.
    [ -z "$owners" ] || already
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

# rules PORT TRANSPORT: in how many files a rule of ours lets it in, into $ours;
# whether one of the owner's does, into $owners. Where IPv6 is off, one file is
# all there is: the rule is asked for again then, which does no harm.
rules() {
    ours=0 owners=''
    for any in 0.0.0.0/0 ::/0; do
        file=$root/etc/ufw/user.rules
        [ "$any" != ::/0 ] || file=$root/etc/ufw/user6.rules
        [ -f "$file" ] || continue
        found=$(grep -E "^### tuple ### allow ($2|any) $1 $any any $any in( |\$)" -- "$file")
        case $any:$found in
            *comment=73706f7265*) ours=$((ours + 1)) ;;
            0.0.0.0/0:?*) owners=yes ;;
        esac
    done
}

sync_rules() {
    for file in /etc/ufw/user.rules /etc/ufw/user6.rules; do
        [ ! -f "$root$file" ] || sync_path "$file"
    done
}
