//! The node configuration, `/tb/config/<shape>.yaml`: writing and parsing it.
//!
//! [`NodeConfig::to_yaml`] renders the file for a host. [`parse`] parses a host's file,
//! from which the probe has removed the secrets. Both lead to a [`Document`], so that a
//! file that another tool wrote in another style counts as equal to ours if it means the
//! same.

use super::private_key::public_half;
use crate::daemon::{Listens, Setting, resolver};
use crate::resource::{
    DigestKey, Document, Effect, Field, FieldPath, Handshake, HostText, IDENTITY, Port, Printable,
    SecretBytes, Sha256, Transport, Value,
};
use crate::yaml::{self, Places};
use libp2p_identity::{PeerId, PublicKey, ed25519};
use serde::Serialize;
use serde_yaml::Value as Yaml;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A node's configuration. The names of the fields are tau's.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeConfig {
    /// The libp2p private key, in its protobuf encoding, as base64.
    #[serde(serialize_with = "expose")]
    pub privatekey: SecretBytes,
    /// The path of the swarm key, relative to `/tb/config`.
    pub swarmkey: String,
    /// The services that the node runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// The multiaddresses on which the node listens.
    pub p2p_listen: Vec<String>,
    /// The multiaddresses that the node announces. The first must be an IPv4 address.
    pub p2p_announce: Vec<String>,
    /// The node's ports.
    pub ports: Ports,
    /// The location of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The multiaddresses of the bootstrap nodes that the node dials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// The network's root domain.
    pub network_fqdn: String,
    /// The domains, and the keys that validate them.
    pub domains: Domains,
    /// The owner of the repositories that the network serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<Tenancy>,
    /// The accounts of the enterprise build, as in the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Yaml>,
    /// The file names of the plugins.
    #[serde(skip_serializing_if = "Plugins::is_empty")]
    pub plugins: Plugins,
}

/// See [`NodeConfig::ports`].
#[derive(Serialize)]
pub struct Ports {
    /// The port for other nodes.
    pub main: u16,
    /// The port of the node's own client, on loopback; random if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lite: Option<u16>,
    /// The port of the IPFS client; random if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipfs: Option<u16>,
}

/// See [`NodeConfig::location`]; in degrees.
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
    /// The paths of the validation keys, relative to `/tb/config`.
    pub key: KeyFiles,
    /// The domain below which tau generates names for users' deployments.
    pub generated: String,
    /// Custom domains, each with the service that it leads to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, String>,
}

/// See [`Domains::key`].
#[derive(Serialize)]
pub struct KeyFiles {
    /// The private key. Every node reads the file, but only `auth` uses it; in the
    /// configuration of any other node, this is the path of the public key.
    pub private: String,
    /// The public key.
    pub public: String,
}

/// See [`NodeConfig::tenancy`].
#[derive(Serialize)]
pub struct Tenancy {
    /// The provider, for instance `github`.
    pub provider: String,
    /// The account that owns the repositories.
    pub owner: String,
    /// The credential. Only nodes that run `auth` get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
}

/// See [`Tenancy::app`].
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct App {
    /// The id of the app at the provider.
    pub client_id: String,
    /// The app's private key, as PEM.
    #[serde(serialize_with = "expose")]
    pub key: SecretBytes,
}

/// See [`NodeConfig::plugins`]. tau expects a mapping with this one list.
#[derive(Default, Serialize)]
pub struct Plugins {
    /// File names, each `name@version`.
    pub plugins: Vec<String>,
}

impl Plugins {
    fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }
}

fn expose<S: serde::Serializer>(secret: &SecretBytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&String::from_utf8_lossy(secret.expose()))
}

/// The paths at and below which every value is a secret. On a host, `cut.awk` cuts the
/// values at the same paths.
const SECRETS: &[&str] = &["privatekey", "tenancy.app.key", "accounts"];

/// The paths of lists whose order doesn't matter.
const SETS: &[&str] =
    &["services", "p2p-listen", "p2p-announce", "peers", "domains.aliases", "plugins.plugins"];

