//! The desired state of the hosts: a [`Network`] compiled into a graph of goals.
//!
//! The entry point is [`compile`]. A goal either is a resource or depends on the host's
//! conditions ("tau for this architecture", "port 53 is free"). A goal of the latter kind
//! becomes resources in [`ground`](crate::diff::ground()), once the host has been probed.
//! The edges constrain the order; the plan decides it.

pub mod dns;
mod node;
mod parallel;
mod peers;
mod places;

pub(crate) use parallel::in_parallel;
pub use places::Places;

use crate::artifact::{Architecture, Fetch, HostDownload};
use crate::daemon::{resolver, tau};
use crate::identity::{SwarmKey, ValidationKeys};
use crate::network::{Host, Network};
use crate::resource::{
    Access, ByHost, Content, DigestKey, Edge, Effect, File, FileSource, FixedText, FolderKey, Graph,
    HostName, KeyedFile, Port, Printable, Resource, ResourceId, ResourceKey, SecretBytes, Sha256, Version,
};
use peers::BootstrapNode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;

/// The desired state of the hosts, and the bytes of their files.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The goals of each host, by the resource that each goal is about.
    pub goals: ByHost<Goal>,
    /// The bytes of every file except artifacts, by their source.
    pub payloads: BTreeMap<FileSource, SecretBytes>,
    /// Which other bytes mean the same as a desired file.
    pub spellings: Spellings,
    /// The known versions of tau, by the binary's digest.
    pub versions: BTreeMap<Sha256, Version>,
    /// Who downloads tau for the hosts, and how a host can do that, by the binary's digest.
    pub fetched: BTreeMap<Sha256, (Fetch, Option<Arc<HostDownload>>)>,
    /// The key for digests of secrets, by host; empty if the swarm key isn't available, so that
    /// such digests can't be compared.
    pub digest_keys: BTreeMap<HostName, DigestKey>,
}

/// Bytes that mean the same as a desired file: a key with or without a final line break.
#[derive(Clone, Debug, Default)]
pub struct Spellings {
    /// The digest of each spelling, with the digest of the desired file.
    ours: BTreeMap<Sha256, Sha256>,
    /// The spellings of the secrets that the whole network shares.
    secrets: BTreeSet<Sha256>,
}

impl Spellings {
    /// Whether a file with the digest `found` means the same as the desired file with the
    /// digest `ours`.
    pub fn are_equal(&self, found: &Sha256, ours: &Sha256) -> bool {
        found == ours || self.ours.get(found) == Some(ours)
    }

    /// Whether a file with this digest is a spelling of a secret that the whole network
    /// shares.
    pub fn have_secret(&self, found: &Sha256) -> bool {
        self.secrets.contains(found)
    }

    /// Adds the spellings of a desired file. Returns their digests.
    fn add(&mut self, ours: &[u8]) -> [Sha256; 2] {
        let text = String::from_utf8_lossy(ours);
        let line = text.trim_end_matches('\n');
        let spellings = [line.to_owned(), format!("{line}\n")].map(|text| Sha256::of(text.as_bytes()));
        self.ours.extend(spellings.map(|spelling| (spelling, Sha256::of(ours))));
        spellings
    }

    /// Adds the network's secrets, so that their files are recognized on every host,
    /// including the hosts that don't need them.
    fn add_secrets(&mut self, network: &Network) {
        let swarm_key = network.swarm_key.here().map(SwarmKey::line);
        let validation = network.domain.validation.here().and_then(ValidationKeys::private);
        for secret in [swarm_key, validation].into_iter().flatten() {
            let spellings = self.add(secret.expose());
            self.secrets.extend(spellings);
        }
    }
}

impl Desired {
    /// The bytes from this source, if they have this digest. Those to which a host adds a key are
    /// identified by their source.
    pub fn payload(&self, source: &FileSource, sha256: &Sha256) -> Option<&SecretBytes> {
        let is_keyed = matches!(source, FileSource::Keyed(_));
        self.payloads.get(source).filter(|bytes| is_keyed || Sha256::of(bytes.expose()) == *sha256)
    }

    /// The configurations to which a host adds the keys of its nodes, by path: where they come from,
    /// and what is sent of them.
    pub fn keyed<'d>(
        &'d self,
        host: &HostName,
    ) -> impl Iterator<Item = (&'d str, &'d KeyedFile, &'d SecretBytes)> {
        let goals = self.goals.of(host).into_iter().flat_map(Graph::iter);
        goals.filter_map(|(id, goal)| {
            let Goal::Have(Resource::File(file)) = goal else { return None };
            let FileSource::Keyed(keyed) = &file.source else { return None };
            Some((id.key.path()?, keyed, self.payloads.get(&file.source)?))
        })
    }
}

