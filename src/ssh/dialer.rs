//! Opens connections: [`Dialer::log_in`].
//!
//! What always holds:
//! - Hosts behind the same jump host share one connection to it. If it can't be logged in to, this
//!   is tried only once.
//! - A server, or whatever is behind a jump host, has only a few logins going on at the same time,
//!   because sshd drops connections at random when it has too many (`MaxStartups`, 10:30:100).
//! - A connection that was refused or dropped is tried again a few times. A login that was refused
//!   is never tried again, so no account is locked because of it, and neither is a server whose key
//!   isn't trusted.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::connect::{describe, dial, open};
use super::proxy::{Errors, Proxy};
use super::wire::Wire;
use super::{ConnectError, Login, NotOpened, Phase, Route, Server, ServerAddress, Session, Timeouts};
use crate::resource::Redactor;
use backoff::Backoff;
use dialled::Dialled;

mod backoff;
mod dialled;

/// The maximum number of logins to one server, or through one jump host, at the same time.
const AT_ONCE: usize = 8;

/// How long an attempt counts as one of these. A server that doesn't answer must not hold up the
/// others behind the same jump host.
const COUNTED: Duration = Duration::from_secs(1);

/// Opens the connections of one command. All hosts of the command share it.
#[derive(Debug)]
pub struct Dialer {
    timeouts: Timeouts,
    redactor: Redactor,
    jumps: Mutex<BTreeMap<Vec<JumpKey>, Arc<Jump>>>,
    gates: Mutex<BTreeMap<Gate, Arc<Semaphore>>>,
    retries: AtomicUsize,
}

/// Identifies a jump host and who logs in to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct JumpKey {
    addresses: Vec<ServerAddress>,
    proxy: Option<String>,
    alias: Option<String>,
    /// Each with the keys that are tried.
    users: Vec<(String, Vec<String>)>,
}

/// What limits the number of logins at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gate {
    /// The machine of a server that is reached directly.
    Machine(Option<String>),
    /// What is behind a jump host.
    Behind(Vec<JumpKey>),
    /// Whatever a `ProxyCommand` connects to first. It isn't known, but servers that have the same
    /// command probably have it in common.
    Proxy(String),
}

/// The shared connection to a jump host; `None` until it is needed.
type Jump = tokio::sync::Mutex<Option<Result<Arc<Session>, Arc<ConnectError>>>>;

/// A connection to a jump host, and the way to it.
struct Via {
    session: Arc<Session>,
    path: Vec<JumpKey>,
    name: String,
}

impl JumpKey {
    fn of(server: &Server) -> Self {
        Self {
            addresses: server.addresses.clone(),
            proxy: server.proxy.as_ref().map(|proxy| proxy.template.clone()),
            alias: server.alias.clone(),
            users: server.logins.iter().map(|login| (login.user.clone(), Self::keys(login))).collect(),
        }
    }

    fn keys(login: &Login) -> Vec<String> {
        login.credentials.iter().map(|credential| format!("{:?}", describe(credential))).collect()
    }
}

impl Dialer {
    /// A dialer with these time-outs. `redactor` masks secrets in the hosts' text.
    pub fn new(timeouts: Timeouts, redactor: Redactor) -> Self {
        Self {
            timeouts,
            redactor,
            jumps: Mutex::default(),
            gates: Mutex::default(),
            retries: AtomicUsize::new(0),
        }
    }

