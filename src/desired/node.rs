//! The goals of a node: its configuration, its unit, and what its services need.

use super::peers::BootstrapNode;
use super::{CompileError, Goal, HostCompiler};
use crate::daemon::tau::config::{
    self, App, Domains, KeyFiles, Location, NodeConfig, Plugins, Ports, Tenancy,
};
use crate::daemon::tau::{self, ServiceTraits};
use crate::daemon::{Setting, engine, resolver};
use crate::identity::public_half_of_peer_id;
use crate::network::{Identity, Keeper, Plugin, Secret, Shape};
use crate::resource::{
    Access, Activity, Content, Document, Edge, Effect, File, FileSource, KeyedFile, Node, NodeName,
    ResourceKey, SecretBytes, Service, Sha256, Started,
};
use std::net::IpAddr;
use std::sync::Arc;

impl HostCompiler<'_> {
    /// Adds the goals of the host's node with this identity.
    pub(super) fn node(
        &mut self,
        identity: &Identity,
        bootstrap: &[BootstrapNode],
    ) -> Result<(), CompileError> {
        let network = self.network;
        let shape_name = &*identity.shape;
        // Reading the folder has already checked that the shape exists.
        let Some(shape) = network.shapes.get(shape_name) else { return Ok(()) };
        let name = self.host.node_name(shape_name);
        let unit = ResourceKey::Service(name.unit());
        let services = || shape.services.iter().map(|service| service.as_str());
        let needs = tau::needs(services());

        let config = self.config(&name, identity, shape, bootstrap, &needs);
        let unwritable = |error| CompileError::Unwritable(name.clone(), error);
        let mut document = config.document(self.goals.key.as_ref()).map_err(unwritable)?;
        self.withhold(&mut document, identity, bootstrap, &needs);
        let text = config.to_yaml().map_err(unwritable)?;
        let path = tau::config_path(shape_name);
        let is_whole = document.withheld().next().is_none();
        let content = Content::Document(Arc::new(document));
        let (source, sha256, payload) = match self.source(&name, identity, text).filter(|_| is_whole) {
            Some((source, sha256, payload)) => (source, sha256, Some(payload)),
            None => (FileSource::Rendered(name.clone()), Sha256::UNKNOWN, None),
        };
        self.goals.payloads.extend(payload.map(|payload| (source.clone(), payload)));
        self.file(&path, Arc::new(File { access: Access::root(0o600), content, sha256, source }));
        let validates = Edge::Validates(tau::validation(shape_name).into());
        self.connect(ResourceKey::File(tau::BINARY.to_owned()), ResourceKey::File(path.clone()), validates);

        let is_bootstrap = network
            .bootstrap
            .get(shape_name)
            .is_some_and(|hosts| hosts.iter().any(|host| **host == name.host));
        // A plan without the id can't be applied.
        let id = identity.id.as_ref().map(|id| id.to_string()).unwrap_or_default();
        let health = tau::health(shape_name, &id, *shape.ports.main, services());
        self.have(
            unit.clone(),
            Service {
                enabled: true,
                activity: Activity::Running(Started::WANTED),
                node: Some(Node {
                    name,
                    bootstrap: is_bootstrap,
                    serves: services().map(str::to_owned).collect(),
                    health,
                }),
            }
            .into(),
        );
        self.connect(ResourceKey::Units, unit.clone(), Edge::Needs);
        for directory in tau::DIRECTORIES {
            self.connect(ResourceKey::Directory(directory.0.to_owned()), unit.clone(), Edge::Needs);
        }

        if needs.trusted
            && let Some(private) = self.files.validation_private.clone()
        {
            self.file(tau::VALIDATION_PRIVATE, private);
            self.reads(&unit, tau::VALIDATION_PRIVATE);
        }
        for path in [tau::BINARY, tau::template().path(), tau::VALIDATION_PUBLIC, &path] {
            self.reads(&unit, path);
        }
        self.connect(
            ResourceKey::File(tau::SWARM_KEY.to_owned()),
            unit.clone(),
            Edge::Reads(tau::config::effect_of(Setting::SwarmKey, needs.trusted)),
        );
        self.plugins(shape, &unit)?;

        let ipfs = shape.ports.ipfs.as_ref().map(|port| **port);
        for port in tau::open_ports(services(), *shape.ports.main, ipfs) {
            self.goal(ResourceKey::Rule(port), Goal::Reachable(port));
            self.connect(ResourceKey::Rule(port), unit.clone(), Edge::Needs);
        }
        if needs.containers {
            let engine = ResourceKey::Package(engine::INSTALLED.package.to_owned());
            self.goal(engine.clone(), Goal::ContainerEngine);
            self.connect(engine, unit.clone(), Edge::Needs);
        }
        if needs.dns {
            let stub = ResourceKey::File(resolver::DROP_IN.to_owned());
            self.goal(stub.clone(), Goal::DnsPortFree);
            self.connect(stub, unit, Edge::Needs);
        }
        Ok(())
    }

    /// Where the text of a configuration comes from, its digest, and what is sent of it. If only
    /// the host has the key, it adds the line with the key, and only then the digest is known.
    /// `None` if the key is elsewhere.
    fn source(
        &self,
        name: &NodeName,
        identity: &Identity,
        text: SecretBytes,
    ) -> Option<(FileSource, Sha256, SecretBytes)> {
        match identity.keeper {
            Keeper::Folder => {
                let sha256 = Sha256::of(text.expose());
                return Some((FileSource::Rendered(name.clone()), sha256, text));
            }
            Keeper::Host => {}
            Keeper::Unknown => return None,
        }
        let (id, key) = (identity.id.as_ref()?, self.goals.key.as_ref()?);
        let rest = config::without_key(&text)?;
        let public = public_half_of_peer_id(id)?;
        let source = KeyedFile { node: name.clone(), public, rest: key.digest(rest.expose()) };
        Some((FileSource::Keyed(source), Sha256::UNKNOWN, rest))
    }

    fn reads(&mut self, unit: &ResourceKey, path: &str) {
        self.connect(ResourceKey::File(path.to_owned()), unit.clone(), Edge::Reads(Effect::Restart));
    }

    fn plugins(&mut self, shape: &Shape, unit: &ResourceKey) -> Result<(), CompileError> {
        for plugin in plugins(shape) {
            let artifact = self.supplies.plugins.get(&plugin.name);
            let artifact = *artifact.ok_or_else(|| CompileError::NoPlugin(plugin.name.clone()))?;
            let path = tau::plugin_path(&plugin.name);
            let content = Content::Blob { sha256: artifact.sha256, size: artifact.size };
            let source = FileSource::Plugin(plugin.name.clone());
            let file = File { access: Access::root(0o755), content, sha256: artifact.sha256, source };
            self.file(&path, Arc::new(file));
            self.reads(unit, &path);
        }
        Ok(())
    }

    fn config(
        &self,
        name: &NodeName,
        identity: &Identity,
        shape: &Shape,
        bootstrap: &[BootstrapNode],
        needs: &ServiceTraits,
    ) -> NodeConfig {
        let main = *shape.ports.main;
        let domain = &self.network.domain;
        let addresses = || self.host.addresses.iter().map(|address| address.ip);
        let mut listen = vec![format!("/ip4/0.0.0.0/tcp/{main}")];
        if addresses().any(|ip| ip.is_ipv6()) {
            listen.push(format!("/ip6/::/tcp/{main}"));
        }
        let public = tau::config::relative(tau::VALIDATION_PUBLIC);
        // tau requires this file whatever services the node runs. Without the private key,
        // the configuration names the public one.
        let has_private = needs.trusted && domain.private_key().is_some();
        let private =
            if has_private { tau::config::relative(tau::VALIDATION_PRIVATE) } else { public.clone() };
        // Without a key, what is sent is the rest of the configuration, if anything.
        let key = identity.key.as_ref().map(|key| key.expose().clone());
        NodeConfig {
            privatekey: key.unwrap_or_else(|| SecretBytes::new("")),
            swarmkey: tau::config::relative(tau::SWARM_KEY),
            services: shape.services.iter().map(|service| service.to_string()).collect(),
            p2p_listen: listen,
            p2p_announce: addresses().map(|ip| multiaddr(ip, main)).collect(),
            ports: Ports {
                main,
                lite: shape.ports.lite.as_ref().map(|port| **port),
                ipfs: shape.ports.ipfs.as_ref().map(|port| **port),
            },
            location: self.host.location.as_ref().map(|at| Location { lat: *at.lat, long: *at.long }),
            peers: bootstrap
                .iter()
                .filter(|node| node.host != name.host)
                .flat_map(|node| node.multiaddrs.iter().flatten().cloned())
                .collect(),
            network_fqdn: domain.root.to_string(),
            domains: Domains {
                key: KeyFiles { private, public },
                generated: domain.generated.to_string(),
                hosts: domain
                    .custom
                    .iter()
                    .map(|(name, custom)| (name.clone(), custom.service.to_string()))
                    .collect(),
            },
            tenancy: self.tenancy(needs.trusted),
            accounts: self
                .network
                .accounts
                .as_ref()
                .and_then(Secret::here)
                .filter(|_| needs.accounts)
                .map(|accounts| accounts.expose().clone()),
            plugins: Plugins { plugins: plugins(shape).map(|plugin| plugin.name.clone()).collect() },
        }
    }

    /// Withholds what depends on secrets that aren't available.
    fn withhold(
        &self,
        document: &mut Document,
        identity: &Identity,
        bootstrap: &[BootstrapNode],
        needs: &ServiceTraits,
    ) {
        let network = self.network;
        let mut withheld = Vec::new();
        match (&identity.key, &identity.id) {
            (Some(_), _) => {}
            (None, Some(id)) => config::identify(document, &id.to_string()),
            (None, None) => withheld.push(Setting::Identity),
        }
        let mut dialled = bootstrap.iter().filter(|node| node.host != *self.host.name);
        if dialled.any(|node| node.multiaddrs.is_none()) {
            withheld.push(Setting::Elders);
        }
        let app = network.tenancy.as_ref().and_then(|tenancy| tenancy.app.as_ref());
        let app_key = app.and_then(|app| app.key.as_ref());
        if needs.trusted && app_key.is_some_and(|key| key.is_elsewhere()) {
            withheld.push(Setting::AppKey);
        }
        if needs.accounts && network.accounts.as_ref().is_some_and(Secret::is_elsewhere) {
            withheld.push(Setting::Accounts);
        }
        config::withhold(document, &withheld);
    }

    /// The tenancy for a node: every node gets the provider and the owner, but only trusted
    /// nodes get the credential.
    fn tenancy(&self, trusted: bool) -> Option<Tenancy> {
        let tenancy = self.network.tenancy.as_ref()?;
        let app = tenancy.app.as_ref().filter(|_| trusted).map(|app| App {
            client_id: app.client_id.as_ref().map(|id| id.to_string()).unwrap_or_default(),
            key: app.key.as_ref().and_then(|key| key.here().cloned()).unwrap_or_else(|| SecretBytes::new("")),
        });
        Some(Tenancy { provider: tenancy.provider.to_string(), owner: tenancy.owner.to_string(), app })
    }
}

/// The plugins whose files exist. Like upstream's tool, spore runs nodes without the
/// others.
fn plugins(shape: &Shape) -> impl Iterator<Item = &Plugin> {
    shape.plugins.iter().map(|plugin| &plugin.value).filter(|plugin| plugin.is_there)
}

/// The multiaddress of a TCP port, such as `/ip4/10.0.0.1/tcp/4242`.
pub(super) fn multiaddr(ip: IpAddr, port: u16) -> String {
    match ip {
        IpAddr::V4(ip) => format!("/ip4/{ip}/tcp/{port}"),
        IpAddr::V6(ip) => format!("/ip6/{ip}/tcp/{port}"),
    }
}
