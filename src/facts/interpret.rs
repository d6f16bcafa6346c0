//! What the facts mean: the host's [`Current`] state.
//!
//! Only the facts decide. What the folder wants plays no part: a file with other bytes is
//! another file here, and whether both mean the same is for the comparison to say. So one
//! state can be compared with any folder, and facts can be interpreted where no folder is.

use super::current::{Current, Unwanted};
use super::firewall;
use super::units::{self, HostUnits, stub_listens};
use super::{Conditions, Engine, Facts, FileFact, PathFact, Resolver, UnitFact};
use crate::artifact::Architecture;
use crate::desired::{ENGINE_PACKAGE, RESOLVER_DROP_IN};
use crate::resource::{
    Content, Document, Edge, Effect, File, Graph, HostName, Link, Printable, Resource, ResourceId,
    ResourceKey, ShapeName, Source, Unreadable, Value,
};
use crate::tau;
use std::collections::{BTreeMap, BTreeSet};

/// Where starts of nodes are noted.
const RECORDS: &str = "/run/spore/";
/// The digests of big files: a cache.
const DIGESTS: &str = "/var/lib/spore/digests";
/// Has a file for each shape whose node spore has removed and whose storage it
/// has left there (`remove.sh`).
const REMOVED: &str = "/var/lib/spore/removed/";

/// Derives a host's current state from its facts.
pub fn interpret(host: &HostName, facts: &Facts) -> Current {
    let mut reading = Reading {
        host,
        facts,
        graph: Graph::default(),
        unwanted: BTreeMap::new(),
        networks: BTreeSet::new(),
    };
    reading.directories();
    reading.files();
    reading.rules();
    reading.links();
    reading.packages();
    units::services(&HostUnits { name: host, facts }, &mut reading.graph);
    reading.storage();
    reading.notes();
    reading.records();
    let Reading { mut graph, unwanted, networks, .. } = reading;
    let of_nodes = || facts.units.iter().filter(|(name, _)| tau::shape_of_unit(name).is_some());
    let fresh = !of_nodes().any(|(_, unit)| is_outdated(unit, facts));
    let id = |key| ResourceId { host: host.clone(), key };
    graph.insert(id(ResourceKey::Units), Resource::Units { fresh });
    let file = ResourceKey::File(tau::unit::PATH.to_owned());
    graph.connect(&id(file), &id(ResourceKey::Units), Edge::Reads(Effect::Reload));
    let conditions = conditions(facts, &graph, host, networks);
    Current { conditions, graph, unwanted, asked: facts.asked.clone() }
}

/// Whether systemd uses a file other than the one on the disk. It reports that for the
/// file that it has read, but not if another file has taken precedence since.
fn is_outdated(unit: &UnitFact, facts: &Facts) -> bool {
    let is_overridden = || {
        let name = tau::unit::PATH.rsplit('/').next();
        facts.paths.contains_key(tau::unit::PATH)
            && unit.fragment != tau::unit::PATH
            && unit.fragment.rsplit('/').next() == name
    };
    unit.need_reload || is_overridden()
}

struct Reading<'a> {
    host: &'a HostName,
    facts: &'a Facts,
    graph: Graph<Resource>,
    unwanted: BTreeMap<ResourceKey, Unwanted>,
    networks: BTreeSet<Printable>,
}

