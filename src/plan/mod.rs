//! Turns differences into ordered actions: the [`Plan`].
//!
//! Enter at [`plan`], or at [`Planner`] to plan a network more than once. A plan is complete: it names every action, its host and its wave.
//! What depends on how an apply goes is only whether a part of it is left out or waits,
//! and [`scheduler`] decides that.
//! It is a function of its arguments alone, so the same folder and the same
//! hosts give the same plan, byte for byte.

pub mod action;
mod applied;
mod host;
mod host_error;
mod notes;
mod obstacles;
mod order;
mod planned_actions;
mod planner;
mod reach;
mod retire;
mod revert;
pub mod scheduler;
mod storage;
mod target;
mod unplanned;
pub mod wire;

pub use applied::{Applied, HostFailure, Wrong};
pub use host_error::{During, Holder, HostError, LostReason, Misfit, NoLock};
pub use order::Rank;
pub use planner::{PlanError, Planner};
pub use retire::Retire;
pub use scheduler::Group;
pub use target::{InvalidSelector, Selector};
pub use unplanned::Unplanned;

use crate::daemon::Daemon;
use crate::desired::Places;
use crate::diff::{Change, FieldChange};
use crate::facts::Facts;
use crate::network::Place;
use crate::resource::{
    ByHost, FieldPath, HostName, Node, NodeName, Printable, Resource, ResourceId, ResourceKey, Sha256,
    ShapeName, Value, Version,
};
use action::Action;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be done, wave by wave.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The network's root domain.
    pub network: String,
    /// Everything that differs from the desired state.
    pub changes: ByHost<Change>,
    /// Where the folder describes what the changes are about; see [`Plan::place`].
    pub places: Arc<Places>,
    /// The number of resources that are in place.
    pub unchanged: usize,
    /// How many hosts it is about, planned or not.
    pub asked: usize,
    /// Hosts that couldn't be planned.
    pub unplanned: BTreeMap<HostName, Vec<Unplanned>>,
    /// Every node of the hosts that were asked, whether they answered or not, and
    /// its part in the plan.
    pub nodes: BTreeMap<NodeName, NodePlan>,
    /// Elders that are up at an address that the new configurations no longer contain: nodes
    /// that are started from now on can't reach them until they have been restarted.
    pub moving: BTreeSet<NodeName>,
    /// Nodes that it takes down although they are the last healthy ones of their kind
    /// while others are down.
    pub last: Vec<Last>,
    /// Written next to its destination on all hosts at once, before anything is switched.
    pub stage: BTreeMap<HostName, Vec<PlannedAction>>,
    /// Done one after the other; [`scheduler`] says what follows a failure.
    pub waves: Vec<Wave>,
    /// Whether a secret is replaced that everyone must have at the same time.
    pub rotation: Option<Rotation>,
    /// Directives of our unit template that something on a host overrides: what is
    /// wanted isn't reached there, and no action of a plan could change that.
    pub overridden: Vec<Overridden>,
    /// Versions of tau, by the binary's digest, as far as they are known.
    pub versions: BTreeMap<Sha256, Version>,
    /// What a person should know before agreeing.
    pub notes: Vec<Note>,
    /// Why it can't be applied as it is.
    pub refusals: Vec<Refusal>,
    /// Targets that select nothing: neither the folder nor a host has such a node.
    pub idle_targets: Vec<Selector>,
}

/// A node's part in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Whether the others dial it first.
    pub bootstrap: bool,
    /// The wave, counted from one, in which its process is started, restarted,
    /// waited for or stopped.
    pub wave: Option<usize>,
    /// What it was found doing.
    pub found: Found,
    /// The start that it was found in, if it has been started.
    pub invocation: Option<String>,
}

/// What a node was found doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is up, and nothing speaks against it.
    Healthy,
    /// It is up, but systemd had to restart it lately, so it may die again.
    Unproven,
    /// Its process runs, but can't be dialled.
    Deaf,
    /// It is down, and takes the place of another node of its host that is up.
    Replaces,
    /// It is down, or its host didn't answer.
    Down,
}

/// A node that is taken down although no other node of its kind would then be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The node.
    pub node: NodeName,
    /// Of which kind it is the last.
    pub group: Group,
    /// The others of that kind, which are down and stay so.
    pub down: BTreeSet<NodeName>,
}

/// What is done at the same time on several hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// What for.
    pub rank: Rank,
    /// By host, in order.
    pub hosts: BTreeMap<HostName, Vec<PlannedAction>>,
}

/// One action, and the change that it carries out.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAction {
    /// What is done.
    pub action: Action,
    /// What it is part of: [`Plan::changes`] lists this key for the action's host.
    /// `None` where it changes nothing that a plan lists: it checks what is
    /// staged, or records what a process was started with.
    pub change: Option<ResourceKey>,
}

impl PlannedAction {
    fn of(change: &ResourceKey, action: Action) -> Self {
        Self { action, change: Some(change.clone()) }
    }

