//! Keeps the program's memory, which holds secrets, from being dumped to a disk.

/// Disables core dumps, and keeps other processes of the same user from reading this
/// process's memory. Programs that this process starts write no core dumps either.
pub(super) fn forbid() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Neither call fails, because both only give up rights.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // The limit doesn't apply if the kernel pipes core dumps to a program.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
