# Prints a host's text files for `probe.sh`. The arguments are pairs: what to do,
# and with which file.
#
# The values of environment variables may be secret, wherever they were set, so only names
# are printed, of those in a unit's files as well as of those that a process has.
#
# The hard one is `cut`: a node's configuration without its secrets. It follows
# YAML line by line, as far as tau, spore and people write it, and whatever it
# doesn't follow makes the whole file "opaque": nothing of it is printed. What is
# public is known by its key and by what it looks like, so that nothing slips
# through where lines are lost or in the wrong place; of the rest only keys are
# printed, and of each secret a digest, made by a program that gets it through
# a pipe.
#
# For LC_ALL=C in mawk 1.3.4, which has no interval expressions ({n,m}), and gawk.

BEGIN {
    digest_key = ENVIRON["SPORE_KEY"]
    ours = " " ENVIRON["SPORE_DIRECTIVES"] " "
    for (i = 1; i < ARGC; i += 2) {
        if (ARGV[i] == "cut") cut(ARGV[i + 1])
        else if (ARGV[i] == "text") text(ARGV[i + 1], "^")
        else if (ARGV[i] == "settings") text(ARGV[i + 1], "^[^#;]")
        else if (ARGV[i] == "tuples") text(ARGV[i + 1], "^### tuple ###")
        else if (ARGV[i] == "unit") unit(ARGV[i + 1], 0)
        else if (ARGV[i] == "drop-in") unit(ARGV[i + 1], 1)
        else if (ARGV[i] == "process") process(ARGV[i + 1])
        else if (ARGV[i] == "net") {
            sockets(ARGV[i + 1], "tcp", "0A")
            sockets(ARGV[i + 1], "udp", "07")
        }
    }
    exit
}

# Of a public file, the lines that matter.
function text(file, pattern,    line) {
    print "text\t" file
    while ((getline line < file) > 0)
        if (line ~ pattern) print "|" line
    close(file)
}

