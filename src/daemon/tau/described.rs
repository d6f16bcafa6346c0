//! What a node's configuration says in the terms of a network's folder, so that a folder can be
//! written for a node that something else has deployed. The entry point is [`describe`].

use super::{CONFIG, KEYS, private_key};
use crate::daemon::Daemon;
use crate::resource::{Document, Printable, Sha256, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The shell functions with which a host hands over what only a controller's folder can have.
pub fn hand_over() -> String {
    include_str!("hand_over.sh").replace("@cut@", private_key::cut_sed())
}

/// A node's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The node's peer id.
    pub id: Option<String>,
    /// The network's root domain.
    pub root: Option<String>,
    /// The parent of generated domains.
    pub generated: Option<String>,
    /// Custom domains, each with its service.
    pub custom: BTreeMap<String, String>,
    /// The services.
    pub services: BTreeSet<String>,
    /// The port for other nodes.
    pub main: Option<u16>,
    /// The port of the node's own client.
    pub lite: Option<u16>,
    /// The port of the IPFS client.
    pub ipfs: Option<u16>,
    /// The addresses that the node announces, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Latitude and longitude.
    pub location: Option<[String; 2]>,
    /// The nodes that this one dials.
    pub dials: BTreeSet<Dialled>,
    /// The plugins.
    pub plugins: BTreeSet<String>,
    /// The paths of the keys.
    pub swarm_key: Option<String>,
    /// The path of the public validation key.
    pub public: Option<String>,
    /// The path of the private validation key, if it isn't the public one's.
    pub private: Option<String>,
    /// Who owns the repositories.
    pub tenancy: Tenancy,
    /// The digests of the accounts' values, by path.
    pub accounts: BTreeMap<String, Sha256>,
    /// Whether a service of the node needs the private validation key and the tenancy's app.
    pub trusted: bool,
    /// Whether a service of the node needs the accounts.
    pub needs_accounts: bool,
    /// Settings that a folder can't express, as they are in the configuration.
    pub inexpressible: BTreeSet<String>,
}

/// See [`Described::tenancy`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenancy {
    /// The provider of the repositories.
    pub provider: Option<String>,
    /// Their owner there.
    pub owner: Option<String>,
    /// The id of the app.
    pub client_id: Option<String>,
    /// The digest of the app's private key.
    pub key: Option<Sha256>,
}

/// A node that another one dials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dialled {
    /// Where.
    pub address: IpAddr,
    /// The port there.
    pub port: u16,
    /// The peer id that it should have.
    pub id: String,
}

/// Describes a configuration that was parsed by [`super::config::parse`].
pub fn describe(document: &Document) -> Described {
    let mut described = Described {
        id: document.identity().map(str::to_owned),
        root: text(document, "network-fqdn"),
        generated: text(document, "domains.generated"),
        services: items(document, "services"),
        main: port(document, "ports.main"),
        lite: port(document, "ports.lite"),
        ipfs: port(document, "ports.ipfs"),
        plugins: items(document, "plugins.plugins"),
        swarm_key: text(document, "swarmkey").map(|path| absolute(&path)),
        public: text(document, "domains.key.public").map(|path| absolute(&path)),
        tenancy: Tenancy {
            provider: text(document, "tenancy.provider"),
            owner: text(document, "tenancy.owner"),
            client_id: text(document, "tenancy.app.client-id"),
            key: digest(document, "tenancy.app.key"),
        },
        ..Described::default()
    };
    let private = text(document, "domains.key.private").map(|path| absolute(&path));
    described.private = private.filter(|path| described.public.as_ref() != Some(path));
    let location = [text(document, "location.lat"), text(document, "location.long")];
    if let [Some(lat), Some(long)] = location {
        described.location = Some([lat, long]);
    }
    let needs = super::needs(described.services.iter().map(String::as_str));
    (described.trusted, described.needs_accounts) = (needs.trusted, needs.accounts);
    for address in items(document, "p2p-announce") {
        match tcp(&address) {
            Some((ip, port)) if Some(port) == described.main => described.addresses.push(ip),
            // The rest isn't an address: the configuration's order, which a plan corrects.
            _ if !address.starts_with('/') => {}
            _ => drop(described.inexpressible.insert(format!("p2p-announce: {address}"))),
        }
    }
    described.addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    for peer in items(document, "peers") {
        let dialled = peer.rsplit_once("/p2p/").and_then(|(at, id)| Some((tcp(at)?, id.to_owned())));
        match dialled {
            Some(((address, port), id)) => drop(described.dials.insert(Dialled { address, port, id })),
            None => drop(described.inexpressible.insert(format!("peers: {peer}"))),
        }
    }
    for (path, field) in &document.fields {
        if let Some(name) = path.strip_prefix("domains.hosts.") {
            if let Value::Scalar(service) = &field.value {
                described.custom.insert(name.to_owned(), service.to_string());
            }
        } else if path.starts_with("accounts.") {
            described.accounts.extend(digest(document, path).map(|digest| (path.to_string(), digest)));
        } else if Daemon::Tau.setting(path).is_none() {
            described.inexpressible.insert(path.to_string());
        }
    }
    described
}

