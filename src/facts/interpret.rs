//! Derives a host's [`Current`] state from its facts.
//!
//! The result depends only on the facts, not on what the folder wants. A file with other
//! bytes is a different file here; whether both mean the same is decided by the comparison.
//! Therefore one state can be compared with any folder, and facts can be interpreted
//! without a folder.

use super::configs::Configs;
use super::current::{Current, RemovalRule};
use super::firewall;
use super::units::{self, HostUnits, stub_listens};
use super::{Conditions, Engine, Facts, FileFact, PathFact, Resolver, UnitFact};
use crate::artifact::Architecture;
use crate::daemon::{self, Daemon, Meaning, engine, resolver};
use crate::resource::{
    Content, Edge, Effect, File, FileSource, Graph, HostName, Link, Printable, Resource, ResourceId,
    ResourceKey, ShapeName, Unreadable,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The directory of the records of starts.
const RECORDS: &str = "/run/spore/";
/// The directory of what spore notes about a host.
const NOTES: &str = "/var/lib/spore/";
/// The remembered digests of large files, which are a cache.
const DIGESTS: &str = "/var/lib/spore/digests";
/// Contains a file for each shape whose node spore has removed without removing its storage
/// (`remove.sh`).
const REMOVED: &str = "/var/lib/spore/removed/";

/// Derives a host's current state from its facts.
pub fn interpret(host: &HostName, facts: &Facts) -> Current {
    let mut reading = Reading {
        host,
        facts,
        graph: Graph::default(),
        unwanted: BTreeMap::new(),
        networks: BTreeSet::new(),
        configs: Configs::default(),
    };
    reading.directories();
    reading.files();
    reading.rules();
    reading.links();
    reading.packages();
    units::services(&HostUnits { name: host, facts, configs: &reading.configs }, &mut reading.graph);
    reading.storage();
    reading.notes();
    reading.records();
    let Reading { mut graph, unwanted, networks, .. } = reading;
    let mut of_nodes = facts.units.iter().filter_map(|(name, unit)| Some((Daemon::of_unit(name)?.0, unit)));
    let fresh = !of_nodes.any(|(daemon, unit)| is_outdated(daemon, unit, facts));
    let id = |key| ResourceId { host: host.clone(), key };
    graph.insert(id(ResourceKey::Units), Resource::Units { fresh });
    for daemon in Daemon::ALL {
        let file = ResourceKey::File(daemon.template().path().to_owned());
        graph.connect(&id(file), &id(ResourceKey::Units), Edge::Reads(Effect::Reload));
    }
    let conditions = conditions(facts, &graph, host, networks);
    Current { conditions, graph, unwanted, receipt: facts.receipt(), asked: facts.asked.clone() }
}

/// Whether systemd has loaded a file other than the one on the disk. systemd reports a
/// change to the file that it has loaded, but not that another file has taken precedence
/// since.
fn is_outdated(daemon: Daemon, unit: &UnitFact, facts: &Facts) -> bool {
    let template = daemon.template().path();
    let is_overridden = || {
        facts.paths.contains_key(template)
            && unit.fragment != template
            && unit.fragment.rsplit('/').next() == template.rsplit('/').next()
    };
    unit.need_reload || is_overridden()
}

struct Reading<'a> {
    host: &'a HostName,
    facts: &'a Facts,
    graph: Graph<Resource>,
    unwanted: BTreeMap<ResourceKey, RemovalRule>,
    networks: BTreeSet<Printable>,
    configs: Configs<'a>,
}