    /// How often a connection was tried again because it had been refused or dropped.
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }

    /// Connects to a host and logs in, first to the jump hosts on the way.
    ///
    /// # Errors
    /// No address accepted a connection, a server's key isn't trusted, or none of its logins
    /// was accepted: see [`ConnectError`].
    pub async fn log_in(&self, route: &Route) -> Result<Session, ConnectError> {
        let Route { jumps, host } = route;
        let mut via = None;
        for jump in jumps {
            via = Some(self.through(jump, via).await?);
        }
        self.reach(host, via.as_ref()).await.map_err(|error| match via {
            Some(via) => ConnectError::Through { jump: via.name, error: Arc::new(error) },
            None => error,
        })
    }

    /// The shared connection to a jump host. It is opened again if it was lost.
    async fn through(&self, server: &Server, via: Option<Via>) -> Result<Via, ConnectError> {
        let mut path = via.as_ref().map(|via| via.path.clone()).unwrap_or_default();
        path.push(JumpKey::of(server));
        let name = server.name.clone();
        let slot = {
            let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(jumps.entry(path.clone()).or_default())
        };
        // All hosts behind it wait here for the one that logs in.
        let mut slot = slot.lock().await;
        let open = match &*slot {
            Some(Ok(session)) if !session.is_closed() => Ok(Arc::clone(session)),
            Some(Err(error)) => Err(Arc::clone(error)),
            Some(Ok(_)) | None => {
                let opened = self.reach(server, via.as_ref()).await.map(Arc::new).map_err(Arc::new);
                slot.insert(opened).clone()
            }
        };
        let through = via.map(|via| via.name);
        match open {
            Ok(session) => Ok(Via { session, path, name }),
            Err(error) => Err(ConnectError::AtJump { jump: name, through, error }),
        }
    }

    /// Logs in with the first login that the server accepts. Stops at an error other than a
    /// refused login.
    async fn reach(&self, server: &Server, via: Option<&Via>) -> Result<Session, ConnectError> {
        let mut refused = ConnectError::Refused {
            user: String::new(),
            tried: Vec::new(),
            offered: Vec::new(),
            partly: false,
        };
        for login in &server.logins {
            match self.persist(server, login, via).await {
                Err(error @ ConnectError::Refused { .. }) => refused = error,
                ended => return ended,
            }
        }
        Err(refused)
    }

    /// Tries again if the connection was refused or dropped.
    async fn persist(
        &self,
        server: &Server,
        login: &Login,
        via: Option<&Via>,
    ) -> Result<Session, ConnectError> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.attempt(server, login, via).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let Some(pause) = backoff.next(&error) else { return Err(error) };
            self.retries.fetch_add(1, Ordering::Relaxed);
            sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        server: &Server,
        login: &Login,
        via: Option<&Via>,
    ) -> Result<Session, ConnectError> {
        let permit = self.permit(server, via).await;
        let mut attempt = pin!(self.connect(server, login, via));
        match timeout(COUNTED, &mut attempt).await {
            Ok(ended) => ended,
            Err(_) => {
                drop(permit);
                attempt.await
            }
        }
    }

    /// Waits until there are few enough logins at the same time.
    async fn permit(&self, server: &Server, via: Option<&Via>) -> Option<OwnedSemaphorePermit> {
        let gate = match (&server.proxy, via) {
            (Some(proxy), _) => Gate::Proxy(proxy.template.clone()),
            (None, Some(via)) => Gate::Behind(via.path.clone()),
            (None, None) => Gate::Machine(server.addresses.first().map(|address| address.host.clone())),
        };
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(gate).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        // A semaphore that is never closed always has a permit in the end.
        gate.acquire_owned().await.ok()
    }

    /// Logs in at the first address to which a connection can be opened.
    async fn connect(
        &self,
        server: &Server,
        login: &Login,
        via: Option<&Via>,
    ) -> Result<Session, ConnectError> {
        let timeouts = Timeouts { connect: server.connect.unwrap_or(self.timeouts.connect), ..self.timeouts };
        let mut failed = Vec::new();
        for address in &server.addresses {
            let (wire, errors) = match self.dial(server, address, via, &timeouts).await {
                Ok(dialled) => dialled,
                Err(error) if error.leaves_other_addresses() => {
                    failed.push((address.clone(), error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let name = server.known_at(address);
            let opened = open(wire, &name, login, &server.known, &timeouts, &self.redactor).await;
            return match (opened, errors, via) {
                (Ok(session), _, Some(via)) => Ok(session.over_jump(Arc::clone(&via.session))),
                (Err(error), Some(errors), _) => Err(self.by_proxy(error, errors).await),
                (opened, _, _) => opened,
            };
        }
        Err(match failed.len() {
            1 => failed.remove(0).1,
            _ => ConnectError::NoneReached(failed),
        })
    }

    /// Opens a connection to a server, over which nothing has been sent yet.
    async fn dial(
        &self,
        server: &Server,
        address: &ServerAddress,
        via: Option<&Via>,
        timeouts: &Timeouts,
    ) -> Result<(Wire<Dialled>, Option<Errors>), ConnectError> {
        let late = || ConnectError::TimedOut { phase: Phase::Connect, after: timeouts.connect };
        match (&server.proxy, via) {
            (Some(command), _) => {
                let Proxy { mut stream, errors } =
                    command.start().map_err(|source| ConnectError::ProxyNotStarted { source })?;
                if timeout(timeouts.connect, stream.ready()).await.is_err() {
                    // This ends the command.
                    drop(stream);
                    return Err(self.by_proxy(late(), errors).await);
                }
                Ok((Wire::over(Dialled::Proxy(stream)), Some(errors)))
            }
            (None, None) => Ok((dial(address, timeouts).await?.within(Dialled::Tcp, Dialled::drained), None)),
            (None, Some(via)) => {
                let opening = via.session.forward(&address.host, address.port, timeouts.connect);
                match opening.await {
                    Ok(stream) => Ok((Wire::over(Dialled::Forwarded(stream)), None)),
                    Err(NotOpened::TimedOut) => Err(late()),
                    Err(why) => Err(ConnectError::NotForwarded { address: address.clone(), why }),
                }
            }
        }
    }

    /// Adds what a `ProxyCommand` has said to an error for which it may be the reason.
    async fn by_proxy(&self, error: ConnectError, errors: Errors) -> ConnectError {
        match error.is_of_connection() {
            true => {
                let said = self.redactor.show_in_one_line(&errors.last_words().await);
                ConnectError::ByProxy { said, error: Box::new(error) }
            }
            false => error,
        }
    }
}
