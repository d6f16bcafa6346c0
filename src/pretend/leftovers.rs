//! Kills the processes that a fleet's hosts left running. The entry point is [`end`].

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The time between two searches for remaining processes.
const LOOK: Duration = Duration::from_millis(10);
/// The maximum number of searches. A killed process usually ends at once; a very busy
/// machine may take longer.
const LOOKS: u32 = 300;

/// Kills every process of the hosts below `directory`. The processes are identified by the
/// variable `SPORE_ROOT`, which they inherit, even those in another session.
pub(super) fn end(directory: &Path) {
    let mut none = 0;
    for _ in 0..LOOKS {
        let left = below(directory);
        // During `execve` a process briefly has no environment, so it may be missed once.
        none = if left.is_empty() { none + 1 } else { 0 };
        if none == 2 {
            return;
        }
        if left.is_empty() {
            std::thread::sleep(LOOK);
            continue;
        }
        // The shell's `kill` is used because calling kill(2) needs unsafe code.
        let pids = left.iter().map(u32::to_string);
        let mut kill = Command::new("/bin/sh");
        kill.args(["-c", "kill -9 \"$@\"", "sh"]).args(pids);
        // `kill` fails if a process has ended in the meantime, which is fine.
        let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        std::thread::sleep(LOOK);
    }
}

/// The pids of the processes of the hosts below `directory`, except zombies.
fn below(directory: &Path) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        // The environment of another user's process can't be read, and a zombie's is empty.
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            let mut variables = environment.split(|&byte| byte == 0);
            variables.any(|variable| {
                variable
                    .strip_prefix(b"SPORE_ROOT=")
                    .is_some_and(|root| Path::new(OsStr::from_bytes(root)).starts_with(directory))
            })
        })
    })
    .collect()
}
