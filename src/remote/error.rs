//! What can go wrong between the controller and a host.

use super::Holder;
use crate::resource::Printable;
use crate::ssh::ConnectError;
use std::fmt;
use std::time::Duration;

/// Why work on a host can't begin, or can't continue.
///
/// Its text fits on one line after the host's name; [`HostError::help`] says
/// what to do.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No connection, or no login.
    #[error(transparent)]
    Connect(Box<ConnectError>),
    /// The user isn't root, and sudo asks for a password.
    #[error("no password-less sudo{}", colon(said))]
    NoSudo {
        /// What the host said.
        said: Printable,
    },
    /// The user has no working shell on the host.
    #[error("no usable shell{}", colon(said))]
    NoShell {
        /// What the host said.
        said: Printable,
    },
    /// The connection ended.
    #[error("connection lost while {during}: {reason}")]
    Lost {
        /// What was being done.
        during: During,
        /// Why, as far as it is known.
        reason: Printable,
    },
    /// The host took too long.
    #[error("no answer within {} s while {during}", after.as_secs_f32())]
    TimedOut {
        /// What was being done.
        during: During,
        /// The time-out.
        after: Duration,
    },
    /// The apply was interrupted, and the host didn't finish in time.
    #[error("still {during} {} s after the interrupt", after.as_secs_f32())]
    Abandoned {
        /// What was being done.
        during: During,
        /// How long it was waited for.
        after: Duration,
    },
    /// The host can't be locked, or the lock can't be kept.
    #[error("can't be locked: {said}")]
    NoLock {
        /// What the host said.
        said: Printable,
        /// What locking needs.
        help: &'static str,
    },
    /// Another apply is running on the host.
    #[error("locked by {0}")]
    Locked(Holder),
    /// The host's answer can't be understood.
    #[error("unexpected answer while {during}: {what}")]
    Malformed {
        /// What was being done.
        during: During,
        /// What is wrong with it.
        what: Printable,
    },
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

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("starting a shell"),
            Self::Asking => f.write_str("collecting facts"),
            Self::Locking => f.write_str("locking the host"),
            Self::Unlocking => f.write_str("unlocking the host"),
            Self::Action { began: true, .. } => f.write_str("running this action"),
            Self::Action { began: false, .. } => f.write_str("starting this action"),
        }
    }
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
            | Self::NoLock { .. }
            | Self::Locked(_) => None,
        }
    }

    /// What to do about it, in a sentence or two.
    pub fn help(&self) -> String {
        match self {
            Self::Connect(error) => return error.help(),
            Self::NoSudo { .. } => "log in as root, or give this user `NOPASSWD: ALL` in /etc/sudoers.d",
            Self::NoShell { .. } => {
                "check the user's login shell, and that sh, head and base64 are installed"
            }
            Self::Lost { during: During::Action { .. }, .. }
            | Self::Abandoned { during: During::Action { .. }, .. }
            | Self::TimedOut { during: During::Action { .. }, .. } => {
                "the action may not have completed; `spore plan` shows what is left"
            }
            Self::Lost { .. } => "check the network and try again",
            Self::TimedOut { .. } | Self::Abandoned { .. } => {
                "the host may be overloaded, or a program on it may hang"
            }
            Self::Locked(_) => {
                "wait until it ends; if it was killed, the host releases the lock within about a minute"
            }
            Self::NoLock { help, .. } => help,
            Self::Malformed { during: During::Action { .. }, .. } => {
                "the connection was ended, because the host doesn't keep to its script; find out what on it \
                 writes such answers, or report it as a bug in spore"
            }
            Self::Malformed { .. } => "this may be a bug in spore: please report it",
        }
        .to_owned()
    }
}

fn colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
