//! Turns an address into a [`Session`]: dials, exchanges keys, checks the host key, and
//! logs in.
//!
//! Each step has its time-out and its own errors. A failure leaves neither a connection nor
//! a task behind.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::client;
use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};
use russh::{Preferred, SshId, cipher, compression, kex, mac};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::resource::Redactor;

use super::attendant::{Attendant, Deadline};
use super::authenticate::{Attempt, authenticate};
use super::session::{Client, Observer, Session};
use super::wire::{Tap, Wire};
use super::{Distrust, KnownHosts, Login, ServerAddress, Timeouts};

mod error;

pub use error::{AlgorithmKind, ConnectError, Phase, Tried};

/// Key exchanges, in the order of preference. curve25519 is cheap, and nearly every host
/// has it; the exchanges after it are for hosts that don't. The `EXTENSION_…` names aren't
/// key exchanges: they request the list of the host's signature algorithms, and the strict
/// key exchange that prevents Terrapin attacks.
const KEX: &[kex::Name] = &[
    // This exchange is post-quantum, so that recorded traffic, which contains keys, can't
    // be decrypted later. It costs a millisecond.
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// Ciphers, in the order of preference. Processors have instructions for AES, which is 1.5
/// times as fast with the shorter key.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_128_CTR,
];

/// Message authentication codes for the ciphers that aren't AEAD ciphers.
const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];

/// The receive window of a channel, in bytes.
const WINDOW: u32 = 4 << 20;

/// Checks the key that a host presents.
pub(super) struct Guard {
    address: ServerAddress,
    known: KnownHosts,
}

impl Guard {
    pub(super) fn check(&self, shown: &PublicKeyOrCertificate) -> Result<(), Distrust> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.check(&self.address, key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                self.known.check_certificate(&self.address, certificate, now)
            }
        }
    }
}

impl Session {
    /// Connects, checks the host key, and logs in. `redactor` masks secrets in the host's
    /// text.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(
        address: &ServerAddress,
        login: &Login,
        known: &KnownHosts,
        timeouts: &Timeouts,
        redactor: &Redactor,
    ) -> Result<Self, ConnectError> {
        let wire = dial(address, timeouts).await?;
        let peer = Peer { name: &address.to_string(), address, known };
        open(wire, &peer, login, timeouts, redactor, &Attendant::default()).await
    }

    /// Does the same as [`Session::connect`], but over an existing stream to the host.
    ///
    /// # Errors
    /// Those of [`Session::connect`], except for those of dialling.
    pub async fn over<S>(
        stream: S,
        address: &ServerAddress,
        login: &Login,
        known: &KnownHosts,
        timeouts: &Timeouts,
        redactor: &Redactor,
    ) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer { name: &address.to_string(), address, known };
        open(Wire::over(stream), &peer, login, timeouts, redactor, &Attendant::default()).await
    }
}

/// Opens the TCP connection.
pub(super) async fn dial(
    address: &ServerAddress,
    timeouts: &Timeouts,
) -> Result<Wire<TcpStream>, ConnectError> {
    timeout(timeouts.connect, Wire::dial(address, timeouts.silence()))
        .await
        .map_err(|_| ConnectError::TimedOut { phase: Phase::Connect, after: timeouts.connect })?
        .map_err(|source| ConnectError::unreachable(address, source))
}

/// Cuts the wire when dropped, unless it was told to keep it. This ends russh's task if an
/// attempt to connect fails or is dropped.
pub(super) struct CutUnlessKept(pub(super) Option<Arc<Tap>>);

impl Drop for CutUnlessKept {
    fn drop(&mut self) {
        if let Some(tap) = &self.0 {
            tap.cut();
        }
    }
}

/// The server at the other end of a wire.
pub(super) struct Peer<'a> {
    /// What messages call it.
    pub(super) name: &'a str,
    /// Where it is, or its alias: the name under which `known_hosts` lists it.
    pub(super) address: &'a ServerAddress,
    pub(super) known: &'a KnownHosts,
}

