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
    /// What messages call it, such as the host's name in the folder.
    pub name: String,
    /// The argument of `spore trust` that adds its key: the name of a host in the folder that is
    /// reached through this server. `None` if there is none.
    pub trust_as: Option<String>,
    /// Its addresses, tried in this order until one accepts a connection. Never empty.
    pub addresses: Vec<ServerAddress>,
    /// The keys that it may have.
    pub known: KnownHosts,
    /// The logins; each is tried if the server refused the previous one. Only a server that nobody
    /// logs in to has none.
    pub logins: Vec<Login>,
}

impl Server {
    /// A server with one address, which isn't in a folder.
    pub fn new(address: ServerAddress, known: KnownHosts, logins: Vec<Login>) -> Self {
        Self { name: address.to_string(), trust_as: None, addresses: vec![address], known, logins }
    }

    /// The names under which `known_hosts` lists its keys.
    pub fn known_as(&self) -> &[ServerAddress] {
        &self.addresses
    }

    /// Whether `known_hosts` lists a key for it under one of its names.
    pub fn is_listed(&self) -> bool {
        self.known_as().iter().any(|name| self.known.lists(name))
    }
}

impl Route {
    /// The way to a server that is reached directly.
    pub fn direct(server: Server) -> Self {
        Self { jumps: Vec::new(), host: Arc::new(server) }
    }
}