impl Reading<'_> {
    /// A resource whose removal depends on something.
    fn put_unless(&mut self, key: ResourceKey, resource: Resource, unwanted: Unwanted) {
        self.unwanted.insert(key.clone(), unwanted);
        self.put(key, resource);
    }

    fn put(&mut self, key: ResourceKey, resource: Resource) {
        self.graph.insert(ResourceId { host: self.host.clone(), key }, resource);
    }

    fn directories(&mut self) {
        let resolver = RESOLVER_DROP_IN.rsplit_once('/').map_or("", |(directory, _)| directory);
        for path in tau::DIRECTORIES.iter().map(|(path, _)| *path).chain([resolver]) {
            let resource = match self.facts.paths.get(path) {
                None => continue,
                Some(PathFact::Directory { access, .. }) => Resource::Directory(access.clone()),
                Some(PathFact::Unreadable(why)) => Resource::Unreadable { why: why.clone() },
                Some(PathFact::File(_) | PathFact::Link { .. } | PathFact::Other(_)) => {
                    Resource::Unreadable { why: Unreadable::NotADirectory }
                }
            };
            self.put(ResourceKey::Directory(path.to_owned()), resource);
        }
    }

    fn files(&mut self) {
        for (path, fact) in &self.facts.paths {
            let Some(meaning) = meaning(path) else { continue };
            let resource = match fact {
                PathFact::File(file) => match self.file(path, file, &meaning) {
                    Some(resource) => resource,
                    None => continue,
                },
                _ if meaning == Meaning::Leftover => continue,
                PathFact::Unreadable(why) => Resource::Unreadable { why: why.clone() },
                PathFact::Directory { .. } | PathFact::Link { .. } | PathFact::Other(_) => {
                    // Spore stages files only; staging one clears away what has its name.
                    if meaning == Meaning::Staged {
                        continue;
                    }
                    Resource::Unreadable { why: Unreadable::NotAFile }
                }
            };
            self.put(ResourceKey::File(path.clone()), resource);
        }
    }

    fn file(&mut self, path: &str, fact: &FileFact, meaning: &Meaning) -> Option<Resource> {
        let Some(sha256) = fact.sha256 else {
            if *meaning == Meaning::Leftover {
                return None;
            }
            return Some(Resource::Unreadable { why: Unreadable::TooLarge });
        };
        let text = self.facts.texts.get(path);
        let blob = Content::Blob { sha256, size: Some(fact.size) };
        let content = match meaning {
            Meaning::Config => match text.and_then(|text| tau::config::parse(text).ok()) {
                Some(document) => {
                    self.networks.extend(network_of(&document));
                    Content::Document(document)
                }
                None => {
                    let why = Unwanted::Unclear(Unreadable::NotAConfiguration);
                    self.unwanted.insert(ResourceKey::File(path.to_owned()), why);
                    Content::Opaque
                }
            },
            Meaning::Secret => Content::Secret(sha256),
            Meaning::Leftover => {
                self.unwanted.insert(ResourceKey::File(path.to_owned()), Unwanted::Copy);
                Content::Secret(sha256)
            }
            Meaning::Text => text.map_or(blob, |text| Content::Text(Printable::text(text.expose()))),
            Meaning::Unit => {
                text.map_or(Content::Opaque, |text| Content::Document(tau::unit::parse(text.expose())))
            }
            Meaning::Blob | Meaning::Staged => blob,
        };
        Some(Resource::File(File { access: fact.access.clone(), content, sha256, source: Source::Host }))
    }

    fn rules(&mut self) {
        // While ufw is disabled, it is unknown whether its rules will be needed.
        let ours = firewall::of(self.facts).map(|firewall| firewall.ours()).unwrap_or_default();
        for (port, whole) in ours {
            self.put(ResourceKey::Rule(port), Resource::Rule { whole });
        }
    }

    fn links(&mut self) {
        match self.facts.paths.get(RESOLV_CONF) {
            Some(PathFact::Link { target }) => {
                let link = Link { target: target.clone() };
                self.put(ResourceKey::Link(RESOLV_CONF.to_owned()), Resource::Link(link));
            }
            Some(PathFact::File(fact)) => {
                if let Some(sha256) = fact.sha256 {
                    let access = fact.access.clone();
                    let content = Content::Opaque;
                    let file = File { access, content, sha256, source: Source::Host };
                    self.put(ResourceKey::Link(RESOLV_CONF.to_owned()), Resource::File(file));
                }
            }
            _ => {}
        }
    }

    /// Only those whose installation was cut off: it isn't asked whether others are there.
    fn packages(&mut self) {
        for name in &self.facts.unfinished {
            self.put(ResourceKey::Package(name.clone()), Resource::Package { finished: false });
        }
    }

    /// Records of starts, of nodes that aren't there. `spore`
    /// removes them together with the node; an owner who removes a node may not,
    /// and a record holds digests of the configuration's secrets.
    fn records(&mut self) {
        for (path, fact) in &self.facts.paths {
            let Some((shape, _)) = path.strip_prefix(RECORDS).and_then(|rest| rest.split_once('/')) else {
                continue;
            };
            let PathFact::File(FileFact { access, size, sha256: Some(sha256), .. }) = fact else { continue };
            let Ok(shape) = shape.parse::<ShapeName>() else { continue };
            let unit = ResourceKey::Service(tau::unit_name(&shape));
            let is_there = self.graph.get(&ResourceId { host: self.host.clone(), key: unit }).is_some();
            if is_there {
                continue;
            }
            let content = Content::Blob { sha256: *sha256, size: Some(*size) };
            let file = File { access: access.clone(), content, sha256: *sha256, source: Source::Host };
            self.put_unless(ResourceKey::File(path.clone()), Resource::File(file), Unwanted::Node(shape));
        }
    }

    /// The data of nodes that are there, or that spore has removed. Whatever else is there
    /// isn't known to be a node's, and stays.
    fn storage(&mut self) {
        let found = self.graph.iter().filter_map(|(id, _)| match &id.key {
            ResourceKey::File(path) => tau::shape_of_config(path),
            ResourceKey::Service(unit) => tau::shape_of_unit(unit),
            _ => None,
        });
        let removed = self.removed().map(|(_, shape)| shape);
        let known: BTreeSet<ShapeName> = found.chain(removed).collect();
        let there = storage(self.facts);
        for path in known.iter().flat_map(tau::storage_paths) {
            let Some(device_inode) = there.get(path.as_str()) else { continue };
            let storage = Resource::Storage { device_inode: (*device_inode).to_owned() };
            let shapes = tau::shapes_of_storage(&path);
            self.put_unless(ResourceKey::Storage(path), storage, Unwanted::Data(shapes));
        }
    }

    /// The nodes that spore has removed, and the file that says so.
    fn removed(&self) -> impl Iterator<Item = (&String, ShapeName)> {
        let facts = self.facts;
        facts.paths.keys().filter_map(|path| Some((path, path.strip_prefix(REMOVED)?.parse().ok()?)))
    }

    /// Files of ours that may no longer be needed: the digests if no node is left, and the
    /// note about a removed node whose storage is gone.
    fn notes(&mut self) {
        let there = storage(self.facts);
        let without_storage = self.removed().filter(|(_, shape)| {
            !tau::storage_paths(shape).iter().any(|path| there.contains_key(path.as_str()))
        });
        let mut idle: Vec<(String, Unwanted)> =
            without_storage.map(|(path, shape)| (path.clone(), Unwanted::Node(shape))).collect();
        idle.push((DIGESTS.to_owned(), Unwanted::Host));
        for (path, unwanted) in idle {
            if let Some(PathFact::File(FileFact { access, size, sha256: Some(sha256), .. })) =
                self.facts.paths.get(&path)
            {
                let content = Content::Blob { sha256: *sha256, size: Some(*size) };
                let file = File { access: access.clone(), content, sha256: *sha256, source: Source::Host };
                self.put_unless(ResourceKey::File(path), Resource::File(file), unwanted);
            }
        }
    }
}

