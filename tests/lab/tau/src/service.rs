//! The services of tau's community build, and the requirements of each for a start.
//!
//! The services do nothing in the stand-in. `accounts` is only in the enterprise build;
//! `node` is the old name of `substrate`.

use std::os::unix::net::UnixStream;

use pkcs8::{ObjectIdentifier, PrivateKeyInfo};

use crate::config::{Node, Tenancy};
use crate::refusal::Refusal;

const KNOWN: [&str; 8] = ["auth", "patrick", "monkey", "tns", "hoarder", "substrate", "seer", "gateway"];
const ENGINES: [&str; 3] = ["/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock"];
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Starts the node's services in the given order, except that `substrate` is last.
pub(crate) fn start_all(node: &Node, enterprise: bool) -> Result<(), Refusal> {
    for service in node.services.iter().filter(|service| *service != "substrate") {
        if enterprise && service == "accounts" {
            continue;
        }
        if !KNOWN.contains(&service.as_str()) {
            return Err(Refusal::new(format!("services `{service}` does not exist ")));
        }
        let started = match service.as_str() {
            "auth" => auth(&node.tenancy),
            "monkey" => container_engine(&ENGINES),
            _ => Ok(()),
        };
        started.map_err(|e| e.within(format_args!("new for service `{service}` failed with")))?;
    }
    Ok(())
}

fn auth(tenancy: &Tenancy) -> Result<(), Refusal> {
    if tenancy.owner.is_empty() {
        return Err(Refusal::new(
            "no tenancy configured: this cloud registers repositories for a configured namespace only",
        ));
    }
    let credential = if tenancy.app.client_id.is_empty() {
        Err(Refusal::new("tenancy app client-id is empty"))
    } else {
        rsa_key(&tenancy.app.key).map_err(|e| e.after("parsing tenancy app key failed with"))
    };
    credential
        .map_err(|e| e.within(format_args!("tenancy `{}` needs a usable app credential", tenancy.owner)))
}

/// Checks that a PEM block with any label contains an RSA key, in PKCS#1 or PKCS#8.
fn rsa_key(text: &str) -> Result<(), Refusal> {
    let block = pem::parse(text)
        .map_err(|_| Refusal::new("invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key"))?;
    let der = block.contents();
    if pkcs1::RsaPrivateKey::try_from(der).is_ok() {
        return Ok(());
    }
    if sec1::EcPrivateKey::try_from(der).is_ok() {
        return Err(Refusal::new(
            "x509: failed to parse private key (use ParseECPrivateKey instead for this key format)",
        ));
    }
    match PrivateKeyInfo::try_from(der) {
        Ok(key) if key.algorithm.oid == RSA => Ok(()),
        Ok(_) => Err(Refusal::new("key is not a valid RSA private key")),
        Err(e) => Err(Refusal::new(format!("asn1: structure error: {e}"))),
    }
}

/// A container engine counts as running if its socket accepts a connection.
fn container_engine(sockets: &[&str]) -> Result<(), Refusal> {
    if sockets.iter().any(|socket| UnixStream::connect(socket).is_ok()) {
        return Ok(());
    }
    Err(Refusal::new(
        "failed to initialize backend: no available backend: docker health check failed, containerd health check failed",
    ))
}