impl Reading<'_> {
    /// Adds a resource that is removed only under a condition.
    fn put_unless(&mut self, key: ResourceKey, resource: Resource, unwanted: RemovalRule) {
        self.unwanted.insert(key.clone(), unwanted);
        self.put(key, resource);
    }

    fn put(&mut self, key: ResourceKey, resource: Resource) {
        self.graph.insert(ResourceId { host: self.host.clone(), key }, resource);
    }

    fn directories(&mut self) {
        let theirs = Daemon::ALL.iter().flat_map(|daemon| daemon.directories());
        for path in theirs.map(|(path, _)| *path).chain([resolver::DROP_INS]) {
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
            let staged = is_staged(path);
            let Some(meaning) = daemon::meaning(path).or(staged.then_some(Meaning::Blob)) else { continue };
            let resource = match fact {
                PathFact::File(file) => match self.file(path, file, meaning) {
                    Some(resource) => resource,
                    None => continue,
                },
                _ if meaning == Meaning::Leftover => continue,
                PathFact::Unreadable(why) => Resource::Unreadable { why: why.clone() },
                PathFact::Directory { .. } | PathFact::Link { .. } | PathFact::Other(_) => {
                    // spore stages only files, and staging a file removes whatever has its
                    // name.
                    if staged {
                        continue;
                    }
                    Resource::Unreadable { why: Unreadable::NotAFile }
                }
            };
            self.put(ResourceKey::File(path.clone()), resource);
        }
    }

    fn file(&mut self, path: &str, fact: &FileFact, meaning: Meaning) -> Option<Resource> {
        let Some(sha256) = fact.sha256 else {
            if meaning == Meaning::Leftover {
                return None;
            }
            return Some(Resource::Unreadable { why: Unreadable::TooLarge });
        };
        let text = self.facts.texts.get(path);
        let blob = Content::Blob { sha256, size: Some(fact.size) };
        let content = match meaning {
            Meaning::Config(daemon) => match text.and_then(|text| self.configs.parse(daemon, text)) {
                Some(document) => {
                    self.networks.extend(daemon.network(&document).cloned());
                    Content::Document(document)
                }
                None => {
                    let why = RemovalRule::Unclear(Unreadable::NotAConfiguration);
                    self.unwanted.insert(ResourceKey::File(path.to_owned()), why);
                    Content::Opaque
                }
            },
            Meaning::Secret => Content::Secret(sha256),
            Meaning::Leftover => {
                self.unwanted.insert(ResourceKey::File(path.to_owned()), RemovalRule::Copy);
                Content::Secret(sha256)
            }
            Meaning::Text => text.map_or(blob, |text| Content::Text(Printable::text(text.expose()))),
            Meaning::Unit => text.map_or(Content::Opaque, |text| {
                Content::Document(Arc::new(daemon::parse_directives(text.expose())))
            }),
            Meaning::Blob => blob,
        };
        Some(File { access: fact.access.clone(), content, sha256, source: FileSource::Host }.into())
    }

    fn rules(&mut self) {
        // While ufw is disabled, it is unknown whether its rules will be needed.
        let ours = firewall::of(self.facts).map(|firewall| firewall.ours()).unwrap_or_default();
        for (port, whole) in ours {
            self.put(ResourceKey::Rule(port), Resource::Rule { whole });
        }
    }

    fn links(&mut self) {
        match self.facts.paths.get(resolver::RESOLV_CONF) {
            Some(PathFact::Link { target }) => {
                let link = Link { target: target.clone() };
                self.put(ResourceKey::Link(resolver::RESOLV_CONF.to_owned()), Resource::Link(link));
            }
            Some(PathFact::File(fact)) => {
                if let Some(sha256) = fact.sha256 {
                    let access = fact.access.clone();
                    let content = Content::Opaque;
                    let file = File { access, content, sha256, source: FileSource::Host };
                    self.put(ResourceKey::Link(resolver::RESOLV_CONF.to_owned()), file.into());
                }
            }
            _ => {}
        }
    }

    /// Adds packages whose installation was interrupted. The probe doesn't ask about
    /// others.
    fn packages(&mut self) {
        for name in &self.facts.unfinished {
            self.put(ResourceKey::Package(name.clone()), Resource::Package { finished: false });
        }
    }

    /// Adds the records of starts of nodes that no longer exist. `spore` removes the
    /// records together with a node, but an administrator who removes a node may leave
    /// them. A record contains digests of the configuration's secrets.
    fn records(&mut self) {
        for (path, fact) in &self.facts.paths {
            let Some((shape, _)) = path.strip_prefix(RECORDS).and_then(|rest| rest.split_once('/')) else {
                continue;
            };
            let PathFact::File(FileFact { access, size, sha256: Some(sha256), .. }) = fact else { continue };
            let Ok(shape) = shape.parse::<ShapeName>() else { continue };
            let is_there = |daemon: &Daemon| {
                let unit = ResourceKey::Service(daemon.unit_name(&shape));
                self.graph.get(&ResourceId { host: self.host.clone(), key: unit }).is_some()
            };
            if Daemon::ALL.iter().any(is_there) {
                continue;
            }
            let content = Content::Blob { sha256: *sha256, size: Some(*size) };
            let file = File { access: access.clone(), content, sha256: *sha256, source: FileSource::Host };
            self.put_unless(ResourceKey::File(path.clone()), file.into(), RemovalRule::Node(shape));
        }
    }

    /// Adds the data of nodes that exist, or that spore has removed. Other data may not be
    /// a node's, so it stays.
    fn storage(&mut self) {
        let found = self.graph.iter().filter_map(|(id, _)| match &id.key {
            ResourceKey::File(path) => Daemon::of_config(path),
            ResourceKey::Service(unit) => Daemon::of_unit(unit),
            _ => None,
        });
        let removed = self.removed().flat_map(|(_, shape)| of_every_daemon(shape));
        let known: BTreeSet<(Daemon, ShapeName)> = found.chain(removed).collect();
        let there = storage(self.facts);
        let paths = known
            .iter()
            .flat_map(|(daemon, shape)| daemon.data_paths(shape).into_iter().map(|path| (*daemon, path)));
        for (daemon, path) in paths {
            let Some(device_inode) = there.get(path.as_str()) else { continue };
            let storage = Resource::Storage { device_inode: (*device_inode).to_owned() };
            let shapes = daemon.shapes_of_data(&path);
            self.put_unless(ResourceKey::Storage(path), storage, RemovalRule::Data(shapes));
        }
    }

    /// The nodes that spore has removed, each with the path of the note about it.
    fn removed(&self) -> impl Iterator<Item = (&String, ShapeName)> {
        let facts = self.facts;
        facts.paths.keys().filter_map(|path| Some((path, path.strip_prefix(REMOVED)?.parse().ok()?)))
    }

    /// Adds files of spore's that may no longer be needed: the remembered digests, receipts, and
    /// the notes about removed nodes whose storage is gone.
    fn notes(&mut self) {
        let there = storage(self.facts);
        let without_storage = self.removed().filter(|(_, shape)| {
            let mut paths =
                of_every_daemon(shape.clone()).flat_map(|(daemon, shape)| daemon.data_paths(&shape));
            !paths.any(|path| there.contains_key(path.as_str()))
        });
        let mut idle: Vec<(String, RemovalRule)> =
            without_storage.map(|(path, shape)| (path.clone(), RemovalRule::Node(shape))).collect();
        let is_receipt = |path: &&String| {
            Daemon::ALL.iter().any(|daemon| is_in(daemon.receipt_directory(), path)) && !is_staged(path)
        };
        let receipts = self.facts.paths.keys().filter(is_receipt).cloned();
        idle.extend(receipts.chain([DIGESTS.to_owned()]).map(|path| (path, RemovalRule::Host)));
        for (path, unwanted) in idle {
            if let Some(PathFact::File(FileFact { access, size, sha256: Some(sha256), .. })) =
                self.facts.paths.get(&path)
            {
                let content = Content::Blob { sha256: *sha256, size: Some(*size) };
                let file =
                    File { access: access.clone(), content, sha256: *sha256, source: FileSource::Host };
                self.put_unless(ResourceKey::File(path), file.into(), unwanted);
            }
        }
    }
}

