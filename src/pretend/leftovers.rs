//! What a fleet's hosts leave running, and the end of it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(10);
/// How many looks that may take. What is killed ends at once, unless the
/// machine is very busy.
const LOOKS: u32 = 300;

/// Ends every process whose host is below `directory`: all of them, for they
/// inherit `SPORE_ROOT` wherever they run off to.
pub(super) fn end(directory: &Path) {
    let mut none = 0;
    for _ in 0..LOOKS {
        let left = below(directory);
        // One that is just becoming another program shows nothing for a moment.
        none = if left.is_empty() { none + 1 } else { 0 };
        if none == 2 {
            return;
        }
        if left.is_empty() {
            std::thread::sleep(LOOK);
            continue;
        }
        // The shell's own `kill`: there is no other way without unsafe code.
        let pids = left.iter().map(u32::to_string);
        let mut kill = Command::new("/bin/sh");
        kill.args(["-c", "kill -9 \"$@\"", "sh"]).args(pids);
        // One that has ended meanwhile is no trouble.
        let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        std::thread::sleep(LOOK);
    }
}

/// The processes of hosts below `directory`, but for those that have ended and
/// are still listed.
fn below(directory: &Path) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        // Of other users' nothing is told, and of ended ones nothing is left.
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
