//! Resolves the goals that depend on the host.

use crate::artifact::Architecture;
use crate::daemon::{Daemon, engine, resolver};
use crate::desired::{ArtifactRef, Goal};
use crate::facts::{Conditions, Engine, PortOwner, Verdict};
use crate::resource::{
    Access, Activity, Content, Edge, Effect, File, FileSource, FixedText, Graph, HostName, Link, NodeName,
    Port, Printable, Resource, ResourceId, ResourceKey, Service, Sha256, Started, Unreadable,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the goals of a host resolve to.
#[derive(Clone, Debug, Default)]
pub struct Grounded {
    /// The desired resources.
    pub desired: Graph<Resource>,
    /// The reasons why the host can't reach its desired state.
    pub obstacles: Vec<Obstacle>,
}

/// Why a host can't be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The host doesn't run systemd.
    NoSystemd,
    /// The host's architecture isn't supported; its name, as `uname -m` prints it.
    UnknownArchitecture(Printable),
    /// Neither the folder nor the host has the program.
    NoProgram(Architecture),
    /// This package is missing or unfinished, and can't be installed because the host has
    /// no apt.
    NoApt(String),
    /// The new files need more space than is free.
    NoSpace {
        /// Bytes that are to be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The host belongs to another network.
    OtherNetwork(Printable),
    /// These other hosts of the folder have the same machine-id. Two of them would undo
    /// each other's changes.
    SameMachine(Vec<HostName>),
    /// A rule of the host's administrator, as written for `ufw`, conflicts with a port that
    /// has to be opened.
    FirewallRule {
        /// The rule.
        rule: Printable,
        /// The port.
        port: Port,
    },
    /// Something else listens on a port that a node needs.
    PortTaken {
        /// The port.
        port: Port,
        /// The node's unit.
        unit: Printable,
        /// Who listens there; `None` if the host didn't tell.
        by: Option<PortOwner>,
    },
    /// The host has less memory available than the program needs to start.
    NoMemory {
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are available.
        available: u64,
    },
    /// The host wasn't asked about a resource that the folder wants.
    NeverAsked(Printable),
    /// The host doesn't have the private key of a node, and neither has the folder.
    NoNodeKey(NodeName),
    /// The digests of the host's secrets were made with the key of another network or host, so
    /// they can't be compared.
    OtherKey,
    /// Something on the host can't be read, so it is unknown what has to change.
    Unreadable {
        /// The resource, by its path or its name.
        path: Printable,
        /// What was found, or why it couldn't be read.
        why: Unreadable,
    },
    /// The host's administrator has masked a unit, so that it can't start.
    Masked(Printable),
    /// A unit file other than the template takes precedence over the template.
    ForeignFragment {
        /// The unit.
        unit: Printable,
        /// The unit file that takes precedence.
        file: Printable,
    },
    /// A drop-in makes a node's unit run something other than its daemon.
    ForeignProgram {
        /// The unit.
        unit: Printable,
        /// The program that the unit runs.
        program: Printable,
        /// The path of the drop-in.
        file: Printable,
    },
}

/// Resolves the goals of a host.
pub fn ground(goals: &Graph<Goal>, host: &Conditions) -> Grounded {
    let mut grounded = Grounded::default();
    // The units that resolving a goal adds. Whatever comes after the goal comes after its
    // unit, too.
    let mut companions = Vec::new();
    for (id, goal) in goals.iter() {
        match settle(id, goal, host, &mut grounded.desired) {
            Ok(unit) => companions.extend(unit.map(|unit| (id, unit))),
            Err(obstacle) => grounded.obstacles.push(obstacle),
        }
    }
    if !host.systemd {
        grounded.obstacles.push(Obstacle::NoSystemd);
    }
    for (id, _) in goals.iter() {
        for (later, edge) in goals.after(id) {
            grounded.desired.connect(id, later, edge.clone());
        }
    }
    for (goal, unit) in companions {
        for (later, _) in goals.after(goal) {
            grounded.desired.connect(&unit, later, Edge::Needs);
        }
    }
    grounded
}

fn settle(
    id: &ResourceId,
    goal: &Goal,
    host: &Conditions,
    desired: &mut Graph<Resource>,
) -> Result<Option<ResourceId>, Obstacle> {
    match goal {
        Goal::Have(Resource::File(file)) => desired.insert(id.clone(), keyed(id, file, host)?),
        Goal::Have(resource) => desired.insert(id.clone(), resource.clone()),
        Goal::Program(artifacts) => desired.insert(id.clone(), program(id, artifacts, host)?.into()),
        Goal::Reachable(port) => match host.firewall.as_ref().map(|firewall| firewall.verdict(*port)) {
            None | Some(Verdict::Open) => {}
            Some(Verdict::Ours) => desired.insert(id.clone(), Resource::Rule { whole: true }),
            Some(Verdict::Obstructed(rule)) => return Err(Obstacle::FirewallRule { rule, port: *port }),
        },
        Goal::ContainerEngine => return container_engine(id, host, desired),
        Goal::DnsPortFree => return Ok(dns_port_free(id, host, desired)),
    }
    Ok(None)
}

/// A desired file. If the host adds a key to it, the host has told its digest.
fn keyed(id: &ResourceId, file: &Arc<File>, host: &Conditions) -> Result<Resource, Obstacle> {
    let FileSource::Keyed(keyed) = &file.source else { return Ok(Resource::File(Arc::clone(file))) };
    let path = id.key.path().unwrap_or_default();
    let told = host.keyed.get(path).filter(|told| told.rest == keyed.rest);
    match told.map(|told| told.sha256) {
        Some(Some(sha256)) => Ok(File { sha256, ..File::clone(file) }.into()),
        Some(None) => Err(Obstacle::NoNodeKey(keyed.node.clone())),
        None => Err(Obstacle::NeverAsked(Printable::line(&id.key.to_string()))),
    }
}

fn program(
    id: &ResourceId,
    artifacts: &BTreeMap<Architecture, ArtifactRef>,
    host: &Conditions,
) -> Result<File, Obstacle> {
    let (name, architecture) = &host.architecture;
    let architecture = architecture.ok_or_else(|| Obstacle::UnknownArchitecture(name.clone()))?;
    let access = Access::root(0o755);
    let there = id.key.path().and_then(Daemon::of_program).and_then(|daemon| host.programs.get(&daemon));
    match (artifacts.get(&architecture), there) {
        (Some(ArtifactRef { sha256, size }), _) => {
            let content = Content::Blob { sha256: *sha256, size: *size };
            Ok(File { access, content, sha256: *sha256, source: FileSource::Program(*sha256) })
        }
        // The folder doesn't pin a program, so the host keeps the one that it has.
        (None, Some(there)) if artifacts.is_empty() => Ok(File { access, ..File::clone(there) }),
        (None, _) => Err(Obstacle::NoProgram(architecture)),
    }
}

fn container_engine(
    id: &ResourceId,
    host: &Conditions,
    desired: &mut Graph<Resource>,
) -> Result<Option<ResourceId>, Obstacle> {
    let (package, unit) = match &host.engine {
        Engine::Running => return Ok(None),
        Engine::Stopped { unit, enabled } => {
            let unit = beside(id, ResourceKey::Service(unit.clone()));
            desired.insert(unit.clone(), running(*enabled));
            return Ok(Some(unit));
        }
        Engine::Masked { unit } => return Err(Obstacle::Masked(Printable::line(unit))),
        Engine::Unfinished { package, unit } => (package.as_str(), unit.as_str()),
        Engine::Absent => (engine::INSTALLED.package, engine::INSTALLED.unit),
    };
    if !host.apt {
        return Err(Obstacle::NoApt(package.to_owned()));
    }
    let package = beside(id, ResourceKey::Package(package.to_owned()));
    let unit = beside(id, ResourceKey::Service(unit.to_owned()));
    desired.insert(package.clone(), Resource::Package { finished: true });
    desired.insert(unit.clone(), running(true));
    desired.connect(&package, &unit, Edge::Needs);
    Ok(Some(unit))
}

fn dns_port_free(id: &ResourceId, host: &Conditions, desired: &mut Graph<Resource>) -> Option<ResourceId> {
    if !host.resolver.wants_dns_port {
        return None;
    }
    let sha256 = Sha256::of(resolver::DROP_IN_TEXT.as_bytes());
    let drop_in = File {
        access: Access::root(0o644),
        content: Content::Text(Printable::text(resolver::DROP_IN_TEXT)),
        sha256,
        source: FileSource::Fixed(FixedText::ResolverDropIn),
    };
    desired.insert(id.clone(), drop_in.into());
    let directory = beside(id, ResourceKey::Directory(resolver::DROP_INS.to_owned()));
    desired.insert(directory.clone(), Resource::Directory(Access::root(0o755)));
    desired.connect(&directory, id, Edge::Needs);
    if host.resolver.leads_to_stub.is_some() {
        // The link is changed before the stub is switched off, so that name resolution
        // never fails in between.
        let link = beside(id, ResourceKey::Link(resolver::RESOLV_CONF.to_owned()));
        let target = resolver::SERVERS.into();
        desired.insert(link.clone(), Resource::Link(Link { target }));
        desired.connect(&link, id, Edge::Needs);
    }
    // The administrator has stopped the resolver until the next boot, so don't start it.
    if !host.resolver.runs {
        return Some(id.clone());
    }
    let unit = beside(id, ResourceKey::Service(resolver::UNIT.to_owned()));
    desired.insert(unit.clone(), running(true));
    desired.connect(id, &unit, Edge::Reads(Effect::Restart));
    Some(unit)
}

fn running(enabled: bool) -> Resource {
    Service { enabled, activity: Activity::Running(Started::WANTED), node: None }.into()
}

fn beside(id: &ResourceId, key: ResourceKey) -> ResourceId {
    ResourceId { host: id.host.clone(), key }
}
