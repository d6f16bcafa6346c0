//! The node configuration, `/tb/config/<shape>.yaml`: how it is written, and
//! what it means.
//!
//! [`NodeConfig::to_yaml`] is what a host gets. [`parse`] reads what a host
//! has, after the host has cut the secrets out of it; both ends meet in a
//! [`Document`], so that a file in another tool's style compares equal to ours
//! when it says the same.

use crate::resource::{DigestKey, Document, Effect, Field, Secret, Sha256, Value};
use libp2p_identity::{PublicKey, ed25519};
use serde::Serialize;
use serde_yaml::Value as Yaml;
use std::collections::BTreeMap;
use thiserror::Error;

/// A node's configuration; the fields are tau's.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeConfig {
    /// The libp2p private key, base64 of its protobuf form.
    #[serde(serialize_with = "expose")]
    pub privatekey: Secret,
    /// The swarm key's file, relative to `/tb/config`.
    pub swarmkey: String,
    /// What it serves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Where it listens.
    pub p2p_listen: Vec<String>,
    /// Where it says it can be reached; the first must be IPv4.
    pub p2p_announce: Vec<String>,
    /// Its ports.
    pub ports: Ports,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Whom it dials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// The network's root domain.
    pub network_fqdn: String,
    /// Domains and the keys that prove them.
    pub domains: Domains,
    /// Whose repositories the network serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<Tenancy>,
    /// The enterprise build's accounts, as the folder has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Yaml>,
    /// Plugins by file name.
    #[serde(skip_serializing_if = "Plugins::is_empty")]
    pub plugins: Plugins,
}

/// See [`NodeConfig::ports`].
#[derive(Serialize)]
pub struct Ports {
    /// Peers connect here.
    pub main: u16,
    /// The node's own client, on loopback; a random one where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lite: Option<u16>,
    /// IPFS
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipfs: Option<u16>,
}

/// See [`NodeConfig::location`]: degrees.
#[derive(Serialize)]
pub struct Location {
    /// Latitude.
    pub lat: f64,
    /// Longitude.
    pub long: f64,
}

/// See [`NodeConfig::domains`].
#[derive(Serialize)]
pub struct Domains {
    /// The validation pair's files, relative to `/tb/config`.
    pub key: KeyFiles,
    /// Below this, names are made for what users deploy.
    pub generated: String,
    /// Custom domains, and the service that each leads to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, String>,
}

/// See [`Domains::key`].
#[derive(Serialize)]
pub struct KeyFiles {
    /// Read by every node, used by `auth` only: elsewhere it names the public
    /// half's file.
    pub private: String,
    /// The public half.
    pub public: String,
}

/// See [`NodeConfig::tenancy`].
#[derive(Serialize)]
pub struct Tenancy {
    /// `github`
    pub provider: String,
    /// The account that owns the repositories.
    pub owner: String,
    /// The credential; only `auth` is given it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
}

/// See [`Tenancy::app`].
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct App {
    /// Its id at the provider.
    pub client_id: String,
    /// Its private key, PEM.
    #[serde(serialize_with = "expose")]
    pub key: Secret,
}

/// See [`NodeConfig::plugins`]: a map with one list, which is how tau wants it.
#[derive(Default, Serialize)]
pub struct Plugins {
    /// `name@version`
    pub plugins: Vec<String>,
}

impl Plugins {
    fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }
}

fn expose<S: serde::Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&String::from_utf8_lossy(secret.expose()))
}

/// Paths whose value is a secret, or lies below one; the host cuts the same
/// ones out (`probe.sh`).
const SECRETS: &[&str] = &["privatekey", "tenancy.app.key", "accounts"];

/// Paths whose list is a set.
const SETS: &[&str] =
    &["services", "p2p-listen", "p2p-announce", "peers", "domains.aliases", "plugins.plugins"];

/// A configuration that says something tau wouldn't understand, or that this
/// side can't follow.
#[derive(Debug, Error)]
pub enum ParseError {
    /// Not YAML, or with duplicate keys.
    #[error("it is not valid YAML")]
    Yaml(#[source] serde_yaml::Error),
    /// Not a mapping of fields.
    #[error("it is not a mapping")]
    NotAMapping,
    /// A secret's place holds something else than the host's digest of it.
    #[error("`{0}` was not cut as expected")]
    NotCut(String),
}

impl NodeConfig {
    /// The file's text.
    ///
    /// # Errors
    /// Where a custom value of `accounts` has no YAML form.
    pub fn to_yaml(&self) -> Result<Secret, serde_yaml::Error> {
        Ok(Secret::new(serde_yaml::to_string(self)?))
    }

