//! What crosses the wire: an [`Action`](super::action::Action) as a call of its script, and what the
//! host says to it as an [`Outcome`].
//!
//! Nothing here waits or sends; `remote` does.

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done now.
    Done,
    /// It had been done before; nothing was touched.
    Already,
    /// What was found is neither what was planned on nor what it should
    /// become. Nothing was touched.
    Differs {
        /// What was expected, and what was found.
        text: String,
    },
    /// It was tried, and didn't succeed.
    Failed {
        /// What didn't, in the words of the program that said so.
        text: String,
    },
}

impl Outcome {
    /// Whether what comes next may be done.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }
}

/// How the list of actions of one host goes on. `index` is an action's place
/// in that list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The host has begun with an action.
    Began {
        /// Which.
        index: usize,
    },
    /// So much of a file's bytes is on its way, as they are sent: compressed,
    /// where that is how they travel.
    Sent {
        /// Which.
        index: usize,
        /// Until now.
        sent: u64,
        /// In all.
        total: u64,
    },
    /// An action has ended.
    Ended {
        /// Which.
        index: usize,
        /// How.
        outcome: Outcome,
    },
}
