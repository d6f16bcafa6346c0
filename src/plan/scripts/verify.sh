# verify VERSION [PLACE STAGED]... -- PROGRAM WORD...: has a program validate the
# configuration that a node is to run with, which is the word after -p. The program should
# find everything as it will be after the switch, but nothing that a running node reads may
# change:
#
# - If PROGRAM or a WORD is the final path PLACE of a file, and the new file is staged, it
#   is replaced by STAGED.
# - The configuration names keys by paths relative to the daemon's root. So the root is
#   replaced by a directory with links to all keys; a staged key takes the place of the key
#   that it will replace.
#
# VERSION is noted as the program's version, unless it is -.
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
        # All files are at their final paths already.
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
    # A program that also accepts an empty file isn't the daemon, so that its approval of
    # the configuration means nothing.
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

# runs_here: ends the action unless the kernel can execute the file. If the kernel couldn't,
# `timeout` would have a shell run the file.
runs_here() {
    case $(head -c 4 -- "$root$file" | base64 -w0) in
        f0VMRg==) ;;
        # The tests use scripts as programs.
        IyE*) return ;;
        *) fail "$program isn't a program" ;;
    esac
    # The ELF header has the class in the fifth byte, and the machine in two bytes that end
    # with the twentieth.
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

# judge WORD...: runs the program. Temporary files that the program leaves behind are in
# $scratch, and are removed with it.
judge() {
    run env TMPDIR="$root$scratch" timeout -k 5 "$judging" "$root$file" "$@"
}

# unfit: ends the action with the reason why the program failed. If it couldn't start, the
# reason is what the host lacks.
unfit() {
    rm -rf -- "$root$scratch"
    case $status:$said in
        # The messages of the loaders of glibc and of musl.
        127:*'shared libraries: '*)
            library=${said#*'shared libraries: '}
            fail "$program needs ${library%%:*}, which this host doesn't have"
            ;;
        127:*'shared library '*)
            library=${said#*'shared library '}
            fail "$program needs ${library%%:*}, which this host doesn't have"
            ;;
        127:*'No such file or directory'*)
            # The file exists, so its loader must be missing. The path of the loader is near
            # the beginning of the file.
            loader=$(head -c 4096 -- "$root$file" | grep -a -o '/[A-Za-z0-9_./-]*/ld[A-Za-z0-9_.-]*' | head -n 1)
            fail "$program needs the loader ${loader:-of another system}, which this host doesn't have"
            ;;
        126:*'ermission denied'*)
            fail "$program can't be run on this host (permission denied): is the file system of ${program%/*} mounted with noexec?"
            ;;
        124:* | 137:*) fail "$program didn't finish validating $config within $judging s: $said" ;;
        # A crash, as reported by Go's runtime. The stack trace would be of no use to the
        # operator.
        *'goroutine '*) fail "$program crashed while validating $config: $(printf '%s\n' "$said" | grep -v '^$' | head -n 3)" ;;
        *) fail "$program rejects $config: ${said:-status $status}" ;;
    esac
}
