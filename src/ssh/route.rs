//! Where a host's SSH server is, and the way to it: [`Route`].

use super::{KnownHosts, Login, ServerAddress};
use std::sync::Arc;

/// The way to a host: the SSH servers to log in to, each reached through the one before it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The servers on the way; empty if the host is reached directly. Hosts that are reached
    /// through the same server share it, and so the connection to it.
    pub jumps: Vec<Arc<Server>>,
    /// The host's own server.
    pub host: Arc<Server>,
}

/// An SSH server: where it is, how it proves its identity, and how to log in to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its addresses, tried in this order until one accepts a connection. Never empty.
    pub addresses: Vec<ServerAddress>,
    /// The keys that it may have.
    pub known: KnownHosts,
    /// The logins; each is tried if the server refused the previous one. Never empty.
    pub logins: Vec<Login>,
}

impl Route {
    /// The way to a server that is reached directly.
    pub fn direct(server: Server) -> Self {
        Self { jumps: Vec::new(), host: Arc::new(server) }
    }
}
