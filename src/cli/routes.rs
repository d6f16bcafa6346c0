//! The way to each host of the folder: [`Routes::to`].

use super::logins::Keys;
use crate::network::{Host, Network};
use crate::plan::Unplanned;
use crate::resource::HostName;
use crate::ssh::{KnownHosts, Login, Route, Server, ServerAddress};
use std::collections::BTreeSet;

/// Composes the routes to the hosts of a folder, from the folder and the user's keys.
pub(crate) struct Routes {
    keys: Keys,
    known: KnownHosts,
    /// The hosts of the folder. Others are those that only a roster names.
    hosts: BTreeSet<HostName>,
}

impl Routes {
    /// Routes to servers that have to prove their identity with one of these keys. `network` is
    /// the one that was read from the folder.
    pub(crate) fn new(known: &KnownHosts, network: &Network) -> Self {
        let hosts = network.hosts.keys().cloned().collect();
        Self { keys: Keys::default(), known: known.clone(), hosts }
    }

    /// The route to a host. May prompt for the passphrase of a key.
    ///
    /// # Errors
    /// There is no way to log in.
    pub(crate) fn to(&mut self, host: &Host) -> Result<Route, Unplanned> {
        let (logins, problems) = self.keys.logins(&host.ssh);
        if logins.is_empty() {
            return Err(Unplanned::NoLogin(problems));
        }
        Ok(Route::direct(self.server(host, logins)))
    }

    /// The route to a host that isn't logged in to, only to the servers on the way.
    ///
    /// # Errors
    /// There is no way to log in to a server on the way.
    pub(crate) fn unidentified(&mut self, host: &Host) -> Result<Route, Unplanned> {
        Ok(Route::direct(self.server(host, Vec::new())))
    }

    fn server(&self, host: &Host, logins: Vec<Login>) -> Server {
        Server {
            name: host.name.to_string(),
            trust_as: self.hosts.contains(&host.name).then(|| host.name.to_string()),
            addresses: vec![ServerAddress::new(host.ssh.address.to_string(), host.ssh.port)],
            known: self.known.clone(),
            logins,
        }
    }
}
