//! Where a host's SSH server is, and the way to it: [`Route`].

use super::known_hosts::USUAL_PORT;
use super::{KnownHosts, Login, ProxyCommand, ServerAddress};
use std::sync::Arc;
use std::time::Duration;

/// The way to a host: the SSH servers to log in to, each reached through the one before it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The servers on the way; empty if the host is reached directly. Hosts that are reached
    /// through the same server share the connection to it.
    pub jumps: Vec<Arc<Server>>,
    /// The host's own server.
    pub host: Arc<Server>,
}

/// An SSH server: where it is, how it proves its identity, and how to log in to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its addresses, tried in this order until one accepts a connection. Never empty.
    pub addresses: Vec<ServerAddress>,
    /// The command that connects to it, if spore itself doesn't. The addresses then only name the
    /// server.
    pub proxy: Option<ProxyCommand>,
    /// The name under which `known_hosts` lists the server, if it isn't its address.
    pub alias: Option<String>,
    /// The time-out for connecting, if the server has its own.
    pub connect: Option<Duration>,
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

impl Server {
    /// A server to which spore connects itself, and which `known_hosts` lists by its address.
    pub fn new(addresses: Vec<ServerAddress>, known: KnownHosts, logins: Vec<Login>) -> Self {
        Self { addresses, proxy: None, alias: None, connect: None, known, logins }
    }

    /// The address that stands for the server in messages.
    pub(super) fn address(&self) -> ServerAddress {
        self.addresses.first().cloned().unwrap_or_else(|| ServerAddress::new("", USUAL_PORT))
    }

    /// The server at `address`, as `known_hosts` names it.
    pub(super) fn known_as(&self, address: &ServerAddress) -> ServerAddress {
        match &self.alias {
            // OpenSSH looks an alias up without a port, whatever the server's port is.
            Some(alias) => ServerAddress::new(alias.clone(), USUAL_PORT),
            None => address.clone(),
        }
    }
}
