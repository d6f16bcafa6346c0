//! The way to each host of the folder, as `ssh` would go it. The entry point is [`Routes::to`].
//!
//! What the folder says counts as if it had been passed to `ssh` as an option: it comes before the
//! user's SSH configuration. [`Routes::prepare`] asks about the latter.

use super::args::ConnectionOptions;
use super::known_hosts::HostKeys;
use super::logins::Keys;
use super::ssh_config::{Query, Resolved, SshConfig, local_user};
use crate::network::{self, Host, Jump, Network};
use crate::plan::Unplanned;
use crate::resource::{HostName, Printable};
use crate::ssh::{KnownHosts, Login, ProxyCommand, Route, Server, ServerAddress};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// How many servers one way may lead through.
const LONGEST: usize = 8;

/// Composes the routes to the hosts of a folder, from the folder, the user's SSH configuration and the
/// user's keys.
pub(crate) struct Routes {
    keys: Keys,
    host_keys: HostKeys,
    configuration: SshConfig,
    /// Whether the file with the trusted host keys was chosen for this command.
    is_known_chosen: bool,
    /// Whether the time-out for connecting was.
    is_timeout_chosen: bool,
    hosts: BTreeMap<HostName, network::Ssh>,
    /// The hosts of the folder. Others are those that only a roster names.
    listed: BTreeSet<HostName>,
    /// The ways to jump hosts, including their own servers: to those that are hosts of the folder, by
    /// name, and to others.
    named: BTreeMap<String, Vec<Arc<Server>>>,
    jumps: BTreeMap<JumpKey, Vec<Arc<Server>>>,
    /// The user who runs spore; `None` until it is needed.
    local_user: Option<String>,
    /// The host keys in these files.
    files: BTreeMap<Vec<PathBuf>, KnownHosts>,
}

/// Identifies the way to a jump host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct JumpKey {
    query: Query,
    /// The login in the folder whose keys are for it.
    login: Option<String>,
    /// Whether it is the first of a list. Others are reached through the one before.
    is_first: bool,
}

impl Routes {
    /// Routes to servers that have to prove their identity with one of these keys. `network` is
    /// the one that was read from the folder.
    pub(crate) fn new(host_keys: &HostKeys, network: &Network, options: &ConnectionOptions) -> Self {
        Self {
            keys: Keys::default(),
            host_keys: host_keys.clone(),
            configuration: SshConfig::find(options),
            is_known_chosen: options.known_hosts.is_some(),
            is_timeout_chosen: options.timeouts.iter().any(|time_out| time_out.is_of("connect")),
            hosts: BTreeMap::new(),
            listed: network.hosts.keys().cloned().collect(),
            named: BTreeMap::new(),
            jumps: BTreeMap::new(),
            local_user: None,
            files: BTreeMap::new(),
        }
    }

    /// Asks `ssh` about all hosts of the network, if the user has an SSH configuration that matters.
    pub(crate) async fn prepare(&mut self, network: &Network) {
        for (name, host) in &network.hosts {
            self.hosts.entry(name.clone()).or_insert_with(|| host.ssh.clone());
        }
        let hosts = self.hosts.values();
        let jumps = hosts.clone().flat_map(|ssh| &ssh.jumps).map(|jump| Query::of(jump));
        let others = hosts.clone().flat_map(|ssh| {
            let query = of_host(ssh);
            ssh.more.iter().map(move |more| Query { host: more.to_string(), ..query.clone() })
        });
        let queries: Vec<Query> = hosts.map(of_host).chain(others).chain(jumps).collect();
        self.configuration.ask(queries).await;
    }

    /// The route to a host. May prompt for the passphrase of a key.
    ///
    /// # Errors
    /// There is no way to log in.
    pub(crate) fn to(&mut self, host: &Host) -> Result<Route, Unplanned> {
        let (jumps, server) = self.way(&host.ssh, LONGEST)?;
        let (logins, problems) =
            self.keys.logins(&host.ssh, self.configured(&of_host(&host.ssh))?.as_deref());
        if logins.is_empty() {
            return Err(Unplanned::NoLogin(problems));
        }
        Ok(self.route(jumps, Server { logins, ..server }, host))
    }

