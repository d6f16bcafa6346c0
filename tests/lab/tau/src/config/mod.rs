//! A node's configuration, which is read and checked in the same order as by the real tau.
//! These are the checks of `config validate`.
//!
//! The entry point is [`load`]. [`crate::start`] may still reject a configuration that it
//! accepts, because addresses, services and the tenancy are checked only when they are
//! used.

mod base64;
mod domain_key;
mod identity;
mod migration;
mod source;
mod swarm_key;

use std::path::{Path, PathBuf};

use libp2p::identity::Keypair;

use crate::refusal::Refusal;
pub(crate) use source::Tenancy;
pub(crate) use swarm_key::SwarmKey;

/// The configuration of a node.
pub(crate) struct Node {
    pub(crate) root: String,
    pub(crate) shape: String,
    pub(crate) identity: Keypair,
    /// `None` if any node may connect.
    pub(crate) swarm_key: Option<SwarmKey>,
    pub(crate) services: Vec<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) listen: Vec<String>,
    pub(crate) announce: Vec<String>,
    /// The loopback port of the node's own client; 0 means any.
    pub(crate) lite: i64,
    pub(crate) tenancy: Tenancy,
}

/// Reads `file`, or else `<root>/config/<shape>.yaml`. In either case, renames `protocols:`
/// to `services:` in the latter.
pub(crate) fn load(root: &str, shape: &str, file: Option<&str>) -> Result<Node, Refusal> {
    if !root.starts_with('/') {
        return Err(Refusal::new(format!("root folder `{root}` is not absolute")));
    }
    let folder = Path::new(root).join("config");
    let live = folder.join(format!("{shape}.yaml"));
    let path = file.map_or_else(|| live.clone(), PathBuf::from);
    migration::run(&folder, &live)
        .map_err(|e| e.within(format_args!("migration of `{}` failed with", path.display())))?;
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Refusal::reading(&path, &e)
            .within(format_args!("reading config file path `{}` failed with", path.display()))
    })?;
    let source = source::parse(&text).map_err(|e| e.within("yaml unmarshal failed with"))?;
    let (private_key, swarm_key) = check(&folder, &source).map_err(|e| e.within("config"))?;
    Ok(Node {
        root: root.to_owned(),
        shape: shape.to_owned(),
        identity: identity::unmarshal(&private_key)?,
        swarm_key,
        services: source.services,
        peers: source.peers,
        listen: source.listen,
        announce: source.announce.unwrap_or_default(),
        lite: source.lite,
        tenancy: source.tenancy,
    })
}

fn check(folder: &Path, source: &source::Source) -> Result<(Vec<u8>, Option<SwarmKey>), Refusal> {
    let runs = |service: &str| source.services.iter().any(|s| s == service);
    let (private, public) = (source.domain_private.as_str(), source.domain_public.as_str());
    if runs("auth") && private.is_empty() {
        return Err(Refusal::new("domains private key cannot be empty when running auth"));
    }
    if (runs("monkey") || runs("substrate")) && private.is_empty() && public.is_empty() {
        return Err(Refusal::new("domains public key cannot be empty when running monkey or node"));
    }
    if source.private_key.is_empty() {
        return Err(Refusal::new("private key cannot be empty"));
    }
    let private_key = base64::decode(&source.private_key).map_err(|e| e.within("decoding private key"))?;
    let swarm_key = SwarmKey::named(folder, &source.swarm_key)?;
    domain_key::check(folder, private, public)?;
    if source.listen.is_empty() {
        return Err(Refusal::new("you must define p2p port"));
    }
    if source.announce.is_none() {
        return Err(Refusal::new("you must define p2p announce"));
    }
    Ok((private_key, swarm_key))
}

/// A path in the configuration, which is always relative to the configuration's folder.
fn below(folder: &Path, named: &str) -> PathBuf {
    match named.trim_start_matches('/') {
        "" => folder.to_owned(),
        named => folder.join(named),
    }
}
