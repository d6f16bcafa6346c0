//! How long to wait for what, and how much to do at once.

use crate::ssh::Timeouts;
use std::time::Duration;

/// Every time-out and limit of this room. A test shortens them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// For connecting and logging in, and for noticing that a host is gone.
    pub ssh: Timeouts,
    /// How many hosts are called at once.
    pub at_once: usize,
    /// For the shell to be there: a `sudo` that asks DNS in vain takes 20 s.
    pub ready: Duration,
    /// For the answer to a probe.
    pub answer: Duration,
    /// How many bytes an answer may have.
    pub answer_limit: usize,
    /// For an action that only touches files, and on top of what the others take.
    pub action: Duration,
    /// For installing packages.
    pub install: Duration,
    /// For a unit to stop; upstream's template lets it take 90 s.
    pub stop: Duration,
    /// For a unit without a [`Health`](crate::resource::Health) to be active.
    pub start: Duration,
    /// How long a healthy unit has to stay so, before that is believed.
    pub settle: Duration,
    /// For a program to judge what is staged.
    pub verify: Duration,
    /// How long a host may take none of the bytes that are sent to it.
    pub stall: Duration,
    /// How often a host that is locked is told that somebody is there.
    pub beat: Duration,
    /// How long it goes without, before it ends what runs and lets the lock go.
    pub let_go: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            ssh: Timeouts::default(),
            at_once: 64,
            ready: seconds(40),
            answer: seconds(60),
            answer_limit: 16 << 20,
            action: seconds(60),
            install: seconds(15 * 60),
            stop: seconds(100),
            start: seconds(30),
            settle: seconds(1),
            verify: seconds(30),
            stall: seconds(60),
            beat: seconds(5),
            let_go: seconds(60),
        }
    }
}
