//! tau: its files and their modes, its services and ports, its configuration and what a
//! change to each field needs, its unit, and the signs of a successful start.
//!
//! These facts come from experiments with the real tau: `fixtures/tau-cases` records how it
//! reacted to each configuration on which they are based.

pub mod config;
pub mod described;
pub mod dns;
pub mod private_key;

use super::{Meaning, Question, Reader, Template, is_in, resolver};
use crate::resource::{Document, Handshake, Health, Port, ShapeName, Transport};
use std::sync::LazyLock;
use std::time::Duration;

/// The directory that contains all of tau's files.
pub const ROOT: &str = "/tb";
/// The path of the binary.
pub const BINARY: &str = "/tb/bin/tau";
/// The directory of node configurations.
pub const CONFIG: &str = "/tb/config";
/// The directory of the keys that configurations name.
pub const KEYS: &str = "/tb/config/keys";
/// The directory of plugins, one file each.
pub const PLUGINS: &str = "/tb/plugins";
/// The directory of the nodes' own data. The administrator may keep other things there,
/// too.
pub const STORAGE: &str = "/tb/storage";
/// The directory of the snapshots of nodes that run raft (`patrick`). tau creates it.
pub const RAFT: &str = "/tb/raft";
/// The pre-shared key of the swarm.
pub const SWARM_KEY: &str = "/tb/config/keys/swarm.key";
/// The private half of the domain-validation pair.
pub const VALIDATION_PRIVATE: &str = "/tb/config/keys/dv_private.key";
/// The public half of the domain-validation pair.
pub const VALIDATION_PUBLIC: &str = "/tb/config/keys/dv_public.key";

/// The port of the sensors service on loopback, which every tau since November 2025 binds:
/// if two nodes share a host, only one of them starts.
pub const SENSORS_PORT: u16 = 4217;

/// The directories that spore creates for tau, with their modes.
pub const DIRECTORIES: &[(&str, u32)] = &[
    (ROOT, 0o755),
    ("/tb/bin", 0o755),
    ("/tb/scripts", 0o750),
    ("/tb/priv", 0o750),
    ("/tb/cache", 0o750),
    ("/tb/logs", 0o750),
    (STORAGE, 0o750),
    (PLUGINS, 0o750),
    (CONFIG, 0o750),
    (KEYS, 0o750),
];

/// The configuration file of a shape's node.
pub fn config_path(shape: &ShapeName) -> String {
    format!("{CONFIG}/{shape}.yaml")
}

/// The shape whose configuration is at this path.
pub fn shape_of_config(path: &str) -> Option<ShapeName> {
    path.strip_prefix(CONFIG)?.strip_prefix('/')?.strip_suffix(".yaml")?.parse().ok()
}

/// The path of a plugin's file.
pub fn plugin_path(plugin: &str) -> String {
    format!("{PLUGINS}/{plugin}")
}

/// The arguments with which the binary validates a shape's configuration. The keys that the
/// configuration names must exist below the root.
pub fn validation(shape: &ShapeName) -> Vec<String> {
    let config = config_path(shape);
    let words = ["--root", ROOT, "config", "validate", "-s", shape.as_str(), "-p", &config];
    words.map(str::to_owned).to_vec()
}

/// The prefix of the names of tau's units; the name of the shape follows.
pub const UNIT_PREFIX: &str = "tau@";

/// The template of tau's units. Upstream installs its template in `/lib/systemd/system`,
/// which is reserved for packages.
pub fn template() -> &'static Template {
    static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
        let text = include_str!("tau@.service").replace("@record@", &record());
        Template::new("/etc/systemd/system/tau@.service", text)
    });
    &TEMPLATE
}

/// The script that records a start, as the template contains it: in one line, without
/// comments, and with every backslash doubled, as systemd requires.
fn record() -> String {
    let lines = include_str!("record.sh").lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    lines.join(" ").replace("@cut@", private_key::cut_sed()).replace('\\', "\\\\")
}

/// The journal line that reports a successful start: this text comes after the name of the
/// shape, and the node's id follows.
pub const START_SIGN: &str = "started! with id: ";