/// The setting from which a field is written; `None` for a field that spore doesn't write.
pub fn setting(field: &str) -> Option<Setting<'_>> {
    Some(match field {
        IDENTITY => Setting::Identity,
        "swarmkey" => Setting::SwarmKey,
        "services" => Setting::Services,
        "p2p-announce" => Setting::Addresses,
        "p2p-listen" | "ports.main" => Setting::MainPort,
        "ports.lite" => Setting::LitePort,
        "ports.ipfs" => Setting::IpfsPort,
        "location.lat" | "location.long" => Setting::Location,
        "peers" => Setting::Elders,
        "network-fqdn" => Setting::RootDomain,
        "domains.key.private" => Setting::ValidationPrivate,
        "domains.key.public" => Setting::ValidationPublic,
        "domains.generated" => Setting::GeneratedDomain,
        "tenancy.provider" => Setting::Provider,
        "tenancy.owner" => Setting::Owner,
        "tenancy.app.client-id" => Setting::ClientId,
        "tenancy.app.key" => Setting::AppKey,
        "plugins.plugins" => Setting::Plugins,
        "accounts" => Setting::Accounts,
        _ => match field.split_once('.')? {
            ("accounts", _) => Setting::Accounts,
            _ => Setting::CustomDomain(field.strip_prefix("domains.hosts.")?),
        },
    })
}

/// What a change of a setting needs in a running node. `trusted` is whether the node runs `auth`.
pub fn effect_of(setting: Setting<'_>, trusted: bool) -> Effect {
    let field = match setting {
        // The field has only the path of the key. Nodes with different keys can't talk to each other.
        Setting::SwarmKey => return Effect::RestartTogether,
        Setting::Identity => IDENTITY,
        Setting::Services => "services",
        Setting::Plugins => "plugins.plugins",
        Setting::MainPort => "ports.main",
        Setting::LitePort => "ports.lite",
        Setting::IpfsPort => "ports.ipfs",
        Setting::Addresses => "p2p-announce",
        Setting::Location => "location.lat",
        Setting::Elders => "peers",
        Setting::RootDomain => "network-fqdn",
        Setting::GeneratedDomain => "domains.generated",
        Setting::CustomDomain(name) => return effect(&format!("domains.hosts.{name}"), trusted),
        Setting::ValidationPrivate => "domains.key.private",
        Setting::ValidationPublic => "domains.key.public",
        Setting::Provider => "tenancy.provider",
        Setting::Owner => "tenancy.owner",
        Setting::ClientId => "tenancy.app.client-id",
        Setting::AppKey => "tenancy.app.key",
        Setting::Accounts => "accounts",
    };
    effect(field, trusted)
}

/// Why a configuration from a host couldn't be parsed.
#[derive(Debug, Error)]
pub enum ParseError {
    /// It isn't YAML, or has duplicate keys.
    #[error("it is not valid YAML")]
    Yaml,
    /// It is larger, or has more values, than any real configuration.
    #[error("it is too large")]
    TooLarge,
    /// It isn't a mapping.
    #[error("it is not a mapping")]
    NotAMapping,
    /// The value at a secret's path isn't a digest from the probe.
    #[error("`{0}` was not cut as expected")]
    NotCut(Printable),
}

impl NodeConfig {
    /// Renders the text of the file.
    ///
    /// # Errors
    /// A value of `accounts` can't be represented in YAML.
    pub fn to_yaml(&self) -> Result<SecretBytes, serde_yaml::Error> {
        Ok(SecretBytes::new(serde_yaml::to_string(self)?))
    }

    /// Parses the configuration, replacing secrets with their digests keyed with `key`. Without a
    /// key, they aren't available.
    ///
    /// # Errors
    /// Those of [`NodeConfig::to_yaml`].
    pub fn document(&self, key: Option<&DigestKey>) -> Result<Document, serde_yaml::Error> {
        let trusted = self.services.iter().filter_map(|name| super::service(name)).any(|s| s.trusted);
        let any = DigestKey::derive(&SecretBytes::new(""), "");
        let mut flat = Flat { key: key.or(Some(&any)), trusted, values: 0, fields: BTreeMap::new() };
        // `NotCut` can't occur, because with a key the secrets are digested here.
        let uncut = flat.add("", &serde_yaml::to_value(self)?);
        debug_assert!(uncut.is_ok());
        let mut document = Document { fields: flat.fields };
        if key.is_none() {
            document.withhold_secrets();
        }
        Ok(document)
    }
}

/// What follows the line with the private key in the text of a configuration that has none.
pub fn without_key(text: &SecretBytes) -> Option<SecretBytes> {
    let text = std::str::from_utf8(text.expose()).ok()?;
    let rest = text.strip_prefix("privatekey: ''\n")?;
    Some(SecretBytes::new(rest))
}

