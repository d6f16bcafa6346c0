//! SSH: one encrypted connection per host and commands run over it.
//!
//! Enter at [`Session::connect`], with a [`Login`] whose keys came from
//! [`key::load`] and with the [`KnownHosts`] of the user; go on with
//! [`Session::exec`].
//!
//! What always holds:
//! - No connection is used before the host's key was found in [`KnownHosts`],
//!   and nothing turns that off.
//! - Nothing waits for ever: each phase of connecting has its time-out, a peer
//!   that falls silent is noticed by [`Timeouts::keepalive`], and whoever sends
//!   to a command that has ended is told so.
//! - Nothing secret is in an error or in a `Debug`; text that comes from the
//!   host is bounded and its control characters are escaped.
//!
//! This room does not know what is said over a connection, reads no
//! configuration, and leaves to its caller how many hosts to call at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod channel;
mod connect;
pub mod key;
mod known_hosts;
mod secret;
mod session;
mod wire;

#[cfg(test)]
mod tests;

pub use channel::{Channel, ChannelError, Event, Exit, Reader, Writer};
pub use connect::{ConnectError, Phase};
pub use key::KeyError;
pub use known_hosts::{KnownHosts, KnownHostsError, KnownLine, Verdict};
pub use russh::keys::{Algorithm, PrivateKey, PublicKey};
pub use secret::Secret;
pub use session::{Lost, Session};

/// Where an SSH server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// Usually 22.
    pub port: u16,
}

impl Address {
    /// An address from its parts.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who logs in, and with what. Credentials are tried in their order.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's name on the host.
    pub user: String,
    /// What proves it.
    pub credentials: Vec<Credential>,
}

/// One proof of who the user is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A private key, decrypted: see [`key::load`].
    Key(Arc<PrivateKey>),
    /// A password. It also answers a server that asks for it as a question
    /// (`keyboard-interactive`).
    Password(Secret),
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the name to resolve and the connection to stand.
    pub connect: Duration,
    /// For the server to say its name and to agree on keys.
    pub handshake: Duration,
    /// For the login. Servers that look up the client's name, or slow down
    /// whoever guesses, take seconds here.
    pub login: Duration,
    /// After so long a silence the server is asked whether it is still there.
    pub keepalive: Duration,
    /// So many unanswered questions and the connection counts as lost.
    pub unanswered: u32,
}

impl Timeouts {
    /// The longest time a cut connection can go unnoticed.
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
            keepalive: Duration::from_secs(5),
            unanswered: 3,
        }
    }
}

/// Text from a host, fit for a terminal: one line, bounded, nothing in it that
/// moves a cursor.
fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut safe = String::new();
    for c in text.trim().chars() {
        if safe.len() >= LONGEST {
            safe.push('…');
            break;
        }
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}
