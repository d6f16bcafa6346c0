//! Why connecting to a host failed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::resource::{Printable, Redactor};
use crate::ssh::ServerAddress;
use crate::ssh::known_hosts::{KnownHosts, KnownLine, Verdict};

/// Why a host could not be connected to, or logged in to.
///
/// The text fits on one line after the host's name; [`ConnectError::help`] says how to fix
/// the failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name resolves to no address.
    #[error("no address found for {}", address.host)]
    NotFound {
        /// The address whose name was looked up.
        address: ServerAddress,
        /// The resolver's error.
        source: io::Error,
    },
    /// The TCP connection failed, for instance because nothing listens on the port.
    #[error("cannot connect to {address}")]
    Unreachable {
        /// The address that was dialled.
        address: ServerAddress,
        /// The system's error.
        source: io::Error,
    },
    /// The host was too slow, or didn't answer at all.
    #[error("no answer within {} s while {phase}", after.as_secs_f32())]
    TimedOut {
        /// The phase that took too long.
        phase: Phase,
        /// The time-out of this phase.
        after: Duration,
    },
    /// Something other than an SSH server listens on the port.
    #[error("not an SSH server: it sent `{said}`")]
    NotSsh {
        /// The first line that the server sent.
        said: Printable,
    },
    /// The host closed the connection.
    #[error("the host closed the connection while {phase}{}", colon(said))]
    HungUp {
        /// The phase in which the host closed the connection.
        phase: Phase,
        /// The reason that the host gave; empty if it gave none.
        said: Printable,
    },
    /// The host and spore have no algorithm in common.
    #[error("no common {kind}: the host offers only {}", theirs.join(", "))]
    NoCommonAlgorithm {
        /// The kind of algorithm.
        kind: &'static str,
        /// The algorithms that the host offers.
        theirs: Vec<Printable>,
    },
    /// The host violated the protocol, because of a bug or a man in the middle.
    #[error("SSH protocol error: {what}")]
    Protocol {
        /// The violation.
        what: Printable,
    },
    /// No `known_hosts` file lists a key for this host and port.
    #[error("unknown host key: {algorithm} {fingerprint}")]
    HostKeyUnknown {
        /// The algorithm of the key that the host presented.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// The `known_hosts` line for this key.
        line: String,
        /// The file to which the line should be added.
        file: Option<PathBuf>,
        /// A line that names a certificate authority for the host. Certificates aren't
        /// supported.
        authority: Option<KnownLine>,
    },
    /// `known_hosts` has other keys for the host.
    #[error("changed host key: {algorithm} {fingerprint} doesn't match {}", places(known))]
    HostKeyChanged {
        /// The host.
        address: ServerAddress,
        /// The algorithm of the key that the host presented.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// The lines with the keys that were expected.
        known: Vec<KnownLine>,
    },
    /// `known_hosts` marks the host's key as revoked.
    #[error("revoked host key: {algorithm} {fingerprint} (revoked in {by})")]
    HostKeyRevoked {
        /// The algorithm of the key that the host presented.
        algorithm: Algorithm,
        /// The SHA-256 fingerprint of the key.
        fingerprint: String,
        /// The line that revokes the key.
        by: KnownLine,
    },
    /// The host accepted none of the user's credentials.
    #[error("login as {user} refused: {}", attempts(tried))]
    Refused {
        /// The user name.
        user: String,
        /// The credentials that were tried, in this order.
        tried: Vec<String>,
        /// The methods that the host still accepts.
        offered: Vec<Printable>,
        /// Whether the host accepted a credential and requires another one.
        partly: bool,
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

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "waiting for the SSH banner",
            Self::KeyExchange => "exchanging keys",
            Self::Login => "logging in",
        })
    }
}

