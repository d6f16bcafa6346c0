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
    /// What messages call it, such as the host's name in the folder.
    pub name: String,
    /// The argument of `spore trust` that adds its key: the name of a host in the folder that is
    /// reached through this server. `None` if there is none.
    pub trust_as: Option<String>,
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
    /// The logins; each is tried if the server refused the previous one. Only a server that nobody
    /// logs in to has none.
    pub logins: Vec<Login>,
}

impl Route {
    /// The way to a server that is reached directly.
    pub fn direct(server: Server) -> Self {
        Self { jumps: Vec::new(), host: Arc::new(server) }
    }
}

impl Server {
    /// A server with one address, to which spore connects itself, and which isn't in a folder.
    pub fn new(address: ServerAddress, known: KnownHosts, logins: Vec<Login>) -> Self {
        Self {
            name: address.to_string(),
            trust_as: None,
            addresses: vec![address],
            proxy: None,
            alias: None,
            connect: None,
            known,
            logins,
        }
    }

    /// The names under which `known_hosts` lists its keys, one for each address.
    pub fn known_as(&self) -> Vec<ServerAddress> {
        match &self.alias {
            // OpenSSH looks an alias up without a port, whatever the server's port is.
            Some(alias) => vec![ServerAddress::new(alias.clone(), USUAL_PORT)],
            None => self.addresses.clone(),
        }
    }

    /// The server at each address for which `known_hosts` lists no key. What answers at one address
    /// says nothing about the others.
    pub fn unlisted(&self) -> Vec<Self> {
        let at = |address: &ServerAddress| Self { addresses: vec![address.clone()], ..self.clone() };
        match &self.alias {
            Some(_) if self.known_as().iter().any(|name| self.known.lists(name)) => Vec::new(),
            Some(_) => vec![self.clone()],
            None => self.addresses.iter().filter(|address| !self.known.lists(address)).map(at).collect(),
        }
    }

    /// The name under which `known_hosts` lists the server at one of its addresses.
    pub(super) fn known_at(&self, address: &ServerAddress) -> ServerAddress {
        match &self.alias {
            Some(_) => self.known_as().remove(0),
            None => address.clone(),
        }
    }
}
