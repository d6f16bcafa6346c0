//! Turns the differences between a network and its hosts into ordered actions: the
//! [`Plan`].
//!
//! The entry points are [`Planner::new`], which compiles a network, and [`Planner::plan`],
//! which plans the changes for the facts that its hosts have answered. A planner can be
//! used any number of times: an apply plans again after it has ended, to see what it has
//! achieved.
//!
//! What always holds:
//! - A plan is complete: it names every action with its host and its wave. The apply
//!   decides only whether a part of the plan waits or is skipped, by the rules in
//!   [`scheduler`].
//! - A plan depends only on the arguments: the same folder and the same facts give the same
//!   plan, byte for byte.
//!
//! How actions are sent to a host is in [`wire`]. `remote` sends them, and `render` puts a
//! plan into words.

pub mod action;
mod applied;
pub mod file;
mod handshakes;
mod host;
mod host_error;
pub mod node_keys;
mod notes;
mod obstacles;
mod order;
mod planned_actions;
mod planner;
mod reach;
mod receipts;
mod retire;
mod revert;
mod roster;
pub mod scheduler;
mod storage;
mod surroundings;
mod target;
mod unplanned;
pub mod wire;

pub use applied::{Applied, HostFailure, Wrong};
pub use handshakes::Handshakes;
pub use host_error::{During, Holder, HostError, LostReason, Misfit, NoKey, NoLock, UnusableKey};
pub use order::Rank;
pub use planner::{PlanError, Planner};
pub use receipts::{Forgotten, HostReceipt};
pub use retire::Retire;
pub use roster::WithForgotten;
pub use scheduler::Group;
pub use target::{InvalidSelector, Selector};
pub use unplanned::Unplanned;

use crate::artifact::{Fetch, HostDownload};
use crate::daemon::Daemon;
use crate::desired::Places;
use crate::diff::{Change, FieldChange, Uncompared};
use crate::facts::Facts;
use crate::facts::receipt::Origin;
use crate::facts::roster::Roster;
use crate::network::{MissingSecret, Place};
use crate::resource::{
    ByHost, FieldPath, HostName, Node, NodeName, Printable, Resource, ResourceId, ResourceKey, Sha256,
    ShapeName, Value, Version,
};
use action::Action;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The actions that make the hosts match the network, and what they are derived from.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The network's root domain.
    pub network: String,
    /// The changes that the plan makes: the differences from the desired state, as far as
    /// the options don't leave them out.
    pub changes: ByHost<Change>,
    /// Where the folder describes what the changes are about; see [`Plan::place`].
    pub places: Arc<Places>,
    /// The number of desired resources that are in place on the planned hosts.
    pub unchanged: usize,
    /// The number of probed hosts that the targets may select, planned or not.
    pub asked: usize,
    /// The hosts that couldn't be planned, and why.
    pub unplanned: BTreeMap<HostName, Vec<Unplanned>>,
    /// The secrets that weren't available to the plan. Such a plan can't be applied.
    pub missing: Vec<MissingSecret>,
    /// What couldn't be compared on the planned hosts, because of these secrets.
    pub uncompared: Vec<Uncompared>,
    /// Every node of the probed hosts, whether they answered or not, and the node's part in
    /// the plan.
    pub nodes: BTreeMap<NodeName, NodePlan>,
    /// The elders that are up at an address that the new configurations no longer contain.
    /// A node that is started with its new configuration can't reach such an elder until
    /// the elder has been restarted.
    pub moving: BTreeSet<NodeName>,
    /// The nodes whose turn would take down the last healthy node of a group while others
    /// of the group are down. An apply takes an elder in this list down all the same,
    /// because the user has agreed to the plan; it skips the turns of the other nodes.
    pub last: Vec<Last>,
    /// By host, the actions that are run on all hosts at once before the first wave. They
    /// affect no running process: packages are installed, directories are created, and
    /// files are staged and validated.
    pub stage: BTreeMap<HostName, Vec<PlannedAction>>,
    /// The waves, in order. [`scheduler`] decides what follows a failure.
    pub waves: Vec<Wave>,
    /// Whether the plan replaces a secret that all nodes must have at the same time.
    pub rotation: Option<Rotation>,
    /// Directives of our unit template that something on a host overrides. The desired
    /// state isn't reached there, and no action could change that.
    pub overridden: Vec<OverriddenDirective>,
    /// The known versions of the nodes' program, by the digest of the binary.
    pub versions: BTreeMap<Sha256, Version>,
    /// The programs that hosts download themselves.
    pub downloads: Downloads,
    /// What the receipts of the planned hosts say. A host without nodes has no entry.
    pub receipts: BTreeMap<HostName, HostReceipt>,
    /// The hosts that were deleted from the folder without having been retired.
    pub forgotten: Vec<Forgotten>,
    /// The roster that an apply of the plan leaves on the hosts.
    pub roster: Roster,
    /// What the user should know before agreeing to the plan.
    pub notes: Vec<Note>,
    /// Why the plan can't be applied. Empty if it can.
    pub refusals: Vec<Refusal>,
    /// Targets that select nothing, because neither the folder nor a host has such a node.
    pub idle_targets: Vec<Selector>,
}

