# Prints a host's text files for `probe.sh`. The arguments are pairs: an operation, and the
# file to apply it to.
#
# The values of environment variables may be secret, wherever they were set. So only their
# names are printed, both of the variables in a unit's files and of those of a process.
#
# A node's configuration is printed by its daemon's function `cut`.
#
# The program has to run under LC_ALL=C in gawk and in mawk 1.3.4, which has no interval
# expressions ({n,m}).

BEGIN {
    digest_key = ENVIRON["SPORE_KEY"]
    ours = " " ENVIRON["SPORE_DIRECTIVES"] " "
    needed = " " ENVIRON["SPORE_PORTS"] " "
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
            addresses(ARGV[i + 1])
        }
        else if (ARGV[i] == "machine") machine(ARGV[i + 1])
    }
    owners()
    exit
}

# Prints the lines of a public file that match the pattern.
function text(file, pattern,    line) {
    print "text\t" file
    while ((getline line < file) > 0)
        if (line ~ pattern) print "|" line
    close(file)
}

# Prints the directives of a unit's file, one per line. A drop-in belongs to the
# administrator: only those of its directives are printed that our template sets, too, or
# that define environment variables.
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

# Returns the names in `A=1 "B=2 C=3"`. A part of a value that looks like a name is
# included.
function variables(rest,    names, name) {
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*=/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        names = names (names == "" ? "" : " ") name
        rest = substr(rest, RSTART + RLENGTH)
        sub(/^[^ "']*/, "", rest)
    }
    return names
}

# Returns the names of the variables that a process was started with, without those that
# systemd sets for every service, by itself or because the host is configured that way.
function environment(file,    line, parts, n, i, name, names) {
    while ((getline line < file) > 0) {
        # A value may span several lines: the text before the first NUL continues the value.
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

# Prints what the kernel knows about a process; nothing if the process has exited.
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
    if (pid != 1) ours_first = ours_first " " directory
    if (pid != 1 && (names = environment(directory "/environ")) != "") print "environment\t" pid "\t" names
}

# Prints the sockets that are in this state, which is that of listening sockets.
function sockets(directory, transport, state,    version, file, line, words) {
    for (version = 4; version <= 6; version += 2) {
        file = directory "/" transport (version == 6 ? "6" : "")
        getline line < file
        while ((getline line < file) > 0) {
            split(line, words, " ")
            if (words[4] == state) {
                print "listen\t" transport "\t" words[2]
                if (index(needed, " " substr(words[2], length(words[2]) - 3) " ") && words[10] > 0) {
                    socket_of[words[10]] = transport "\t" words[2]
                    unowned++
                }
            }
            # The kernel lists the listening sockets first, before thousands of others.
            else if (transport == "tcp") break
        }
        close(file)
    }
}

# Prints the addresses of the host's interfaces.
function addresses(directory,    file, line, words, last, count) {
    file = directory "/fib_trie"
    # The table of a router can have a million routes.
    while (count++ < 20000 && (getline line < file) > 0) {
        if (match(line, /[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$/)) last = substr(line, RSTART)
        else if (line ~ /[/]32 host LOCAL$/ && !(last in known)) {
            known[last] = 1
            print "address\t" last
        }
    }
    close(file)
    file = directory "/if_inet6"
    while ((getline line < file) > 0) {
        split(line, words, " ")
        print "address\t" words[1]
    }
    close(file)
}

# Prints the memory in KiB and the number of processors. The argument is /proc.
function machine(directory,    file, line, words, total, available, count) {
    file = directory "/meminfo"
    while ((getline line < file) > 0) {
        split(line, words, " ")
        if (words[1] == "MemTotal:") total = words[2]
        if (words[1] == "MemAvailable:") available = words[2]
    }
    close(file)
    if (total != "" && available != "") print "memory\t" total "\t" available
    file = directory "/stat"
    while ((getline line < file) > 0) if (line ~ /^cpu[0-9]/) count++
    close(file)
    if (count > 0) print "processors\t" count
    proc = directory
}

# Prints who listens on the ports that nodes need. The nodes' own processes are looked at first,
# because they usually own all of these sockets, and a look at every process takes long.
function owners(    directories, n, i, command, line) {
    n = split(ours_first, directories, " ")
    for (i = 1; i <= n && unowned > 0; i++) owned_by(directories[i])
    if (unowned <= 0 || proc == "") return
    command = "printf '%s\\n' " proc "/[0-9]*"
    n = 0
    while ((command | getline line) > 0) directories[++n] = line
    close(command)
    for (i = 1; i <= n && unowned > 0; i++) owned_by(directories[i])
    # Where no process's files can be read, an unknown owner means nothing.
    if (files_read) print "owners\tsearched"
}

function owned_by(directory,    command, line, inode, name, group, pid) {
    command = "stat --printf '%N\\n' -- " directory "/fd/* 2>/dev/null"
    while ((command | getline line) > 0) {
        files_read = 1
        if (!match(line, /socket:\[[0-9]+\]/)) continue
        inode = substr(line, RSTART + 8, RLENGTH - 9)
        if (!(inode in socket_of)) continue
        if (pid == "") {
            pid = directory
            sub(/.*\//, "", pid)
            getline name < (directory "/comm")
            close(directory "/comm")
            group = unit_of(directory "/cgroup")
            gsub(/[\000-\037]/, " ", name)
        }
        print "owner\t" socket_of[inode] "\t" pid "\t" name "\t" group
        delete socket_of[inode]
        unowned--
    }
    close(command)
}

# Returns the unit that a process belongs to. In cgroups of version 1, each controller has a
# line, and only systemd's own hierarchy certainly names the unit. The unit may have groups
# of its own below it.
function unit_of(file,    line, group) {
    while ((getline line < file) > 0)
        if (line ~ /^(0:|[0-9]+:name=systemd):\/./) group = line
    close(file)
    while (group ~ /\// && group !~ /[.](service|scope)$/) sub(/\/[^\/]*$/, "", group)
    sub(/.*\//, "", group)
    gsub(/[\000-\037]/, " ", group)
    return group ~ /[.](service|scope)$/ ? group : ""
}
