# cut FILE: prints a node's configuration without its secrets, for the probe (`texts.awk`).
#
# The program follows YAML line by line, in the styles in which tau, spore and people write
# it. A file that it can't follow is "opaque": nothing of it is printed. A value counts as
# public by its key and by its form, so that no secret is printed even if lines are missing
# or misplaced. Of all other values only the keys are printed, and of each secret a digest,
# computed by a program that receives the secret through a pipe.
#
# private_key.rs replaces the words between @.
#
# The program has to run under LC_ALL=C in gawk and in mawk 1.3.4, which has no interval
# expressions ({n,m}).

# No line is printed before all lines have been followed.
function cut(file,    got, line, i) {
    count = 0; section = ""; literal = 0; gap = 0
    split("", lines); split("", secrets)
    recorded = index(file, "/run/spore/")
    followed = 1
    while (followed && (got = (getline line < file)) > 0) followed = follow(line)
    close(file)
    if (got < 0) followed = 0
    if (followed && literal) literal_ends()
    if (!followed) {
        print "opaque\t" file
        return
    }
    for (i = 1; i <= count; i++) if (i in secrets) remember(secrets[i])
    print "text\t" file
    for (i = 1; i <= count; i++)
        if (i in secrets) print "=" numbers[secrets[i]] "\t" lines[i]
        else print "|" lines[i]
}

# Prints the digest of a secret, once for each secret. Secrets are numbered in this order.
function remember(secret) {
    if (secret in numbers) return
    numbers[secret] = ++remembered
    fflush()
    printf "%s%s", digest_key, secret | "exec sha256sum"
    close("exec sha256sum")
}

function add(line) {
    lines[++count] = line
    return count
}

# The functions below return whether they could follow the line.