/// How hosts download programs themselves, by the digest of the program.
pub type Downloads = BTreeMap<Sha256, Arc<HostDownload>>;

/// A node's part in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Whether it is a bootstrap node (an elder), which the other nodes dial.
    pub bootstrap: bool,
    /// The wave, counted from one, in which the plan starts, restarts, waits for or stops
    /// the node's process. `None` if it does none of these.
    pub wave: Option<usize>,
    /// The state in which the node was found.
    pub found: Found,
    /// The service manager's id of the start in which the node was found. `None` if the
    /// node was found stopped, or if the id is unknown.
    pub invocation: Option<String>,
}

/// The state in which a node was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The node is up, and no problem with it is known.
    Healthy,
    /// The node is up, but may die: systemd had to restart it recently, or a switch of its
    /// files was cut off before the node had proved healthy with them.
    Unproven,
    /// The node's process runs, but doesn't listen on one of its ports.
    Deaf,
    /// The node is down, and the plan replaces another node of its host, which is up, by
    /// this one.
    Replaces,
    /// The node is down, or its host didn't answer or is part of another network.
    Down,
}

/// A node that is the last healthy one of a group while others of the group are down. See
/// [`Plan::last`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The node.
    pub node: NodeName,
    /// The group of which it is the last.
    pub group: Group,
    /// The other nodes of that group, none of which is as healthy.
    pub down: BTreeSet<NodeName>,
}

/// Actions that are run on several hosts at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// What the wave is for.
    pub rank: Rank,
    /// By host, its actions in order.
    pub hosts: BTreeMap<HostName, Vec<PlannedAction>>,
}

/// One action, and the change that it carries out.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAction {
    /// The action.
    pub action: Action,
    /// The change that the action carries out: [`Plan::changes`] lists this key for the
    /// action's host. `None` if the action makes no change that a plan lists, because it
    /// validates staged files or records what a process was started with.
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

/// The replacement of a secret that all nodes must have at the same time, because a node
/// with the old secret and a node with the new one can't communicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// No node runs with the new secret yet. It is introduced on all hosts or on none.
    Begins,
    /// Some nodes already run with the new secret, because an apply was cut off half-way.
    /// The others should get it as soon as possible, even if some hosts can't be planned.
    Finishes,
}

/// A directive of a node's unit that a drop-in on its host overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverriddenDirective {
    /// The node's host.
    pub host: HostName,
    /// The unit's name, such as `tau@store.service`.
    pub unit: String,
    /// The directive's name, such as `LimitNOFILE`.
    pub directive: String,
    /// The path of the drop-in.
    pub file: Printable,
}