/// Checks the host key, and logs in.
pub(super) async fn open<S>(
    wire: Wire<S>,
    peer: &Peer<'_>,
    login: &Login,
    timeouts: &Timeouts,
    redactor: &Redactor,
    attendant: &Attendant,
) -> Result<Session, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tap = wire.tap();
    let mut cut = CutUnlessKept(Some(Arc::clone(&tap)));
    let Peer { name, address, known } = *peer;
    let offer = HostKeyOffer::of(known, address);
    let (mut handle, observer) = exchange_keys(wire, address, known, offer, timeouts, redactor)
        .await
        .map_err(|error| error.of(address))?;
    let deadline = Deadline::after(timeouts.login);
    let attempt = Attempt { server: name, user: &login.user, timeouts, redactor, attendant, deadline };
    authenticate(&mut handle, login, &attempt, &observer).await?;
    cut.0 = None;
    Ok(Session::new(handle, observer.end, tap, redactor))
}

/// The kinds of host keys that the server may present, best first.
pub(super) struct HostKeyOffer {
    pub(super) keys: Vec<Algorithm>,
    pub(super) certificates: Vec<Algorithm>,
}

impl HostKeyOffer {
    /// All kinds, beginning with those that are listed for the server.
    pub(super) fn of(known: &KnownHosts, address: &ServerAddress) -> Self {
        Self { keys: known.algorithms(address), certificates: known.certificate_algorithms(address) }
    }
}

/// Why the exchange of keys failed.
pub(super) enum NoExchange {
    /// The server has proved that it has this key, which isn't trusted.
    Untrusted(PublicKey, Distrust),
    /// Any other reason.
    Failed(ConnectError),
}

impl NoExchange {
    pub(super) fn of(self, address: &ServerAddress) -> ConnectError {
        match self {
            Self::Untrusted(key, why) => ConnectError::host_key(address, &key, why),
            Self::Failed(error) => error,
        }
    }
}

/// Exchanges keys and checks the host key. Nobody is logged in yet.
pub(super) async fn exchange_keys<S>(
    wire: Wire<S>,
    address: &ServerAddress,
    known: &KnownHosts,
    offer: HostKeyOffer,
    timeouts: &Timeouts,
    redactor: &Redactor,
) -> Result<(Handle, Observer), NoExchange>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tap = wire.tap();
    let guard = Guard { address: address.clone(), known: known.of(address) };
    let (client, observer) = Client::new(guard, redactor.clone());
    let handshake = client::connect_stream(Arc::new(config(offer, timeouts)), wire, client);
    match timeout(timeouts.handshake, handshake).await {
        Ok(Ok(handle)) => Ok((handle, observer)),
        Ok(Err(error)) => Err(match observer.refused() {
            Some((key, why)) => NoExchange::Untrusted(key, why),
            None => {
                let end = observer.end.known();
                NoExchange::Failed(ConnectError::handshake(error, &tap.first_words(), end, redactor))
            }
        }),
        Err(_) => Err(NoExchange::Failed(ConnectError::TimedOut {
            phase: match tap.first_words().is_empty() {
                true => Phase::Greeting,
                false => Phase::KeyExchange,
            },
            after: timeouts.handshake,
        })),
    }
}

fn config(offer: HostKeyOffer, timeouts: &Timeouts) -> client::Config {
    let name = concat!("SSH-2.0-spore_", env!("CARGO_PKG_VERSION"));
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed(name)),
        window_size: WINDOW,
        maximum_packet_size: 65535,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Owned(offer.keys),
            host_key_certificates: Cow::Owned(offer.certificates),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        keepalive_interval: Some(timeouts.keepalive),
        keepalive_max: usize::try_from(timeouts.unanswered.max(1)).unwrap_or(usize::MAX),
        ..client::Config::default()
    }
}

pub(super) type Handle = client::Handle<Client>;
