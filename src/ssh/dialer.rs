//! Opens connections: [`Dialer::log_in`].

use super::attendant::Attendant;
use super::connect::{self, Peer};
use super::identify::{Identity, identify};
use super::{ConnectError, Route, Server, Session, Timeouts};
use crate::resource::Redactor;

/// Opens the connections of one command. All hosts of the command share it.
#[derive(Debug)]
pub struct Dialer {
    timeouts: Timeouts,
    redactor: Redactor,
    attendant: Attendant,
}

impl Dialer {
    /// A dialer with these time-outs. `redactor` masks secrets in the hosts' text.
    pub fn new(timeouts: Timeouts, redactor: Redactor) -> Self {
        Self { timeouts, redactor, attendant: Attendant::default() }
    }

    /// Asks this person if a login needs someone.
    #[must_use]
    pub fn attended(self, attendant: Attendant) -> Self {
        Self { attendant, ..self }
    }

    /// Connects to a host and logs in.
    ///
    /// # Errors
    /// No address accepted a connection, the server's key isn't trusted, or none of the logins
    /// was accepted: see [`ConnectError`].
    pub async fn log_in(&self, route: &Route) -> Result<Session, ConnectError> {
        let Route { jumps: _, host } = route;
        self.direct(host).await.map_err(|error| error.with_trust(host.trust_as.as_deref()))
    }

    /// Determines whether the last server of the route is known, without logging in to it.
    ///
    /// # Errors
    /// No address accepted a connection, or the server's key has changed, is revoked, or has an
    /// invalid certificate: see [`ConnectError`].
    pub async fn identify(&self, route: &Route) -> Result<Identity, ConnectError> {
        let Self { timeouts, redactor, attendant: _ } = self;
        let Route { jumps: _, host } = route;
        let mut failure = None;
        for address in &host.addresses {
            let dial = || connect::dial(address, timeouts);
            match identify(dial, address, &host.known, timeouts, redactor).await {
                Err(error) if error.leaves_other_addresses() => {
                    failure.get_or_insert(error);
                }
                identified => {
                    return identified.map_err(|error| error.with_trust(host.trust_as.as_deref()));
                }
            }
        }
        Err(failure.unwrap_or_else(|| ConnectError::no_address(&host.name)))
    }

    /// Connects with the first login that the server accepts. Stops at an error other than a
    /// refused login.
    async fn direct(&self, server: &Server) -> Result<Session, ConnectError> {
        let Server { name, trust_as: _, addresses, known, logins } = server;
        let mut refused = None;
        for address in addresses {
            for login in logins {
                let Self { timeouts, redactor, attendant } = self;
                let peer = Peer { name, address, known };
                let wire = connect::dial(address, timeouts).await?;
                match connect::open(wire, &peer, login, timeouts, redactor, attendant).await {
                    Err(error @ ConnectError::Refused { .. }) => refused = Some(error.after(refused)),
                    ended => return ended,
                }
            }
        }
        Err(refused.unwrap_or_else(|| ConnectError::no_address(name)))
    }
}