    /// The route to a host that isn't logged in to, only to the servers on the way.
    ///
    /// # Errors
    /// There is no way to log in to a server on the way.
    pub(crate) fn unidentified(&mut self, host: &Host) -> Result<Route, Unplanned> {
        let (jumps, server) = self.way(&host.ssh, LONGEST)?;
        Ok(self.route(jumps, server, host))
    }

    fn route(&self, mut jumps: Vec<Arc<Server>>, server: Server, host: &Host) -> Route {
        let trust_as = self.trust_as(&host.name);
        for jump in jumps.iter_mut().filter(|jump| jump.trust_as.is_none()) {
            Arc::make_mut(jump).trust_as.clone_from(&trust_as);
        }
        Route { jumps, host: Arc::new(Server { name: host.name.to_string(), trust_as, ..server }) }
    }

    /// The argument of `spore trust` for this host. A host that only a roster names has none.
    fn trust_as(&self, host: &HostName) -> Option<String> {
        self.listed.contains(host).then(|| host.to_string())
    }

    /// The servers on the way to a host of the folder, and its own without logins.
    fn way(&mut self, ssh: &network::Ssh, left: usize) -> Result<(Vec<Arc<Server>>, Server), Unplanned> {
        if let Some(jump) = &ssh.unreadable_jump {
            return Err(no_route(format!(
                "the roster names `{jump}` as a jump host, which can't be read; to reach the host, add it \
                 to the folder"
            )));
        }
        let query = of_host(ssh);
        let found = self.configured(&query)?;
        let user = ssh.logins.first().map(|login| login.user.to_string()).unwrap_or_default();
        let address = ServerAddress::new(ssh.address.to_string(), ssh.port);
        let mut server = self.server(&query.host, address, &user, found.as_deref())?;
        for more in &ssh.more {
            let found = self.configured(&Query { host: more.to_string(), ..query.clone() })?;
            let otherwise = || ServerAddress::new(more.to_string(), ssh.port);
            server.addresses.push(found.map_or_else(otherwise, |found| found.address.clone()));
        }
        if ssh.jumps.is_empty() {
            let jumps = match &found {
                Some(found) => self.chain(&found.jumps, None, left)?,
                None => Vec::new(),
            };
            return Ok((jumps, server));
        }
        server.proxy = None;
        let jumps: Vec<Jump> = ssh.jumps.iter().map(|jump| jump.value.clone()).collect();
        Ok((self.chain(&jumps, Some(ssh), left)?, server))
    }

    /// The servers of a list of jump hosts, after those on the way to the first of them. `by` is the
    /// host whose folder entry has the list.
    fn chain(
        &mut self,
        jumps: &[Jump],
        by: Option<&network::Ssh>,
        left: usize,
    ) -> Result<Vec<Arc<Server>>, Unplanned> {
        let mut servers = Vec::new();
        for (index, jump) in jumps.iter().enumerate() {
            let left = left.checked_sub(1 + index).ok_or_else(|| {
                no_route(format!(
                    "it leads through more than {LONGEST} jump hosts; the last was {}",
                    jump.host
                ))
            })?;
            let named = by.and_then(|_| self.hosts.get(&jump.host_name()?).cloned());
            let way = match named {
                Some(ssh) => self.way_to_named(jump, &ssh, left)?,
                None => self.way_to_jump(jump, by, index == 0, left)?,
            };
            if index == 0 {
                servers.extend(way);
            } else if let Some(server) = way.into_iter().next_back() {
                // It is reached through the one before it, and not in its own way.
                servers.push(match server.proxy {
                    Some(_) => Arc::new(Server { proxy: None, ..(*server).clone() }),
                    None => server,
                });
            }
        }
        Ok(servers)
    }

    /// The way to a jump host that is a host of the folder, and its own server.
    fn way_to_named(
        &mut self,
        jump: &Jump,
        ssh: &network::Ssh,
        left: usize,
    ) -> Result<Vec<Arc<Server>>, Unplanned> {
        if let Some(way) = self.named.get(&jump.host) {
            return Ok(way.clone());
        }
        let (mut way, server) = self.way(ssh, left)?;
        let (logins, problems) = self.keys.logins(ssh, self.configured(&of_host(ssh))?.as_deref());
        if logins.is_empty() {
            return Err(Unplanned::NoLogin(problems));
        }
        let trust_as = jump.host_name().and_then(|name| self.trust_as(&name));
        way.push(Arc::new(Server { name: jump.host.clone(), trust_as, logins, ..server }));
        self.named.insert(jump.host.clone(), way.clone());
        Ok(way)
    }

