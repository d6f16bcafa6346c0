# Sourced by the stand-ins: sets the host's root, its state directory, and the PATH of the
# real programs. See ../mod.rs.
# shellcheck shell=sh disable=SC2034

LC_ALL=C
export LC_ALL
root=${SPORE_ROOT:?is not set: this isn\'t a simulated host}
stand_ins=${0%/*}
state=$root/run/pretend
real_path=${PATH#*"/stand-ins:"}

# refuse WORD...: reports arguments that this stand-in doesn't support, and exits.
refuse() {
    printf '%s: not supported on a simulated host: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# has FAULT: succeeds if the host has this fault.
has() {
    case " ${SPORE_FAULTS-} " in *" $1 "*) ;; *) return 1 ;; esac
}