/// Something that the user should know about a plan, apart from its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The only bootstrap node is restarted, or replaces another node, so that no elder is
    /// up for a moment.
    NoElder(NodeName),
    /// Elders get another address or identity, or are removed, so that nodes lose every
    /// elder that they dial. Such a node can't reach any elder until it has been restarted
    /// after them.
    EldersMove,
    /// An apply leaves this node alone, because it is the last healthy one of its shape.
    Kept(Last),
    /// A host with a bootstrap node didn't answer or couldn't be planned, so the state of
    /// the bootstrap node isn't known.
    ElderUnplanned(HostName),
    /// No bootstrap node is known to be up, and the plan starts none, so nodes that dial
    /// one aren't started.
    NoElderUp,
    /// A rotation begins. The network is split until the last node has the new secret.
    Split,
    /// The plan finishes a rotation that an earlier apply began, except on these hosts,
    /// which couldn't be planned.
    SplitUntilNow(Vec<HostName>),
    /// The data of a removed node is kept.
    StorageKept(NodeName),
    /// A node that doesn't become healthy with its new files is rolled back to its old
    /// ones.
    Rollback,
    /// Nodes could be rolled back, but the options disable that.
    NoRollback,
    /// A host is retired without being contacted: its nodes may still run, and their keys
    /// stay valid.
    NotContacted {
        /// The host.
        host: HostName,
        /// The host's nodes, according to the folder.
        nodes: Vec<NodeName>,
    },
    /// These nodes are up, but every address that they dial is one at which no node
    /// answers.
    CutOff(Vec<NodeName>),
    /// The plan starts these elders with configurations that contain only addresses at
    /// which no node will answer, because the targets leave the other nodes' changes out.
    Alone(Vec<NodeName>),
    /// A retirement leaves this number of elders: one or none.
    EldersLeft(usize),
    /// The number of other differences that a retirement leaves alone.
    LeftAlone(usize),
    /// The host's clock differs from the controller's by more than a minute: by this many
    /// seconds, positive if it is ahead.
    Clock {
        /// The host.
        host: HostName,
        /// How far its clock is ahead.
        seconds: i64,
    },
    /// No interface of the host has these addresses, which its nodes announce.
    NoSuchAddress {
        /// The host.
        host: HostName,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
    /// The SSH servers of these hosts forbid forwarding, so whether their nodes speak isn't
    /// known.
    NotHeard(Vec<HostName>),
    /// The hosts were to download the program, but the folder has no URL of it, so it is sent.
    SentWithoutUrl(Sha256),
    /// The plan changes nothing, but an apply of it leaves receipts on these hosts.
    Receipts(Vec<HostName>),
    /// A node starts with data that an earlier node has left under the same name.
    OldStorage {
        /// The node that starts.
        node: NodeName,
        /// Whether the node gets a new identity, so that the data belongs to the old one.
        /// Otherwise the node is new, and an earlier node of the same name has left the
        /// data.
        replaced: bool,
    },
    /// A node is removed, and a similar one is added on its host under another name. The
    /// added node starts without data.
    Renamed {
        /// The removed node.
        from: NodeName,
        /// The added node.
        to: NodeName,
        /// Whether the data of the removed node is kept.
        kept: bool,
    },
}

/// Why a plan can't be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rotation would leave some nodes with the old secret, because they aren't targets.
    PartialRotation,
    /// A rotation would leave the nodes of these hosts, which couldn't be planned, with the
    /// old secret.
    RotationWithout(Vec<HostName>),
    /// The folder gives these elders another address or identity, but they aren't targets.
    /// A node that the plan starts would reach no elder.
    WithoutElders(Vec<NodeName>),
    /// The targets give elders another address or identity, or remove them, but leave out
    /// these nodes, which would lose every elder that they dial.
    WithoutMembers(Vec<NodeName>),
    /// A node would start with the identity of another node that is up.
    Twins {
        /// The node that would start.
        node: NodeName,
        /// The node that is up.
        other: NodeName,
    },
    /// The host to retire couldn't be planned.
    RetiresUnplanned(HostName),
    /// A retirement has to change this resource, but other changes to it are pending, and
    /// they can't be separated.
    Mixed {
        /// The resource that has to change.
        resource: ResourceId,
        /// What else would change with it.
        others: Pending,
    },
}

/// The other pending changes of a file or unit that a retirement has to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// These fields of the file would change as well.
    Fields(Vec<FieldPath>),
    /// The other changes are unknown, because the file can't be compared field by field.
    Unknown,
    /// The unit would be restarted for another reason as well.
    Restart,
}

