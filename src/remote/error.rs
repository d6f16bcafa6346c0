//! What goes wrong between here and a host.

use super::Holder;
use crate::ssh::ConnectError;
use std::fmt;
use std::time::Duration;

/// Why nothing, or nothing more, can be done on a host.
///
/// Its text is for one line beside the host's name; [`HostError::help`] says
/// what to do.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No connection, or no login.
    #[error(transparent)]
    Connect(Box<ConnectError>),
    /// The user isn't root, and can't become root without being asked.
    #[error("no password-less sudo{}", colon(said))]
    NoSudo {
        /// What the host said.
        said: String,
    },
    /// The host runs no shell for this user, or none that works.
    #[error("no usable shell{}", colon(said))]
    NoShell {
        /// What the host said.
        said: String,
    },
    /// The connection ended.
    #[error("lost while {during}: {reason}")]
    Lost {
        /// What was going on.
        during: During,
        /// Why, as far as is known.
        reason: String,
    },
    /// The host took too long.
    #[error("no answer within {} s while {during}", after.as_secs_f32())]
    TimedOut {
        /// What was going on.
        during: During,
        /// How long that was waited for.
        after: Duration,
    },
    /// The host can't be locked, or can't be kept locked.
    #[error("can't be locked: {said}")]
    NoLock {
        /// What the host said.
        said: String,
        /// What it takes.
        help: &'static str,
    },
    /// Somebody else is at work there.
    #[error("locked by {0}")]
    Locked(Holder),
    /// The host said something that isn't an answer.
    #[error("unexpected answer while {during}: {what}")]
    Malformed {
        /// What was going on.
        during: During,
        /// What is wrong with it.
        what: String,
    },
}

/// What was going on with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum During {
    /// A shell was being started.
    Opening,
    /// It was asked what it is. Nothing was changed.
    Asking,
    /// It was being locked.
    Locking,
    /// It was being let go.
    Unlocking,
    /// It was told to do things: all before `index` ended well. Whether that
    /// one was done isn't known; the next plan finds out.
    Action {
        /// The first that hasn't ended, in the list that was run.
        index: usize,
        /// Whether the host is known to have begun with it.
        began: bool,
    },
}

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("starting a shell"),
            Self::Asking => f.write_str("asking for facts"),
            Self::Locking => f.write_str("locking the host"),
            Self::Unlocking => f.write_str("unlocking the host"),
            Self::Action { began: true, .. } => f.write_str("this was being done"),
            Self::Action { began: false, .. } => f.write_str("this was about to begin"),
        }
    }
}

impl From<ConnectError> for HostError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

impl HostError {
    /// Which action of the list was under way.
    pub fn action(&self) -> Option<usize> {
        match self {
            Self::Lost { during, .. } | Self::TimedOut { during, .. } | Self::Malformed { during, .. } => {
                match during {
                    During::Action { index, .. } => Some(*index),
                    During::Opening | During::Asking | During::Locking | During::Unlocking => None,
                }
            }
            Self::Connect(_)
            | Self::NoSudo { .. }
            | Self::NoShell { .. }
            | Self::NoLock { .. }
            | Self::Locked(_) => None,
        }
    }

    /// The same error, after `clean` has been through what the host said.
    #[must_use]
    pub(super) fn with_words(mut self, clean: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::NoSudo { said: words }
            | Self::NoShell { said: words }
            | Self::NoLock { said: words, .. }
            | Self::Lost { reason: words, .. }
            | Self::Malformed { what: words, .. } => *words = clean(words),
            Self::Connect(_) | Self::TimedOut { .. } | Self::Locked(_) => {}
        }
        self
    }

    /// What to do about it, in a sentence or two.
    pub fn help(&self) -> String {
        match self {
            Self::Connect(error) => return error.help(),
            Self::NoSudo { .. } => {
                "log in as root, or let this user run everything with `NOPASSWD` in /etc/sudoers.d"
            }
            Self::NoShell { .. } => "check the user's login shell, and that sh, head and base64 are there",
            Self::Lost { during: During::Action { .. }, .. }
            | Self::TimedOut { during: During::Action { .. }, .. } => {
                "what was under way may or may not have been done: plan again to see"
            }
            Self::Lost { .. } => "check the network and try again",
            Self::TimedOut { .. } => "the host is overloaded, or something on it hangs",
            Self::Locked(_) => {
                "wait for it to end; if it was killed, the host lets go by itself within about a minute"
            }
            Self::NoLock { help, .. } => help,
            Self::Malformed { .. } => "this may be a defect of spore: please report it",
        }
        .to_owned()
    }
}

fn colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