# The directives of a unit's file, one a line. A drop-in is its owner's: of it only
# those that our template sets, too, and those that bring environment variables.
function unit(file, is_drop_in,    line, more, section, name, value, hidden) {
    print "text\t" file
    while ((getline line < file) > 0) {
        sub(/\r$/, "", line)
        if (line ~ /^[ \t]*[#;]/) continue
        line = more line
        more = ""
        if (line ~ /\\$/) {
            more = substr(line, 1, length(line) - 1) " "
            continue
        }
        if (match(line, /^[ \t]*\[[^]]*\]/)) {
            section = line
            gsub(/[][ \t]/, "", section)
            print "|[" section "]"
            continue
        }
        if (!match(line, /^[ \t]*[A-Za-z]+[ \t]*=/)) continue
        name = substr(line, 1, RLENGTH)
        value = substr(line, RLENGTH + 1)
        gsub(/[ \t=]/, "", name)
        hidden = name ~ /Environment|Credential|PAMName/
        if (is_drop_in && !hidden && !index(ours, " " section "." name " ")) continue
        if (name == "Environment") value = variables(value)
        else if (hidden) value = value ~ /[^ \t]/ ? "..." : ""
        print "|" name "=" value
    }
    close(file)
}

# The names in `A=1 "B=2 C=3"`; what looks like one in a value is taken for one, too.
function variables(rest,    names, name) {
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*=/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        names = names (names == "" ? "" : " ") name
        rest = substr(rest, RSTART + RLENGTH)
        sub(/^[^ "']*/, "", rest)
    }
    return names
}

# The names of variables that a process was started with, without those that systemd
# gives to every service by itself or for the whole host.
function environment(file,    line, parts, n, i, name, names) {
    while ((getline line < file) > 0) {
        # A value may have several lines: what comes before the first NUL belongs to it.
        n = split(line, parts, /\000/)
        for (i = names_begun ? 2 : 1; i <= n; i++) {
            names_begun = 1
            if (!match(parts[i], /^[A-Za-z_][A-Za-z0-9_]*=/)) continue
            name = substr(parts[i], 1, RLENGTH - 1)
            if (!is_systemds(name)) names = names " " name
        }
    }
    names_begun = 0
    close(file)
    return substr(names, 2)
}

function is_systemds(name,    line, words, n, i) {
    if (name ~ /^(PATH|LANG|LANGUAGE|LC_[A-Z]+|USER|LOGNAME|HOME|SHELL|TERM|COLORTERM|NO_COLOR|TMPDIR|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_[A-Z_]+|(MAIN|MANAGER)PID|(MAIN|MANAGER)PIDFDID|(LISTEN|WATCHDOG|MEMORY_PRESSURE|TRIGGER|MONITOR)_[A-Z_]+|NOTIFY_SOCKET|FDSTORE|PIDFILE|LOG_NAMESPACE|CREDENTIALS_DIRECTORY|XDG_RUNTIME_DIR|(RUNTIME|STATE|CACHE|LOGS|CONFIGURATION)_DIRECTORY)$/)
        return 1
    if (!hosts_read) {
        hosts_read = 1
        while (("systemctl show -p Environment 2>/dev/null" | getline line) > 0) {
            sub(/^Environment=/, "", line)
            n = split(variables(line), words, " ")
            for (i = 1; i <= n; i++) hosts[words[i]] = 1
        }
        close("systemctl show -p Environment 2>/dev/null")
    }
    return name in hosts
}

# What the kernel knows of a process; nothing if it is gone.
function process(directory,    line, words, pid, uid, gid, arguments, limits, names) {
    pid = directory
    sub(/.*\//, "", pid)
    while ((getline line < (directory "/cmdline")) > 0) arguments = arguments line " "
    close(directory "/cmdline")
    while ((getline line < (directory "/status")) > 0) {
        split(line, words, "\t")
        if (words[1] == "Uid:") uid = words[3]
        if (words[1] == "Gid:") gid = words[3]
    }
    close(directory "/status")
    while ((getline line < (directory "/limits")) > 0) {
        split(line, words, /  +/)
        if (words[1] ~ /^Max (open files|address space|resident set|core file size)$/)
            limits = limits "limit\t" pid "\t" words[1] "\t" words[2] "\t" words[3] "\n"
    }
    close(directory "/limits")
    if (arguments == "" || uid == "") return
    gsub(/[\000-\037]/, " ", arguments)
    printf "process\t%s\t%s\t%s\t%s\n%s", pid, uid, gid, arguments, limits
    if (pid != 1 && (names = environment(directory "/environ")) != "") print "environment\t" pid "\t" names
}

# Sockets in the state of those that listen.
function sockets(directory, transport, state,    version, file, line, words) {
    for (version = 4; version <= 6; version += 2) {
        file = directory "/" transport (version == 6 ? "6" : "")
        getline line < file
        while ((getline line < file) > 0) {
            split(line, words, " ")
            if (words[4] == state) print "listen\t" transport "\t" words[2]
            # The kernel lists those that listen first, before thousands of others.
            else if (transport == "tcp") break
        }
        close(file)
    }
}

# A configuration. Its lines are held back until all of them have been followed.
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

# Has the digest of a secret printed, once; they are numbered in this order.
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

# The functions below say whether they could follow.

function follow(line,    indent, content) {
    # Control characters, and what else ends a line for some reader of YAML.
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
    # In a text of several lines an empty one, which isn't kept, says something.
    if (gap && section == "public" && indent && content !~ /^-( |$)/ && content !~ /^["']?[A-Za-z0-9_.-]+["']?:( |$)/)
        return 0
    gap = 0
    if (indent == 0 && content !~ /^-( |$)/) return top(content)
    if (section == "public") return keep(line, content)
    if (section == "secret") return structure(indent, content, substr(line, 1, indent))
    return 0
}

# A line that isn't indented.
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
        # Protobuf of an ed25519 key: its type and length, seed, public half.
        if (length(value) != 92 || value !~ /^CAESQ[A-P][A-Za-z0-9+\/]*=$/) return 0
        return add("publickey: \"" substr(value, 49) "\"")
    }
    if (name == "publickey" && recorded && scalar(rest)) {
        if (length(value) != 44 || value !~ /^[A-Za-z0-9+\/]*=$/) return 0
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

# A line that everyone may see, if each piece of `rest` is what belongs there.
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

# A line below `tenancy` or `accounts`: at[], kinds[] and paths[] say which lists
# and mappings it is in; awaits is the path of what has no value so far.
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

# Goes to the list or mapping that a line with this indent is in.
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

# What comes behind a key or a dash.
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

# Line `i` ends with a secret, which is `value`.
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

# Leaves what a scalar on one line says in `value`.
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
