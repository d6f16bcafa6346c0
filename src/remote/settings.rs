//! How long to wait for what, and how much to do at once.

use crate::ssh::Timeouts;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

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
    /// For a node to be healthy, at most: each says itself how long it takes.
    pub healthy: Duration,
    /// How long a healthy unit has to stay so, before that is believed: some
    /// die seconds after they said that they had started.
    pub settle: Duration,
    /// For a program to judge what is staged.
    pub verify: Duration,
    /// How long a host may take none of the bytes that are sent to it.
    pub stall: Duration,
    /// How often a host that is locked is told that somebody is there.
    pub beat: Duration,
    /// How long it goes without, before it ends what runs and lets the lock go.
    pub let_go: Duration,
    /// How often an apply that is waiting says what for, where it draws no bars.
    pub remind: Duration,
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
            healthy: seconds(10 * 60),
            settle: seconds(5),
            verify: seconds(30),
            stall: seconds(60),
            beat: seconds(5),
            let_go: seconds(60),
            remind: seconds(10),
        }
    }
}

impl Settings {
    /// The defaults, but for these.
    pub fn with(time_outs: &[TimeOut]) -> Self {
        let mut settings = Self::default();
        time_outs.iter().for_each(|time_out| settings.set(*time_out));
        settings
    }

    /// Sets one time-out.
    pub fn set(&mut self, time_out: TimeOut) {
        for (name, field) in self.named() {
            if name == time_out.name {
                *field = time_out.duration;
            }
        }
    }

    /// Every time-out, by the name that a person uses.
    fn named(&mut self) -> [(&'static str, &mut Duration); 17] {
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
            beat,
            let_go,
            remind,
            healthy,
            ..
        } = self;
        let Timeouts { connect, handshake, login, keepalive, unanswered: _ } = ssh;
        [
            ("connect", connect),
            ("handshake", handshake),
            ("login", login),
            ("keepalive", keepalive),
            ("ready", ready),
            ("answer", answer),
            ("action", action),
            ("install", install),
            ("stop", stop),
            ("start", start),
            ("settle", settle),
            ("verify", verify),
            ("stall", stall),
            ("beat", beat),
            ("let-go", let_go),
            ("remind", remind),
            ("healthy", healthy),
        ]
    }
}

/// A time-out by its name, as a person sets it: `settle=2.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeOut {
    name: &'static str,
    duration: Duration,
}

impl FromStr for TimeOut {
    type Err = NoTimeOut;

    fn from_str(text: &str) -> Result<Self, NoTimeOut> {
        let (name, seconds) = text.split_once('=').ok_or(NoTimeOut::Form)?;
        let number = seconds.parse().ok().filter(|number: &f64| (0.0..=86_400.0).contains(number));
        let number = number.ok_or_else(|| NoTimeOut::Seconds(seconds.to_owned()))?;
        let known =
            Settings::default().named().map(|(known, _)| known).into_iter().find(|known| *known == name);
        let name = known.ok_or_else(|| NoTimeOut::Name { name: name.to_owned() })?;
        Ok(Self { name, duration: Duration::from_secs_f64(number) })
    }
}

/// What sets no time-out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoTimeOut {
    /// Another form than `name=seconds`.
    #[error("write it as `settle=2.5`: a name and a number of seconds")]
    Form,
    /// None has this name.
    #[error("there is no time-out `{name}`; there are {}", names())]
    Name {
        /// What was asked for.
        name: String,
    },
    /// No number of seconds that can be waited.
    #[error("`{0}` is no number of seconds")]
    Seconds(String),
}

fn names() -> String {
    Settings::default().named().map(|(name, _)| name).join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_them_all() {
        let readme = include_str!("../../README.md");
        for (name, default) in Settings::default().named() {
            let row = format!("| {name} | {} | ", default.as_secs());
            assert!(readme.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_time_out_is_set_by_its_name() {
        let mut settings = Settings::default();
        settings.set("settle=0.5".parse().unwrap());
        settings.set("let-go=3".parse().unwrap());
        assert_eq!((settings.settle, settings.let_go), (Duration::from_millis(500), Duration::from_secs(3)));
        let wrong = |text: &str| text.parse::<TimeOut>().unwrap_err();
        assert_eq!(wrong("settle"), NoTimeOut::Form);
        assert_eq!(wrong("settle=-1"), NoTimeOut::Seconds("-1".to_owned()));
        let error = wrong("setle=1");
        assert!(error.to_string().contains("no time-out `setle`; there are connect, "), "{error}");
    }
}
