//! What can go wrong between the controller and a host.

use super::wire::Unfit;
use crate::resource::Printable;
use crate::ssh::{ChannelError, ConnectError, Lost};
use std::time::Duration;

/// Why work on a host can't begin, or can't continue.
#[derive(Debug)]
pub enum HostError {
    /// No connection, or no login.
    Connect(Box<ConnectError>),
    /// The user isn't root, and sudo asks for a password.
    NoSudo {
        /// What the host said.
        said: Printable,
    },
    /// The user has no working shell on the host.
    NoShell {
        /// What the host said.
        said: Printable,
    },
    /// The connection ended.
    Lost {
        /// What was being done.
        during: During,
        /// Why, as far as it is known.
        reason: LostReason,
    },
    /// The host took too long.
    TimedOut {
        /// What was being done.
        during: During,
        /// The time-out.
        after: Duration,
    },
    /// The apply was interrupted, and the host didn't finish in time.
    Abandoned {
        /// What was being done.
        during: During,
        /// How long it was waited for.
        after: Duration,
    },
    /// The host can't be locked, or the lock can't be kept.
    NoLock(NoLock),
    /// Another apply is running on the host.
    Locked(Holder),
    /// The host's answer can't be understood.
    Malformed {
        /// What was being done.
        during: During,
        /// What is wrong with it.
        what: Misfit,
    },
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// For a reason that the SSH session knows.
    Session(Lost),
    /// The host closed the session, and had said this.
    Closed(Printable),
    /// The host received no heartbeat for too long, and released its lock.
    NoBeat,
    /// The script that was running was killed.
    Killed {
        /// Its exit status.
        status: u8,
        /// What it had said.
        said: Printable,
    },
}

/// Why a host can't be locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLock {
    /// The lock's file can't be made, or programs are missing.
    File {
        /// What the host said.
        said: Printable,
        /// The exit status of the script, as the host has written it.
        status: Printable,
    },
    /// There is no second session on the connection, which the heartbeat needs.
    Session(ChannelError),
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// This isn't one that fits here.
    Unexpected(Printable),
    /// This isn't one that fits here; the request expects another.
    Unfit {
        /// How the answer begins.
        beginning: Printable,
        /// What would have been right.
        unfit: Unfit,
    },
    /// It has a line that is too long.
    LongLine,
    /// It has more than this number of bytes.
    TooLong(usize),
    /// There is more than this number of bytes of output besides it.
    Noise(usize),
    /// It isn't UTF-8.
    NotText,
    /// It asks for a file that isn't in the request.
    UnknownFile,
    /// The service manager didn't report the state of this unit.
    NoUnit(String),
}

/// The holder of a host's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// `user@machine`. Empty while the holder has only just taken the lock and hasn't written
    /// its name yet.
    pub who: Printable,
    /// The process id on that machine.
    pub pid: u32,
    /// The command that it runs: `spore apply`.
    pub command: Printable,
    /// When it took the lock, by the host's clock: `2026-08-05 10:15:00 UTC`. Set by
    /// the host.
    pub since: Printable,
}

/// What was being done with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum During {
    /// Starting a shell.
    Opening,
    /// Probing it. This changes nothing.
    Asking,
    /// Locking it.
    Locking,
    /// Unlocking it.
    Unlocking,
    /// Running actions: all before `index` have succeeded. Whether that one has
    /// isn't known; the next plan finds out.
    Action {
        /// The first action of the list that hasn't ended.
        index: usize,
        /// Whether the host has reported that it began.
        began: bool,
    },
}

impl From<ConnectError> for HostError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

impl HostError {
    /// The action of the list that was running.
    pub fn action(&self) -> Option<usize> {
        match self {
            Self::Lost { during, .. }
            | Self::TimedOut { during, .. }
            | Self::Abandoned { during, .. }
            | Self::Malformed { during, .. } => match during {
                During::Action { index, .. } => Some(*index),
                During::Opening | During::Asking | During::Locking | During::Unlocking => None,
            },
            Self::Connect(_)
            | Self::NoSudo { .. }
            | Self::NoShell { .. }
            | Self::NoLock(_)
            | Self::Locked(_) => None,
        }
    }
}