/// How many bytes a node says first on a connection: the nonce of the pre-shared key (libp2p's
/// pnet). It says them at once, so a node that doesn't is stopped or stuck.
pub const NONCE: usize = 24;

/// The shell variables and functions that describe tau's files to the scripts of actions.
pub const SCRIPT: &str = include_str!("files.sh");

/// The paths where upstream's tool leaves copies of tau's keys.
pub const LEFTOVERS: &[&str] = &["/tmp/swarm.key", "/tmp/dv_private.key"];

/// The directory of the receipt and the roster.
pub const RECEIPTS: &str = "/tb/.spore";
/// Where an apply leaves its receipt.
pub const RECEIPT: &str = "/tb/.spore/receipt.json";
/// The receipt's name once another apply has begun.
pub const SUPERSEDED_RECEIPT: &str = "/tb/.spore/superseded.json";

/// The files that a probe looks for.
pub const QUESTIONS: &[Question] = &[
    (BINARY, Reader::Program),
    ("/tb/plugins/*", Reader::Program),
    ("/tb/config/keys/*", Reader::Digest),
    ("/tb/config/*.yaml", Reader::Config),
    ("/tb/storage/*", Reader::Stat),
    ("/tb/raft/*", Reader::Stat),
    ("/etc/systemd/system/tau@.service", Reader::Unit),
    ("/lib/systemd/system/tau@.service", Reader::Unit),
    ("/etc/systemd/system/tau@?*.service", Reader::Digest),
    ("/etc/systemd/system/multi-user.target.wants/tau@*.service", Reader::Wants),
    (RECEIPT, Reader::Text),
    (SUPERSEDED_RECEIPT, Reader::Text),
    ("/tb/.spore/roster-*.json", Reader::Roster),
    ("/tmp/swarm.key", Reader::Leftover),
    ("/tmp/dv_private.key", Reader::Leftover),
];

/// What the file at this path is; configurations are recognized elsewhere.
pub(super) fn meaning(path: &str) -> Option<Meaning> {
    match path {
        BINARY => Some(Meaning::Blob),
        SWARM_KEY | VALIDATION_PRIVATE => Some(Meaning::Secret),
        VALIDATION_PUBLIC => Some(Meaning::Text),
        _ if path == template().path() => Some(Meaning::Unit),
        _ if is_in(PLUGINS, path) => Some(Meaning::Blob),
        _ => None,
    }
}

/// The paths of the data that a node leaves: its own, its client's, and its raft snapshots.
pub fn storage_paths(shape: &ShapeName) -> [String; 3] {
    [format!("{STORAGE}/{shape}"), format!("{STORAGE}/{shape}_client"), format!("{RAFT}/{shape}")]
}

/// The shapes whose nodes may keep data at this path. For example, `a_client` is the data
/// of the node of shape `a_client`, or that of the client of shape `a`.
pub fn shapes_of_storage(path: &str) -> Vec<ShapeName> {
    let Some((_, name)) = path.rsplit_once('/') else { return Vec::new() };
    let names = [Some(name), name.strip_suffix("_client")].into_iter().flatten();
    let shapes = names.filter_map(|name| name.parse::<ShapeName>().ok());
    shapes.filter(|shape| storage_paths(shape).iter().any(|other| other == path)).collect()
}

/// What a service needs from its host and its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceTraits {
    /// The name of the service in a configuration.
    pub name: &'static str,
    /// The service binds port 443.
    pub http: bool,
    /// The service answers DNS on port 53, and binds port 953.
    pub dns: bool,
    /// The service needs a container engine.
    pub containers: bool,
    /// The service uses the private validation key and the tenancy's credential.
    pub trusted: bool,
    /// The service reads the accounts.
    pub accounts: bool,
}

const PLAIN: ServiceTraits =
    ServiceTraits { name: "", http: false, dns: false, containers: false, trusted: false, accounts: false };