    fn check(action: Action) -> Self {
        Self { action, change: None }
    }
}

/// A secret is replaced that everyone must have at the same time: nodes with
/// the old one and with the new one can't talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// On all hosts or on none.
    Begins,
    /// Some nodes already have the new one, because an apply was interrupted half-way.
    /// The others should get it as soon as possible, even if some hosts can't be planned.
    Finishes,
}

/// A directive of a node's unit that a drop-in on its host overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// Where.
    pub host: HostName,
    /// `tau@store.service`
    pub unit: String,
    /// `LimitNOFILE`
    pub directive: String,
    /// The drop-in.
    pub file: Printable,
}

/// Something worth knowing that isn't a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The only bootstrap node is restarted, or replaces another one.
    NoElder(NodeName),
    /// All elders get a new address or identity: a node can't dial any of them until it
    /// has been restarted after them.
    EldersMove,
    /// Apply leaves this node as it is, because it is the last healthy one of its shape.
    Kept(Last),
    /// A bootstrap node's host couldn't be planned, so nothing is known of it.
    ElderUnplanned(HostName),
    /// No bootstrap node is known to be up, and none comes up in this plan: nodes that
    /// dial one aren't started.
    NoElderUp,
    /// A rotation begins: nodes can't talk to each other until the last has the
    /// new secret.
    Split,
    /// A rotation that was begun is finished; but not on these hosts, which
    /// couldn't be planned.
    SplitUntilNow(Vec<HostName>),
    /// The data of a node that is removed stays.
    StorageKept(NodeName),
    /// A node that doesn't become healthy with new files gets its old ones back.
    Rollback,
    /// Rollback is possible, but disabled: the node is left as it is.
    NoRollback,
    /// A host that is retired without being contacted: its nodes may still run,
    /// and their keys stay valid.
    NotContacted {
        /// The host.
        host: HostName,
        /// Its nodes, as the folder has them.
        nodes: Vec<NodeName>,
    },
    /// These nodes are up, and dial no elder where one answers.
    CutOff(Vec<NodeName>),
    /// The targets give these elders other addresses than the others have: they reach none
    /// of them.
    Alone(Vec<NodeName>),
    /// A retirement leaves this many elders: one or none.
    EldersLeft(usize),
    /// The number of other differences that a retirement leaves alone.
    LeftAlone(usize),
    /// A node starts with data that isn't its own.
    OldStorage {
        /// Which.
        node: NodeName,
        /// It gets a new identity, and the data belongs to the old one. Otherwise it is
        /// new, and the data was left by an earlier node of the same name.
        replaced: bool,
    },
    /// A node is removed, and one with the same port or services is added on its host,
    /// where it starts without data.
    Renamed {
        /// The removed node.
        from: NodeName,
        /// The added node.
        to: NodeName,
        /// Whether the data of the removed node is kept.
        kept: bool,
    },
}

/// Why a plan can't be applied as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rotation that would leave some nodes behind, because they aren't targets.
    PartialRotation,
    /// A rotation that would leave these hosts behind.
    RotationWithout(Vec<HostName>),
    /// The folder gives the elders another address or identity, and the targets
    /// leave all of them out: the nodes it starts would find no elder to dial.
    WithoutElders(Vec<NodeName>),
    /// The targets give all elders another address or identity, and leave out
    /// these, which dial them.
    WithoutMembers(Vec<NodeName>),
    /// A node would start with the identity of another one that is up.
    Twins {
        /// The node that would start.
        node: NodeName,
        /// The node that is up.
        other: NodeName,
    },
    /// A host that is to be retired couldn't be planned.
    RetiresUnplanned(HostName),
    /// A retirement needs this to change, and that would bring along other
    /// changes that are pending.
    Mixed {
        /// What has to change.
        resource: ResourceId,
        /// What else would.
        others: Pending,
    },
}

/// The other pending changes of a file or unit that a retirement has to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// These fields of the file.
    Fields(Vec<FieldPath>),
    /// Unknown, because the file can't be compared.
    Unknown,
    /// A restart for another reason.
    Restart,
}

/// What narrows or shapes a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these; everything where it is empty.
    pub targets: Vec<Selector>,
    /// How many nodes are updated at a time, after the first of each shape; a
    /// quarter of them where it isn't given.
    pub batch: Option<usize>,
    /// Hosts of other networks are made part of this one.
    pub take_over: bool,
    /// Nodes that don't become healthy are left as they failed: neither rolled back
    /// nor stopped.
    pub no_revert: bool,
    /// Remove the data of removed nodes.
    pub purge_storage: bool,
    /// Only what it takes to retire this host.
    pub retire: Option<Retire>,
}

impl Options {
    /// Whether a target may select anything of this host.
    fn may_select(&self, host: &HostName) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target.may_select(host))
    }
}

/// What came of probing a host.
#[derive(Clone, Debug)]
pub enum Probed {
    /// It answered.
    Facts(Box<Facts>),
    /// It didn't, or not as a host should.
    Nothing(Unplanned),
}

