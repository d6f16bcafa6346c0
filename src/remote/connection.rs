//! Connections to hosts: [`Connection`], and [`Locked`] for a host whose lock is held.

use super::lock::{self, Beats};
use super::run;
use super::shell::Shell;
use super::{Payloads, RemoteLimits, Stop, SudoPassword, handshake};
use crate::daemon::Daemon;
use crate::facts::Alive;
use crate::facts::receipt::Receipt;
use crate::facts::roster::Roster;
use crate::identity::SwarmKey;
use crate::plan::action::Action;
use crate::plan::scheduler::Seen;
use crate::plan::wire::{self, ActionReport, Outcome};
use crate::plan::{During, Holder, HostError, Misfit};
use crate::resource::{Contact, Handshake, HostName, NodeName, Printable, SecretBytes, Untrusted};
use crate::ssh::{Dialer, Greeting, Route, Session};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The connection to a host, with a shell.
#[derive(Debug)]
pub struct Connection {
    name: HostName,
    pub(super) session: Arc<Session>,
    pub(super) shell: Shell,
    pub(super) limits: RemoteLimits,
}

/// The connection to a host whose lock is held, so that no other spore can change the host.
/// Dropping this value without [`Locked::unlock`] stops the heartbeat, and the host
/// releases the lock when the heartbeat has been missing for [`RemoteLimits::let_go`].
#[derive(Debug)]
pub struct Locked {
    connection: Connection,
    beats: Beats,
    /// See [`Locked::supersedes_receipts`].
    supersedes: Option<bool>,
}

/// The error if a host couldn't be locked.
#[derive(Debug)]
pub struct NotLocked {
    /// The reason.
    pub error: HostError,
    /// The connection, for another attempt; `None` if the connection is unusable.
    pub connection: Option<Connection>,
}

/// How a list of actions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Every action succeeded.
    Done,
    /// An action failed, and those after it weren't started.
    Stopped {
        /// The action's index in the list.
        at: usize,
        /// How the action ended.
        outcome: Outcome,
    },
    /// The apply was asked to stop, and the remaining actions weren't started.
    Interrupted,
}

impl Connection {
    /// Connects, logs in and starts a shell.
    ///
    /// # Errors
    /// See [`HostError::Connect`]. A shell that can't be started is reported by the
    /// first request.
    pub async fn connect(
        name: HostName,
        route: &Route,
        dialer: &Dialer,
        limits: &RemoteLimits,
    ) -> Result<Self, HostError> {
        Self::connect_with(name, route, dialer, limits, None).await
    }

    /// Does the same with a password that sudo may ask for.
    ///
    /// # Errors
    /// Those of [`Connection::connect`].
    pub async fn connect_with(
        name: HostName,
        route: &Route,
        dialer: &Dialer,
        limits: &RemoteLimits,
        sudo: Option<&Arc<SudoPassword>>,
    ) -> Result<Self, HostError> {
        let session = dialer.log_in(route).await?;
        // A host may accept the login and then answer nothing but keepalives.
        let patience = limits.ready;
        let shell = match timeout(patience, Shell::open(&session, &name, sudo)).await {
            Ok(opened) => opened?,
            Err(_) => return Err(HostError::TimedOut { during: During::Opening, after: patience }),
        };
        Ok(Self { name, session: Arc::new(session), shell, limits: limits.clone() })
    }

    /// The host's name in the folder.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// Runs a script, and returns its standard output.
    ///
    /// # Errors
    /// The connection was lost, no root shell could be started, the host took too long, or
    /// the answer is malformed or too long. The connection is unusable afterwards.
    pub async fn ask(&mut self, script: &SecretBytes) -> Result<Untrusted, HostError> {
        let RemoteLimits { ready, answer, answer_limit, .. } = self.limits;
        self.shell.ask(script, ready, answer, answer_limit).await
    }

    /// Opens a connection to each of these nodes, and waits until it has said as many bytes as a
    /// node says at once.
    pub(super) fn greetings(
        &self,
        nodes: &[(String, u16, usize)],
    ) -> impl Future<Output = Vec<(String, u16, Alive)>> + use<> {
        let patience = self.limits.greeting;
        let mut asking = JoinSet::new();
        for (unit, port, least) in nodes.iter().cloned() {
            let session = Arc::clone(&self.session);
            asking.spawn(async move {
                let mut greeting = session.greeting(port, least, patience).await;
                // A node on a busy host may be slow, and a silent one is restarted.
                if greeting == Greeting::None {
                    greeting = session.greeting(port, least, patience).await;
                }
                let alive = match greeting {
                    Greeting::Said => Alive::Spoke,
                    Greeting::None => Alive::Silent,
                    Greeting::Prohibited => Alive::Forbidden,
                    Greeting::NotOpened => Alive::Unknown,
                };
                (unit, port, alive)
            });
        }
        async move {
            let mut found = asking.join_all().await;
            found.sort();
            found
        }
    }

