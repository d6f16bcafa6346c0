//! Determines which host keys a server has, without logging in: [`identify`].
//!
//! Nothing is sent to the server but what the exchange of keys needs. A key counts only if the
//! server has proved that it has the private half.

use super::connect::{CutUnlessKept, HostKeyOffer, NoExchange, exchange_keys};
use super::known_hosts::{self, Distrust, KnownHosts, KnownLine};
use super::wire::Wire;
use super::{ConnectError, PublicKey, ServerAddress, Timeouts};
use crate::resource::Redactor;
use tokio::io::{AsyncRead, AsyncWrite};

/// What is known about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// It has proved to be a server that `known_hosts` lists, by a key or a certificate.
    Known,
    /// `known_hosts` lists no key for it.
    New {
        /// Its keys, one of each kind that it has; the first is the one that spore prefers.
        keys: Vec<PublicKey>,
        /// A line with a certificate authority for it. It has shown no certificate of that
        /// authority.
        authority: Option<KnownLine>,
    },
}

/// Connects to a server as often as it takes to determine its keys: a server shows one key per
/// connection. `wire` is the first connection to it, and `again` opens another.
///
/// # Errors
/// The connection failed, or the server's key has changed, is revoked, or has an invalid
/// certificate.
pub(super) async fn identify<S, F>(
    wire: Wire<S>,
    again: impl Fn() -> F,
    address: &ServerAddress,
    known: &KnownHosts,
    timeouts: &Timeouts,
    redactor: &Redactor,
) -> Result<Identity, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<Wire<S>, ConnectError>>,
{
    let meet = async |wire: Wire<S>, known: &KnownHosts, offer: HostKeyOffer| {
        let _cut = CutUnlessKept(Some(wire.tap()));
        exchange_keys(wire, address, known, offer, timeouts, redactor).await.map(drop)
    };
    let (first, authority) = match meet(wire, known, HostKeyOffer::of(known, address)).await {
        Ok(()) => return Ok(Identity::Known),
        Err(NoExchange::Untrusted(key, Distrust::Unknown { authority })) => (key, authority),
        Err(error) => return Err(error.of(address)),
    };
    let mut keys = vec![first];
    let no_keys = KnownHosts::default();
    let mut waiting = known_hosts::common_kinds();
    while let Some(kind) = waiting.pop() {
        if keys.iter().any(|key| key.algorithm() == kind) {
            continue;
        }
        let offer = HostKeyOffer { keys: known_hosts::signatures(kind), certificates: Vec::new() };
        let Ok(wire) = again().await else { break };
        match meet(wire, &no_keys, offer).await {
            Err(NoExchange::Untrusted(key, _)) => keys.push(key),
            Err(NoExchange::Failed(ConnectError::NoCommonAlgorithm { .. })) => {}
            // The server may limit connections that are never logged in to. One key is enough.
            Ok(()) | Err(NoExchange::Failed(_)) => break,
        }
    }
    for key in &keys {
        if let Err(why @ Distrust::Revoked { .. }) = known.check(address, key) {
            return Err(ConnectError::host_key(address, key, why));
        }
    }
    Ok(Identity::New { keys, authority })
}