/// Whether a key's file is where the nodes' keys are, so that a probe tells its digest.
pub fn is_key(path: &str) -> bool {
    crate::daemon::is_in(KEYS, path)
}

/// A path as the host knows it.
fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{CONFIG}/{path}") }
}

/// The IP address and the port of a multiaddress.
fn tcp(address: &str) -> Option<(IpAddr, u16)> {
    let mut parts = address.strip_prefix('/')?.split('/');
    let (kind, ip) = (parts.next()?, parts.next()?.parse::<IpAddr>().ok()?);
    let (transport, port) = (parts.next()?, parts.next()?.parse().ok()?);
    let fits = kind == if ip.is_ipv4() { "ip4" } else { "ip6" };
    (fits && transport == "tcp" && parts.next().is_none()).then_some((ip, port))
}

fn text(document: &Document, path: &str) -> Option<String> {
    match &document.fields.get(path)?.value {
        Value::Scalar(text) => Some(text.to_string()),
        _ => None,
    }
}

fn port(document: &Document, path: &str) -> Option<u16> {
    text(document, path)?.parse().ok()
}

fn digest(document: &Document, path: &str) -> Option<Sha256> {
    match &document.fields.get(path)?.value {
        Value::Secret(digest) => Some(*digest),
        _ => None,
    }
}

fn items(document: &Document, path: &str) -> BTreeSet<String> {
    match document.fields.get(path).map(|field| &field.value) {
        Some(Value::Set(items)) => items.iter().map(Printable::to_string).collect(),
        Some(Value::List(items)) => items.iter().map(Printable::to_string).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::daemon::tau::config;
    use crate::resource::HostText;

    #[test]
    fn a_configuration_of_another_tool() {
        let text = "publickey: \"NTWQi4Wq/HNvimQ2Ymd9zZ1YcjkT5id/l04HRM95hgYY\"\nswarmkey: keys/swarm.key\n\
            services: [seer, tns]\np2p-listen: [/ip4/0.0.0.0/tcp/6242]\n\
            p2p-announce: [/ip6/2001:db8::1/tcp/6242, /ip4/10.0.0.1/tcp/6242, /dns4/a.example/tcp/6242]\n\
            ports: {main: 6242, lite: 6247}\nlocation: {lat: -1.50, long: 25}\n\
            peers: [/ip4/10.0.0.2/tcp/4242/p2p/12D3KooWX, /dnsaddr/b.example]\nnetwork-fqdn: lab.test\n\
            domains: {key: {private: keys/a.pem, public: keys/b.pem}, aliases: [c.test], generated: g.lab.test,\n\
            \x20 hosts: {console.lab.test: gateway}}\nplugins: {plugins: [p@1]}\n";
        let described = describe(&config::parse(&HostText::new(text)).unwrap());
        let ips: Vec<String> = described.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(ips, ["10.0.0.1", "2001:db8::1"]);
        assert_eq!(described.location, Some(["-1.5", "25"].map(str::to_owned)));
        assert_eq!(described.custom["console.lab.test"], "gateway");
        let key = |name: &str| Some(format!("{KEYS}/{name}"));
        assert_eq!((described.private, described.public), (key("a.pem"), key("b.pem")));
        let dialled = described.dials.first().unwrap();
        assert_eq!((dialled.port, dialled.id.as_str()), (4242, "12D3KooWX"));
        let inexpressible: Vec<&str> = described.inexpressible.iter().map(String::as_str).collect();
        assert_eq!(
            inexpressible,
            ["domains.aliases", "p2p-announce: /dns4/a.example/tcp/6242", "peers: /dnsaddr/b.example"]
        );
        assert!(described.plugins.contains("p@1") && !described.trusted);
    }
}