/// The node that a change of a unit is about.
fn node_of(change: &Change) -> Option<&Node> {
    match change {
        Change::Service(change) => change.after.node.as_ref(),
        Change::Remove(resource) => match &**resource {
            Resource::Service(service) => service.node.as_ref(),
            _ => None,
        },
        _ => None,
    }
}

impl NodePlan {
    /// The part of a node of which nothing else is known.
    fn down(node: &Node) -> Self {
        Self { bootstrap: node.bootstrap, wave: None, found: Found::Down, invocation: None }
    }

    /// Whether it is up, or comes up in this plan.
    fn comes_up(&self) -> bool {
        self.found != Found::Down || self.wave.is_some()
    }
}

impl Plan {
    /// Where the folder says that this resource should be as it becomes. For what is removed,
    /// that is the entry of its host, which is where it would be.
    ///
    /// `None` if the folder doesn't say so: it doesn't contain the host, or the program was
    /// named on the command line.
    pub fn place(&self, id: &ResourceId, change: &Change) -> Option<&Place> {
        match change {
            Change::Remove(_) => self.places.of_host(&id.host),
            Change::File(file) => self.places.of(id, Some(&file.after.source)),
            Change::Package { .. }
            | Change::Directory { .. }
            | Change::Link { .. }
            | Change::Rule
            | Change::Units
            | Change::Service(_) => self.places.of(id, None),
        }
    }

    /// Where the folder has the value that this field of a file on the host gets, or that a
    /// process lacks.
    pub fn place_of_field(&self, host: &HostName, path: &str, field: &FieldChange) -> Option<&Place> {
        let added: Vec<&str> = match (&field.before, &field.after) {
            (Some(Value::Set(before)), Some(Value::Set(after))) => {
                after.difference(before).map(|item| &**item).collect()
            }
            (_, Some(Value::Set(after))) => after.iter().map(|item| &**item).collect(),
            _ => Vec::new(),
        };
        self.places.of_field(host, path, &field.path, &added)
    }

    /// By change, how many actions carry it out.
    pub fn actions_of_changes(&self) -> BTreeMap<ResourceId, usize> {
        let lists = std::iter::once(&self.stage).chain(self.waves.iter().map(|wave| &wave.hosts)).flatten();
        let mut actions = BTreeMap::new();
        for (host, list) in lists {
            for key in list.iter().filter_map(|planned| planned.change.clone()) {
                *actions.entry(ResourceId { host: host.clone(), key }).or_default() += 1;
            }
        }
        actions
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether all that was asked for is in place once this plan is applied.
    pub fn reaches_everything(&self) -> bool {
        self.unplanned.is_empty() && self.overridden.is_empty()
    }

    /// The nodes that are removed.
    pub fn going(&self) -> impl Iterator<Item = &NodeName> {
        order::going(&self.changes).map(|(_, node)| node)
    }

    /// The changes that can't be undone, or cut a node off, or take down the last
    /// elder, or make users validate their domains again.
    pub fn destructive(&self) -> impl Iterator<Item = (&ResourceId, &Change)> {
        self.changes.iter().filter(|(id, change)| {
            let is_known = |path| Daemon::ALL.iter().any(|daemon| daemon.is_known_to_users(path));
            let replaces_validation = id.key.path().is_some_and(is_known)
                && matches!(change, Change::File(file) if file.rewritten && file.before.is_some());
            change.is_destructive()
                || replaces_validation
                || node_of(change).is_some_and(|node| self.is_last_elder(&node.name))
        })
    }

    fn is_last_elder(&self, node: &NodeName) -> bool {
        self.last.iter().any(|last| last.node == *node && last.group == Group::Elders)
    }

    /// The hosts to lock while it is applied: those that it changes, and those on which the
    /// scheduler's decisions depend. Where it takes a node down, these are the hosts of the
    /// same shape and, for an elder, of the other elders: another apply could take those
    /// down at the same time. Where it starts a node, these are the hosts of the elders that
    /// the node dials.
    pub fn hosts(&self) -> BTreeSet<&HostName> {
        let touched = self.stage.keys().chain(self.waves.iter().flat_map(|wave| wave.hosts.keys()));
        let going: BTreeSet<&NodeName> = self.going().collect();
        let takes = |(name, part): &(&NodeName, &NodePlan)| {
            going.contains(name) || part.wave.is_some() && part.found != Found::Down
        };
        let taken: Vec<_> = self.nodes.iter().filter(takes).collect();
        let shapes: BTreeSet<&ShapeName> = taken.iter().map(|(name, _)| &name.shape).collect();
        let needs_elders =
            taken.iter().any(|(_, part)| part.bootstrap) || self.waves.iter().any(|wave| wave.rank.dials());
        let depends = self
            .nodes
            .iter()
            .filter(|(name, part)| shapes.contains(&name.shape) || part.bootstrap && needs_elders);
        touched.chain(depends.map(|(name, _)| &name.host)).collect()
    }
}
