//! Why connecting to a host failed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::resource::{Printable, Redactor};
use crate::ssh::known_hosts::{self, CertificateFlaw, Distrust, KnownHosts, KnownLine};
use crate::ssh::{Lost, NotOpened, ServerAddress};

/// Why a host could not be connected to, or logged in to. Failures that are fixed in
/// different ways have different variants.
#[derive(Debug)]
pub enum ConnectError {
    /// The name resolves to no address.
    NotFound {
        /// The address whose name was looked up.
        address: ServerAddress,
        /// The resolver's error.
        source: io::Error,
    },
    /// The TCP connection failed, for instance because nothing listens on the port.
    Unreachable {
        /// The address that was dialled.
        address: ServerAddress,
        /// The system's error.
        source: io::Error,
    },
    /// The host was too slow, or didn't answer at all.
    TimedOut {
        /// The phase that took too long.
        phase: Phase,
        /// The time-out of this phase.
        after: Duration,
    },
    /// Something other than an SSH server listens on the port.
    NotSsh {
        /// The first line that the server sent.
        said: Printable,
    },
    /// The host sent this instead of its version line, and closed the connection.
    TurnedAway {
        /// The line.
        said: Printable,
    },
    /// The host closed the connection.
    HungUp {
        /// The phase in which the host closed the connection.
        phase: Phase,
        /// The reason, if known.
        why: Option<Lost>,
    },
    /// The host and spore have no algorithm in common.
    NoCommonAlgorithm {
        /// The kind of algorithm.
        kind: AlgorithmKind,
        /// The algorithms that the host offers.
        theirs: Vec<Printable>,
    },
    /// The host violated the protocol, because of a bug or a man in the middle.
    Protocol {
        /// The violation, in the words of the SSH library.
        what: Printable,
    },
    /// No `known_hosts` file lists a key for this host and port.
    HostKeyUnknown {
        /// The algorithm of the key that the host presented.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// The `known_hosts` line for this key.
        line: String,
        /// The argument of `spore trust` that adds the key, if there is one.
        trust: Option<String>,
        /// A line that names a certificate authority for the host, which has shown no certificate
        /// of it.
        authority: Option<KnownLine>,
    },
    /// The host's certificate isn't valid for the host.
    HostCertificate {
        /// The line with the authority that has signed it.
        authority: KnownLine,
        /// What is wrong with it.
        flaw: CertificateFlaw,
    },
    /// `known_hosts` has other keys for the host.
    HostKeyChanged {
        /// The host's name in `known_hosts`.
        name: String,
        /// The algorithm of the key that the host presented.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// The lines with the keys that were expected.
        known: Vec<KnownLine>,
        /// The argument of `spore trust` that adds the new key, if there is one.
        trust: Option<String>,
    },
    /// `known_hosts` marks the host's key as revoked.
    HostKeyRevoked {
        /// The algorithm of the key that the host presented.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// The line that revokes the key.
        by: KnownLine,
    },
    /// The host accepted none of the user's credentials.
    Refused {
        /// The user name.
        user: String,
        /// The credentials that were tried, in this order.
        tried: Vec<Tried>,
        /// The methods that the host still accepts.
        offered: Vec<Printable>,
        /// Whether the host accepted a credential and requires another one.
        partly: bool,
        /// What the host said when it ended the connection before all credentials were tried.
        cut_off: Option<Printable>,
        /// How it refused the users that were tried before.
        before: Option<Box<ConnectError>>,
    },
    /// The host has several addresses, and no connection to one of them could be opened.
    NoneReached(Vec<(ServerAddress, ConnectError)>),
    /// The jump host didn't open a connection to this address.
    NotForwarded {
        /// The address of the host, or of the next jump host.
        address: ServerAddress,
        /// The reason.
        why: NotOpened,
    },
    /// A jump host on the way couldn't be connected to, or logged in to.
    AtJump {
        /// What messages call the jump host.
        jump: String,
        /// The jump host before this one, if there is one.
        through: Option<String>,
        /// The reason. All hosts behind the jump host have it in common.
        error: Arc<ConnectError>,
    },
    /// The host couldn't be connected to, or logged in to, through a jump host.
    Through {
        /// The last jump host.
        jump: String,
        /// The reason.
        error: Arc<ConnectError>,
    },
    /// The `ProxyCommand` can't be run.
    ProxyNotStarted {
        /// The system's error.
        source: io::Error,
    },
    /// The connection over a `ProxyCommand` failed.
    ByProxy {
        /// The last lines of its standard error.
        said: Printable,
        /// The reason.
        error: Box<ConnectError>,
    },
}

/// A phase of connecting, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Resolving the name and opening the TCP connection.
    Connect,
    /// Waiting for the server's SSH version line.
    Greeting,
    /// Exchanging keys and checking the host key.
    KeyExchange,
    /// Authenticating the user.
    Login,
}

/// What an algorithm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmKind {
    /// Exchanging keys.
    KeyExchange,
    /// The host's key.
    HostKey,
    /// Encryption.
    Cipher,
    /// Compression.
    Compression,
    /// Message authentication.
    Mac,
}

/// A credential that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// A key.
    Key {
        /// The algorithm of the key.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// Whether the key is in an SSH agent.
        in_agent: bool,
    },
    /// A key of an SSH agent that the host would have accepted, but with which the agent didn't sign.
    Unsigned {
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
    },
    /// A certificate for a key.
    Certificate {
        /// The algorithm of the key.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// Whether the key is in an SSH agent.
        in_agent: bool,
        /// Whether the certificate is no longer valid.
        is_expired: bool,
    },
    /// A security key that the host would have accepted, but that nobody touched in time.
    Untouched {
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A password.
    Password,
    /// Answers to the host's questions.
    Questions,
    /// A question of the host that nobody answered.
    Unanswered {
        /// The question.
        prompt: Printable,
    },
}