    /// What it says, its secrets digested with `key`.
    ///
    /// # Errors
    /// As [`NodeConfig::to_yaml`].
    pub fn document(&self, key: &DigestKey) -> Result<Document, serde_yaml::Error> {
        let trusted = self.services.iter().filter_map(|name| super::service(name)).any(|s| s.trusted);
        let mut flat = Flat { key: Some(key), trusted, fields: BTreeMap::new() };
        // Only a value of our own making gets here, so no secret is left uncut.
        let uncut = flat.add("", &serde_yaml::to_value(self)?);
        debug_assert!(uncut.is_ok());
        Ok(Document { fields: flat.fields })
    }
}

/// What a configuration says whose secrets the host has cut out: `publickey`
/// in the place of `privatekey`, `!keyed <digest>` in that of the others.
///
/// # Errors
/// Where it can't be followed; it counts as different from any other then.
pub fn parse(text: &str) -> Result<Document, ParseError> {
    let yaml: Yaml = serde_yaml::from_str(text).map_err(ParseError::Yaml)?;
    if !yaml.is_mapping() {
        return Err(ParseError::NotAMapping);
    }
    let trusted = yaml
        .get("services")
        .and_then(Yaml::as_sequence)
        .is_some_and(|names| names.iter().filter_map(|n| super::service(n.as_str()?)).any(|s| s.trusted));
    let mut flat = Flat { key: None, trusted, fields: BTreeMap::new() };
    flat.add("", &yaml)?;
    Ok(Document { fields: flat.fields })
}

/// A YAML tree on its way to a [`Document`].
struct Flat<'a> {
    /// Digests the secrets; where there is none, the host has.
    key: Option<&'a DigestKey>,
    trusted: bool,
    fields: BTreeMap<String, Field>,
}

impl Flat<'_> {
    fn add(&mut self, path: &str, yaml: &Yaml) -> Result<(), ParseError> {
        match yaml {
            Yaml::Null => {}
            Yaml::Mapping(entries) => {
                for (name, below) in entries {
                    let name = scalar(name).unwrap_or_default();
                    let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                    self.add(&path, below)?;
                }
            }
            Yaml::Sequence(items) => self.add_list(path, items)?,
            Yaml::Tagged(tagged) if tagged.tag == "keyed" && self.key.is_none() => {
                let digest = tagged.value.as_str().and_then(|hex| hex.parse::<Sha256>().ok());
                let digest = digest.ok_or_else(|| ParseError::NotCut(path.to_owned()))?;
                self.put(path, Value::Secret(digest));
            }
            Yaml::Tagged(tagged) => self.add(path, &tagged.value)?,
            Yaml::String(text) if text.is_empty() => {}
            // As it is written, for that is what the host digests.
            Yaml::Number(number) if is_secret(path) => self.add_scalar(path, number.to_string())?,
            Yaml::String(_) | Yaml::Number(_) | Yaml::Bool(_) => {
                let text = scalar(yaml).unwrap_or_default();
                self.add_scalar(path, text)?;
            }
        }
        Ok(())
    }

    fn add_scalar(&mut self, path: &str, text: String) -> Result<(), ParseError> {
        if path == "publickey" && self.key.is_none() {
            self.put("identity", Value::Scalar(peer_id(&text)));
        } else if path == "privatekey" && self.key.is_some() {
            let public_half = text.get(48..).unwrap_or_default();
            self.put("identity", Value::Scalar(peer_id(public_half)));
        } else if is_secret(path) {
            let key = self.key.ok_or_else(|| ParseError::NotCut(path.to_owned()))?;
            self.put(path, Value::Secret(key.digest(text.as_bytes())));
        } else {
            self.put(path, Value::Scalar(text));
        }
        Ok(())
    }

    fn add_list(&mut self, path: &str, items: &[Yaml]) -> Result<(), ParseError> {
        if is_secret(path) {
            return items.iter().enumerate().try_for_each(|(i, item)| self.add(&format!("{path}.{i}"), item));
        }
        let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
        match texts {
            Some(texts) if texts.is_empty() => {}
            Some(texts) if SETS.contains(&path) => {
                let first_is_ipv6 =
                    path == "p2p-announce" && texts.first().is_some_and(|first| !first.starts_with("/ip4/"));
                let mut set: std::collections::BTreeSet<_> = texts.into_iter().collect();
                // Of the order only this says something: tau doesn't start.
                if first_is_ipv6 {
                    set.insert("(the first is not IPv4)".to_owned());
                }
                self.put(path, Value::Set(set));
            }
            Some(texts) => self.put(path, Value::List(texts)),
            None => {
                items.iter().enumerate().try_for_each(|(i, item)| self.add(&format!("{path}.{i}"), item))?;
            }
        }
        Ok(())
    }

    fn put(&mut self, path: &str, value: Value) {
        let effect = effect(path, self.trusted);
        self.fields.insert(path.to_owned(), Field { value, effect });
    }
}

fn is_secret(path: &str) -> bool {
    SECRETS
        .iter()
        .any(|secret| path.strip_prefix(secret).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn effect(path: &str, trusted: bool) -> Effect {
    match path {
        "peers" => Effect::RestartUnlessHalfHolds,
        // Read by every node at its start, used by `auth` only.
        "domains.key.private" | "tenancy.app.key" | "tenancy.app.client-id" if !trusted => Effect::NextStart,
        _ => Effect::Restart,
    }
}

fn scalar(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::String(text) => Some(text.clone()),
        Yaml::Bool(value) => Some(value.to_string()),
        // 25 and 25.0 are the same place.
        Yaml::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Some(integer.to_string()),
            (None, Some(float)) => Some(float.to_string()),
            (None, None) => Some(number.to_string()),
        },
        Yaml::Null => Some(String::new()),
        Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_) => None,
    }
}

/// The peer id of a public key given as the last 44 of the private key's 92
/// base64 characters, which are the last 32 of its 68 bytes.
fn peer_id(public_half: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(public_half.trim()).unwrap_or_default();
    match ed25519::PublicKey::try_from_bytes(&bytes) {
        Ok(key) => PublicKey::from(key).to_peer_id().to_string(),
        Err(_) => "(not an ed25519 key)".to_owned(),
    }
}