/// Something that should be true of a host.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The resource exists.
    Have(Resource),
    /// The daemon's program for the host's architecture is installed; with no artifacts,
    /// the host keeps the program that it has.
    Program(BTreeMap<Architecture, ArtifactRef>),
    /// If the host has a firewall, it allows this port.
    Reachable(Port),
    /// A container engine runs.
    ContainerEngine,
    /// Port 53 is free for the node.
    DnsPortFree,
}

/// A file that is too large to hold in memory, and so is only identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArtifactRef {
    /// The digest of the file.
    pub sha256: Sha256,
    /// The size in bytes, if known without a download.
    pub size: Option<u64>,
}

/// The files that the folder only refers to.
#[derive(Clone, Debug, Default)]
pub struct Supplies {
    /// tau, by architecture. Empty if the folder doesn't pin a tau; each host then keeps
    /// the one that it has.
    pub tau: BTreeMap<Architecture, ArtifactRef>,
    /// The plugins, by name.
    pub plugins: BTreeMap<String, ArtifactRef>,
    /// The known versions of tau, by the binary's digest.
    pub versions: BTreeMap<Sha256, Version>,
    /// Who downloads tau for the hosts, and how a host can do that, by the binary's digest.
    pub fetched: BTreeMap<Sha256, (Fetch, Option<Arc<HostDownload>>)>,
}

/// Why a network couldn't be compiled.
#[derive(Debug, Error)]
pub enum CompileError {
    /// A value of `accounts.yaml` can't be represented in YAML.
    #[error("cannot write the configuration of {0}")]
    Unwritable(crate::resource::NodeName, #[source] serde_yaml::Error),
    /// The file of a plugin is missing from the supplies.
    #[error("the file of plugin {0} is missing")]
    NoPlugin(String),
}

/// Compiles the desired state of every host of `network`.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(network: &Network, supplies: &Supplies) -> Result<Desired, CompileError> {
    let Supplies { tau: _, plugins: _, versions, fetched } = supplies;
    let (versions, fetched) = (versions.clone(), fetched.clone());
    let mut desired = Desired { versions, fetched, ..Desired::default() };
    let drop_in = SecretBytes::new(resolver::DROP_IN_TEXT);
    desired.payloads.insert(FileSource::Fixed(FixedText::ResolverDropIn), drop_in);
    desired.spellings.add_secrets(network);
    let files = NetworkFiles::new(network, &mut desired);
    let bootstrap = peers::bootstrap(network);
    let hosts: Vec<&Host> = network.hosts.values().collect();
    let compiled =
        in_parallel(hosts, |host| HostCompiler::new(network, supplies, host, &files).compile(&bootstrap));
    let mut goals = Vec::with_capacity(compiled.len());
    for host in compiled {
        let HostGoals { host, key, graph, payloads } = host?;
        desired.payloads.extend(payloads);
        desired.digest_keys.extend(key.map(|key| (host.clone(), key)));
        goals.push((host, graph));
    }
    desired.goals = ByHost::from_iter(goals);
    Ok(desired)
}

/// The files that are the same on every host that has them.
struct NetworkFiles {
    unit_template: Arc<File>,
    swarm_key: Arc<File>,
    validation_public: Arc<File>,
    validation_private: Option<Arc<File>>,
}

