//! Where the folder says why a resource is as it should be.
//!
//! [`Places`] isn't part of the goals, so that two networks with the same content have equal
//! goals wherever it is written. It has a place for each setting in the folder, not for each
//! resource: the place of a resource or of a field is found when it is asked for, because
//! most resources don't change.

use super::Supplies;
use crate::daemon::tau::{self, ServiceTraits};
use crate::daemon::{Daemon, Setting, resolver};
use crate::network::{Host, Network, Place, Shape};
use crate::resource::{
    FileSource, FixedText, FolderKey, HostName, KeyedFile, ResourceId, ResourceKey, Sha256, ShapeName,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where the folder has what the resources of its hosts are made from.
///
/// A place is one of the folder's YAML files: the content of a key file is described by the
/// line that names the file.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Those of the settings that don't depend on a node.
    network: Option<NetworkPlaces>,
    /// The pins, by the digest of the program.
    programs: BTreeMap<Sha256, Place>,
    shapes: BTreeMap<ShapeName, ShapePlaces>,
    hosts: BTreeMap<HostName, HostPlaces>,
}

#[derive(Clone, Debug)]
struct NetworkPlaces {
    root: Place,
    generated: Place,
    custom: BTreeMap<String, Place>,
    validation_private: Place,
    validation_public: Place,
    swarm_key: Place,
    bootstrap: Place,
    /// By peer id.
    elders: BTreeMap<String, Place>,
    provider: Option<Place>,
    owner: Option<Place>,
    client_id: Option<Place>,
    app_key: Option<Place>,
    accounts: Option<Place>,
}

#[derive(Clone, Debug)]
struct ShapePlaces {
    entry: Place,
    services: Vec<(String, Place)>,
    plugins: Vec<(String, Place)>,
    main: (u16, Place),
    lite: Option<Place>,
    ipfs: Option<(u16, Place)>,
}

#[derive(Clone, Debug)]
struct HostPlaces {
    entry: Place,
    addresses: Vec<(IpAddr, Place)>,
    location: Option<Place>,
    nodes: Vec<NodePlaces>,
}

#[derive(Clone, Debug)]
struct NodePlaces {
    shape: ShapeName,
    entry: Place,
    identity: Place,
}

impl Places {
    /// The places in the folder of `network`.
    pub fn new(network: &Network, supplies: &Supplies) -> Self {
        let pinned = network.tau.iter().filter_map(|(architecture, pin)| {
            Some((supplies.tau.get(architecture)?.sha256, pin.place.clone()))
        });
        Self {
            network: Some(NetworkPlaces::new(network)),
            programs: pinned.collect(),
            shapes: network.shapes.iter().map(|(name, shape)| (name.clone(), shape.into())).collect(),
            hosts: network.hosts.iter().map(|(name, host)| (name.clone(), host.into())).collect(),
        }
    }

    /// The host's entry in the folder.
    pub fn of_host(&self, host: &HostName) -> Option<&Place> {
        self.hosts.get(host).map(|host| &host.entry)
    }

    /// Where the folder says that this resource should be there. `source` is that of its
    /// bytes, if it is a file.
    ///
    /// `None` if the folder doesn't say so: it doesn't contain the host, or the program was
    /// named on the command line.
    pub fn of(&self, id: &ResourceId, source: Option<&FileSource>) -> Option<&Place> {
        let host = self.hosts.get(&id.host)?;
        let found = match source {
            Some(FileSource::Program(sha256)) => return self.programs.get(sha256),
            Some(FileSource::Plugin(name)) => {
                self.shapes_of(host).find_map(|shape| find(&shape.plugins, |plugin| plugin == name))
            }
            Some(FileSource::Folder(key)) => self.network.as_ref().map(|network| match key {
                FolderKey::Swarm => &network.swarm_key,
                FolderKey::ValidationPrivate => &network.validation_private,
                FolderKey::ValidationPublic => &network.validation_public,
            }),
            Some(FileSource::Rendered(node) | FileSource::Keyed(KeyedFile { node, .. })) => {
                host.node(&node.shape).map(|node| &node.entry)
            }
            Some(FileSource::Fixed(FixedText::ResolverDropIn)) => self.needing(host, |traits| traits.dns),
            Some(FileSource::Fixed(FixedText::UnitTemplate) | FileSource::Host) => None,
            None => self.of_key(host, &id.key),
        };
        found.or(Some(&host.entry))
    }