    /// Completes the handshake with each of these nodes, all at the same time.
    pub async fn handshakes(
        &self,
        nodes: Vec<(NodeName, Handshake)>,
        key: &SwarmKey,
    ) -> BTreeMap<NodeName, Contact> {
        let mut asking = JoinSet::new();
        for (node, expected) in nodes {
            let (session, key, patience) = (Arc::clone(&self.session), key.clone(), self.limits.proof);
            asking.spawn(async move {
                let attempts = handshake::WHILE_RUNNING;
                (node, handshake::contact(&session, &expected, &key, patience, attempts).await)
            });
        }
        asking.join_all().await.into_iter().collect()
    }

    /// Takes the host's lock and keeps it with a heartbeat. If another spore holds the
    /// lock, this fails without waiting.
    ///
    /// # Errors
    /// Another spore holds the lock, the host can't store the lock file or allows no second
    /// session for the heartbeat, the connection was lost, or the host took too long.
    pub async fn lock(mut self, holder: &Holder) -> Result<Locked, Box<NotLocked>> {
        match lock::take(&mut self.shell, &self.session, holder, &self.limits).await {
            Ok(beats) => Ok(Locked { connection: self, beats, supersedes: None }),
            Err(error) => {
                let connection = matches!(error, HostError::Locked(_)).then_some(self);
                Err(Box::new(NotLocked { error, connection }))
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

impl Locked {
    /// The host's name in the folder.
    pub fn name(&self) -> &HostName {
        self.connection.name()
    }

    /// See [`Connection::ask`].
    ///
    /// # Errors
    /// Those of [`Connection::ask`].
    pub async fn ask(&mut self, script: &SecretBytes) -> Result<Untrusted, HostError> {
        self.connection.ask(script).await
    }

    /// Writes the receipt of an apply, and the roster next to it.
    ///
    /// # Errors
    /// Those of [`Connection::ask`]. The inner error is what the host says if it can't write
    /// the receipt.
    pub async fn leave(
        &mut self,
        receipt: &Receipt,
        roster: &Roster,
    ) -> Result<Result<(), Printable>, HostError> {
        for daemon in Daemon::ALL {
            let script = wire::receipt(*daemon, receipt, roster);
            let answer = self.ask(&SecretBytes::new(script)).await?;
            let said = self.connection.shell.lines.redactor().show(&answer);
            if !wire::is_written(&said) {
                return Ok(Err(said));
            }
        }
        Ok(Ok(()))
    }

    /// Makes the next request that does more than stage supersede the receipts of the last apply first, so that
    /// they don't count any more when anything has changed. They are removed unless the host is
    /// going to get new ones.
    pub(super) fn supersedes_receipts(&mut self, gets_new: bool) {
        self.supersedes = Some(gets_new);
    }

    /// Returns the current state of units. Changes nothing on the host.
    ///
    /// # Errors
    /// Those of [`Connection::ask`]; the service manager's answer is missing for a unit;
    /// or, after a `stop`, the host didn't answer within [`RemoteLimits::interrupt`].
    pub async fn watch(
        &mut self,
        units: &[String],
        stop: &Stop,
    ) -> Result<BTreeMap<String, Seen>, HostError> {
        let script = SecretBytes::new(wire::watch(units, &run::patience(&self.connection.limits)));
        let after = self.connection.limits.interrupt;
        let answered = stop.wait(after, self.ask(&script)).await;
        let answer = answered.unwrap_or(Err(HostError::Abandoned { during: During::Asking, after }))?;
        let seen = wire::watched(self.connection.shell.lines.redactor().open(&answer).expose());
        match units.iter().find(|unit| !seen.contains_key(*unit)) {
            None => Ok(seen),
            Some(unit) => {
                Err(HostError::Malformed { during: During::Asking, what: Misfit::NoUnit(unit.clone()) })
            }
        }
    }

    /// Runs actions in order until an action fails. Calls `tell` with the progress of each
    /// action. After a `stop`, the running request may finish within
    /// [`RemoteLimits::interrupt`], and no further request is sent.
    ///
    /// After an error, or if this future is dropped, the connection is unusable, and
    /// the running action may or may not have completed.
    ///
    /// # Errors
    /// The connection was lost, the host took too long, or one of its answers didn't fit
    /// the request.
    pub async fn run(
        &mut self,
        actions: &[Action],
        payloads: &Payloads,
        stop: &Stop,
        tell: &mut (dyn FnMut(ActionReport) + Send),
    ) -> Result<Run, HostError> {
        run::run(&mut self.connection, &mut self.supersedes, actions, payloads, stop, tell).await
    }

    /// Releases the lock and removes its files.
    ///
    /// # Errors
    /// The connection was lost, or the host took too long. The host then releases the lock
    /// when it misses the heartbeat.
    pub async fn unlock(self) -> Result<Connection, HostError> {
        let Self { mut connection, beats, supersedes: _ } = self;
        drop(beats);
        lock::release(&mut connection.shell, &connection.limits).await?;
        Ok(connection)
    }
}