/// Directories where nodes keep their data, and what else is beside them: by path, their
/// `device:inode`.
fn storage(facts: &Facts) -> BTreeMap<&str, &str> {
    let is_below =
        |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
    facts
        .paths
        .iter()
        .filter(|(path, _)| [tau::STORAGE, tau::RAFT].into_iter().any(|above| is_below(path, above)))
        .filter_map(|(path, fact)| match fact {
            PathFact::Directory { device_inode, .. } => Some((path.as_str(), device_inode.as_str())),
            _ => None,
        })
        .collect()
}

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Whether a probe looks at this path, apart from the directories that it is given.
pub(super) fn is_looked_at(path: &str) -> bool {
    let resolver = RESOLVER_DROP_IN.rsplit_once('/').is_some_and(|(directory, _)| directory == path);
    meaning(path).is_some() || path == RESOLV_CONF || resolver
}

/// Whether a probe looks for this unit, which isn't a node's.
pub(super) fn is_queried(unit: &str) -> bool {
    unit == RESOLVER || ENGINES.iter().any(|(_, engine)| *engine == unit)
}

/// See [`Meaning::Leftover`].
const LEFTOVERS: [&str; 2] = ["/tmp/swarm.key", "/tmp/dv_private.key"];

/// What a file is, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    Config,
    Secret,
    /// A secret that upstream's tool leaves in `/tmp`, owned by whoever logged in.
    ///
    /// **What counts in /tmp**, which `probe.sh`, `lib.sh` and `remove.sh` keep to as well: a
    /// regular file with one of the names in [`LEFTOVERS`] that has the digest of a secret of
    /// the network. Whatever else is there, any user may have put it there, and it is ignored:
    /// it is neither a problem nor a change. As they may also put a pipe or a link there at
    /// any instant, the file is opened without waiting and without following links. Secrets
    /// are small: no more than 64 KiB are read.
    Leftover,
    Text,
    Unit,
    Blob,
    /// A temporary file of ours, which an interrupted apply has left.
    Staged,
}

fn meaning(path: &str) -> Option<Meaning> {
    let (directory, name) = path.rsplit_once('/')?;
    if name.starts_with(".spore-") {
        return Some(Meaning::Staged);
    }
    match path {
        tau::BINARY => return Some(Meaning::Blob),
        tau::SWARM_KEY | tau::VALIDATION_PRIVATE => return Some(Meaning::Secret),
        tau::VALIDATION_PUBLIC | RESOLVER_DROP_IN => return Some(Meaning::Text),
        tau::unit::PATH => return Some(Meaning::Unit),
        _ if LEFTOVERS.contains(&path) => return Some(Meaning::Leftover),
        _ => {}
    }
    match directory {
        tau::CONFIG => {
            name.strip_suffix(".yaml")?.parse::<ShapeName>().ok()?;
            Some(Meaning::Config)
        }
        tau::PLUGINS => Some(Meaning::Blob),
        _ => None,
    }
}