impl NetworkFiles {
    /// Adds the bytes of the files to `desired`, and which other bytes mean the same: a key is
    /// equivalent to one with or without a final line break.
    fn new(network: &Network, desired: &mut Desired) -> Self {
        let template = tau::template();
        let source = FileSource::Fixed(FixedText::UnitTemplate);
        let text = SecretBytes::new(template.text());
        let sha256 = Sha256::of(text.expose());
        desired.payloads.insert(source.clone(), text);
        let content = Content::Document(Arc::clone(template.document()));
        let unit_template = Arc::new(File { access: Access::root(0o644), content, sha256, source });

        let mut key = |mode, key: FolderKey, bytes: Option<SecretBytes>| {
            let source = FileSource::Folder(key);
            let Some(bytes) = bytes else { return Arc::new(File::unavailable(Access::root(mode), source)) };
            desired.spellings.add(bytes.expose());
            let sha256 = Sha256::of(bytes.expose());
            let content = match key {
                FolderKey::Swarm | FolderKey::ValidationPrivate => Content::Secret(sha256),
                FolderKey::ValidationPublic => {
                    Content::Text(Printable::text(&String::from_utf8_lossy(bytes.expose())))
                }
            };
            desired.payloads.insert(source.clone(), bytes);
            Arc::new(File { access: Access::root(mode), content, sha256, source })
        };
        let domain = &network.domain;
        let swarm_key = network.swarm_key.here().map(|key| key.line().clone());
        let public = domain.validation.here().map(|keys| SecretBytes::new(keys.public()));
        Self {
            unit_template,
            swarm_key: key(0o600, FolderKey::Swarm, swarm_key),
            validation_public: key(0o644, FolderKey::ValidationPublic, public),
            validation_private: domain
                .private_key()
                .map(|private| key(0o600, FolderKey::ValidationPrivate, private.here().copied().cloned())),
        }
    }
}

/// What is compiled for one host.
struct HostGoals {
    host: HostName,
    /// `None` if the swarm key isn't available.
    key: Option<DigestKey>,
    graph: Graph<Goal>,
    /// The bytes of the files that only this host has.
    payloads: Vec<(FileSource, SecretBytes)>,
}

/// Compiles one host's goals.
struct HostCompiler<'a> {
    network: &'a Network,
    supplies: &'a Supplies,
    host: &'a Host,
    files: &'a NetworkFiles,
    goals: HostGoals,
}

impl<'a> HostCompiler<'a> {
    fn new(network: &'a Network, supplies: &'a Supplies, host: &'a Host, files: &'a NetworkFiles) -> Self {
        let name = HostName::clone(&host.name);
        let swarm_key = network.swarm_key.here();
        let key = swarm_key.map(|key| DigestKey::derive(key.line(), name.as_str()));
        let goals = HostGoals { host: name, key, graph: Graph::default(), payloads: Vec::new() };
        Self { network, supplies, host, files, goals }
    }

    fn compile(mut self, bootstrap: &[BootstrapNode]) -> Result<HostGoals, CompileError> {
        if !self.host.nodes.is_empty() {
            self.ground_floor();
        }
        for identity in self.host.nodes.values() {
            self.node(identity, bootstrap)?;
        }
        Ok(self.goals)
    }

    /// The goals that every host with a node has.
    fn ground_floor(&mut self) {
        for (path, mode) in tau::DIRECTORIES {
            self.have(ResourceKey::Directory((*path).to_owned()), Resource::Directory(Access::root(*mode)));
            if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
                self.connect(
                    ResourceKey::Directory(parent.to_owned()),
                    ResourceKey::Directory((*path).to_owned()),
                    Edge::Needs,
                );
            }
        }
        self.goal(ResourceKey::File(tau::BINARY.to_owned()), Goal::Program(self.supplies.tau.clone()));
        self.in_directory(tau::BINARY);
        let template = tau::template().path();
        self.file(template, Arc::clone(&self.files.unit_template));
        self.have(ResourceKey::Units, Resource::Units { fresh: true });
        self.connect(ResourceKey::File(template.to_owned()), ResourceKey::Units, Edge::Reads(Effect::Reload));
        self.file(tau::SWARM_KEY, Arc::clone(&self.files.swarm_key));
        self.file(tau::VALIDATION_PUBLIC, Arc::clone(&self.files.validation_public));
    }

    fn file(&mut self, path: &str, file: Arc<File>) {
        self.have(ResourceKey::File(path.to_owned()), Resource::File(file));
        self.in_directory(path);
    }

    fn in_directory(&mut self, path: &str) {
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.connect(
                ResourceKey::Directory(directory.to_owned()),
                ResourceKey::File(path.to_owned()),
                Edge::Needs,
            );
        }
    }

    fn have(&mut self, key: ResourceKey, resource: Resource) {
        self.goal(key, Goal::Have(resource));
    }

    fn goal(&mut self, key: ResourceKey, goal: Goal) {
        let id = self.id(key);
        self.goals.graph.insert(id, goal);
    }

    fn connect(&mut self, earlier: ResourceKey, later: ResourceKey, edge: Edge) {
        let (earlier, later) = (self.id(earlier), self.id(later));
        self.goals.graph.connect(&earlier, &later, edge);
    }

    fn id(&self, key: ResourceKey) -> ResourceId {
        ResourceId { host: HostName::clone(&self.host.name), key }
    }
}
