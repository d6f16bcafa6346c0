//! The faults that a simulated host can have.

use std::path::PathBuf;
use std::time::Duration;

/// The faults of a host; none by default. A change affects new connections only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The SSH server rejects every key.
    pub refuses_key: bool,
    /// The connection breaks after the host has received this many bytes.
    pub drops_after: Option<u64>,
    /// Each chunk of output is delayed by this long.
    pub slow: Option<Duration>,
    /// The state of the disk.
    pub disk: Disk,
    /// `sudo` asks for a password.
    pub no_sudo: bool,
    /// The login shell prints a greeting to both stdout and stderr.
    pub noisy: bool,
    /// After the login, the SSH server answers nothing but keepalives.
    pub mute: bool,
    /// The host is hostile: instead of running anything, it answers every request with
    /// this file, in which `@marker@` stands for the marker of answers (see
    /// `remote::shell`). The controller also gets the line that ends a request.
    pub answers: Option<PathBuf>,
}

/// The disk of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// It has as much space as this machine's.
    #[default]
    Roomy,
    /// It has no free space, and reports none.
    Full,
    /// It reports free space, but writing a file that was sent fails.
    Filling,
}

impl Faults {
    /// The faults that the stand-ins implement, as `$SPORE_FAULTS` names them.
    pub(super) fn of_stand_ins(&self) -> String {
        let mut names = Vec::new();
        if self.no_sudo {
            names.push("no-sudo");
        }
        match self.disk {
            Disk::Roomy => {}
            Disk::Full => names.push("full-disk"),
            Disk::Filling => names.push("filling-disk"),
        }
        names.join(" ")
    }
}
