//! What can be wrong with a host.

use std::time::Duration;

/// What is wrong with a host; nothing, by default. A connection has the faults
/// that the host had when it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nobody's key is taken.
    pub refuses_key: bool,
    /// The connection breaks when this many bytes have come.
    pub drops_after: Option<u64>,
    /// Each piece of output waits so long.
    pub slow: Option<Duration>,
    /// How much can be written.
    pub disk: Disk,
    /// `sudo` asks for a password.
    pub no_sudo: bool,
    /// The login shell greets, on both its outputs.
    pub noisy: bool,
}

/// The disk of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// As this machine's.
    #[default]
    Roomy,
    /// It has no space, and says so.
    Full,
    /// It says that it has space, until a file is sent to it.
    Filling,
}

impl Faults {
    /// Those that the stand-ins make.
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
