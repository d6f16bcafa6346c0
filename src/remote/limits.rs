//! The time-outs and limits of this room, and the value of `--timeout`, which sets one of
//! the time-outs.

use crate::ssh::Timeouts;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// All time-outs and limits of this room.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteLimits {
    /// For connecting and logging in, and for detecting a lost connection.
    pub ssh: Timeouts,
    /// The maximum number of hosts that are probed at the same time.
    pub at_once: usize,
    /// For starting the shell. A `sudo` whose DNS queries time out takes 20 s.
    pub ready: Duration,
    /// For the answer to a probe.
    pub answer: Duration,
    /// For a node to speak on a connection to its port. A silent one gets a second connection.
    pub greeting: Duration,
    /// For each of three steps of a handshake with a node: opening the connection, agreeing on
    /// encryption, and proving its identity.
    pub proof: Duration,
    /// The maximum size of an answer, in bytes.
    pub answer_limit: usize,
    /// For an action that only changes files. Added to the time-outs of all other actions.
    pub action: Duration,
    /// For installing packages.
    pub install: Duration,
    /// For stopping a unit; upstream's template allows 90 s.
    pub stop: Duration,
    /// For a unit without a [`Health`](crate::resource::Health) to become active.
    pub start: Duration,
    /// The upper limit for [`Health::within`](crate::resource::Health::within).
    pub healthy: Duration,
    /// How long a unit has to stay healthy before its start counts as successful: some
    /// nodes exit seconds after they have reported a successful start.
    pub settle: Duration,
    /// For a program to validate a staged file.
    pub verify: Duration,
    /// How long a host that is sent data may accept no bytes, and how long a server from which a
    /// host downloads a file may send none.
    pub stall: Duration,
    /// For a host to download a file. The default is enough for 100 MB at 30 kB/s.
    pub fetch: Duration,
    /// The interval of the heartbeat to a locked host.
    pub beat: Duration,
    /// How long a host waits for a heartbeat before it kills the running action and
    /// releases the lock.
    pub let_go: Duration,
    /// How long an interrupted apply waits for the running actions of a host.
    pub interrupt: Duration,
    /// How often a waiting apply reports what it is waiting for, unless it draws progress
    /// bars.
    pub remind: Duration,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            ssh: Timeouts::default(),
            at_once: 64,
            ready: seconds(40),
            answer: seconds(60),
            greeting: seconds(3),
            proof: seconds(5),
            answer_limit: 4 << 20,
            action: seconds(60),
            install: seconds(15 * 60),
            stop: seconds(100),
            start: seconds(30),
            healthy: seconds(10 * 60),
            settle: seconds(5),
            verify: seconds(30),
            stall: seconds(60),
            fetch: seconds(60 * 60),
            beat: seconds(5),
            let_go: seconds(60),
            interrupt: seconds(60),
            remind: seconds(10),
        }
    }
}

impl RemoteLimits {
    /// Returns the defaults with these time-outs set.
    pub fn with(time_outs: &[TimeOut]) -> Self {
        let mut limits = Self::default();
        time_outs.iter().for_each(|time_out| limits.set(*time_out));
        limits
    }

    /// Sets one time-out.
    pub fn set(&mut self, time_out: TimeOut) {
        for (name, field) in self.named() {
            if name == time_out.name {
                *field = time_out.duration;
            }
        }
    }

    /// Returns every time-out that `--timeout` can set, with its name.
    fn named(&mut self) -> [(&'static str, &mut Duration); 22] {
        let Self {
            ssh,
            ready,
            answer,
            action,
            install,
            stop,
            start,
            settle,
            verify,
            stall,
            fetch,
            beat,
            let_go,
            interrupt,
            remind,
            healthy,
            greeting,
            proof,
            ..
        } = self;
        let Timeouts { connect, handshake, login, touch, keepalive, unanswered: _ } = ssh;
        [
            ("connect", connect),
            ("handshake", handshake),
            ("login", login),
            ("touch", touch),
            ("keepalive", keepalive),
            ("ready", ready),
            ("answer", answer),
            ("action", action),
            ("install", install),
            ("stop", stop),
            ("start", start),
            ("settle", settle),
            ("greeting", greeting),
            ("proof", proof),
            ("verify", verify),
            ("stall", stall),
            ("fetch", fetch),
            ("beat", beat),
            ("let-go", let_go),
            ("interrupt", interrupt),
            ("remind", remind),
            ("healthy", healthy),
        ]
    }
}

/// The value of `--timeout`: a time-out's name and its seconds, `settle=2.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeOut {
    name: &'static str,
    duration: Duration,
}

impl TimeOut {
    /// Whether this sets the time-out with this name.
    pub fn is_of(&self, name: &str) -> bool {
        self.name == name
    }
}

impl FromStr for TimeOut {
    type Err = NoTimeOut;

    fn from_str(text: &str) -> Result<Self, NoTimeOut> {
        let (name, seconds) = text.split_once('=').ok_or(NoTimeOut::Form)?;
        let number = seconds.parse().ok().filter(|number: &f64| *number > 0.0 && *number <= 86_400.0);
        let number = number.ok_or_else(|| NoTimeOut::Seconds(seconds.to_owned()))?;
        let known =
            RemoteLimits::default().named().map(|(known, _)| known).into_iter().find(|known| *known == name);
        let name = known.ok_or_else(|| NoTimeOut::Name { name: name.to_owned() })?;
        Ok(Self { name, duration: Duration::from_secs_f64(number) })
    }
}

/// Why text isn't a [`TimeOut`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoTimeOut {
    /// The text isn't of the form `name=seconds`.
    #[error("use a name and a number of seconds, for example `settle=2.5`")]
    Form,
    /// The name is unknown.
    #[error("unknown time-out `{name}`; use one of {}", names())]
    Name {
        /// The unknown name.
        name: String,
    },
    /// The seconds aren't a number above 0 and up to 86400.
    #[error("`{0}` isn't a number of seconds above 0 and up to 86400")]
    Seconds(String),
}

fn names() -> String {
    RemoteLimits::default().named().map(|(name, _)| name).join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_all_time_outs() {
        let readme = include_str!("../../README.md");
        for (name, default) in RemoteLimits::default().named() {
            let row = format!("| {name} | {} | ", default.as_secs());
            assert!(readme.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_time_out_is_set_by_name() {
        let mut limits = RemoteLimits::default();
        limits.set("settle=0.5".parse().unwrap());
        limits.set("let-go=3".parse().unwrap());
        limits.set("greeting=1".parse().unwrap());
        assert_eq!((limits.settle, limits.let_go), (Duration::from_millis(500), Duration::from_secs(3)));
        assert_eq!(limits.greeting, Duration::from_secs(1));
        let wrong = |text: &str| text.parse::<TimeOut>().unwrap_err();
        assert_eq!(wrong("settle"), NoTimeOut::Form);
        assert_eq!(wrong("settle=-1"), NoTimeOut::Seconds("-1".to_owned()));
        let error = wrong("setle=1");
        assert!(error.to_string().contains("unknown time-out `setle`; use one of connect, "), "{error}");
    }
}
