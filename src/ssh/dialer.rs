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

use super::attendant::Attendant;
use super::authenticate::describe;
use super::connect::{Peer, dial, open};
use super::identify::{Identity, identify};
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

/// How long an attempt counts as one of these behind a jump host. A server that doesn't answer must
/// not hold up the others there.
const COUNTED: Duration = Duration::from_secs(1);

/// Opens the connections of one command. All hosts of the command share it.
#[derive(Debug)]
pub struct Dialer {
    timeouts: Timeouts,
    redactor: Redactor,
    attendant: Attendant,
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
            attendant: Attendant::default(),
            jumps: Mutex::default(),
            gates: Mutex::default(),
            retries: AtomicUsize::new(0),
        }
    }

    /// Asks this person if a login needs someone.
    #[must_use]
    pub fn attended(self, attendant: Attendant) -> Self {
        Self { attendant, ..self }
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
        let via = self.on_the_way(&route.jumps).await?;
        let opened = self.reach(&route.host, via.as_ref()).await;
        opened.map_err(|error| behind(via, error))
    }

    /// Determines whether the last server of the route is known, without logging in to it.
    ///
    /// # Errors
    /// No address accepted a connection, the server's key has changed, is revoked, or has an
    /// invalid certificate, or a jump host can't be logged in to: see [`ConnectError`].
    pub async fn identify(&self, route: &Route) -> Result<Identity, ConnectError> {
        let via = self.on_the_way(&route.jumps).await?;
        let identified = self.persist(&route.host, via.as_ref(), || self.meet(&route.host, via.as_ref()));
        identified.await.map_err(|error| behind(via, error.with_trust(route.host.trust_as.as_deref())))
    }

    /// Logs in to each of these jump hosts, through the one before it.
    async fn on_the_way(&self, jumps: &[Arc<Server>]) -> Result<Option<Via>, ConnectError> {
        let mut via = None;
        for jump in jumps {
            via = Some(self.through(jump, via).await?);
        }
        Ok(via)
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
        let mut refused = None;
        for login in &server.logins {
            match self.persist(server, via, || self.connect(server, login, via)).await {
                Err(error @ ConnectError::Refused { .. }) => refused = Some(error.after(refused)),
                ended => return ended.map_err(|error| error.with_trust(server.trust_as.as_deref())),
            }
        }
        Err(refused.unwrap_or_else(|| ConnectError::no_address(&server.name)))
    }

    /// Connects to a server for some purpose, again if the connection was refused or dropped.
    async fn persist<T, F>(
        &self,
        server: &Server,
        via: Option<&Via>,
        attempt: impl Fn() -> F,
    ) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.counted(server, via, attempt()).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(pause) = backoff.next(&error) else { return Err(error) };
            self.retries.fetch_add(1, Ordering::Relaxed);
            sleep(pause).await;
        }
    }

    /// Starts an attempt once there are few enough others.
    async fn counted<T>(&self, server: &Server, via: Option<&Via>, attempt: impl Future<Output = T>) -> T {
        let permit = self.permit(server, via).await;
        if via.is_none() {
            return attempt.await;
        }
        let mut attempt = pin!(attempt);
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
        let timeouts = &self.timeouts_of(server);
        let Self { redactor, attendant, .. } = self;
        let (address, wire, errors) = self.first_open(server, via, timeouts).await?;
        let peer = Peer { name: &server.name, address: &server.known_at(address), known: &server.known };
        match (open(wire, &peer, login, timeouts, redactor, attendant).await, errors, via) {
            (Ok(session), _, Some(via)) => Ok(session.over_jump(Arc::clone(&via.session))),
            (Err(error), Some(errors), _) => Err(self.by_proxy(error, errors).await),
            (opened, _, _) => opened,
        }
    }

    /// Determines whether a server is known, at the first address to which a connection can be opened.
    async fn meet(&self, server: &Server, via: Option<&Via>) -> Result<Identity, ConnectError> {
        let timeouts = &self.timeouts_of(server);
        let (address, wire, errors) = self.first_open(server, via, timeouts).await?;
        let again = || async { Ok(self.dial(server, address, via, timeouts).await?.0) };
        let name = &server.known_at(address);
        match (identify(wire, again, name, &server.known, timeouts, &self.redactor).await, errors) {
            (Err(error), Some(errors)) => Err(self.by_proxy(error, errors).await),
            (identified, _) => identified,
        }
    }

    fn timeouts_of(&self, server: &Server) -> Timeouts {
        Timeouts { connect: server.connect.unwrap_or(self.timeouts.connect), ..self.timeouts }
    }

    /// Opens a connection to the first address that accepts one.
    async fn first_open<'s>(
        &self,
        server: &'s Server,
        via: Option<&Via>,
        timeouts: &Timeouts,
    ) -> Result<(&'s ServerAddress, Wire<Dialled>, Option<Errors>), ConnectError> {
        let mut failed = Vec::new();
        for address in &server.addresses {
            match self.dial(server, address, via, timeouts).await {
                Ok((wire, errors)) => return Ok((address, wire, errors)),
                Err(error) if error.leaves_other_addresses() => failed.push((address.clone(), error)),
                Err(error) => return Err(error),
            }
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

/// The error at a server that is behind this jump host.
fn behind(via: Option<Via>, error: ConnectError) -> ConnectError {
    match via {
        Some(via) => ConnectError::Through { jump: via.name, error: Arc::new(error) },
        None => error,
    }
}
