//! The user's `known_hosts`: which key a host must present. The entry point is
//! [`KnownHosts::check`].
//!
//! [`ssh_key`](russh::keys::ssh_key) parses the lines. This module matches them with hosts
//! as OpenSSH does (`hostfile.c`, `match.c`), because russh's own check accepts revoked
//! keys and negated hosts.
//!
//! What always holds: a line that can't be parsed is ignored, and never makes a host known.
//! A revoked key is refused whatever the other lines say, even if the revoking line names
//! the host without its port.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use sha1::Sha1;

use super::ServerAddress;

mod certificate;
#[cfg(test)]
mod tests;

pub use certificate::CertificateFlaw;

/// The port that `known_hosts` omits.
pub(super) const USUAL_PORT: u16 = 22;

/// Host keys that the user trusts, from one or more files.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    /// Shared, because every host's connection has them.
    lines: Arc<Vec<Line>>,
}

type Line = (KnownLine, Entry);

/// The lines about one server.
struct About<'k> {
    /// The lines that name the host with the server's port.
    own: Vec<&'k Line>,
    /// The lines that name the host without a port; empty if the server is on the usual
    /// port.
    bare: Vec<&'k Line>,
}

impl<'k> About<'k> {
    fn all(&self) -> impl Iterator<Item = &'k Line> {
        self.own.iter().chain(&self.bare).copied()
    }

    /// The lines whose keys the server may present.
    ///
    /// A line without a port counts for a server on another port only if no key is listed
    /// for that port, as in OpenSSH ("checking without port identifier"). Otherwise the key
    /// of the sshd on port 22 would be enough to pose as the other server, whose key is
    /// known. Such a line can make a key known, but never changed, because two servers
    /// behind one address have different keys.
    fn keys(&self) -> impl Iterator<Item = &'k Line> + use<'_, 'k> {
        let lines = if of_hosts(&self.own).next().is_some() { &self.own } else { &self.bare };
        of_hosts(lines)
    }
}

/// The lines that list a host's key, as opposed to a revoked key or an authority's.
fn of_hosts<'l, 'k: 'l>(lines: &'l [&'k Line]) -> impl Iterator<Item = &'k Line> + use<'l, 'k> {
    lines.iter().copied().filter(|(_, entry)| entry.marker().is_none())
}

/// A line of a `known_hosts` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLine {
    /// The file that contains the line.
    pub file: Arc<Path>,
    /// The line number, starting at 1.
    pub line: usize,
    /// The algorithm of the line's key.
    pub algorithm: Algorithm,
}

impl fmt::Display for KnownLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a key that a host presented isn't trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The files list no key for this host and port, nor this key for the host without a port.
    Unknown {
        /// The first line that names a certificate authority for the host. The host has shown no
        /// certificate of this authority.
        authority: Option<KnownLine>,
    },
    /// An authority that is trusted for this host has signed the host's certificate, but the
    /// certificate isn't valid for the host.
    Certificate {
        /// The line of the authority.
        authority: KnownLine,
        /// What is wrong with the certificate.
        flaw: CertificateFlaw,
    },
    /// The files list only other keys for this host and port. The key counts as changed
    /// even if no listed key is of the presented kind, because a man in the middle can
    /// choose the kind.
    Changed {
        /// The host's lines, with those of the presented kind first. Never empty.
        known: Vec<KnownLine>,
    },
    /// The key is marked as revoked.
    Revoked {
        /// The line that revokes the key.
        by: KnownLine,
    },
}

/// A `known_hosts` file that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct KnownHostsError {
    /// The file.
    pub path: PathBuf,
    source: io::Error,
}