fn network_of(document: &Document) -> Option<Printable> {
    match &document.fields.get("network-fqdn")?.value {
        Value::Scalar(name) => Some(name.clone()),
        _ => None,
    }
}

fn conditions(
    facts: &Facts,
    graph: &Graph<Resource>,
    host: &HostName,
    networks: BTreeSet<Printable>,
) -> Conditions {
    let id = |key| ResourceId { host: host.clone(), key };
    let program = match graph.get(&id(ResourceKey::File(tau::BINARY.to_owned()))) {
        Some(Resource::File(file)) => Some(file.clone()),
        _ => None,
    };
    let drop_in = graph.get(&id(ResourceKey::File(RESOLVER_DROP_IN.to_owned()))).is_some();
    let resolver = facts.units.get(RESOLVER).filter(|unit| unit.load == "loaded");
    let wants_dns_port = resolver.is_some_and(|unit| {
        // A resolver that failed, or is just starting, will take the port. If it doesn't
        // hold the port now, that proves nothing: it may have been started with a drop-in
        // that has been removed.
        let is_wanted = unit.active != "inactive" || unit.enabled == "enabled";
        is_wanted && (drop_in || stub_listens(facts) || !stub_is_off(facts))
    });
    let runs = resolver.is_some_and(|unit| unit.active != "inactive");
    let leads_to_stub = match graph.get(&id(ResourceKey::Link(RESOLV_CONF.to_owned()))) {
        Some(Resource::Link(link)) if link.target.ends_with("/stub-resolv.conf") => Some(Some(link.clone())),
        Some(Resource::File(_))
            if facts.texts.get(RESOLV_CONF).is_some_and(|text| text.expose().contains("127.0.0.53")) =>
        {
            Some(None)
        }
        _ => None,
    };
    Conditions {
        architecture: (facts.architecture.clone(), Architecture::of_uname(&facts.architecture)),
        systemd: facts.systemd,
        machine: facts.machine,
        apt: facts.apt,
        free_bytes: facts.free_bytes,
        versions: facts.versions.clone(),
        program,
        firewall: firewall::of(facts),
        engine: engine(facts),
        resolver: Resolver { wants_dns_port, runs, leads_to_stub },
        storage: storage(facts).into_keys().map(str::to_owned).collect(),
        networks,
        foreign: units::foreign(facts),
    }
}

/// Whether the owner of a host has switched the stub off: the last file says.
fn stub_is_off(facts: &Facts) -> bool {
    let own = "/etc/systemd/resolved.conf";
    let is_below = |path: &str| path.starts_with("/etc/systemd/resolved.conf.d/") && path != RESOLVER_DROP_IN;
    let below = facts.texts.iter().filter(|(path, _)| is_below(path)).map(|(_, text)| text);
    let mut is_off = false;
    for line in facts.texts.get(own).into_iter().chain(below).flat_map(|text| text.expose().lines()) {
        if let Some((name, value)) = line.split_once('=')
            && name.trim() == "DNSStubListener"
        {
            let value = value.trim().to_ascii_lowercase();
            is_off = ["no", "false", "n", "f", "off", "0"].contains(&value.as_str());
        }
    }
    is_off
}

const RESOLVER: &str = "systemd-resolved.service";

/// Packages that bring an engine, and their units.
const ENGINES: [(&str, &str); 2] = [(ENGINE_PACKAGE, "docker.service"), ("containerd", "containerd.service")];

fn engine(facts: &Facts) -> Engine {
    // Its unit may be there already, and even run.
    if let Some((package, unit)) =
        ENGINES.into_iter().find(|(package, _)| facts.unfinished.contains(*package))
    {
        return Engine::Unfinished { package: package.to_owned(), unit: unit.to_owned() };
    }
    let found = || ENGINES.iter().filter_map(|(_, unit)| Some((*unit, facts.units.get(*unit)?)));
    if found().any(|(_, unit)| unit.active == "active") {
        return Engine::Running;
    }
    match found().find(|(_, unit)| unit.load == "loaded") {
        Some((name, unit)) => Engine::Stopped { unit: name.to_owned(), enabled: unit.enabled == "enabled" },
        None => Engine::Absent,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::LEFTOVERS;
    use std::{fs, path::Path};

    #[test]
    fn the_scripts_keep_to_what_counts_in_tmp() {
        let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let (probe, lib) = (read("src/facts/probe.sh"), read("src/plan/scripts/lib.sh"));
        let listed: Vec<&str> = probe.split("\"$root").filter_map(|rest| rest.split('"').next()).collect();
        let listed: Vec<&str> = listed.into_iter().filter(|path| path.starts_with("/tmp/")).collect();
        assert_eq!(listed, LEFTOVERS);
        for script in [probe, lib] {
            assert!(script.contains(" iflag=nofollow,nonblock,fullblock bs=65536 count=1 "), "{script}");
        }
    }
}