impl ConnectError {
    /// The error without the way to the server at which it happened.
    pub fn innermost(&self) -> &Self {
        match self {
            Self::AtJump { error, .. } | Self::Through { error, .. } => error.innermost(),
            Self::ByProxy { error, .. } => error.innermost(),
            other => other,
        }
    }

    /// The error for a login that was refused after an earlier one.
    pub(in crate::ssh) fn after(mut self, earlier: Option<Self>) -> Self {
        if let (Self::Refused { user, tried, before, .. }, Some(earlier)) = (&mut self, earlier) {
            match earlier {
                Self::Refused { user: same, tried: first, before: first_of_all, .. } if same == *user => {
                    tried.splice(0..0, first);
                    *before = first_of_all;
                }
                other => *before = Some(Box::new(other)),
            }
        }
        self
    }

    /// The error for a server without any address.
    pub(in crate::ssh) fn no_address(name: &str) -> Self {
        Self::NotFound { address: ServerAddress::new(name, 0), source: io::ErrorKind::NotFound.into() }
    }

    /// Whether another address of the same server may work.
    pub(in crate::ssh) fn leaves_other_addresses(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::Unreachable { .. }
                | Self::NotForwarded { .. }
                | Self::TimedOut { phase: Phase::Connect, .. }
        )
    }

    /// Whether this may be the fault of a command that connects to the server.
    pub(in crate::ssh) fn is_of_connection(&self) -> bool {
        let is_early = |phase: &Phase| *phase != Phase::Login;
        match self {
            Self::TimedOut { phase, .. } | Self::HungUp { phase, .. } => is_early(phase),
            Self::NotSsh { .. } | Self::TurnedAway { .. } => true,
            _ => false,
        }
    }

    pub(super) fn unreachable(address: &ServerAddress, source: io::Error) -> Self {
        let address = address.clone();
        // The resolver's errors have no `ErrorKind` of their own; unlike the system's, they
        // carry no OS error code.
        let resolved = source.raw_os_error().is_some();
        match resolved {
            true => Self::Unreachable { address, source },
            false => Self::NotFound { address, source },
        }
    }

    pub(in crate::ssh) fn host_key(address: &ServerAddress, key: &PublicKey, why: Distrust) -> Self {
        let algorithm = key.algorithm();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        match why {
            Distrust::Certificate { authority, flaw } => Self::HostCertificate { authority, flaw },
            Distrust::Revoked { by } => Self::HostKeyRevoked { algorithm, fingerprint, by },
            Distrust::Changed { known } => Self::HostKeyChanged {
                name: known_hosts::name(address),
                algorithm,
                fingerprint,
                known,
                trust: None,
            },
            Distrust::Unknown { authority } => Self::HostKeyUnknown {
                algorithm,
                fingerprint,
                line: KnownHosts::line_to_add(address, key),
                trust: None,
                authority,
            },
        }
    }

    /// Adds the argument of `spore trust` that would add the key.
    pub(in crate::ssh) fn with_trust(mut self, host: Option<&str>) -> Self {
        if let Self::HostKeyUnknown { trust, .. } | Self::HostKeyChanged { trust, .. } = &mut self {
            *trust = host.map(str::to_owned);
        }
        self
    }

    /// The error for a failed handshake. `first_words` is what the server sent first,
    /// `goodbye` how it ended the connection.
    pub(super) fn handshake(
        error: russh::Error,
        first_words: &[u8],
        goodbye: Option<Lost>,
        redactor: &Redactor,
    ) -> Self {
        let show = |said: &str| redactor.line(said);
        let said = show(first_line(first_words).trim());
        match error {
            russh::Error::NoCommonAlgo { kind, theirs, .. } => Self::NoCommonAlgorithm {
                kind: match kind {
                    russh::AlgorithmKind::Kex => AlgorithmKind::KeyExchange,
                    russh::AlgorithmKind::Key => AlgorithmKind::HostKey,
                    russh::AlgorithmKind::Cipher => AlgorithmKind::Cipher,
                    russh::AlgorithmKind::Compression => AlgorithmKind::Compression,
                    russh::AlgorithmKind::Mac => AlgorithmKind::Mac,
                },
                theirs: theirs.iter().map(|name| show(name)).collect(),
            },
            russh::Error::Version => Self::NotSsh { said },
            russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_) => {
                if said.starts_with("SSH-") {
                    Self::HungUp { phase: Phase::KeyExchange, why: goodbye }
                } else if said.is_empty() {
                    Self::HungUp { phase: Phase::Greeting, why: None }
                } else if turned_away(&said) {
                    Self::TurnedAway { said }
                } else {
                    Self::NotSsh { said }
                }
            }
            other => Self::Protocol { what: show(&other.to_string()) },
        }
    }
}

/// Whether this is a text that OpenSSH sends instead of its version line, because it has
/// too many connections or penalizes this client's address.
fn turned_away(said: &str) -> bool {
    said.starts_with("Exceeded MaxStartups") || said.starts_with("Not allowed at this time")
}

fn first_line(words: &[u8]) -> &str {
    let line = words.split(|&byte| byte == b'\n').next().unwrap_or(words);
    match std::str::from_utf8(line) {
        Ok(line) => line,
        Err(error) => {
            let valid = line.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
    }
}
