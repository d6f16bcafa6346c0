//! The program's memory holds secrets, so none of it may reach a disk.

/// Forbids core dumps, and other processes of the same user to read this one's memory.
/// Programs that it starts write no core dumps either.
pub(super) fn forbid() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Neither of the two fails: both only take rights away.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A program that the kernel pipes dumps to isn't bound by that limit.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
