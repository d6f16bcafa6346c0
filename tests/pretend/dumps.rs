//! The program's memory holds secrets. The kernel never writes it to a disk, and lets no
//! other process of the same user read it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// If root runs the tests, the program is run as this user, because root may read all
/// memory.
const NOBODY: u32 = 65534;

#[test]
fn a_running_spore_dumps_no_core() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("spore");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_spore")).arg(&program).status().unwrap().success());
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tau", server.local_addr().unwrap());
    let mut command = Command::new(&program);
    command.args(["tau", "pin", &url]).current_dir(directory.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if fs::metadata(directory.path()).unwrap().uid() == 0 {
        command.uid(NOBODY);
    }
    let mut running = command.spawn().unwrap();
    // The program now waits for an answer that never comes.
    let _connection = server.accept().unwrap();
    let process = format!("/proc/{}", running.id());
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    // The files of a process that isn't dumpable belong to root.
    let owner = fs::metadata(format!("{process}/environ")).unwrap().uid();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>(), ["0", "0", "bytes"]);
    assert_eq!(owner, 0);
}
