//! The way to each host of the folder: [`Routes::to`].

use super::logins::Keys;
use crate::network::Host;
use crate::plan::Unplanned;
use crate::ssh::{KnownHosts, Route, Server, ServerAddress};

/// Composes the routes to the hosts of a folder, from the folder and the user's keys.
pub(crate) struct Routes {
    keys: Keys,
    known: KnownHosts,
}

impl Routes {
    /// Routes to servers that have to prove their identity with one of these keys.
    pub(crate) fn new(known: &KnownHosts) -> Self {
        Self { keys: Keys::default(), known: known.clone() }
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
        let address = ServerAddress::new(host.ssh.address.to_string(), host.ssh.port);
        Ok(Route::direct(Server::new(address, self.known.clone(), logins)))
    }
}