/// The options of a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Restricts the plan to these nodes and hosts. If empty, the plan covers everything.
    pub targets: Vec<Selector>,
    /// The maximum number of nodes that are updated at a time after the first of each
    /// shape. The default is a quarter of the nodes to update, or all of them at once if
    /// the elders' changes cut nodes off, because then the nodes should follow as soon as
    /// possible.
    pub batch: Option<usize>,
    /// Whether hosts of another network may be made part of this one.
    pub take_over: bool,
    /// Whether nodes that don't become healthy are left as they are, instead of being
    /// rolled back or stopped.
    pub no_revert: bool,
    /// Whether the data of removed nodes is removed, too.
    pub purge_storage: bool,
    /// Whether hosts that were deleted from the folder are retired.
    pub prune: bool,
    /// Who downloads the program for the hosts, instead of whom the folder says.
    pub fetch: Option<Fetch>,
    /// Restricts the plan to what is needed to retire this host.
    pub retire: Option<Retire>,
}

impl Options {
    /// Whether a target may select anything on this host.
    fn may_select(&self, host: &HostName) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target.may_select(host))
    }
}

/// The result of probing a host.
#[derive(Clone, Debug)]
pub enum Probed {
    /// The host answered.
    Facts(Box<Facts>),
    /// The host didn't answer, or its answer can't be used.
    Nothing(Unplanned),
}

/// The node whose unit a change concerns.
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
    /// The part of a node about which nothing else is known yet.
    fn down(node: &Node) -> Self {
        Self { bootstrap: node.bootstrap, wave: None, found: Found::Down, invocation: None }
    }

    /// Whether the node is up, or the plan brings it up.
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

    /// Where a change comes from, according to the receipt of its host.
    pub fn origin(&self, id: &ResourceId) -> Origin {
        let known = self.receipts.get(&id.host).and_then(|receipt| receipt.origins.get(&id.key));
        known.copied().unwrap_or(Origin::Unknown)
    }

    /// Where the folder describes a host.
    pub fn place_of_host(&self, host: &HostName) -> Option<&Place> {
        self.places.of_host(host)
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

    /// By change, the number of actions that carry it out.
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

    /// Whether applying the plan reaches the desired state on all hosts that were asked
    /// about.
    pub fn reaches_everything(&self) -> bool {
        self.unplanned.is_empty()
            && self.overridden.is_empty()
            && self.forgotten.iter().all(|forgotten| forgotten.pruned)
    }

    /// Whether the plan changes anything on a host.
    pub fn changes_host(&self, host: &HostName) -> bool {
        self.changes.of(host).is_some_and(|changes| !changes.is_empty())
    }

    /// The hosts that need no change, and that get a receipt all the same: see
    /// [`HostReceipt::is_due`].
    pub fn receipts_due(&self) -> impl Iterator<Item = &HostName> {
        self.receipts.iter().filter(|(_, receipt)| receipt.is_due).map(|(host, _)| host)
    }

    /// The hosts on which an apply leaves a receipt once its part there is complete: those that
    /// it changes, and those that lack one.
    pub fn leaves_receipts_on(&self) -> BTreeSet<&HostName> {
        let changed = self.changes.hosts().filter(|(_, changes)| !changes.is_empty());
        changed.map(|(host, _)| host).chain(self.receipts_due()).collect()
    }

    /// Whether the plan drops a host from the roster that may still run nodes.
    pub fn drops_hosts(&self) -> bool {
        self.forgotten.iter().any(|forgotten| forgotten.pruned && forgotten.unreachable.is_some())
    }

    /// The nodes that the plan removes.
    pub fn going(&self) -> impl Iterator<Item = &NodeName> {
        order::going(&self.changes).map(|(_, node)| node)
    }

    /// The changes that need the user's explicit consent: they can't be undone, cut a node
    /// off, take down the last elder, or make users validate their domains again.
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

    /// The hosts to lock while the plan is applied: the hosts that it changes, and the
    /// hosts on which the scheduler's decisions depend.
    ///
    /// If the plan takes a node down, the decisions depend on the other nodes of its shape
    /// and, for an elder, on the other elders. Unless their hosts are locked, too, another
    /// apply could take these nodes down at the same time. If the plan starts nodes that
    /// dial elders, the decisions depend on the elders.
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
        let due = self.receipts_due();
        touched.chain(depends.map(|(name, _)| &name.host)).chain(due).collect()
    }
}