/// Every service that any build of tau has.
pub const SERVICES: &[ServiceTraits] = &[
    ServiceTraits { name: "accounts", accounts: true, ..PLAIN },
    ServiceTraits { name: "auth", http: true, trusted: true, ..PLAIN },
    ServiceTraits { name: "gateway", http: true, ..PLAIN },
    ServiceTraits { name: "hoarder", ..PLAIN },
    ServiceTraits { name: "monkey", containers: true, ..PLAIN },
    ServiceTraits { name: "patrick", http: true, ..PLAIN },
    ServiceTraits { name: "seer", http: true, dns: true, ..PLAIN },
    ServiceTraits { name: "substrate", http: true, ..PLAIN },
    ServiceTraits { name: "tns", ..PLAIN },
];

/// The service with this name, if there is one.
pub fn service(name: &str) -> Option<&'static ServiceTraits> {
    SERVICES.iter().find(|service| service.name == name)
}

/// What a node with these services needs: everything that any of them needs.
pub fn needs<'a>(services: impl Iterator<Item = &'a str>) -> ServiceTraits {
    services.filter_map(service).fold(PLAIN, |all, one| ServiceTraits {
        name: "",
        http: all.http || one.http,
        dns: all.dns || one.dns,
        containers: all.containers || one.containers,
        trusted: all.trusted || one.trusted,
        accounts: all.accounts || one.accounts,
    })
}

/// The ports of a node with these services that must be reachable from outside.
pub fn open_ports<'a>(services: impl Iterator<Item = &'a str>, main: u16, ipfs: Option<u16>) -> Vec<Port> {
    let tcp = |number| Port { number, transport: Transport::Tcp };
    let mut ports = vec![tcp(main)];
    ports.extend(ipfs.map(tcp));
    for traits in services.filter_map(service) {
        if traits.http {
            ports.extend([tcp(80), tcp(443)]);
        }
        if traits.dns {
            ports.extend([tcp(53), Port { number: 53, transport: Transport::Udp }, tcp(953)]);
        }
    }
    ports.sort();
    ports.dedup();
    ports
}

/// When a node counts as healthy.
///
/// A node with `patrick` reports its start only after its raft cluster has formed, which
/// has taken up to 45 s. Other nodes take 5 s if their peers don't answer.
pub fn health<'a>(
    shape: &ShapeName,
    peer_id: &str,
    main: u16,
    services: impl Iterator<Item = &'a str> + Clone,
) -> Health {
    Health {
        says: format!("{shape} {START_SIGN}{peer_id}"),
        listens: listens(main, services.clone()),
        within: Duration::from_secs(if services.clone().any(|name| name == "patrick") { 90 } else { 30 }),
        handshake: Some(Handshake::Libp2p { port: main, peer: peer_id.to_owned() }),
    }
}

/// When a node with this configuration, which was found on a host, counts as healthy: it
/// reports its start, with any id, and listens on the ports in the configuration. If the
/// configuration can't be read, the report suffices. No handshake is expected, because the node
/// may have been started with another swarm key.
pub fn health_with(shape: &ShapeName, config: Option<&Document>) -> Health {
    let services = config.map(config::services).unwrap_or_default();
    let main = config.and_then(|config| config::listens(config).main);
    let health = health(shape, "", main.unwrap_or_default(), services.iter().map(String::as_str));
    let health = Health { handshake: None, ..health };
    if main.is_some() { health } else { Health { listens: Vec::new(), ..health } }
}

/// The TCP ports on which a healthy node listens. The DNS port has to be checked, because a
/// node that finds it taken still reports its start, and doesn't try to bind it again.
pub fn listens<'a>(main: u16, services: impl Iterator<Item = &'a str>) -> Vec<u16> {
    if answer_dns(services) { vec![main, resolver::DNS_PORT] } else { vec![main] }
}

/// Whether one of these services answers DNS.
pub fn answer_dns<'a>(mut services: impl Iterator<Item = &'a str>) -> bool {
    services.any(|name| service(name).is_some_and(|service| service.dns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Sha256;

    /// A change to the template is written and reloaded on every host of every network.
    #[test]
    fn the_unit_only_changes_on_purpose() {
        let digest = Sha256::of(template().text().as_bytes()).to_string();
        assert_eq!(digest, "943898cffb144c8af945da818b34499366193d73d6b9719814810436b85ee5c6");
    }
}
