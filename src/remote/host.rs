//! One host, from the connection to the lock and back.

use super::{During, HostError, Payloads, Redactor, Settings};
use crate::plan::action::Action;
use crate::plan::wire::{Outcome, Report};
use crate::resource::{HostName, Secret};
use crate::ssh::{Address, KnownHosts, Login, Session};
use std::fmt;

/// A host that is connected to, with a shell on it.
#[derive(Debug)]
pub struct Host {
    name: HostName,
    session: Session,
    settings: Settings,
}

/// A host that nobody else applies anything to until this is let go.
#[derive(Debug)]
pub struct Locked {
    host: Host,
}

/// A host that couldn't be locked.
#[derive(Debug)]
pub struct NotLocked {
    /// Why.
    pub error: HostError,
    /// The host, to try again; `None` where the connection is of no use any more.
    pub host: Option<Host>,
}

/// Who holds a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `user@machine`.
    pub who: String,
    /// The process there.
    pub pid: u32,
    /// What it does: `spore apply`.
    pub command: String,
    /// Since when, by the host's clock: `2026-08-05 10:15:00 UTC`. The host
    /// fills it in.
    pub since: String,
}

/// How a list of actions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Every action ended well.
    Done,
    /// This one didn't, and those after it weren't begun.
    Stopped {
        /// Its place in the list.
        at: usize,
        /// How it ended.
        outcome: Outcome,
    },
}

impl Host {
    /// Connects and logs in.
    ///
    /// # Errors
    /// See [`HostError::Connect`].
    pub async fn connect(
        name: HostName,
        address: &Address,
        login: &Login,
        known: &KnownHosts,
        settings: &Settings,
    ) -> Result<Self, HostError> {
        let session = Session::connect(address, login, known, &settings.ssh).await?;
        Ok(Self { name, session, settings: settings.clone() })
    }

    /// What the folder calls it.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// Runs a script that changes nothing, and returns what it writes.
    ///
    /// # Errors
    /// Where the host gives no answer, or none in time, or too long a one.
    pub async fn ask(&mut self, _script: &Secret) -> Result<String, HostError> {
        Err(HostError::TimedOut { during: During::Asking, after: self.settings.answer })
    }

    /// Takes the host's lock, without waiting for it.
    ///
    /// # Errors
    /// Where somebody else has it, or the connection is lost.
    pub async fn lock(self, _holder: &Holder) -> Result<Locked, NotLocked> {
        Ok(Locked { host: self })
    }

    /// Ends the connection.
    pub async fn close(self) {
        self.session.close().await;
    }
}

impl Locked {
    /// What the folder calls it.
    pub fn name(&self) -> &HostName {
        self.host.name()
    }

    /// As [`Host::ask`].
    ///
    /// # Errors
    /// As there.
    pub async fn ask(&mut self, script: &Secret) -> Result<String, HostError> {
        self.host.ask(script).await
    }

    /// Does one action after the other, until one doesn't end well. `tell`
    /// hears of each as it begins and ends.
    ///
    /// After an error the connection is of no use any more, and whether the
    /// action under way was done isn't known.
    ///
    /// # Errors
    /// Where the connection is lost, or the host takes too long.
    pub async fn run(
        &mut self,
        _actions: &[Action],
        _payloads: &Payloads,
        _redactor: &Redactor,
        _tell: &mut (dyn FnMut(Report) + Send),
    ) -> Result<Run, HostError> {
        Ok(Run::Done)
    }

    /// Lets the lock go, and clears away what it took.
    ///
    /// # Errors
    /// Where the connection is lost: the host then lets go by itself.
    pub async fn unlock(self) -> Result<Host, HostError> {
        Ok(self.host)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}, `{}`) since {}", self.who, self.pid, self.command, self.since)
    }
}
