//! SSH: one encrypted connection per host, over which commands are run.
//!
//! The entry point is [`Dialer::log_in`]. It needs the [`Route`] to a host: its address, the
//! [`Login`]s, whose keys come from [`key::load`] or an [`agent`], and the [`KnownHosts`].
//! [`Session::exec`] then runs commands.
//!
//! What always holds:
//! - A connection is used only if the host's key is in [`KnownHosts`], or certified by an
//!   authority that is. This check can't be disabled.
//! - Connecting ends: each phase has a time-out. Keep-alives detect a host that stops
//!   responding, and sending to a command that has ended is an error.
//! - No credential is in an error or in `Debug` output. An error contains the host's text
//!   only bounded, with secrets masked and control characters escaped.
//!
//! This room doesn't know what the commands are, and reads no configuration. It leaves to
//! its caller how long a command may take, and how many hosts to connect to at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub mod agent;
mod attendant;
mod authenticate;
mod channel;
mod connect;
mod dialer;
mod identify;
pub mod key;
mod known_hosts;
mod proxy;
mod route;
mod secret_text;
pub(crate) mod server;
mod session;
mod sign;
mod wire;

#[cfg(test)]
mod tests;

pub use agent::AgentKey;
pub use attendant::{Attendant, Need};
pub use channel::{Channel, ChannelError, Event, Exit, Reader, Writer};
pub use connect::{AlgorithmKind, ConnectError, Phase, Tried};
pub use dialer::Dialer;
pub use identify::Identity;
pub use key::KeyError;
pub use known_hosts::{CertificateFlaw, Distrust, KnownHosts, KnownHostsError, KnownLine};
pub use proxy::{ProxyCommand, ProxyCommandError, end_proxy_commands, expand_tokens};
pub use route::{Route, Server};
pub use russh::keys::{Algorithm, Certificate, PrivateKey, PublicKey};
pub use secret_text::SecretText;
pub use session::{Greeting, Lost, NotOpened, Session, Stream};

/// The address of an SSH server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerAddress {
    /// A name or an IP address; an IPv6 address has no brackets.
    pub host: String,
    /// The TCP port, usually 22.
    pub port: u16,
}

impl ServerAddress {
    /// Creates an address.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A user and the credentials to try, in this order.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's name on the host.
    pub user: String,
    /// The keys and passwords.
    pub credentials: Vec<Credential>,
}

/// A key or a password.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A private key, decrypted: see [`key::load`].
    Key(Arc<PrivateKey>),
    /// A key of an SSH agent.
    Agent(AgentKey),
    /// A certificate for a key.
    Certificate(Arc<Certificate>, Certified),
    /// A password. It is also used for a `keyboard-interactive` password prompt.
    Password(SecretText),
}

/// The key of a certificate.
#[derive(Clone, Debug)]
pub enum Certified {
    /// The key of a file.
    InFile(Arc<PrivateKey>),
    /// A key of an SSH agent.
    InAgent(AgentKey),
}

/// The time-outs of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The maximum time for resolving the name and opening the TCP connection.
    pub connect: Duration,
    /// The maximum time for the server's version line and the key exchange.
    pub handshake: Duration,
    /// The maximum time for the login. Servers that look up the client's name, or that
    /// delay failed attempts, take seconds.
    pub login: Duration,
    /// The maximum time for the user to touch a security key. It isn't part of the login's.
    pub touch: Duration,
    /// The time without data after which a keep-alive request is sent.
    pub keepalive: Duration,
    /// The number of unanswered keep-alive requests after which the connection counts as
    /// lost.
    pub unanswered: u32,
}

impl Timeouts {
    /// The longest time that a cut connection can go undetected.
    pub fn silence(&self) -> Duration {
        self.keepalive * (self.unanswered.max(1) + 1)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            login: Duration::from_secs(30),
            touch: Duration::from_secs(60),
            keepalive: Duration::from_secs(5),
            unanswered: 3,
        }
    }
}
