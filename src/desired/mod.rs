//! What the hosts should be: a [`Network`] compiled into a graph of goals.
//!
//! Enter at [`compile`]. A goal is either a resource as it stands, or depends
//! on what the host is ("tau of this architecture", "port 53 is free"), which
//! [`ground`](crate::diff::ground) settles once the host has been asked. The
//! edges say what comes before what; in which order it is done is for the plan.

mod node;
mod peers;

use crate::artifact::Architecture;
use crate::network::{Host, Network};
use crate::resource::{
    Access, Content, DigestKey, Edge, Effect, File, Graph, HostName, Key, Port, Resource, ResourceId, Secret,
    Sha256,
};
use crate::tau;
use std::collections::BTreeMap;
use thiserror::Error;

/// Installed where a container engine is needed and none is there.
pub const ENGINE_PACKAGE: &str = "docker.io";
/// Turns the stub listener of systemd-resolved off, which holds port 53.
pub const RESOLVER_DROP_IN: &str = "/etc/systemd/resolved.conf.d/spore.conf";
/// What [`RESOLVER_DROP_IN`] says. The owner's DNS servers stay as they are.
pub const RESOLVER_DROP_IN_TEXT: &str =
    "# Written by spore: seer answers DNS on this host.\n[Resolve]\nDNSStubListener=no\n";

/// What the hosts should be, and the bytes that this takes.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Goals, by the resource that they are about.
    pub goals: Graph<Goal>,
    /// The bytes of every file but the artifacts', by their digest.
    pub payloads: BTreeMap<Sha256, Secret>,
    /// By host: digests of what says the same as one of our files in other
    /// bytes, and the digest of ours.
    pub equivalents: BTreeMap<Sha256, Sha256>,
    /// For each host, the key that its secrets' digests are keyed with.
    pub digest_keys: BTreeMap<HostName, DigestKey>,
}

/// What should be so on a host.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// This resource, whatever the host is.
    Have(Resource),
    /// The binary of the host's architecture.
    Program(BTreeMap<Architecture, Artifact>),
    /// This port is let in, where something would keep it out.
    Reachable(Port),
    /// A container engine runs.
    ContainerEngine,
    /// Nobody else answers DNS on the host.
    DnsPortFree,
}

/// A file too big to be held here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its digest.
    pub sha256: Sha256,
    /// Its size, where it is known without fetching it.
    pub size: Option<u64>,
}

/// What is known of the files that the folder only names.
#[derive(Clone, Debug, Default)]
pub struct Supplies {
    /// tau, by architecture; empty where the hosts' own is left alone.
    pub tau: BTreeMap<Architecture, Artifact>,
    /// Plugins, by name.
    pub plugins: BTreeMap<String, Artifact>,
}

/// A network that has no desired state.
#[derive(Debug, Error)]
pub enum CompileError {
    /// A node's private key isn't at hand, so its configuration can't be written.
    #[error("the private key of {0} is not in the folder, so its configuration can't be written")]
    NoKey(crate::resource::NodeName),
    /// A value of `accounts.yaml` that YAML can't say.
    #[error("the configuration of {0} can't be written")]
    Unwritable(crate::resource::NodeName, #[source] serde_yaml::Error),
    /// A plugin's file isn't among the supplies.
    #[error("the file of plugin {0} is missing")]
    NoPlugin(String),
}

/// Compiles the desired state of every host of `network`.
///
/// # Errors
/// Where a configuration can't be written; see [`CompileError`].
pub fn compile(network: &Network, supplies: &Supplies) -> Result<Desired, CompileError> {
    let mut desired = Desired::default();
    let drop_in = Secret::new(RESOLVER_DROP_IN_TEXT);
    desired.payloads.insert(Sha256::of(drop_in.expose()), drop_in);
    let bootstrap = peers::bootstrap(network);
    for host in network.hosts.values() {
        let key = DigestKey::derive(network.swarm_key.line(), host.name.as_str());
        let mut compiler = HostCompiler { network, supplies, host, key: &key, desired: &mut desired };
        compiler.own_secrets();
        if !host.nodes.is_empty() {
            compiler.ground_floor();
        }
        for identity in host.nodes.values() {
            compiler.node(identity, &bootstrap)?;
        }
        desired.digest_keys.insert(HostName::clone(&host.name), key);
    }
    peers::connect(network, &mut desired.goals);
    Ok(desired)
}

/// One host on its way into the graph.
struct HostCompiler<'a> {
    network: &'a Network,
    supplies: &'a Supplies,
    host: &'a Host,
    key: &'a DigestKey,
    desired: &'a mut Desired,
}

