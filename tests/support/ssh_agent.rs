//! A real `ssh-agent`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An `ssh-agent`, which ends with this value.
pub(crate) struct Agent {
    process: Child,
    pub(crate) socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Agent {
    pub(crate) fn start(folder: &Path) -> Self {
        let socket = folder.join("agent.sock");
        let mut agent = Command::new("ssh-agent");
        let process = agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { process, socket };
        // `ssh-add -l` exits with 2 until the agent accepts connections.
        while agent.add(&["-l"]) == Some(2) {}
        agent
    }

    /// Runs `ssh-add`, and returns its exit code.
    pub(crate) fn add(&self, arguments: &[&str]) -> Option<i32> {
        let mut add = Command::new("ssh-add");
        add.args(arguments).env("SSH_AUTH_SOCK", &self.socket).stdin(Stdio::null());
        add.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code()
    }
}