/// Sets the id of the node that a configuration belongs to, instead of its private key.
pub fn identify(config: &mut Document, id: &str) {
    let value = Value::Scalar(Printable::line(id));
    config.fields.insert(IDENTITY.into(), Field { value, effect: Effect::Restart });
}

/// Withholds the fields that are written from these settings, because the secrets that they
/// depend on aren't available.
pub fn withhold(config: &mut Document, settings: &[Setting<'_>]) {
    for field in [IDENTITY, "peers", "tenancy.app.key", "accounts"] {
        if setting(field).is_some_and(|setting| settings.contains(&setting)) {
            config.withhold(field, effect(field, true));
        }
    }
}

/// Parses a host's configuration, in which the probe has replaced `privatekey` by `publickey`
/// and the other secrets by `!keyed <digest>`.
///
/// # Errors
/// The text can't be parsed. The caller then treats it as different from any other
/// configuration.
pub fn parse(text: &HostText) -> Result<Document, ParseError> {
    let text = text.expose();
    if text.len() > MOST_BYTES {
        return Err(ParseError::TooLarge);
    }
    let parsed = yaml::parse(text, &mut Cut);
    let root = parsed.root.filter(|_| !parsed.broken && parsed.flaws.is_empty()).ok_or(ParseError::Yaml)?;
    let yaml = root.content.to_value();
    if !yaml.is_mapping() {
        return Err(ParseError::NotAMapping);
    }
    let trusted = yaml
        .get("services")
        .and_then(Yaml::as_sequence)
        .is_some_and(|names| names.iter().filter_map(|n| super::service(n.as_str()?)).any(|s| s.trusted));
    let mut flat = Flat { key: None, trusted, values: 0, fields: BTreeMap::new() };
    flat.add("", &yaml)?;
    Ok(Document { fields: flat.fields })
}

/// The maximum size of a host's configuration, in bytes, and the maximum number of values.
/// Real configurations have a few thousand bytes and a few dozen values.
const MOST_BYTES: usize = 256 << 10;
const MOST_VALUES: usize = 5_000;

/// A value that the probe has cut out, which is a digest with a tag.
struct Cut;

impl Places for Cut {
    fn tag(&self) -> Option<&'static str> {
        Some("keyed")
    }
}

/// The multiaddresses at which other nodes can dial a node with this configuration. Each
/// ends with the node's peer id, as in the `peers` of other nodes.
pub fn dialled_at(config: &Document) -> BTreeSet<String> {
    let Some(id) = config.identity() else { return BTreeSet::new() };
    set(config, "p2p-announce").iter().map(|address| format!("{address}/p2p/{id}")).collect()
}

/// The multiaddresses that a node with this configuration dials.
pub fn dials(config: &Document) -> BTreeSet<String> {
    set(config, "peers")
}

/// A path as configurations name it: relative to their directory.
pub fn relative(path: &str) -> String {
    path.strip_prefix(super::CONFIG).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path).to_owned()
}

/// The network's root domain.
pub fn network(config: &Document) -> Option<&Printable> {
    scalar_of(config, "network-fqdn")
}

/// The names of the services that a node with this configuration runs.
pub fn services(config: &Document) -> BTreeSet<String> {
    set(config, "services")
}

/// The ports on which a node with this configuration listens.
pub fn listens(config: &Document) -> Listens {
    let answers_dns = super::answer_dns(services(config).iter().map(String::as_str));
    Listens {
        main: scalar_of(config, "ports.main").and_then(|port| port.parse().ok()),
        dns: answers_dns.then_some(resolver::DNS_PORT),
    }
}

/// The handshake of a node with this configuration.
pub fn handshake(config: &Document) -> Option<Handshake> {
    let peer = config.identity().filter(|id| id.parse::<PeerId>().is_ok())?;
    Some(Handshake::Libp2p { port: listens(config).main?, peer: peer.to_owned() })
}

/// Every port that a node with this configuration binds, each with whether only on loopback.
pub fn binds(config: &Document) -> BTreeSet<(Port, bool)> {
    let port = |field: &str| scalar_of(config, field).and_then(|port| port.parse::<u16>().ok());
    let services = services(config);
    let open = |main| super::open_ports(services.iter().map(String::as_str), main, port("ports.ipfs"));
    let open = port("ports.main").map(open).unwrap_or_default();
    let lite = port("ports.lite").map(|number| Port { number, transport: Transport::Tcp });
    open.into_iter().map(|port| (port, false)).chain(lite.map(|port| (port, true))).collect()
}

