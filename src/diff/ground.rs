//! Settles the goals that depend on what a host is.

use crate::artifact::Architecture;
use crate::desired::{Artifact, ENGINE_PACKAGE, Goal, RESOLVER_DROP_IN, RESOLVER_DROP_IN_TEXT};
use crate::facts::{Conditions, Engine};
use crate::resource::{
    Access, Activity, Content, Edge, Effect, File, Graph, HostName, Key, Link, Resource, ResourceId, Service,
    Sha256, Size, Started,
};
use std::collections::BTreeMap;
use thiserror::Error;

/// What the hosts that have answered should be.
#[derive(Clone, Debug, Default)]
pub struct Grounded {
    /// Concrete resources.
    pub desired: Graph<Resource>,
    /// Why a host can't become what it should be.
    pub obstacles: BTreeMap<HostName, Vec<Obstacle>>,
}

/// Something on a host that its plan fails on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Obstacle {
    /// Not a systemd host.
    #[error("systemd doesn't run there")]
    NoSystemd,
    /// No tau runs on it, as far as we know.
    #[error("its architecture `{0}` is none that tau is built for")]
    UnknownArchitecture(String),
    /// Neither the folder nor the host has a tau.
    #[error("it has no tau, and the folder names none for {0}")]
    NoProgram(Architecture),
    /// Something would have to be installed.
    #[error("it needs the package {0}, and has no apt to install it with")]
    NoApt(String),
    /// There is less space than the new files take.
    #[error("{} are free there, and the new files take {}", Size(*free), Size(*needed))]
    NoSpace {
        /// Bytes that are to be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// It is part of another network.
    #[error("it carries nodes of another network, {0}")]
    OtherNetwork(String),
    /// Something there can't be read, so nobody can tell what to change.
    #[error("{path} {why}")]
    Unreadable {
        /// What.
        path: String,
        /// What was found.
        why: String,
    },
    /// Its owner keeps a unit from starting.
    #[error("{0} is masked")]
    Masked(String),
    /// A unit file of its own takes precedence over the template.
    #[error("{unit} has a unit file of its own, {file}, which takes precedence over spore's template")]
    ForeignFragment {
        /// The unit.
        unit: String,
        /// Its file.
        file: String,
    },
    /// A drop-in has a node's unit run something that isn't tau.
    #[error("{unit} runs {program} instead of tau: {file} overrides ExecStart")]
    ForeignProgram {
        /// The unit.
        unit: String,
        /// What it runs.
        program: String,
        /// The drop-in.
        file: String,
    },
}

impl Obstacle {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NoSystemd => "only hosts that systemd runs can be planned".to_owned(),
            Self::UnknownArchitecture(_) => "use a host of another architecture".to_owned(),
            Self::NoProgram(_) => "name one with `spore tau pin URL|FILE` or `--tau PATH`".to_owned(),
            Self::NoApt(package) => format!("install {package} by hand"),
            Self::NoSpace { .. } => "free some space, or link /tb to a larger disk".to_owned(),
            Self::OtherNetwork(_) => {
                "is this the right folder? `--take-over` makes the host part of this network".to_owned()
            }
            Self::Unreadable { .. } => "look at it on the host and put it right, or move it away".to_owned(),
            Self::ForeignFragment { file, .. } => format!(
                "remove {file} there, or turn what you need of it into a drop-in, and run `systemctl daemon-reload`"
            ),
            Self::ForeignProgram { file, .. } => {
                format!("remove ExecStart from {file} there, and run `systemctl daemon-reload`")
            }
            Self::Masked(unit) => format!(
                "`systemctl unmask {unit}` there, if it should run; where it is masked until the next boot, with `--runtime`"
            ),
        }
    }
}

