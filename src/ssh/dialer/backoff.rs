//! Which failures are worth another attempt, and when: [`Backoff`].

use std::hash::{BuildHasher as _, RandomState};
use std::io::ErrorKind;
use std::time::Duration;

use crate::ssh::{ConnectError, Lost, NotOpened, Phase};

/// The pauses after a connection was refused. The port of an sshd that is being restarted is closed
/// for a moment; a port that stays closed shouldn't delay the error for long.
const REFUSED: &[u64] = &[300, 900];

/// The pauses after a connection was dropped, in milliseconds. An sshd that has too many logins at
/// once needs some time to complete them.
const DROPPED: &[u64] = &[250, 500, 1000, 2000];

/// The pauses between attempts to connect to one server.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: usize,
}

impl Backoff {
    /// How long to wait before the next attempt; `None` if there is none. The time is random to a
    /// degree, so that connections that were dropped together don't come back together.
    pub(super) fn next(&mut self, error: &ConnectError) -> Option<Duration> {
        let pause = *pauses(error).get(self.failures)?;
        self.failures += 1;
        // From half the pause to one and a half.
        let random = RandomState::new().hash_one(self.failures) % (pause + 1);
        Some(Duration::from_millis(pause / 2 + random))
    }
}

/// The pauses after this failure; none if the next attempt would probably fail, too, or if it could
/// lock the account.
fn pauses(error: &ConnectError) -> &'static [u64] {
    match error {
        ConnectError::Unreachable { source, .. } => match source.kind() {
            ErrorKind::ConnectionRefused => REFUSED,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => DROPPED,
            _ => &[],
        },
        ConnectError::NotForwarded { why: NotOpened::Refused, .. } => REFUSED,
        ConnectError::TurnedAway { said } if said.starts_with("Exceeded MaxStartups") => DROPPED,
        // A server that gives a reason would give it again.
        ConnectError::HungUp { phase: Phase::Greeting | Phase::KeyExchange, why } if !gives_reason(why) => {
            DROPPED
        }
        // All addresses have failed. The first of the pauses that one of them is worth will do.
        ConnectError::NoneReached(errors) => {
            let all = errors.iter().map(|(_, error)| pauses(error));
            all.into_iter().find(|pauses| !pauses.is_empty()).unwrap_or_default()
        }
        // A `ProxyCommand` may have logged in somewhere itself, so it isn't tried again.
        _ => &[],
    }
}

fn gives_reason(why: &Option<Lost>) -> bool {
    matches!(why, Some(Lost::Disconnected(_)))
}