function follow(line,    indent, content) {
    # Control characters, and characters that some YAML parsers take for line breaks.
    if (line ~ /[\000-\010\013-\037\177]/ || line ~ /\302\205|\342\200[\250\251]|\357\273\277/) return 0
    match(line, /^ */)
    indent = RLENGTH
    if (literal) {
        if (indent == length(line)) {
            if (!literal_indent && indent) return 0
            literal_text = literal_text (literal_indent ? substr(line, literal_indent + 1) : "") "\n"
            return 1
        }
        if (!literal_indent && indent > literal_parent) literal_indent = indent
        if (literal_indent && indent >= literal_indent) {
            literal_text = literal_text substr(line, literal_indent + 1) "\n"
            return 1
        }
        if (indent > literal_parent) return 0
        literal_ends()
    }
    content = substr(line, indent + 1)
    if (content == "" || content ~ /^#/) {
        gap = 1
        return 1
    }
    if (content ~ /\t/) return 0
    # An empty line isn't kept, but within a scalar of several lines it is significant.
    if (gap && section == "public" && indent && content !~ /^-( |$)/ && content !~ /^["']?[A-Za-z0-9_.-]+["']?:( |$)/)
        return 0
    gap = 0
    if (indent == 0 && content !~ /^-( |$)/) return top(content)
    if (section == "public") return keep(line, content)
    if (section == "secret") return structure(indent, content, substr(line, 1, indent))
    return 0
}

# Handles a line that isn't indented.
function top(line,    name, rest) {
    if (line == "---" && section == "") {
        section = "begun"
        return 1
    }
    if (!match(line, /^[a-z0-9][a-z0-9-]*:/)) return 0
    name = substr(line, 1, RLENGTH - 1)
    rest = substr(line, RLENGTH + 1)
    if (rest !~ /^( |$)/) return 0
    top_name = name
    if (name ~ /^(services|protocols|p2p-listen|p2p-announce|ports|location|peers|domains|plugins)$/) {
        section = "public"
        return keep(line, rest)
    }
    section = "closed"
    if (name == "swarmkey" || name == "network-fqdn") return keep(line, rest)
    gsub(/^ +| +$/, "", rest)
    if (name == "privatekey" && scalar(rest)) {
        # The protobuf of an ed25519 key consists of type and length, seed, and public half.
        if (length(value) != @all@ || value !~ /^@prefix@[A-P][A-Za-z0-9+\/]*=$/) return 0
        return add("publickey: \"" substr(value, @begin@) "\"")
    }
    if (name == "publickey" && recorded && scalar(rest)) {
        if (length(value) != @public@ || value !~ /^[A-Za-z0-9+\/]*=$/) return 0
        return add("publickey: \"" value "\"")
    }
    if (name != "tenancy" && name != "accounts") return 0
    if (empty(rest)) return add(line)
    if (rest != "") return 0
    section = "secret"
    depth = 0
    at[0] = 0
    kinds[0] = "map"
    awaits = name
    return add(line)
}

# Keeps a line that is public, if each piece of `rest` has the form of a public value.
function keep(line, rest,    pieces, n) {
    sub(/ +#.*$/, "", line)
    sub(/ +#.*$/, "", rest)
    for (n = split(rest, pieces, /[][{},]/); n > 0; n--) if (!belongs(pieces[n])) return 0
    return add(line)
}

function belongs(piece,    slot) {
    slot = top_name
    while (sub(/^ *-( +|$)/, "", piece)) {}
    gsub(/^ +| +$/, "", piece)
    if (match(piece, /^["']?[A-Za-z0-9_.-]+["']?:( |$)/)) {
        slot = slot "/" substr(piece, 1, RLENGTH)
        piece = substr(piece, RLENGTH + 1)
        gsub(/["': ]/, "", slot)
        gsub(/^ +/, "", piece)
    }
    if (slot ~ /^(domains\/(key|aliases|hosts)|plugins\/plugins)$/) return piece == "" || empty(piece)
    if (piece ~ /^("[^"]*"|'[^']*')$/) piece = substr(piece, 2, length(piece) - 2)
    else if (piece == "" || empty(piece)) piece = ""
    if (slot ~ /^(services|protocols)$/ || slot ~ /^domains\/.*\./)
        return piece ~ /^[a-z-]*$/
    if (slot ~ /^(p2p-listen|p2p-announce|peers)$/)
        return piece ~ /^(\/(ip4|ip6|ip6zone|dns|dns4|dns6|dnsaddr)\/[A-Za-z0-9.:%\/_-]+)?$/
    if (slot ~ /^(ports(\/[a-z0-9]+)?|location(\/lat|\/long)?)$/)
        return piece ~ /^[-+]?[0-9]*(\.[0-9]*)?(e[-+]?[0-9]+)?$/
    if (slot ~ /^(swarmkey|domains\/private|domains\/public)$/)
        return piece ~ /^([A-Za-z0-9_\/-]*\.[A-Za-z0-9_.\/-]*)?$/ && piece !~ /\/psk\//
    if (slot ~ /^(network-fqdn|domains(\/generated)?)$/)
        return piece ~ /^((\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+)?$/
    if (slot == "plugins") return piece ~ /^([A-Za-z0-9_.+-]+@[A-Za-z0-9_.+-]+)?$/
    return 0
}

# Handles a line below `tenancy` or `accounts`. at[], kinds[] and paths[] describe the lists
# and mappings that contain the line; awaits is the path of the key whose value follows.
function structure(indent, content, before,    dashed, name) {
    while (content ~ /^-( |$)/) {
        if (!enter(indent, "list")) return 0
        awaits = paths[depth] "/" (++items[depth])
        match(content, /^- */)
        if (RLENGTH == length(content)) return add(before "-")
        before = before substr(content, 1, RLENGTH)
        indent += RLENGTH
        content = substr(content, RLENGTH + 1)
        dashed = 1
    }
    if (!match(content, /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*:( |$)/) &&
        !match(content, /^'[A-Za-z0-9_.@+-]+':( |$)/) && !match(content, /^"[A-Za-z0-9_.@+-]+":( |$)/))
        return dashed && leaf(before, awaits, content)
    name = substr(content, 1, RLENGTH)
    content = substr(content, RLENGTH + 1)
    sub(/: ?$/, "", name)
    gsub(/^ +| +$/, "", content)
    if (!enter(indent, "map")) return 0
    before = before name ":"
    gsub(/['"]/, "", name)
    name = paths[depth] "/" name
    if (content != "") return leaf(before " ", name, content)
    awaits = name
    return add(before)
}

# Moves to the list or mapping to which a line with this indent belongs.
function enter(indent, kind,    left) {
    while (depth && (at[depth] > indent || at[depth] == indent && kinds[depth] == "list" && kind == "map")) {
        depth--
        left = 1
    }
    if (left) awaits = ""
    if (depth && at[depth] == indent && kinds[depth] == kind) {
        awaits = ""
        return 1
    }
    if (awaits == "") return 0
    if (indent < at[depth] || indent == at[depth] && !(kind == "list" && kinds[depth] == "map")) return 0
    depth++
    at[depth] = indent
    kinds[depth] = kind
    paths[depth] = awaits
    items[depth] = 0
    awaits = ""
    return 1
}

# Handles the text behind a key or a dash.
function leaf(before, path, content) {
    awaits = ""
    sub(/ +$/, "", content)
    if (empty(content)) return add(before content)
    if (path ~ /^tenancy\/(provider|owner|app\/client-id)$/)
        return scalar(content) && value ~ /^[A-Za-z0-9_.-]*$/ && add(before content)
    if (path != "tenancy/app/key" && path !~ /^accounts\//) return 0
    if (content ~ /^\|[1-9]?[+-]?$/) {
        literal = add(before)
        literal_parent = at[depth]
        literal_indent = content ~ /[1-9]/ ? literal_parent + substr(content, 2, 1) : 0
        literal_text = ""
        return 1
    }
    if (!scalar(content)) return 0
    secret(add(before))
    return 1
}

function literal_ends() {
    value = literal_text
    secret(literal)
    literal = 0
}

# Notes that line `i` ends with a secret, which is in `value`.
function secret(i) {
    if (value == "") lines[i] = lines[i] "\"\""
    else {
        sub(/\n+$/, "", value)
        secrets[i] = value
    }
}

function empty(content) {
    return content ~ /^(\{\}|\[\]|~|null|Null|NULL)$/
}

# Stores the value of a scalar on one line in `value`.
function scalar(content) {
    if (content ~ /^'([^']|'')*'$/) {
        value = substr(content, 2, length(content) - 2)
        gsub(/''/, "'", value)
        return 1
    }
    if (content ~ /^"([^"\\]|\\["\\\/nt])*"$/) {
        content = substr(content, 2, length(content) - 2)
        value = ""
        while (match(content, /\\./)) {
            value = value substr(content, 1, RSTART - 1) escaped(substr(content, RSTART + 1, 1))
            content = substr(content, RSTART + 2)
        }
        value = value content
        return 1
    }
    if (content == "" || content ~ /^[][{}?:,#&*!|>'"%@`]/ || content ~ /^-( |$)/) return 0
    if (content ~ /: / || content ~ / #/ || content ~ /:$/) return 0
    value = content
    if (value ~ /^(True|TRUE|False|FALSE)$/) value = tolower(value)
    return 1
}

function escaped(letter) {
    return letter == "n" ? "\n" : letter == "t" ? "\t" : letter
}