impl KnownHosts {
    /// Reads the files, which are searched in this order. A file that doesn't exist counts
    /// as empty, as in OpenSSH.
    ///
    /// # Errors
    /// A file exists but can't be read.
    pub fn read<P: AsRef<Path>>(files: &[P]) -> Result<Self, KnownHostsError> {
        let mut known = Self::default();
        for path in files.iter().map(AsRef::as_ref) {
            let text = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(source) => {
                    let path = path.to_owned();
                    return Err(KnownHostsError { path, source });
                }
            };
            known.add(path, &String::from_utf8_lossy(&text));
        }
        Ok(known)
    }

    /// Parses the text of a single file.
    pub fn parse(file: &Path, text: &str) -> Self {
        let mut known = Self::default();
        known.add(file, text);
        known
    }

    /// Adds the lines of other files, which are searched last.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        Arc::make_mut(&mut self.lines).extend(others.lines.iter().cloned());
        self
    }

    /// Whether a line lists a key for this host and port. If none does, a server may still be
    /// known by a line without a port, or by its certificate.
    pub fn lists(&self, address: &ServerAddress) -> bool {
        of_hosts(&self.about(address).own).next().is_some()
    }

    /// Checks a key that the host presented.
    ///
    /// # Errors
    /// The key isn't one of the host's, or is revoked.
    pub fn check(&self, address: &ServerAddress, key: &PublicKey) -> Result<(), Distrust> {
        let about = self.about(address);
        let same = |entry: &Entry| entry.public_key().key_data() == key.key_data();
        if let Some((by, _)) =
            about.all().find(|(_, entry)| entry.marker() == Some(&Marker::Revoked) && same(entry))
        {
            return Err(Distrust::Revoked { by: by.clone() });
        }
        if about.keys().any(|(_, entry)| same(entry)) {
            return Ok(());
        }
        let (mut known, others) = of_hosts(&about.own)
            .map(|(line, _)| line.clone())
            .partition::<Vec<_>, _>(|line| line.algorithm == key.algorithm());
        known.extend(others);
        if known.is_empty() {
            let authority = certificate::authorities(&about).next().map(|(line, _)| line.clone());
            Err(Distrust::Unknown { authority })
        } else {
            Err(Distrust::Changed { known })
        }
    }

    /// Only the lines that name this host, with or without its port.
    pub(super) fn of(&self, address: &ServerAddress) -> Self {
        let full = name(address);
        let bare = address.host.to_lowercase();
        let about =
            |entry: &Entry| names(entry.host_patterns(), &full) || names(entry.host_patterns(), &bare);
        let lines = self.lines.iter().filter(|(_, entry)| about(entry));
        Self { lines: Arc::new(lines.cloned().collect()) }
    }

    /// The line that makes `key` known for this host.
    pub fn line_to_add(address: &ServerAddress, key: &PublicKey) -> String {
        Self::line_of(std::slice::from_ref(address), key)
    }

    /// The line that makes `key` known for a host with these addresses.
    pub fn line_of(addresses: &[ServerAddress], key: &PublicKey) -> String {
        let key = PublicKey::new(key.key_data().clone(), "");
        let key = key.to_openssh().unwrap_or_default();
        let names: Vec<String> = addresses.iter().map(name).collect();
        format!("{} {key}", names.join(","))
    }

    /// The host key algorithms, in the order of preference. The algorithms of the host's
    /// lines come first; otherwise the host could present a key of another kind, which
    /// would count as changed.
    pub(super) fn algorithms(&self, address: &ServerAddress) -> Vec<Algorithm> {
        let usual = usual();
        let mut kinds = Vec::new();
        let about = self.about(address);
        let known = about.keys().map(|(line, _)| line.algorithm.clone());
        for kind in known.chain(usual.clone()) {
            if usual.contains(&kind) && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds.into_iter().flat_map(signatures).collect()
    }

    /// The algorithms of the certificates that the host may present; none unless an authority for
    /// it is known.
    pub(super) fn certificate_algorithms(&self, address: &ServerAddress) -> Vec<Algorithm> {
        match self.has_authority(address) {
            true => usual().into_iter().flat_map(signatures).collect(),
            false => Vec::new(),
        }
    }

    fn about(&self, address: &ServerAddress) -> About<'_> {
        let own = self.naming(&name(address)).collect();
        let bare = match address.port {
            USUAL_PORT => Vec::new(),
            _ => self.naming(&address.host.to_lowercase()).collect(),
        };
        About { own, bare }
    }

    /// The lines whose patterns name the host, in the order of the files.
    fn naming(&self, host: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |(_, entry)| names(entry.host_patterns(), host))
    }

    fn add(&mut self, file: &Path, text: &str) {
        let file: Arc<Path> = file.into();
        let lines = Arc::make_mut(&mut self.lines);
        for (index, line) in text.lines().enumerate() {
            if let Some(entry) = entry(line) {
                let known = KnownLine {
                    file: Arc::clone(&file),
                    line: index + 1,
                    algorithm: entry.public_key().algorithm(),
                };
                lines.push((known, entry));
            }
        }
    }
}

/// Parses a line. `None` if the line is empty, a comment or invalid.
fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace().peekable();
    let marked = fields.next_if(|field| field.starts_with('@')).into_iter();
    let wanted = marked.chain(fields.take(3)).collect::<Vec<_>>();
    if wanted.first()?.starts_with('#') {
        return None;
    }
    // ssh_key is stricter than OpenSSH, so the comment at the end is dropped and the fields
    // are separated by one space.
    wanted.join(" ").parse().ok()
}

/// The name of an address in `known_hosts`: `host` or `[host]:port`.
pub(super) fn name(address: &ServerAddress) -> String {
    let host = address.host.to_lowercase();
    match address.port {
        USUAL_PORT => host,
        port => format!("[{host}]:{port}"),
    }
}

fn names(patterns: &HostPatterns, host: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt).is_ok_and(|mut mac| {
            mac.update(host.as_bytes());
            mac.verify_slice(hash).is_ok()
        }),
        HostPatterns::Patterns(patterns) => {
            let mut named = false;
            for pattern in patterns {
                let pattern = pattern.to_lowercase();
                match pattern.strip_prefix('!') {
                    // An exclusion wins, regardless of its position.
                    Some(excluded) if fits(excluded.as_bytes(), host.as_bytes()) => return false,
                    Some(_) => {}
                    None => named |= fits(pattern.as_bytes(), host.as_bytes()),
                }
            }
            named
        }
    }
}

/// Whether a pattern with `*` and `?` matches the whole text. Brackets are ordinary
/// characters.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to backtrack to: behind the last star, and the end of the text that the star
    // covers.
    let mut star = None;
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(&wanted) if wanted == b'?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((after, swallowed)) => {
                    *swallowed += 1;
                    (p, t) = (*after, *swallowed);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == b'*')
}

/// The kinds of host keys that are accepted, in the order of preference.
fn usual() -> [Algorithm; 5] {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    [
        Algorithm::Ed25519,
        ecdsa(EcdsaCurve::NistP256),
        ecdsa(EcdsaCurve::NistP384),
        ecdsa(EcdsaCurve::NistP521),
        Algorithm::Rsa { hash: None },
    ]
}

/// The kinds that a server usually has, the rarest first.
pub(super) fn common_kinds() -> Vec<Algorithm> {
    vec![Algorithm::Rsa { hash: None }, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }, Algorithm::Ed25519]
}

/// The signature algorithms of a kind of key, best first. RSA with SHA-1 is left out.
pub(super) fn signatures(kind: Algorithm) -> Vec<Algorithm> {
    match kind {
        Algorithm::Rsa { .. } => {
            [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec()
        }
        other => vec![other],
    }
}