/// Settles the goals of every host that `conditions` knows; the others have no
/// part in the result.
pub fn ground(goals: &Graph<Goal>, conditions: &BTreeMap<HostName, Conditions>) -> Grounded {
    let mut grounded = Grounded::default();
    // Units that a goal brings along: what comes after the goal comes after them.
    let mut companions = Vec::new();
    for (id, goal) in goals.iter() {
        let Some(host) = conditions.get(&id.host) else { continue };
        match settle(id, goal, host, &mut grounded.desired) {
            Ok(unit) => companions.extend(unit.map(|unit| (id, unit))),
            Err(obstacle) => grounded.obstacles.entry(id.host.clone()).or_default().push(obstacle),
        }
    }
    for (name, host) in conditions {
        if !host.systemd {
            grounded.obstacles.entry(name.clone()).or_default().push(Obstacle::NoSystemd);
        }
    }
    for (id, _) in goals.iter() {
        for (later, edge) in goals.after(id) {
            grounded.desired.connect(id, later, edge);
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
        Goal::Have(resource) => desired.insert(id.clone(), resource.clone()),
        Goal::Program(artifacts) => desired.insert(id.clone(), Resource::File(program(artifacts, host)?)),
        Goal::Reachable(port) => {
            if host.firewall.as_ref().is_some_and(|firewall| !firewall.allowed.contains(port)) {
                desired.insert(id.clone(), Resource::Rule);
            }
        }
        Goal::ContainerEngine => return container_engine(id, host, desired),
        Goal::DnsPortFree => return Ok(dns_port_free(id, host, desired)),
    }
    Ok(None)
}

fn program(artifacts: &BTreeMap<Architecture, Artifact>, host: &Conditions) -> Result<File, Obstacle> {
    let (name, architecture) = &host.architecture;
    let architecture = architecture.ok_or_else(|| Obstacle::UnknownArchitecture(name.clone()))?;
    let access = Access::root(0o755);
    match (artifacts.get(&architecture), &host.program) {
        (Some(Artifact { sha256, size }), _) => Ok(File {
            access,
            content: Content::Blob { sha256: *sha256, size: *size },
            sha256: *sha256,
            judge: Vec::new(),
        }),
        // The folder names none: the host's own is left alone.
        (None, Some(there)) if artifacts.is_empty() => {
            Ok(File { access, content: there.content.clone(), sha256: there.sha256, judge: Vec::new() })
        }
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
            let unit = beside(id, Key::Service(unit.clone()));
            desired.insert(unit.clone(), running(*enabled));
            return Ok(Some(unit));
        }
        Engine::Unfinished { package, unit } => (package.as_str(), unit.as_str()),
        Engine::Absent => (ENGINE_PACKAGE, "docker.service"),
    };
    if !host.apt {
        return Err(Obstacle::NoApt(package.to_owned()));
    }
    let package = beside(id, Key::Package(package.to_owned()));
    let unit = beside(id, Key::Service(unit.to_owned()));
    desired.insert(package.clone(), Resource::Package);
    desired.insert(unit.clone(), running(true));
    desired.connect(&package, &unit, Edge::Needs);
    Ok(Some(unit))
}

fn dns_port_free(id: &ResourceId, host: &Conditions, desired: &mut Graph<Resource>) -> Option<ResourceId> {
    if !host.resolver.wants_dns_port {
        return None;
    }
    let sha256 = Sha256::of(RESOLVER_DROP_IN_TEXT.as_bytes());
    let drop_in = File {
        access: Access::root(0o644),
        content: Content::Text(RESOLVER_DROP_IN_TEXT.to_owned()),
        sha256,
        judge: Vec::new(),
    };
    desired.insert(id.clone(), Resource::File(drop_in));
    if let Some((directory, _)) = RESOLVER_DROP_IN.rsplit_once('/') {
        let directory = beside(id, Key::Directory(directory.to_owned()));
        desired.insert(directory.clone(), Resource::Directory(Access::root(0o755)));
        desired.connect(&directory, id, Edge::Needs);
    }
    if host.resolver.leads_to_stub.is_some() {
        // First, so that names are resolved at every moment.
        let link = beside(id, Key::Link("/etc/resolv.conf".to_owned()));
        let target = "/run/systemd/resolve/resolv.conf".to_owned();
        desired.insert(link.clone(), Resource::Link(Link { target }));
        desired.connect(&link, id, Edge::Needs);
    }
    // Who has stopped it until the next boot is let be.
    if !host.resolver.runs {
        return Some(id.clone());
    }
    let unit = beside(id, Key::Service("systemd-resolved.service".to_owned()));
    desired.insert(unit.clone(), running(true));
    desired.connect(id, &unit, Edge::Reads(Effect::Restart));
    Some(unit)
}

fn running(enabled: bool) -> Resource {
    Resource::Service(Service { enabled, activity: Activity::Running(Started::WANTED), node: None })
}

fn beside(id: &ResourceId, key: Key) -> ResourceId {
    ResourceId { host: id.host.clone(), key }
}
