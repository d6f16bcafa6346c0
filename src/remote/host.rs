//! A connected host, and a locked one.

use super::error::During;
use super::lock::{self, Beats, Holder};
use super::run;
use super::shell::Shell;
use super::{HostError, Payloads, Redactor, Settings, Stop};
use crate::plan::action::Action;
use crate::plan::course::Seen;
use crate::plan::wire::{self, Outcome, Report};
use crate::resource::{HostName, Secret, Untrusted};
use crate::ssh::{Address, ConnectError, KnownHosts, Login, Session};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// A connected host with a shell.
#[derive(Debug)]
pub struct Host {
    name: HostName,
    session: Arc<Session>,
    shell: Shell,
    settings: Settings,
}

/// A host whose lock is held, so that no other spore can change it. Dropping this
/// without [`Locked::unlock`] stops the heartbeat, and the host releases the lock when
/// it misses that.
#[derive(Debug)]
pub struct Locked {
    host: Host,
    beats: Beats,
}

/// A host couldn't be locked.
#[derive(Debug)]
pub struct NotLocked {
    /// The reason.
    pub error: HostError,
    /// The host, to try again; `None` if the connection is unusable.
    pub host: Option<Host>,
}

/// How a list of actions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Every action succeeded.
    Done,
    /// An action failed, and those after it weren't started.
    Stopped {
        /// Its index in the list.
        at: usize,
        /// How it ended.
        outcome: Outcome,
    },
    /// The apply was asked to stop, and the remaining actions weren't started.
    Interrupted,
}

impl Host {
    /// Connects, logs in and starts a shell.
    ///
    /// # Errors
    /// See [`HostError::Connect`]. A shell that can't be started is reported by the
    /// first request.
    pub async fn connect(
        name: HostName,
        address: &Address,
        logins: &[Login],
        known: &KnownHosts,
        settings: &Settings,
    ) -> Result<Self, HostError> {
        let session = log_in(address, logins, known, settings).await?;
        // A host may accept the login, and never answer again but to keepalives.
        let patience = settings.ready;
        let shell = match timeout(patience, Shell::open(&session)).await {
            Ok(opened) => opened?,
            Err(_) => return Err(HostError::TimedOut { during: During::Opening, after: patience }),
        };
        Ok(Self { name, session: Arc::new(session), shell, settings: settings.clone() })
    }

    /// The host's name in the folder.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// Runs a script that changes nothing, and returns its standard output.
    ///
    /// # Errors
    /// The connection was lost, the host took too long, or the answer is malformed or
    /// too long. The connection is unusable afterwards.
    pub async fn ask(&mut self, script: &Secret) -> Result<Untrusted, HostError> {
        let Settings { ready, answer, answer_limit, .. } = self.settings;
        self.shell.ask(script, ready, answer, answer_limit).await
    }

    /// Takes the host's lock, without waiting if it is held, and keeps it with a
    /// heartbeat.
    ///
    /// # Errors
    /// Another spore holds the lock, or the connection was lost.
    pub async fn lock(mut self, holder: &Holder) -> Result<Locked, Box<NotLocked>> {
        match lock::take(&mut self.shell, &self.session, holder, &self.settings).await {
            Ok(beats) => Ok(Locked { host: self, beats }),
            Err(error) => {
                let host = matches!(error, HostError::Locked(_)).then_some(self);
                Err(Box::new(NotLocked { error, host }))
            }
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        if let Ok(session) = Arc::try_unwrap(self.session) {
            session.close().await;
        }
    }
}

/// Connects with the first login that the host doesn't refuse.
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
    /// The host's name in the folder.
    pub fn name(&self) -> &HostName {
        self.host.name()
    }

    /// See [`Host::ask`].
    ///
    /// # Errors
    /// Those of [`Host::ask`].
    pub async fn ask(&mut self, script: &Secret) -> Result<Untrusted, HostError> {
        self.host.ask(script).await
    }

    /// What units do now. Nothing is changed.
    ///
    /// # Errors
    /// As [`Host::ask`], where the service manager doesn't answer in time, and where the
    /// host doesn't after a `stop`.
    pub async fn watch(
        &mut self,
        units: &[String],
        stop: &Stop,
    ) -> Result<BTreeMap<String, Seen>, HostError> {
        let script = Secret::new(wire::watch(units, &run::patience(&self.host.settings)));
        let after = self.host.settings.interrupt;
        let answered = stop.wait(after, self.ask(&script)).await;
        let answer = answered.unwrap_or(Err(HostError::Abandoned { during: During::Asking, after }))?;
        let seen = wire::watched(answer.expose());
        match units.iter().find(|unit| !seen.contains_key(*unit)) {
            None => Ok(seen),
            Some(unit) => Err(HostError::Malformed {
                during: During::Asking,
                what: format!("systemctl didn't report the state of {unit}").into(),
            }),
        }
    }

    /// Runs actions in order, until one fails. `tell` is called when each begins and
    /// ends. After a `stop`, the request that is running is finished, and no further
    /// one is sent.
    ///
    /// After an error, or if this future is dropped, the connection is unusable, and
    /// the running action may or may not have completed.
    ///
    /// # Errors
    /// The connection was lost, or the host took too long.
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

    /// Releases the lock and removes its files.
    ///
    /// # Errors
    /// The connection was lost. The host then releases the lock when it misses the
    /// heartbeat.
    pub async fn unlock(self) -> Result<Host, HostError> {
        let Self { mut host, beats } = self;
        drop(beats);
        lock::release(&mut host.shell, &host.settings).await?;
        Ok(host)
    }
}
