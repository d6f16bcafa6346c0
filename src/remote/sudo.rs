//! A password for sudo: [`SudoPassword`].
//!
//! What always holds:
//! - The password is sent only after sudo has asked for it, with a prompt that contains this
//!   connection's random marker. If sudo doesn't ask, because the user needs no password, the
//!   password isn't sent, so nothing else can read it.
//! - Nothing is sent to a host between the start of sudo and its prompt or the start of the shell.
//!   Otherwise sudo would take the first line of a request for the password.
//! - It is sent once to each host. If sudo asks again, the connection is closed.
//! - It is sent to one host at a time until a host has accepted it, and to none after the first that
//!   has rejected it before. So a mistyped password is one failed attempt, even if the hosts share
//!   their accounts, and doesn't lock anyone out.

use crate::resource::{HostName, SecretBytes};
use std::fmt;
use tokio::sync::{Mutex, MutexGuard};

/// A password for sudo, and whether a host has accepted it. All hosts share it.
pub struct SudoPassword {
    password: SecretBytes,
    tried: Mutex<Tried>,
}

#[derive(Default)]
enum Tried {
    #[default]
    Untried,
    Accepted,
    RejectedBy(HostName),
}

impl SudoPassword {
    /// A password that was typed or set by the user.
    pub fn new(password: SecretBytes) -> Self {
        Self { password, tried: Mutex::default() }
    }

    /// The password, which sudo on a host has asked for. Waits while it is being tried on the first
    /// host.
    ///
    /// # Errors
    /// This host rejected it, and no host accepted it before.
    pub(super) async fn take(&self) -> Result<Turn<'_>, HostName> {
        let tried = self.tried.lock().await;
        match &*tried {
            Tried::RejectedBy(host) => Err(host.clone()),
            Tried::Accepted => Ok(Turn { password: &self.password, first: None }),
            Tried::Untried => Ok(Turn { password: &self.password, first: Some(tried) }),
        }
    }
}

impl fmt::Debug for SudoPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SudoPassword(***)")
    }
}

/// The permission to send the password to a host. If it is dropped without a verdict, for instance
/// because the connection was lost, the next host is the first.
pub(super) struct Turn<'a> {
    password: &'a SecretBytes,
    first: Option<MutexGuard<'a, Tried>>,
}

impl Turn<'_> {
    /// The line to send.
    pub(super) fn line(&self) -> SecretBytes {
        SecretBytes::new([self.password.expose(), b"\n"].concat())
    }

    /// The host has accepted it.
    pub(super) fn accepted(self) {
        self.ended(Tried::Accepted);
    }

    /// The host has rejected it.
    pub(super) fn rejected(self, by: &HostName) {
        self.ended(Tried::RejectedBy(by.clone()));
    }

    fn ended(self, tried: Tried) {
        if let Some(mut first) = self.first {
            *first = tried;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rejected_password_is_tried_only_once() {
        let (first, second): (HostName, HostName) = ("h1".parse().unwrap(), "h2".parse().unwrap());
        let sudo = SudoPassword::new(SecretBytes::new("apricot-shelf"));
        drop(sudo.take().await.unwrap());
        let turn = sudo.take().await.unwrap();
        assert_eq!(turn.line().expose(), b"apricot-shelf\n");
        let waiting = sudo.take();
        turn.rejected(&first);
        assert_eq!(waiting.await.err(), Some(first));

        let sudo = SudoPassword::new(SecretBytes::new("apricot-shelf"));
        sudo.take().await.unwrap().accepted();
        sudo.take().await.unwrap().rejected(&second);
        assert!(sudo.take().await.is_ok(), "a host has accepted it");
        assert_eq!(format!("{sudo:?}"), "SudoPassword(***)");
    }
}