    fn of_key<'a>(&'a self, host: &'a HostPlaces, key: &ResourceKey) -> Option<&'a Place> {
        match key {
            ResourceKey::Rule(port) => self.shapes_of(host).find_map(|shape| {
                let own = [Some(&shape.main), shape.ipfs.as_ref()].into_iter().flatten();
                let own = own.filter(|(number, _)| *number == port.number).map(|(_, place)| place).next();
                let main = shape.main.0;
                let opens = |name: &str| tau::open_ports([name].into_iter(), main, None).contains(port);
                own.or_else(|| find(&shape.services, opens))
            }),
            ResourceKey::Package(_) => self.needing(host, |traits| traits.containers),
            ResourceKey::Link(_) => self.needing(host, |traits| traits.dns),
            ResourceKey::Directory(path) if path == resolver::DROP_INS => {
                self.needing(host, |traits| traits.dns)
            }
            ResourceKey::Service(unit) if unit == resolver::UNIT => self.needing(host, |traits| traits.dns),
            ResourceKey::Service(unit) => match Daemon::of_unit(unit) {
                Some((_, shape)) => host.node(&shape).map(|node| &node.entry),
                None => self.needing(host, |traits| traits.containers),
            },
            ResourceKey::Directory(_)
            | ResourceKey::File(_)
            | ResourceKey::Storage(_)
            | ResourceKey::Units => None,
        }
    }

    /// Where the folder has the value of a field of the file at `path`. `added` are the items
    /// that the host lacks, if the field has several: the place is that of the first.
    ///
    /// The place of a missing value is that of the entry that would contain it.
    pub fn of_field(&self, host: &HostName, path: &str, field: &str, added: &[&str]) -> Option<&Place> {
        let host = self.hosts.get(host)?;
        let Some((daemon, shape)) = Daemon::of_config(path) else { return Some(&host.entry) };
        let Some(node) = host.node(&shape) else { return Some(&host.entry) };
        let place = || {
            let (shape, network) = (self.shapes.get(&shape)?, self.network.as_ref()?);
            let is_added = |name: &str| added.contains(&name);
            match daemon.setting(field)? {
                Setting::Identity => Some(&node.identity),
                Setting::Services => find(&shape.services, is_added).or(Some(&shape.entry)),
                Setting::Plugins => find(&shape.plugins, is_added).or(Some(&shape.entry)),
                Setting::MainPort => Some(&shape.main.1),
                Setting::LitePort => shape.lite.as_ref().or(Some(&shape.entry)),
                Setting::IpfsPort => shape.ipfs.as_ref().map(|(_, place)| place).or(Some(&shape.entry)),
                Setting::Addresses => host.address(added).or(Some(&host.entry)),
                Setting::Location => host.location.as_ref().or(Some(&host.entry)),
                Setting::Elders => network.elder(added).or(Some(&network.bootstrap)),
                Setting::SwarmKey => Some(&network.swarm_key),
                Setting::RootDomain => Some(&network.root),
                Setting::GeneratedDomain => Some(&network.generated),
                Setting::CustomDomain(name) => network.custom.get(name),
                Setting::ValidationPrivate => Some(&network.validation_private),
                Setting::ValidationPublic => Some(&network.validation_public),
                Setting::Provider => network.provider.as_ref(),
                Setting::Owner => network.owner.as_ref(),
                Setting::ClientId => network.client_id.as_ref(),
                Setting::AppKey => network.app_key.as_ref(),
                Setting::Accounts => network.accounts.as_ref(),
            }
        };
        place().or(Some(&node.entry))
    }

    /// The shapes of the host's nodes.
    fn shapes_of<'a>(&'a self, host: &'a HostPlaces) -> impl Iterator<Item = &'a ShapePlaces> {
        host.nodes.iter().filter_map(|node| self.shapes.get(&node.shape))
    }

    /// The first service on the host that needs this.
    fn needing<'a>(&'a self, host: &'a HostPlaces, needs: fn(&ServiceTraits) -> bool) -> Option<&'a Place> {
        self.shapes_of(host)
            .find_map(|shape| find(&shape.services, |name| tau::service(name).is_some_and(needs)))
    }
}

