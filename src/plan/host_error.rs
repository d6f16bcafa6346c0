//! Errors in the communication between the controller and a host: [`HostError`].

use super::wire::Unfit;
use crate::artifact::FileError;
use crate::resource::{HostName, Printable};
use crate::ssh::{ChannelError, ConnectError, KeyError, Lost};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why work on a host can't begin, or can't continue.
#[derive(Debug)]
pub enum HostError {
    /// No connection could be made, or no login succeeded.
    Connect(Box<ConnectError>),
    /// The user isn't root, and can't become root with `sudo` without a password.
    NoSudo {
        /// What the host said.
        said: Printable,
    },
    /// The user isn't root, and the host has no sudo.
    SudoMissing,
    /// sudo has got the user's password, and doesn't make the user root.
    SudoRefused {
        /// What the host said.
        said: Printable,
    },
    /// sudo doesn't accept the password.
    WrongSudoPassword,
    /// sudo asks for the password, which wasn't sent because it is probably wrong.
    SudoPasswordNotTried {
        /// The host that has rejected it.
        by: HostName,
    },
    /// The user has no usable shell on the host.
    NoShell {
        /// What the host said.
        said: Printable,
    },
    /// The host runs no command for the user.
    NoSession(ChannelError),
    /// The connection ended.
    Lost {
        /// What was being done.
        during: During,
        /// Why the connection ended.
        reason: LostReason,
    },
    /// The host took too long.
    TimedOut {
        /// What was being done.
        during: During,
        /// The length of the time-out.
        after: Duration,
    },
    /// The apply was interrupted, and the host didn't finish in time.
    Abandoned {
        /// What was being done.
        during: During,
        /// How long the apply waited for the host.
        after: Duration,
    },
    /// The host can't be locked, or the lock can't be kept.
    NoLock(NoLock),
    /// Another apply is running on the host.
    Locked(Holder),
    /// The host's answer isn't one that spore expects.
    Malformed {
        /// What was being done.
        during: During,
        /// What is wrong with the answer.
        what: Misfit,
    },
}

/// An SSH key of the folder that can't be used.
#[derive(Clone, Debug)]
pub struct UnusableKey {
    /// Its file.
    pub path: PathBuf,
    /// Why.
    pub why: Arc<NoKey>,
}

/// Why an SSH key can't be used.
#[derive(Debug)]
pub enum NoKey {
    /// The file can't be read.
    Unread(FileError),
    /// The file has more than this number of bytes.
    TooLong(u64),
    /// The file isn't text.
    NotText,
    /// The file isn't a key that can be used.
    Key(KeyError),
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// The SSH session ended, for this reason.
    Session(Lost),
    /// The host closed the session. The text is the host's last output.
    Closed(Printable),
    /// The host received no heartbeat in time, and released its lock.
    NoBeat,
    /// The running script ended without reporting the outcome of its actions.
    Killed {
        /// Its exit status.
        status: u8,
        /// The script's last output.
        said: Printable,
    },
}

/// Why a host can't be locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLock {
    /// The file of the lock can't be created, or a program is missing on the host.
    File {
        /// What the host said.
        said: Printable,
        /// The exit status of the script, as reported by the host.
        status: Printable,
    },
    /// The heartbeat needs a second session on the connection, and it can't be opened.
    Session(ChannelError),
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// This answer isn't expected at this point.
    Unexpected(Printable),
    /// This answer doesn't fit the request at this point.
    Unfit {
        /// How the answer begins.
        beginning: Printable,
        /// What the request expects instead.
        unfit: Unfit,
    },
    /// A line of the answer is too long.
    LongLine,
    /// The answer is longer than this number of bytes.
    TooLong(usize),
    /// The host has sent more than this number of bytes of other output.
    Noise(usize),
    /// The answer isn't UTF-8.
    NotText,
    /// The host asks for a file that isn't part of the request.
    UnknownFile,
    /// The service manager didn't report the state of this unit.
    NoUnit(String),
}

/// The holder of a host's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The holder, as `user@machine`. Empty if the holder has just taken the lock and
    /// hasn't written its name yet.
    pub who: Printable,
    /// The holder's process id on that machine.
    pub pid: u32,
    /// The command that the holder runs, such as `spore apply`.
    pub command: Printable,
    /// The SHA-256 of the plan that is applied; empty if the holder didn't say.
    pub plan: Printable,
    /// When the holder took the lock, by the host's clock, such as `2026-08-05 10:15:00
    /// UTC`. Set by the host.
    pub since: Printable,
}

/// What was being done with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum During {
    /// Starting the root shell.
    Opening,
    /// Probing the host, which changes nothing.
    Asking,
    /// Locking the host.
    Locking,
    /// Unlocking the host.
    Unlocking,
    /// Running actions. All actions before `index` have succeeded. Whether the action at
    /// `index` has succeeded isn't known; the next plan finds out.
    Action {
        /// The place in the list of the first action that hasn't ended.
        index: usize,
        /// Whether the host has reported that this action began.
        began: bool,
    },
}

impl From<ConnectError> for HostError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

impl HostError {
    /// The place in the list of the action that was running or due, if any.
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
            | Self::SudoMissing
            | Self::SudoRefused { .. }
            | Self::WrongSudoPassword
            | Self::SudoPasswordNotTried { .. }
            | Self::NoShell { .. }
            | Self::NoSession(_)
            | Self::NoLock(_)
            | Self::Locked(_) => None,
        }
    }
}