    /// The way to any other jump host, and its own server. Only the first jump host of a list is
    /// reached in its own way.
    fn way_to_jump(
        &mut self,
        jump: &Jump,
        by: Option<&network::Ssh>,
        is_first: bool,
        left: usize,
    ) -> Result<Vec<Arc<Server>>, Unplanned> {
        let query = Query::of(jump);
        let found = self.configured(&query)?;
        let login = by.and_then(|ssh| ssh.logins.first());
        // As with ssh, the user of the host itself says nothing about the jump host.
        let user = match (&jump.user, &found) {
            (Some(user), _) => user.clone(),
            (None, Some(found)) => found.user.clone(),
            (None, None) => self.local_user.get_or_insert_with(local_user).clone(),
        };
        let key = JumpKey {
            query: Query { user: Some(user.clone()), ..query },
            login: login.map(|login| login.name.to_string()),
            is_first,
        };
        if let Some(way) = self.jumps.get(&key) {
            return Ok(way.clone());
        }
        let mut way = match &found {
            Some(found) if is_first => self.chain(&found.jumps, None, left)?,
            _ => Vec::new(),
        };
        let address = ServerAddress::new(jump.host.clone(), jump.port.unwrap_or(22));
        let server = self.server(&jump.host, address, &user, found.as_deref())?;
        let login = self.keys.of_jump(&user, found.as_deref(), login.map(AsRef::as_ref));
        way.push(Arc::new(Server { name: jump.host.clone(), logins: vec![login], ..server }));
        self.jumps.insert(key, way.clone());
        Ok(way)
    }

    /// A server without logins. `address` is where it is unless the configuration says otherwise.
    fn server(
        &mut self,
        original: &str,
        address: ServerAddress,
        user: &str,
        found: Option<&Resolved>,
    ) -> Result<Server, Unplanned> {
        let Some(found) = found else {
            return Ok(Server::new(address, self.host_keys.known.clone(), no_logins()));
        };
        let address = found.address.clone();
        let command =
            found.proxy.as_ref().map(|template| ProxyCommand::new(template, &address, original, user));
        let proxy = command.transpose().map_err(|error| no_route(error.to_string()))?;
        let server = Server::new(address, self.known(found)?, no_logins());
        Ok(Server {
            proxy,
            alias: found.alias.clone(),
            connect: found.connect_timeout.filter(|_| !self.is_timeout_chosen),
            ..server
        })
    }

    /// The host keys that a server may have: those of the files that the configuration names for it,
    /// and of the folder's, unless a file was chosen for this command.
    fn known(&mut self, found: &Resolved) -> Result<KnownHosts, Unplanned> {
        if self.is_known_chosen || !found.names_known_files {
            return Ok(self.host_keys.known.clone());
        }
        let files: Vec<PathBuf> = found.user_known.iter().chain(&found.global_known).cloned().collect();
        if let Some(known) = self.files.get(&files) {
            return Ok(known.clone());
        }
        let known = KnownHosts::read(&files).map_err(|error| no_route(error.to_string()))?;
        let known = known.and(&self.host_keys.of_folder);
        self.files.insert(files, known.clone());
        Ok(known)
    }

    fn configured(&self, query: &Query) -> Result<Option<Arc<Resolved>>, Unplanned> {
        self.configuration.of(query).map_err(no_route)
    }
}

/// What `ssh` is asked about a host of the folder.
fn of_host(ssh: &network::Ssh) -> Query {
    Query {
        host: ssh.address.to_string(),
        user: ssh.logins.first().map(|login| login.user.to_string()),
        port: ssh.names_port.then_some(ssh.port),
    }
}

fn no_logins() -> Vec<Login> {
    Vec::new()
}

fn no_route(why: String) -> Unplanned {
    Unplanned::NoRoute(Printable::in_one_line(&why))
}
