//! Opens connections: [`Dialer::log_in`].

use super::{ConnectError, Route, Server, Session, Timeouts};
use crate::resource::Redactor;

/// Opens the connections of one command. All hosts of the command share it.
#[derive(Debug)]
pub struct Dialer {
    timeouts: Timeouts,
    redactor: Redactor,
}

impl Dialer {
    /// A dialer with these time-outs. `redactor` masks secrets in the hosts' text.
    pub fn new(timeouts: Timeouts, redactor: Redactor) -> Self {
        Self { timeouts, redactor }
    }

    /// Connects to a host and logs in.
    ///
    /// # Errors
    /// No address accepted a connection, the server's key isn't trusted, or none of the logins
    /// was accepted: see [`ConnectError`].
    pub async fn log_in(&self, route: &Route) -> Result<Session, ConnectError> {
        let Route { jumps: _, host } = route;
        self.direct(host).await
    }

    /// Connects with the first login that the server accepts. Stops at an error other than a
    /// refused login.
    async fn direct(&self, server: &Server) -> Result<Session, ConnectError> {
        let Server { addresses, known, logins } = server;
        let mut refused = ConnectError::Refused {
            user: String::new(),
            tried: Vec::new(),
            offered: Vec::new(),
            partly: false,
        };
        for address in addresses {
            for login in logins {
                match Session::connect(address, login, known, &self.timeouts, &self.redactor).await {
                    Err(error @ ConnectError::Refused { .. }) => refused = error,
                    ended => return ended,
                }
            }
        }
        Err(refused)
    }
}
