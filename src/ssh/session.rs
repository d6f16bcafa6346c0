//! An established connection, over which commands are run.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelOpenFailure};
use tokio::sync::watch;
use tokio::time::timeout;

use super::channel::{Channel, ChannelError};
use super::connect::Guard;
use super::{Distrust, wire::Tap};
use crate::resource::{Printable, Redactor};

/// How long an orderly disconnect may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// An authenticated connection to one host. It can be shared, and several commands can
/// run over it at the same time, up to the host's limit (OpenSSH: ten).
///
/// The connection stays open until the session and all its channels have been dropped, or
/// until [`Session::close`].
pub struct Session {
    handle: client::Handle<Client>,
    end: Ending,
    tap: Arc<Tap>,
    redactor: Redactor,
    /// The connection to the jump host, which stays open as long as this one.
    jump: Option<Arc<Session>>,
}

/// A connection from a host to one of its own ports.
pub type Stream = russh::ChannelStream<client::Msg>;

/// Why a connection to a port of the host couldn't be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// The host's SSH server forbids such connections.
    Prohibited,
    /// No process accepts connections on the port.
    Refused,
    /// The host's SSH server didn't answer in time. It waits for a process that accepts no
    /// further connections.
    TimedOut,
    /// The host's SSH server had another reason.
    Other,
}

/// What a process on the host said when a connection to its port was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Enough.
    Said,
    /// Nothing, or too little, in the given time.
    None,
    /// The host's SSH server forbids such connections.
    Prohibited,
    /// The connection couldn't be opened, or was closed.
    NotOpened,
}

/// How a connection has ended, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The host closed it.
    Closed,
    /// The host closed it during the login, after it had shown this banner.
    ClosedAfter(Printable),
    /// The host disconnected, and gave this reason.
    Disconnected(Printable),
    /// The host stopped responding.
    Silent,
    /// The host opened a channel, which spore never asks for.
    Intrusive,
    /// It failed, in the words of the SSH library.
    Failed(Printable),
}

/// A shared handle on the end of a connection: whether the connection has ended, and how.
#[derive(Clone, Debug)]
pub(super) struct Ending(watch::Receiver<Option<Lost>>);

impl Ending {
    pub(super) fn lost(&self) -> Lost {
        self.known().unwrap_or(Lost::Closed)
    }

    pub(super) fn known(&self) -> Option<Lost> {
        self.0.borrow().clone()
    }

    async fn wait(&mut self) -> Lost {
        // An error means that the connection's task has ended, and so has the connection.
        let _ = self.0.wait_for(Option::is_some).await;
        self.lost()
    }
}

impl Session {
    pub(super) fn new(
        handle: client::Handle<Client>,
        end: Ending,
        tap: Arc<Tap>,
        redactor: &Redactor,
    ) -> Self {
        Self { handle, end, tap, redactor: redactor.clone(), jump: None }
    }

    /// This connection, which was opened over one to a jump host.
    pub(super) fn over_jump(self, jump: Arc<Session>) -> Self {
        Self { jump: Some(jump), ..self }
    }

