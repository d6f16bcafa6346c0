//! Why a connection didn't come about.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::ssh::known_hosts::{KnownHosts, KnownLine, Verdict};
use crate::ssh::{Address, printable};

/// A host that could not be connected to, or logged in to.
///
/// Its text is for one line beside the host's name; [`ConnectError::help`] says
/// what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name resolves to no address.
    #[error("no address found for {}", address.host)]
    NotFound {
        /// Where to.
        address: Address,
        /// What the resolver said.
        source: io::Error,
    },
    /// No connection, for instance because nothing listens there.
    #[error("cannot connect to {address}")]
    Unreachable {
        /// Where to.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The other side was too slow, or silent.
    #[error("no answer within {} s while {phase}", after.as_secs_f32())]
    TimedOut {
        /// What was waited for.
        phase: Phase,
        /// For how long.
        after: Duration,
    },
    /// Something else than an SSH server listens there.
    #[error("this is no SSH server: it says `{said}`")]
    NotSsh {
        /// What it said.
        said: String,
    },
    /// The other side hung up.
    #[error("the host hung up while {phase}{}", colon(said))]
    HungUp {
        /// Where it did.
        phase: Phase,
        /// What it said, if anything.
        said: String,
    },
    /// The host shares no algorithm with us.
    #[error("no common {kind}: the host has only {}", theirs.join(", "))]
    NoCommonAlgorithm {
        /// What the algorithm would be for.
        kind: &'static str,
        /// What the host has.
        theirs: Vec<String>,
    },
    /// The protocol was broken, by a fault or by someone in the middle.
    #[error("the host breaks the SSH protocol: {what}")]
    Protocol {
        /// How.
        what: String,
    },
    /// The host isn't in any `known_hosts`.
    #[error("unknown host key: {algorithm} {fingerprint}")]
    HostKeyUnknown {
        /// The kind of key it shows.
        algorithm: Algorithm,
        /// Its SHA-256 fingerprint.
        fingerprint: String,
        /// The line that would make it known.
        line: String,
        /// The file to add it to.
        file: Option<PathBuf>,
        /// A line that names an authority for the host, which is not enough.
        authority: Option<KnownLine>,
    },
    /// The host is known by other keys.
    #[error("changed host key: {algorithm} {fingerprint}, not that of {}", places(known))]
    HostKeyChanged {
        /// The host.
        address: Address,
        /// The kind of key it shows.
        algorithm: Algorithm,
        /// Its SHA-256 fingerprint.
        fingerprint: String,
        /// The lines with its other keys.
        known: Vec<KnownLine>,
    },
    /// The host shows a key that was revoked.
    #[error("revoked host key: {algorithm} {fingerprint}, by {by}")]
    HostKeyRevoked {
        /// The kind of key it shows.
        algorithm: Algorithm,
        /// Its SHA-256 fingerprint.
        fingerprint: String,
        /// The line that revokes it.
        by: KnownLine,
    },
    /// The host doesn't let the user in.
    #[error("the host refuses {user}: {}", attempts(tried))]
    Refused {
        /// Who tried.
        user: String,
        /// With what, in this order.
        tried: Vec<String>,
        /// The methods the host would still take.
        offered: Vec<String>,
        /// Something was accepted, and the host wants more.
        partly: bool,
    },
}

/// A step on the way to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The name is resolved and the connection made.
    Connect,
    /// The host says who it is.
    Greeting,
    /// Keys are agreed upon.
    KeyExchange,
    /// The user logs in.
    Login,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "waiting for the SSH server's first words",
            Self::KeyExchange => "agreeing on keys",
            Self::Login => "logging in",
        })
    }
}