/// The directories that exist where nodes keep their data, whether they belong to a node or
/// not: `device:inode` by path.
fn storage(facts: &Facts) -> BTreeMap<&str, &str> {
    facts
        .paths
        .iter()
        .filter(|(path, _)| Daemon::of_data(path).is_some())
        .filter_map(|(path, fact)| match fact {
            PathFact::Directory { device_inode, .. } => Some((path.as_str(), device_inode.as_str())),
            _ => None,
        })
        .collect()
}

/// The shape with each daemon, for a note that doesn't name the daemon.
fn of_every_daemon(shape: ShapeName) -> impl Iterator<Item = (Daemon, ShapeName)> {
    Daemon::ALL.iter().map(move |daemon| (*daemon, shape.clone()))
}

/// Whether the probe always asks about this path, in addition to the directories that it is
/// given.
pub(super) fn is_looked_at(path: &str) -> bool {
    is_staged(path)
        || daemon::meaning(path).is_some()
        || [resolver::RESOLV_CONF, resolver::DROP_INS].contains(&path)
}

/// Whether only spore and its unit write this file: what an interrupted apply has left, receipts,
/// records of starts, and notes.
pub(super) fn is_own(path: &str) -> bool {
    let is_receipt = |daemon: &Daemon| is_in(daemon.receipt_directory(), path);
    is_staged(path)
        || [RECORDS, NOTES].iter().any(|directory| path.starts_with(directory))
        || Daemon::ALL.iter().any(is_receipt)
}

fn is_in(directory: &str, path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(above, _)| above == directory)
}

/// Whether this is a temporary file that an interrupted apply has left.
fn is_staged(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(_, name)| name.starts_with(".spore-"))
}

/// Whether the probe asks about this unit, which doesn't run a node.
pub(super) fn is_queried(unit: &str) -> bool {
    unit == resolver::UNIT || engine::ENGINES.iter().any(|engine| engine.unit == unit)
}