    /// The redactor that masks secrets in the host's text.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Starts a command in the user's login shell. This returns as soon as the host has
    /// opened a channel, so that the command's first input can be sent along with the
    /// request. [`Reader::next`](super::Reader::next) reports whether the command was
    /// started.
    ///
    /// # Errors
    /// The host opens no more channels, or the connection was lost.
    pub async fn exec(&self, command: &str) -> Result<Channel, ChannelError> {
        let opened = self.handle.channel_open_session().await;
        let channel = opened.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(reason) => {
                ChannelError::NotOpened { reason: Printable::line(reason.description()) }
            }
            _ => ChannelError::Lost(self.end.lost()),
        })?;
        Channel::start(channel, command, self.end.clone(), self.redactor.clone()).await
    }

    /// Opens a connection from the host to a TCP port of its own, and reads what the process
    /// there says first, until it has said `least` bytes. Only a process whose connection is
    /// open can be silent: a slow SSH server says nothing about it.
    pub async fn greeting(&self, port: u16, least: usize, patience: Duration) -> Greeting {
        let mut channel = match self.open(port, patience).await {
            Ok(channel) => channel,
            Err(NotOpened::Prohibited) => return Greeting::Prohibited,
            Err(NotOpened::Refused | NotOpened::TimedOut | NotOpened::Other) => return Greeting::NotOpened,
        };
        let mut said = 0;
        let listening = async {
            while said < least {
                match channel.wait().await {
                    Some(ChannelMsg::Data { data }) => said += data.len(),
                    Some(ChannelMsg::Eof | ChannelMsg::Close) | None => return Greeting::NotOpened,
                    Some(_) => {}
                }
            }
            Greeting::Said
        };
        let greeting = timeout(patience, listening).await.unwrap_or(Greeting::None);
        // Otherwise the process would keep a connection until this session ends.
        let _ = channel.close().await;
        greeting
    }

    /// Opens a connection from the host to a TCP port of its own. Dropping the stream closes the
    /// connection.
    ///
    /// # Errors
    /// If the host can't or doesn't open it.
    pub async fn connect_to(&self, port: u16, patience: Duration) -> Result<Stream, NotOpened> {
        Ok(self.open(port, patience).await?.into_stream())
    }

    /// Opens a connection from the host to a TCP port of another one.
    pub(super) async fn forward(
        &self,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Stream, NotOpened> {
        Ok(self.open_to(host, port, patience).await?.into_stream())
    }

    async fn open(&self, port: u16, patience: Duration) -> Result<Opened, NotOpened> {
        self.open_to("127.0.0.1", port, patience).await
    }

    async fn open_to(&self, host: &str, port: u16, patience: Duration) -> Result<Opened, NotOpened> {
        let opening = self.handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
        match timeout(patience, opening).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(match reason {
                ChannelOpenFailure::AdministrativelyProhibited | ChannelOpenFailure::UnknownChannelType => {
                    NotOpened::Prohibited
                }
                ChannelOpenFailure::ConnectFailed => NotOpened::Refused,
                _ => NotOpened::Other,
            }),
            Ok(Err(_)) => Err(NotOpened::Other),
            Err(_) => Err(NotOpened::TimedOut),
        }
    }

    /// Whether the connection is known to have ended.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Waits until the connection has ended, for any reason. A cut network is detected
    /// within [`Timeouts::silence`](super::Timeouts::silence).
    pub async fn closed(&self) -> Lost {
        self.end.clone().wait().await
    }

    /// Disconnects, which closes all channels that are still open.
    pub async fn close(self) {
        let Self { handle, tap, jump, .. } = self;
        // The host need not answer, and may be unreachable.
        let _ = timeout(FAREWELL, async {
            let why = russh::Disconnect::ByApplication;
            let _ = handle.disconnect(why, "", "").await;
            let _ = handle.await;
        })
        .await;
        tap.cut();
        drop(jump);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// An open channel.
type Opened = russh::Channel<client::Msg>;

/// The host has opened a channel.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host opened a channel")]
struct Unwanted;

/// Defines the handlers of channels that the host opens, which differ only in their
/// arguments.
macro_rules! refuse {
    ($($name:ident($($argument:ty),*);)*) => {$(
        async fn $name(
            &mut self,
            _: Opened,
            $(_: $argument,)*
            _: ChannelOpenHandle,
            _: &mut client::Session,
        ) -> Result<(), Self::Error> {
            Err(io::Error::other(Unwanted).into())
        }
    )*};
}

/// russh's callbacks, which check the host key and record how the connection ended.
pub(super) struct Client {
    guard: Guard,
    redactor: Redactor,
    refused: Arc<Mutex<Option<(PublicKey, Distrust)>>>,
    banner: Arc<Mutex<Option<Printable>>>,
    end: watch::Sender<Option<Lost>>,
}

/// The caller's view of a [`Client`], which russh owns.
pub(super) struct Observer {
    pub(super) end: Ending,
    refused: Arc<Mutex<Option<(PublicKey, Distrust)>>>,
    banner: Arc<Mutex<Option<Printable>>>,
}

impl Observer {
    /// How the connection has ended during the login.
    pub(super) fn lost(&self) -> Lost {
        let mut banner = self.banner.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.end.lost(), banner.take()) {
            (Lost::Closed, Some(said)) => Lost::ClosedAfter(said),
            (lost, _) => lost,
        }
    }

    /// The host key that was rejected, if any.
    pub(super) fn refused(&self) -> Option<(PublicKey, Distrust)> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take()
    }
}

impl Client {
    pub(super) fn new(guard: Guard, redactor: Redactor) -> (Self, Observer) {
        let (refused, banner) = (Arc::default(), Arc::default());
        let (end, ended) = watch::channel(None);
        let observer =
            Observer { end: Ending(ended), refused: Arc::clone(&refused), banner: Arc::clone(&banner) };
        let client = Self { guard, redactor, refused, banner, end };
        (client, observer)
    }
}

/// Whether an error means that the other end has closed the connection.
fn is_closed(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let Err(why) = self.guard.check(shown) else { return Ok(true) };
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some((shown.public_key(), why));
        Ok(false)
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut client::Session) -> Result<(), Self::Error> {
        // The last banner is the one that says why a login ends.
        let mut last = self.banner.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(self.redactor.line(banner.trim())).filter(|said| !said.is_empty());
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        let lost = match &reason {
            DisconnectReason::ReceivedDisconnect(info) if !info.message.trim().is_empty() => {
                Lost::Disconnected(self.redactor.line(info.message.trim()))
            }
            DisconnectReason::ReceivedDisconnect(_)
            | DisconnectReason::Error(russh::Error::Disconnect | russh::Error::HUP) => Lost::Closed,
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => Lost::Silent,
            // Whether it was noticed by reading or by writing.
            DisconnectReason::Error(russh::Error::IO(error)) if is_closed(error.kind()) => Lost::Closed,
            DisconnectReason::Error(russh::Error::IO(error))
                if error.get_ref().is_some_and(|inner| inner.is::<Unwanted>()) =>
            {
                Lost::Intrusive
            }
            DisconnectReason::Error(error) => Lost::Failed(self.redactor.line(&error.to_string())),
        };
        let _ = self.end.send(Some(lost));
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    // A channel takes memory until the host closes it, and spore never asks a host to open
    // one. Therefore the first channel that the host opens ends the connection, whatever
    // its kind.

    refuse! {
        server_channel_open_session();
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_direct_streamlocal(&str);
        server_channel_open_x11(&str, u32);
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
        server_channel_open_agent_forward();
    }
}