impl ConnectError {
    /// What to do about it, in a sentence or two.
    pub fn help(&self) -> String {
        match self {
            Self::NotFound { .. } => "check the address in the network folder, and DNS".into(),
            Self::Unreachable { address, source } => match source.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "the host is up, but nothing listens on port {}: is sshd running, and is this its port?",
                    address.port
                ),
                _ => "check that the host is up, and the network between".into(),
            },
            Self::TimedOut { phase, .. } => match phase {
                Phase::Connect => "check that the host is up, and that no firewall drops packets to its SSH port",
                Phase::Greeting => "something listens there but doesn't speak: is this the SSH port, and is the host overloaded?",
                Phase::KeyExchange => "the network may lose large packets (check the MTU), or the host is overloaded",
                Phase::Login => "the host may be waiting for DNS (`UseDNS no` in its sshd_config) or for PAM",
            }
            .into(),
            Self::NotSsh { .. } => "check the port".into(),
            Self::HungUp { phase: Phase::Login, .. } => {
                "too many keys may have been offered (`MaxAuthTries`), or the user is locked out: name one key, and see the host's sshd log".into()
            }
            Self::HungUp { .. } => {
                "the host turns connections away: too many at once (`MaxStartups`), or this address is banned (fail2ban, TCP wrappers)".into()
            }
            Self::NoCommonAlgorithm { .. } => "the host's SSH server is too old or too narrowly configured: update it".into(),
            Self::Protocol { .. } => "try `ssh -v` to the host; if that works, please report it".into(),
            Self::HostKeyUnknown { line, file, authority, .. } => {
                let file = file.as_deref().map_or("known_hosts".into(), |file| file.display().to_string());
                let authority = authority.as_ref().map_or(String::new(), |authority| {
                    format!(" ({authority} names a certificate authority, which isn't used yet)")
                });
                format!("compare the fingerprint with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` there), then add this line to {file}{authority}:\n{line}")
            }
            Self::HostKeyChanged { address, known, .. } => {
                let name = crate::ssh::known_hosts::name(address);
                let file = known.first().map_or("known_hosts".into(), |line| line.file.display().to_string());
                format!("someone may be in between, or the host was installed anew. If you know it was: `ssh-keygen -f {file} -R '{name}'`, and make the new key known (known until now: {})", Verdict::kinds(known))
            }
            Self::HostKeyRevoked { .. } => "never log in to it: whoever holds this key need not be the host. Give the host a new key".into(),
            Self::Refused { tried, .. } if tried.is_empty() => "there is nothing to log in with: name a key file or a password for the host".into(),
            Self::Refused { partly: false, tried, .. } if tried.iter().all(|it| it == "password") => "check the password, and that the user may log in".into(),
            Self::Refused { user, offered, partly, .. } => {
                let more = if *partly { "it accepted one and wants another; " } else { "" };
                format!("{more}the host takes {}: check that the public key is in {user}'s authorized_keys there, and that the user may log in", list(offered))
            }
        }
    }

    pub(super) fn unreachable(address: &Address, source: io::Error) -> Self {
        let address = address.clone();
        // The resolver's errors have no kind of their own.
        let resolved = source.raw_os_error().is_some();
        match resolved {
            true => Self::Unreachable { address, source },
            false => Self::NotFound { address, source },
        }
    }

    pub(super) fn host_key(address: &Address, files: &KnownHosts, key: &PublicKey, verdict: Verdict) -> Self {
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
            Verdict::Known => Self::Protocol { what: "its key is known, and yet was refused".into() },
        }
    }

    /// Tells apart why the handshake failed, by what the other side had said.
    pub(super) fn handshake(error: russh::Error, first_words: &[u8], goodbye: Option<String>) -> Self {
        let said = printable(first_line(first_words));
        match error {
            russh::Error::NoCommonAlgo { kind, theirs, .. } => Self::NoCommonAlgorithm {
                kind: match kind {
                    russh::AlgorithmKind::Kex => "key exchange",
                    russh::AlgorithmKind::Key => "kind of host key",
                    russh::AlgorithmKind::Cipher => "cipher",
                    russh::AlgorithmKind::Compression => "compression",
                    russh::AlgorithmKind::Mac => "message authentication",
                },
                theirs: theirs.iter().map(|name| printable(name)).collect(),
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
            other => Self::Protocol { what: printable(&other.to_string()) },
        }
    }
}

/// What OpenSSH says instead of its name when it has too many guests.
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
        [] => "nothing to log in with".into(),
        tried => format!("tried {}", tried.join(", ")),
    }
}

fn list(offered: &[String]) -> String {
    match offered {
        [] => "nothing else".into(),
        offered => offered.join(" or "),
    }
}
