# verify VERSION [PLACE STAGED]... -- PROGRAM WORD...: has a program validate the
# configuration that a node is to run with (the word after -p), as the node will
# find it. Where PLACE is among the words and its new file is staged, the program
# is given the staged one. Keys can't be named like that: the configuration names
# them, relative to the root. So the daemon's root is replaced by a directory that has
# links to all of them, staged ones first. Nothing that a running node reads is
# touched. VERSION is noted for the program, unless it is -.
# shellcheck shell=sh disable=SC2154

verify() {
    version=$1
    shift
    scratch=/run/spore/.verify
    umask 077
    try "cannot remove ${scratch#"$root"}" rm -rf -- "$root$scratch"
    try "cannot create $scratch" mkdir -p -- "$root$scratch$key_directory"
    for key in "$root$key_directory"/*; do
        [ ! -f "$key" ] || try "cannot create $scratch" ln -s -- "$key" "$root$scratch$key_directory/"
    done
    staged=''
    while [ "$1" != -- ]; do
        look "$2"
        if [ "$kind" = file ]; then
            staged="$staged$newline$1=$2"
            case $1 in
                "$key_directory"/*) try "cannot create $scratch" ln -sfn -- "$root$2" "$root$scratch$1" ;;
            esac
        fi
        shift 2
    done
    shift
    if [ -z "$staged" ]; then
        rm -rf -- "$root$scratch"
        # All of it is in place already.
        already
    fi
    program=$1 config='' previous=''
    for word; do
        shift
        [ "$previous" != -p ] || config=$word
        previous=$word
        case $staged$newline in
            *"$newline$word="*)
                word=${staged#*"$newline$word="}
                word=${word%%"$newline"*}
                ;;
        esac
        [ "$word" != "$daemon_root" ] || word=$scratch$daemon_root
        set -- "$@" "$word"
    done
    file=$1
    shift
    runs_here
    judge "$@"
    [ "$status" = 0 ] || unfit
    # A program that accepts anything validates nothing.
    previous=''
    for word; do
        shift
        [ "$previous" != -p ] || word=/dev/null
        previous=$word
        set -- "$@" "$word"
    done
    judge "$@"
    [ "$status" != 0 ] ||
        fail "$program isn't $daemon: it accepts an empty file as a configuration"
    rm -rf -- "$root$scratch"
    if [ "$version" != - ]; then
        look "$file"
        digest
        remember "$file" "$digest" "$version"
    fi
    finish
}

# runs_here: fails unless the kernel can execute the file. If it can't, `timeout` would
# have a shell run it.
runs_here() {
    case $(head -c 4 -- "$root$file" | base64 -w0) in
        f0VMRg==) ;;
        # A script, as tests have.
        IyE*) return ;;
        *) fail "$program isn't a program" ;;
    esac
    # Its class and its machine, one byte and two.
    machine=$({
        head -c 5 -- "$root$file" | tail -c 1
        head -c 20 -- "$root$file" | tail -c 2
    } | base64 -w0)
    host=$(uname -m)
    case $host:$machine in
        x86_64:Aj4A | amd64:Aj4A | aarch64:ArcA | arm64:ArcA | riscv64:AvMA) ;;
        arm*:ASgA | i?86:AQMA) ;;
        *) fail "$program is built for another architecture than this host's, $host" ;;
    esac
}

# What the program leaves where temporary files go is removed with the rest.
judge() {
    run env TMPDIR="$root$scratch" timeout -k 5 "$judging" "$root$file" "$@"
}

# unfit: says why the program failed, in terms of the host where it couldn't start.
unfit() {
    rm -rf -- "$root$scratch"
    case $status:$said in
        # As glibc's loader says it, and as musl's does.
        127:*'shared libraries: '*)
            library=${said#*'shared libraries: '}
            fail "$program needs ${library%%:*}, which this host doesn't have"
            ;;
        127:*'shared library '*)
            library=${said#*'shared library '}
            fail "$program needs ${library%%:*}, which this host doesn't have"
            ;;
        127:*'No such file or directory'*)
            # The file exists, so the loader is missing; its path is near the beginning of
            # the file.
            loader=$(head -c 4096 -- "$root$file" | grep -a -o '/[A-Za-z0-9_./-]*/ld[A-Za-z0-9_.-]*' | head -n 1)
            fail "$program needs the loader ${loader:-of another system}, which this host doesn't have"
            ;;
        126:*'ermission denied'*)
            fail "$program can't be run on this host (permission denied): is the file system of ${program%/*} mounted with noexec?"
            ;;
        124:* | 137:*) fail "$program didn't finish validating $config within $judging s: $said" ;;
        # As Go's runtime reports it; what follows is of no use to an operator.
        *'goroutine '*) fail "$program crashed while validating $config: $(printf '%s\n' "$said" | grep -v '^$' | head -n 3)" ;;
        *) fail "$program rejects $config: ${said:-status $status}" ;;
    esac
}