fn find(named: &[(String, Place)], is_it: impl Fn(&str) -> bool) -> Option<&Place> {
    named.iter().find(|(name, _)| is_it(name)).map(|(_, place)| place)
}

impl HostPlaces {
    fn node(&self, shape: &ShapeName) -> Option<&NodePlaces> {
        self.nodes.iter().find(|node| node.shape == *shape)
    }

    /// The first of the host's addresses that one of these multiaddresses contains.
    fn address(&self, multiaddrs: &[&str]) -> Option<&Place> {
        let has = |ip: &IpAddr| {
            let ip = ip.to_string();
            multiaddrs.iter().any(|address| address.split('/').nth(2) == Some(ip.as_str()))
        };
        self.addresses.iter().find(|(ip, _)| has(ip)).map(|(_, place)| place)
    }
}

impl NetworkPlaces {
    fn new(network: &Network) -> Self {
        let mut elders = BTreeMap::new();
        for (shape, hosts) in &*network.bootstrap {
            for host in hosts {
                let identity = network.hosts.get(&host.value).and_then(|host| host.nodes.get(shape));
                let id = identity.and_then(|identity| identity.id.as_ref());
                elders.extend(id.map(|id| (id.to_string(), host.place.clone())));
            }
        }
        let tenancy = network.tenancy.as_ref();
        let app = tenancy.and_then(|tenancy| tenancy.app.as_ref());
        let custom = network.domain.custom.iter();
        let files = &network.domain.validation_files;
        // The public half can be left out, because the private one contains it.
        let pair = &network.domain.validation.place;
        let half = |place: &Option<Place>| place.as_ref().unwrap_or(pair).clone();
        Self {
            root: network.domain.root.place.clone(),
            generated: network.domain.generated.place.clone(),
            custom: custom.map(|(name, domain)| (name.clone(), domain.service.place.clone())).collect(),
            validation_private: half(&files.private),
            validation_public: half(&files.public),
            swarm_key: network.swarm_key.place.clone(),
            bootstrap: network.bootstrap.place.clone(),
            elders,
            provider: tenancy.map(|tenancy| tenancy.provider.place.clone()),
            owner: tenancy.map(|tenancy| tenancy.owner.place.clone()),
            client_id: app.and_then(|app| Some(app.client_id.as_ref()?.place.clone())),
            app_key: app.and_then(|app| Some(app.key.as_ref()?.place.clone())),
            accounts: network.accounts.as_ref().and_then(|accounts| Some(accounts.here()?.place.clone())),
        }
    }

    /// The first elder that one of these multiaddresses leads to.
    fn elder(&self, multiaddrs: &[&str]) -> Option<&Place> {
        multiaddrs.iter().find_map(|address| self.elders.get(address.rsplit('/').next()?))
    }
}

impl From<&Shape> for ShapePlaces {
    fn from(shape: &Shape) -> Self {
        let port = |port: &crate::network::At<u16>| (port.value, port.place.clone());
        let services = shape.services.iter();
        let plugins = shape.plugins.iter();
        Self {
            entry: shape.name.place.clone(),
            services: services.map(|service| (service.value.clone(), service.place.clone())).collect(),
            plugins: plugins.map(|plugin| (plugin.name.clone(), plugin.place.clone())).collect(),
            main: port(&shape.ports.main),
            lite: shape.ports.lite.as_ref().map(|port| port.place.clone()),
            ipfs: shape.ports.ipfs.as_ref().map(port),
        }
    }
}

impl From<&Host> for HostPlaces {
    fn from(host: &Host) -> Self {
        let addresses = host.addresses.iter();
        let nodes = host.nodes.values().map(|identity| NodePlaces {
            shape: identity.shape.value.clone(),
            entry: identity.shape.place.clone(),
            identity: match (&identity.key, &identity.id) {
                (Some(key), _) => key.place.clone(),
                (None, Some(id)) => id.place.clone(),
                (None, None) => identity.shape.place.clone(),
            },
        });
        Self {
            entry: host.name.place.clone(),
            addresses: addresses.map(|address| (address.ip, address.place.clone())).collect(),
            location: host.location.as_ref().map(|location| location.lat.place.clone()),
            nodes: nodes.collect(),
        }
    }
}
