//! The faults that a simulated host can have.

use std::path::PathBuf;
use std::time::Duration;

/// The faults of a simulated host; none by default. A change affects new connections only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The SSH server rejects every key.
    pub refuses_key: bool,
    /// The connection breaks after the host has received this many bytes.
    pub drops_after: Option<u64>,
    /// Each chunk of output is delayed by this duration.
    pub slow: Option<Duration>,
    /// The state of the disk.
    pub disk: Disk,
    /// `sudo` asks for a password, and the user may not use it.
    pub no_sudo: bool,
    /// `sudo` asks for this password.
    pub sudo_password: Option<&'static str>,
    /// The login shell prints a greeting to both stdout and stderr.
    pub noisy: bool,
    /// After the login, the SSH server answers nothing but keepalives.
    pub mute: bool,
    /// The SSH server forbids forwarding.
    pub no_forwarding: bool,
    /// How the nodes behave on a connection.
    pub nodes: Nodes,
    /// The host is hostile: instead of running the controller's command, it answers that
    /// the shell is ready, and then sends this file, in which `@marker@` stands for the
    /// marker of answers (see `remote::shell`), and the answer that ends a request.
    pub answers: Option<PathBuf>,
}

/// The disk of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// It has as much space as the disk of this machine.
    #[default]
    Roomy,
    /// It reports no free space.
    Full,
    /// It reports free space, but writing a file that the controller sends fails.
    Filling,
}

/// How the nodes of a host behave on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nodes {
    /// They complete the handshake.
    #[default]
    Sound,
    /// They accept connections but say nothing, like a process that is stopped.
    Silent,
    /// They have another swarm key than the file on the disk.
    OfAnotherSwarm,
    /// They have another identity than the file on the disk.
    Impostors,
}

impl Faults {
    /// The faults that the stand-ins implement, in the form of `$SPORE_FAULTS`.
    pub(super) fn of_stand_ins(&self) -> String {
        let mut names = Vec::new();
        if self.no_sudo {
            names.push("no-sudo");
        }
        let password = self.sudo_password.map(|password| format!("sudo-password={password}"));
        names.extend(password.as_deref());
        match self.disk {
            Disk::Roomy => {}
            Disk::Full => names.push("full-disk"),
            Disk::Filling => names.push("filling-disk"),
        }
        names.join(" ")
    }
}