fn conditions(
    facts: &Facts,
    graph: &Graph<Resource>,
    host: &HostName,
    networks: BTreeSet<Printable>,
) -> Conditions {
    let id = |key| ResourceId { host: host.clone(), key };
    let program = |daemon: &Daemon| match graph.get(&id(ResourceKey::File(daemon.program().to_owned()))) {
        Some(Resource::File(file)) => Some((*daemon, Arc::clone(file))),
        _ => None,
    };
    let drop_in = graph.get(&id(ResourceKey::File(resolver::DROP_IN.to_owned()))).is_some();
    let unit = facts.units.get(resolver::UNIT).filter(|unit| unit.load == "loaded");
    let wants_dns_port = unit.is_some_and(|unit| {
        // A resolver that failed or is just starting will take the port. Even if it doesn't
        // hold the port now, it may take it later: it may have been started with a drop-in
        // that has been removed.
        let is_wanted = unit.active != "inactive" || unit.enabled == "enabled";
        is_wanted && (drop_in || stub_listens(facts) || !stub_is_off(facts))
    });
    let runs = unit.is_some_and(|unit| unit.active != "inactive");
    let leads_to_stub = match graph.get(&id(ResourceKey::Link(resolver::RESOLV_CONF.to_owned()))) {
        Some(Resource::Link(link)) if resolver::is_stub_file(&link.target) => Some(Some(link.clone())),
        Some(Resource::File(_))
            if facts
                .texts
                .get(resolver::RESOLV_CONF)
                .is_some_and(|text| resolver::names_stub(text.expose())) =>
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
        programs: Daemon::ALL.iter().filter_map(program).collect(),
        keyed: facts.keyed.clone(),
        firewall: firewall::of(facts),
        engine: engine(facts),
        resolver: Resolver { wants_dns_port, runs, leads_to_stub },
        storage: storage(facts).into_keys().map(str::to_owned).collect(),
        networks,
        listening: facts.listening.clone(),
        surroundings: facts.surroundings.clone(),
        clock_ahead: clock_ahead(facts),
        foreign: units::foreign(facts),
    }
}

/// How far the host's clock is ahead. An answer takes a moment, in which both clocks advance.
fn clock_ahead(facts: &Facts) -> Option<i64> {
    let received = i64::try_from(facts.surroundings.received?).ok()?;
    // A file of facts may hold any numbers.
    let ahead = (facts.asked.at_ns? / 1_000_000_000).checked_sub(received)?;
    ahead.checked_abs().map(|_| ahead)
}

/// Whether the host's administrator has switched the stub off; the last file that sets it
/// decides.
fn stub_is_off(facts: &Facts) -> bool {
    let theirs = |path: &str| {
        path != resolver::DROP_IN
            && path.rsplit_once('/').is_some_and(|(above, _)| above == resolver::DROP_INS)
    };
    let below = facts.texts.iter().filter(|(path, _)| theirs(path)).map(|(_, text)| text);
    let texts = facts.texts.get(resolver::SETTINGS).into_iter().chain(below);
    texts.rev().find_map(|text| resolver::switches_stub_off(text.expose())).unwrap_or_default()
}

fn engine(facts: &Facts) -> Engine {
    // The unit of an unfinished package may exist already, and may even be active.
    if let Some(engine) = engine::ENGINES.iter().find(|engine| facts.unfinished.contains(engine.package)) {
        return Engine::Unfinished { package: engine.package.to_owned(), unit: engine.unit.to_owned() };
    }
    let found =
        || engine::ENGINES.iter().filter_map(|engine| Some((engine.unit, facts.units.get(engine.unit)?)));
    if found().any(|(_, unit)| unit.active == "active") {
        return Engine::Running;
    }
    match found().find(|(_, unit)| unit.load == "loaded") {
        Some((name, unit)) => Engine::Stopped { unit: name.to_owned(), enabled: unit.enabled == "enabled" },
        None => match found().find(|(_, unit)| unit.load == "masked") {
            Some((name, _)) => Engine::Masked { unit: name.to_owned() },
            None => Engine::Absent,
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::daemon;
    use std::{fs, path::Path};

    #[test]
    fn the_scripts_keep_to_what_counts_in_tmp() {
        let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let (probe, lib) = (read("src/facts/probe.sh"), read("src/plan/scripts/lib.sh"));
        assert!(daemon::leftovers().all(|path| path.starts_with("/tmp/")));
        for script in [probe, lib] {
            assert!(script.contains(" iflag=nofollow,nonblock,fullblock bs=65536 count=1 "), "{script}");
        }
    }
}