/// Whether two configurations probably belong to one node whose shape was renamed: they
/// have the same port, or the same services.
pub fn is_alike(old: &Document, new: &Document) -> bool {
    ["ports.main", "services"].into_iter().any(|field| match (old.fields.get(field), new.fields.get(field)) {
        (Some(old), Some(new)) => old.value == new.value,
        _ => false,
    })
}

fn scalar_of<'a>(config: &'a Document, path: &str) -> Option<&'a Printable> {
    match &config.fields.get(path)?.value {
        Value::Scalar(text) => Some(text),
        _ => None,
    }
}

fn set(config: &Document, path: &str) -> BTreeSet<String> {
    match config.fields.get(path).map(|field| &field.value) {
        Some(Value::Set(items)) => items.iter().map(ToString::to_string).collect(),
        _ => BTreeSet::new(),
    }
}

/// Flattens a YAML tree into the fields of a [`Document`].
struct Flat<'a> {
    /// The key for digests of secrets; `None` if the probe has already digested them.
    key: Option<&'a DigestKey>,
    trusted: bool,
    /// The number of values so far.
    values: usize,
    fields: BTreeMap<FieldPath, Field>,
}

impl Flat<'_> {
    fn add(&mut self, path: &str, yaml: &Yaml) -> Result<(), ParseError> {
        self.values += yaml.as_sequence().map_or(1, Vec::len);
        if self.values > MOST_VALUES && self.key.is_none() {
            return Err(ParseError::TooLarge);
        }
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
                let digest = digest.ok_or_else(|| ParseError::NotCut(Printable::line(path)))?;
                self.put(path, Value::Secret(digest));
            }
            Yaml::Tagged(tagged) => self.add(path, &tagged.value)?,
            Yaml::String(text) if text.is_empty() => {}
            // The probe digests a number as written, so don't canonicalize it.
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
            self.put(IDENTITY, Value::Scalar(Printable::line(&peer_id(&text))));
        } else if path == "privatekey" && self.key.is_some() {
            self.put(IDENTITY, Value::Scalar(Printable::line(&peer_id(public_half(&text)))));
        } else if is_secret(path) {
            let key = self.key.ok_or_else(|| ParseError::NotCut(Printable::line(path)))?;
            self.put(path, Value::Secret(key.digest(text.as_bytes())));
        } else {
            self.put(path, Value::Scalar(Printable::line(&text)));
        }
        Ok(())
    }

    fn add_list(&mut self, path: &str, items: &[Yaml]) -> Result<(), ParseError> {
        if is_secret(path) {
            return items.iter().enumerate().try_for_each(|(i, item)| self.add(&format!("{path}.{i}"), item));
        }
        let texts: Option<Vec<Printable>> =
            items.iter().map(|item| Some(Printable::line(&scalar(item)?))).collect();
        match texts {
            Some(texts) if texts.is_empty() => {}
            Some(texts) if SETS.contains(&path) => {
                let first_is_ipv6 =
                    path == "p2p-announce" && texts.first().is_some_and(|first| !first.starts_with("/ip4/"));
                let mut set: BTreeSet<_> = texts.into_iter().collect();
                // The order doesn't matter, except that tau requires the first address to
                // be IPv4.
                if first_is_ipv6 {
                    set.insert("(the first is not IPv4)".into());
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
        self.fields.insert(Printable::line(path), Field { value, effect });
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
        // Every node reads these values when it starts, but only `auth` uses them.
        "domains.key.private" | "tenancy.app.key" | "tenancy.app.client-id" if !trusted => Effect::NextStart,
        _ => Effect::Restart,
    }
}

fn scalar(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::String(text) => Some(text.clone()),
        Yaml::Bool(value) => Some(value.to_string()),
        // 25 and 25.0 are the same location.
        Yaml::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Some(integer.to_string()),
            (None, Some(float)) => Some(float.to_string()),
            (None, None) => Some(number.to_string()),
        },
        Yaml::Null => Some(String::new()),
        Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_) => None,
    }
}

/// The peer id of a public key in base64.
fn peer_id(public_half: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(public_half.trim()).unwrap_or_default();
    match ed25519::PublicKey::try_from_bytes(&bytes) {
        Ok(key) => PublicKey::from(key).to_peer_id().to_string(),
        Err(_) => "(not an ed25519 key)".to_owned(),
    }
}
