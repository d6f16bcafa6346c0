# What the stand-ins share: where the host is, what is known of its units, and
# the way past the stand-ins to the real programs. See ../mod.rs.
# shellcheck shell=sh disable=SC2034

LC_ALL=C
export LC_ALL
root=${SPORE_ROOT:?is not set: this is no pretended host}
stand_ins=${0%/*}
state=$root/run/pretend
real_path=${PATH#*"/stand-ins:"}

# refuse WORD...: says what this stand-in wasn't told to do, and ends.
refuse() {
    printf '%s: a pretended host can'\''t do this: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# has FAULT: whether it was switched on.
has() {
    case " ${SPORE_FAULTS-} " in *" $1 "*) ;; *) return 1 ;; esac
}