impl HostCompiler<'_> {
    /// Wherever these are, they are the network's, needed there or not.
    fn own_secrets(&mut self) {
        let network = self.network;
        for secret in
            [Some(network.swarm_key.line()), network.domain.validation.private()].into_iter().flatten()
        {
            self.equivalent(secret.expose(), &String::from_utf8_lossy(secret.expose()));
        }
    }

    /// What every host with a node has, whatever the node is.
    fn ground_floor(&mut self) {
        for (path, mode) in tau::DIRECTORIES {
            self.have(Key::Directory((*path).to_owned()), Resource::Directory(Access::root(*mode)));
            if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
                self.connect(
                    Key::Directory(parent.to_owned()),
                    Key::Directory((*path).to_owned()),
                    Edge::Needs,
                );
            }
        }
        self.goal(Key::File(tau::BINARY.to_owned()), Goal::Program(self.supplies.tau.clone()));
        self.in_directory(tau::BINARY);
        let unit = Secret::new(tau::unit::TEXT);
        self.file(tau::unit::PATH, 0o644, Content::Document(tau::unit::parse(tau::unit::TEXT)), &unit);
        self.have(Key::Units, Resource::Units { fresh: true });
        self.connect(Key::File(tau::unit::PATH.to_owned()), Key::Units, Edge::Reads(Effect::Reload));
        self.secret_file(tau::SWARM_KEY, 0o600, self.network.swarm_key.line());
        let public = self.network.domain.validation.public().to_owned();
        self.equivalent(public.as_bytes(), &public);
        self.file(tau::VALIDATION_PUBLIC, 0o644, Content::Text(public.clone()), &Secret::new(public));
    }

    /// A key file, which says the same with and without a line break at its end.
    fn secret_file(&mut self, path: &str, mode: u32, secret: &Secret) {
        let text = String::from_utf8_lossy(secret.expose()).into_owned();
        self.equivalent(secret.expose(), &text);
        self.file(path, mode, Content::Secret(Sha256::of(secret.expose())), secret);
    }

    fn equivalent(&mut self, ours: &[u8], text: &str) {
        let line = text.trim_end_matches('\n');
        for variant in [line.to_owned(), format!("{line}\n")] {
            self.desired.equivalents.insert(Sha256::of(variant.as_bytes()), Sha256::of(ours));
        }
    }

    /// A file with these bytes, in a directory of the host's.
    fn file(&mut self, path: &str, mode: u32, content: Content, bytes: &Secret) {
        let sha256 = Sha256::of(bytes.expose());
        self.desired.payloads.entry(sha256).or_insert_with(|| bytes.clone());
        let file = File { access: Access::root(mode), content, sha256, judge: Vec::new() };
        self.have(Key::File(path.to_owned()), Resource::File(file));
        self.in_directory(path);
    }

    /// Has a program judge a file before it is put in its place.
    fn judged(&mut self, path: &str, judge: Vec<String>) {
        let id = self.id(Key::File(path.to_owned()));
        if let Some(Goal::Have(Resource::File(file))) = self.desired.goals.get_mut(&id) {
            file.judge = judge;
        }
    }

    fn in_directory(&mut self, path: &str) {
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.connect(Key::Directory(directory.to_owned()), Key::File(path.to_owned()), Edge::Needs);
        }
    }

    fn have(&mut self, key: Key, resource: Resource) {
        self.goal(key, Goal::Have(resource));
    }

    fn goal(&mut self, key: Key, goal: Goal) {
        self.desired.goals.insert(self.id(key), goal);
    }

    fn connect(&mut self, earlier: Key, later: Key, edge: Edge) {
        self.desired.goals.connect(&self.id(earlier), &self.id(later), edge);
    }

    fn id(&self, key: Key) -> ResourceId {
        ResourceId { host: HostName::clone(&self.host.name), key }
    }
}