impl ConnectError {
    /// How to fix the failure, in a sentence or two.
    pub fn help(&self) -> String {
        match self {
            Self::NotFound { .. } => "check the host's address in the network folder, and your DNS".into(),
            Self::Unreachable { address, source } => match source.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "nothing listens on port {0}: check that sshd is running and that its port is {0}",
                    address.port
                ),
                _ => "check that the host is up and reachable from here".into(),
            },
            Self::TimedOut { phase, .. } => match phase {
                Phase::Connect => "check that the host is up, and that no firewall drops packets to its SSH port",
                Phase::Greeting => "the port is open but silent: check that it is the SSH port, and that the host isn't overloaded",
                Phase::KeyExchange => "the network may be dropping large packets (check the MTU), or the host is overloaded",
                Phase::Login => "sshd may be waiting for DNS (set `UseDNS no` in its sshd_config) or for PAM",
            }
            .into(),
            Self::NotSsh { .. } => "check the host's SSH port in the network folder".into(),
            Self::HungUp { phase: Phase::Login, .. } => {
                "spore may have offered too many keys (`MaxAuthTries`), or the user is locked out: give this login a single key, and see sshd's log on the host".into()
            }
            Self::HungUp { .. } => {
                "the host rejects connections: there are too many at once (`MaxStartups`), or it bans this address (fail2ban, TCP wrappers)".into()
            }
            Self::NoCommonAlgorithm { .. } => "the host's SSH server is outdated or its configuration too restrictive: update it".into(),
            Self::Protocol { .. } => "try `ssh -v` to the host; if that works, please report this as a bug in spore".into(),
            Self::HostKeyUnknown { line, file, authority, .. } => {
                let file = file.as_deref().map_or("known_hosts".into(), |file| file.display().to_string());
                let authority = authority.as_ref().map_or(String::new(), |authority| {
                    format!(" ({authority} names a certificate authority, but spore doesn't support certificates yet)")
                });
                format!("compare the fingerprint with the host's own (on the host, run `cat /etc/ssh/ssh_host_*_key.pub | ssh-keygen -lf -`), then add this line to {file}{authority}:\n{line}")
            }
            Self::HostKeyChanged { address, known, .. } => {
                let name = crate::ssh::known_hosts::name(address);
                let file = known.first().map_or("known_hosts".into(), |line| line.file.display().to_string());
                format!("possible man-in-the-middle attack, or the host was reinstalled. If you know that it was reinstalled, run `ssh-keygen -f {file} -R '{name}'` and add the new key (known_hosts has: {})", Verdict::kinds(known))
            }
            Self::HostKeyRevoked { .. } => "don't log in: this key was revoked, so the server may be an impostor. Generate a new host key on the host".into(),
            Self::Refused { tried, .. } if tried.is_empty() => "give the host's login a key file or a password".into(),
            Self::Refused { partly: false, tried, .. } if tried.iter().all(|it| it == "password") => "check the password, and that the user is allowed to log in".into(),
            Self::Refused { user, offered, partly, .. } => {
                let more = if *partly { "the host accepted one credential and requires another; " } else { "" };
                format!("{more}the host accepts {}: check that the public key is in {user}'s authorized_keys on the host, and that the user is allowed to log in", list(offered))
            }
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

    pub(super) fn host_key(
        address: &ServerAddress,
        files: &KnownHosts,
        key: &PublicKey,
        verdict: Verdict,
    ) -> Self {
        let algorithm = key.algorithm();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        match verdict {
            Verdict::Revoked { by } => Self::HostKeyRevoked { algorithm, fingerprint, by },
            Verdict::Changed { known } => {
                Self::HostKeyChanged { address: address.clone(), algorithm, fingerprint, known }
            }
            Verdict::Unknown { authority } => Self::HostKeyUnknown {
                algorithm,
                fingerprint,
                line: KnownHosts::line_to_add(address, key),
                file: files.file().map(Into::into),
                authority,
            },
            Verdict::Known => Self::Protocol { what: "a known host key was rejected".into() },
        }
    }

    /// The error for a failed handshake. `first_words` is what the server sent first,
    /// `goodbye` the reason that it gave for disconnecting.
    pub(super) fn handshake(
        error: russh::Error,
        first_words: &[u8],
        goodbye: Option<Printable>,
        redactor: &Redactor,
    ) -> Self {
        let show = |said: &str| redactor.line(said);
        let said = show(first_line(first_words).trim());
        match error {
            russh::Error::NoCommonAlgo { kind, theirs, .. } => Self::NoCommonAlgorithm {
                kind: match kind {
                    russh::AlgorithmKind::Kex => "key exchange",
                    russh::AlgorithmKind::Key => "host key algorithm",
                    russh::AlgorithmKind::Cipher => "cipher",
                    russh::AlgorithmKind::Compression => "compression",
                    russh::AlgorithmKind::Mac => "message authentication",
                },
                theirs: theirs.iter().map(|name| show(name)).collect(),
            },
            russh::Error::Version => Self::NotSsh { said },
            russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_) => {
                if said.starts_with("SSH-") {
                    Self::HungUp { phase: Phase::KeyExchange, said: goodbye.unwrap_or_default() }
                } else if said.is_empty() || turned_away(&said) {
                    Self::HungUp { phase: Phase::Greeting, said }
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

fn colon(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

fn places(known: &[KnownLine]) -> String {
    let places = known.iter().map(ToString::to_string);
    places.collect::<Vec<_>>().join(", ")
}

fn attempts(tried: &[String]) -> String {
    match tried {
        [] => "no usable key or password".into(),
        tried => format!("tried {}", tried.join(", ")),
    }
}

fn list(offered: &[Printable]) -> String {
    match offered {
        [] => "nothing else".into(),
        offered => offered.join(" or "),
    }
}
