//! One host, from the connection to the lock and back.

use super::error::During;
use super::lock::{self, Beats, Holder};
use super::run;
use super::shell::Shell;
use super::{HostError, Payloads, Redactor, Settings, Stop};
use crate::plan::action::Action;
use crate::plan::course::Seen;
use crate::plan::wire::{self, Outcome, Report};
use crate::resource::{HostName, Secret};
use crate::ssh::{Address, ConnectError, KnownHosts, Login, Session};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A host that is connected to, with a shell on it.
#[derive(Debug)]
pub struct Host {
    name: HostName,
    session: Arc<Session>,
    shell: Shell,
    settings: Settings,
}

/// A host that nobody else applies anything to until this is let go.
#[derive(Debug)]
pub struct Locked {
    host: Host,
    beats: Beats,
}

/// A host that couldn't be locked.
#[derive(Debug)]
pub struct NotLocked {
    /// Why.
    pub error: HostError,
    /// The host, to try again; `None` where the connection is of no use any more.
    pub host: Option<Host>,
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
    /// Somebody asked to stop, and the rest wasn't begun.
    Interrupted,
}

impl Host {
    /// Connects, logs in and starts a shell.
    ///
    /// # Errors
    /// See [`HostError::Connect`]; that there is no shell is seen when it is
    /// asked something.
    pub async fn connect(
        name: HostName,
        address: &Address,
        logins: &[Login],
        known: &KnownHosts,
        settings: &Settings,
    ) -> Result<Self, HostError> {
        let session = log_in(address, logins, known, settings).await?;
        let shell = Shell::open(&session).await?;
        Ok(Self { name, session: Arc::new(session), shell, settings: settings.clone() })
    }

    /// What the folder calls it.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// Runs a script that changes nothing, and returns what it writes.
    ///
    /// # Errors
    /// Where the host gives no answer, or none in time, or too long a one. The
    /// connection is of no use any more then.
    pub async fn ask(&mut self, script: &Secret) -> Result<String, HostError> {
        let Settings { ready, answer, answer_limit, .. } = self.settings;
        self.shell.ask(script, ready, answer, answer_limit).await
    }

    /// Takes the host's lock, without waiting for it, and keeps it alive.
    ///
    /// # Errors
    /// Where somebody else has it, or the connection is lost.
    pub async fn lock(mut self, holder: &Holder) -> Result<Locked, Box<NotLocked>> {
        match lock::take(&mut self.shell, &self.session, holder, &self.settings).await {
            Ok(beats) => Ok(Locked { host: self, beats }),
            Err(error) => {
                let host = matches!(error, HostError::Locked(_)).then_some(self);
                Err(Box::new(NotLocked { error, host }))
            }
        }
    }

    /// Ends the connection.
    pub async fn close(self) {
        if let Ok(session) = Arc::try_unwrap(self.session) {
            session.close().await;
        }
    }
}

/// With the first login that isn't refused.
async fn log_in(
    address: &Address,
    logins: &[Login],
    known: &KnownHosts,
    settings: &Settings,
) -> Result<Session, ConnectError> {
    let mut refused =
        ConnectError::Refused { user: String::new(), tried: Vec::new(), offered: Vec::new(), partly: false };
    for login in logins {
        match Session::connect(address, login, known, &settings.ssh).await {
            Err(error @ ConnectError::Refused { .. }) => refused = error,
            ended => return ended,
        }
    }
    Err(refused)
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

    /// What units do now. Nothing is changed.
    ///
    /// # Errors
    /// As [`Host::ask`], and where the service manager doesn't answer in time.
    pub async fn watch(&mut self, units: &[String]) -> Result<BTreeMap<String, Seen>, HostError> {
        let script = wire::watch(units, &run::patience(&self.host.settings));
        let seen = wire::watched(&self.ask(&Secret::new(script)).await?);
        match units.iter().find(|unit| !seen.contains_key(*unit)) {
            None => Ok(seen),
            Some(unit) => Err(HostError::Malformed {
                during: During::Asking,
                what: format!("systemctl didn't say what {unit} does"),
            }),
        }
    }

    /// Does one action after the other, until one doesn't end well. `tell`
    /// hears of each as it begins and ends. Once `stop` was asked, what the host
    /// has been told to do is let end, and it is told nothing more.
    ///
    /// After an error the connection is of no use any more, and whether the
    /// action under way was done isn't known. So it is when this future is
    /// dropped.
    ///
    /// # Errors
    /// Where the connection is lost, or the host takes too long.
    pub async fn run(
        &mut self,
        actions: &[Action],
        payloads: &Payloads,
        redactor: &Redactor,
        stop: &Stop,
        tell: &mut (dyn FnMut(Report) + Send),
    ) -> Result<Run, HostError> {
        let Host { shell, settings, .. } = &mut self.host;
        run::run(shell, settings, actions, payloads, redactor, stop, tell).await
    }

    /// Lets the lock go, and clears away what it took.
    ///
    /// # Errors
    /// Where the connection is lost: the host then lets go by itself.
    pub async fn unlock(self) -> Result<Host, HostError> {
        let Self { mut host, beats } = self;
        drop(beats);
        lock::release(&mut host.shell, &host.settings).await?;
        Ok(host)
    }
}
