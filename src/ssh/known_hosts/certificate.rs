//! Checks the certificates of hosts, as OpenSSH does (`sshconnect.c`, `sshkey.c`): if a certificate
//! isn't valid, its key counts as one without a certificate. Unlike OpenSSH, a certificate that
//! names no host is valid for none.

use super::{About, Distrust, KnownHosts, KnownLine, fits};
use crate::resource::Printable;
use crate::ssh::ServerAddress;
use russh::keys::PublicKey;
use russh::keys::ssh_key::Certificate;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::known_hosts::{Entry, Marker};

/// What is wrong with a certificate that a trusted authority has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFlaw {
    /// It is the certificate of a user.
    OfAUser,
    /// It is for hosts with these names only.
    OtherHosts(Vec<Printable>),
    /// It isn't valid yet.
    TooEarly,
    /// It is no longer valid.
    Expired,
    /// It has critical options, and there are none for hosts.
    Options,
    /// Its signature is wrong.
    Signature,
}

impl KnownHosts {
    /// Checks a certificate that the host presented at this time, in seconds since 1970. If no
    /// authority for the host has signed it, the key in it counts as presented without it.
    ///
    /// # Errors
    /// The key isn't one of the host's, it or the authority is revoked, or the certificate isn't
    /// valid for this host.
    pub fn check_certificate(
        &self,
        address: &ServerAddress,
        certificate: &Certificate,
        now: u64,
    ) -> Result<(), Distrust> {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let about = self.about(address);
        let signs = |entry: &Entry| entry.public_key().key_data() == certificate.signature_key();
        let is_key = |entry: &Entry| entry.public_key().key_data() == certificate.public_key();
        let revoked = |entry: &Entry| entry.marker() == Some(&Marker::Revoked);
        if let Some((by, _)) =
            about.all().find(|(_, entry)| revoked(entry) && (signs(entry) || is_key(entry)))
        {
            return Err(Distrust::Revoked { by: by.clone() });
        }
        let Some((authority, _)) = authorities(&about).find(|(_, entry)| signs(entry)) else {
            return self.check(address, &key);
        };
        match flaw(certificate, &address.host.to_lowercase(), now) {
            None => Ok(()),
            Some(flaw) => match self.check(address, &key) {
                Err(Distrust::Unknown { .. }) => {
                    Err(Distrust::Certificate { authority: authority.clone(), flaw })
                }
                known => known,
            },
        }
    }

    /// Whether an authority is trusted to certify this host.
    pub(in crate::ssh) fn has_authority(&self, address: &ServerAddress) -> bool {
        authorities(&self.about(address)).next().is_some()
    }
}

/// The lines with authorities for the host. As with keys, a line without a port counts only if
/// none has the port.
pub(super) fn authorities<'a, 'k>(
    about: &'a About<'k>,
) -> impl Iterator<Item = &'k (KnownLine, Entry)> + use<'a, 'k> {
    let is_authority = |line: &&'k (KnownLine, Entry)| line.1.marker() == Some(&Marker::CertAuthority);
    let lines = if about.own.iter().any(is_authority) { &about.own } else { &about.bare };
    lines.iter().copied().filter(is_authority)
}

fn flaw(certificate: &Certificate, host: &str, now: u64) -> Option<CertificateFlaw> {
    if certificate.cert_type() != CertType::Host {
        return Some(CertificateFlaw::OfAUser);
    }
    if now < certificate.valid_after() {
        return Some(CertificateFlaw::TooEarly);
    }
    if now >= certificate.valid_before() {
        return Some(CertificateFlaw::Expired);
    }
    if certificate.verify_signature().is_err() {
        return Some(CertificateFlaw::Signature);
    }
    if certificate.critical_options().iter().next().is_some() {
        return Some(CertificateFlaw::Options);
    }
    // A certificate without names would be valid for every host.
    let names = certificate.valid_principals();
    let is_named = names.iter().any(|name| fits(name.to_lowercase().as_bytes(), host.as_bytes()));
    let line = |name: &String| Printable::line(name);
    (!is_named).then(|| CertificateFlaw::OtherHosts(names.iter().map(line).collect()))
}
