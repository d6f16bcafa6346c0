//! Plans a network: [`Planner`].
//!
//! Planning has two parts. First, every host is planned on its own and in parallel
//! (`host`): its facts are compared with its goals. Then one pass across all hosts, over
//! their nodes, decides everything that concerns several hosts: the order of the waves,
//! fallbacks, notes and refusals.

use super::host::{HostPart, HostPlanner};
use super::reach::Reach;
use super::retire::{self, Retirement};
use super::{
    Downloads, Found, Handshakes, NodePlan, Note, Options, Plan, Probed, Rotation, Selector, Unplanned,
    handshakes, node_of, notes, obstacles, order, planned_actions, receipts, revert, roster, storage,
    surroundings, target,
};
use crate::artifact::{Fetch, HostDownload};
use crate::daemon::Daemon;
use crate::desired::{CompileError, Desired, Goal, Places, Supplies, compile, in_parallel};
use crate::diff::Change;
use crate::facts::receipt::{ApplyRecord, Receipt};
use crate::facts::roster::{Roster, RosterHost};
use crate::facts::{Conditions, Facts};
use crate::network::{MissingSecret, Network};
use crate::resource::{
    Activity, ByHost, Content, Cycle, Graph, HostName, Node, NodeName, Port, Resource, ResourceId,
    ResourceKey, Sha256, ShapeName, Trouble,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use thiserror::Error;

/// Why a network can't be planned at all.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The network can't be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The host to retire isn't in the folder.
    #[error("the folder has no host `{0}`")]
    NoSuchHost(HostName),
    /// Resources depend on each other in a cycle, which would be a defect of spore.
    #[error(transparent)]
    Cycle(#[from] Cycle),
}

/// A compiled network, which can be planned for the facts of its hosts any number of times.
#[derive(Debug)]
pub struct Planner {
    network: String,
    desired: Desired,
    places: Arc<Places>,
    /// The hosts to probe, and the shapes that each host should run.
    hosts: BTreeMap<HostName, BTreeSet<ShapeName>>,
    /// The addresses that the hosts' nodes announce.
    announced: BTreeMap<HostName, Vec<IpAddr>>,
    /// All hosts of the folder, and how to reach them.
    folder: BTreeMap<String, RosterHost>,
    /// A roster that hosts didn't send because it was known when they were asked.
    known: Roster,
    /// The secrets that aren't available.
    missing: Vec<MissingSecret>,
    retirement: Option<Retirement>,
    options: Options,
}

impl Planner {
    /// Compiles a network.
    ///
    /// # Errors
    /// The network can't be compiled, or doesn't have the host to retire.
    pub fn new(network: &Network, supplies: &Supplies, options: Options) -> Result<Self, PlanError> {
        let mut desired = compile(network, supplies)?;
        // A host that is retired is still in the folder.
        let places = Arc::new(Places::new(network, supplies));
        let mut retirement = None;
        let mut reduced = None;
        if let Some(retire) = options.retire.clone() {
            if !network.hosts.contains_key(&retire.host) {
                return Err(PlanError::NoSuchHost(retire.host));
            }
            let without = retire.without(network);
            let before = std::mem::replace(&mut desired, compile(&without, supplies)?).goals;
            retirement = Some(Retirement::of(retire, network, before));
            reduced = Some(without);
        }
        let concerned = retirement.as_ref().map(|retirement| retirement.concerns(&desired));
        let is_concerned =
            |host: &HostName| concerned.as_ref().is_none_or(|concerned| concerned.contains(host));
        let hosts = reduced.as_ref().unwrap_or(network).hosts.iter();
        let hosts = hosts
            .filter(|(name, _)| is_concerned(name))
            .map(|(name, host)| (name.clone(), host.nodes.keys().cloned().collect()))
            .collect();
        let announced =
            network.hosts.iter().filter(|(_, host)| !host.nodes.is_empty()).map(|(name, host)| {
                (name.clone(), host.addresses.iter().map(|address| address.ip).collect())
            });
        let announced = announced.collect();
        let folder = roster::of(reduced.as_ref().unwrap_or(network));
        let known = roster::with_nodes(&folder);
        let missing = network.missing();
        let network = network.domain.root.value.clone();
        Ok(Self { network, desired, places, hosts, announced, folder, known, missing, retirement, options })
    }

    /// The hosts to probe, and the shapes to ask each host about.
    ///
    /// Every host is probed, even if the targets select only some. Whether a node may be
    /// taken down depends on the other nodes of its shape and on the elders, whether an
    /// elder may move depends on every node that dials it, and two hosts mustn't be the
    /// same machine. But a retirement probes only the hosts that it concerns.
    pub fn hosts(&self) -> &BTreeMap<HostName, BTreeSet<ShapeName>> {
        &self.hosts
    }

    /// The nodes of a host: each one's unit, its port for other nodes, and the number of bytes
    /// that it says first on a connection there.
    pub fn greetings(&self, host: &HostName) -> Vec<(String, u16, usize)> {
        let goals = self.desired.goals.of(host).into_iter().flat_map(Graph::iter);
        let greeting = |(id, goal): (&ResourceId, &Goal)| {
            let (daemon, shape) = id.key.path().and_then(Daemon::of_config)?;
            let Goal::Have(Resource::File(file)) = goal else { return None };
            let Content::Document(config) = &file.content else { return None };
            Some((daemon.unit_name(&shape), daemon.listens(config).main?, daemon.greeting()))
        };
        goals.filter_map(greeting).collect()
    }

    /// The ports that a host's nodes bind, for the probe.
    pub fn ports(&self, host: &HostName) -> BTreeSet<Port> {
        let goals = self.desired.goals.of(host).into_iter().flat_map(Graph::iter);
        let configs =
            goals.filter_map(|(id, goal)| match (id.key.path().and_then(Daemon::of_config), goal) {
                (Some((daemon, _)), Goal::Have(Resource::File(file))) => match &file.content {
                    Content::Document(config) => Some(daemon.binds(config)),
                    _ => None,
                },
                _ => None,
            });
        configs.flatten().map(|(port, _)| port).collect()
    }

    /// The network's root domain.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The roster to ask hosts about; see [`Planner::knows`].
    pub fn known_roster(&self) -> &Roster {
        &self.known
    }

    /// Tells the planner which roster was known when the hosts were asked, so that they didn't
    /// send it. That is the folder's own, unless they were asked earlier.
    pub fn knows(&mut self, roster: Roster) {
        self.known = roster;
    }

    /// The hosts in the roster of the newest receipt that the folder no longer has, under any
    /// name. If the folder has another address for one of them, the one at the old address is
    /// named after that. [`WithForgotten`](super::WithForgotten) plans them.
    pub fn forgotten(&self, probed: &BTreeMap<HostName, Probed>) -> BTreeMap<HostName, RosterHost> {
        roster::forgotten(&self.network, &self.folder, &self.known, probed)
    }

    /// The roster that an apply leaves that wasn't completed: that of the plan made after it, and
    /// the other hosts in the roster of the newest receipt, which may not be retired yet.
    pub fn roster_of_incomplete(&self, plan: &Plan, probed: &BTreeMap<HostName, Probed>) -> Roster {
        let mut roster = roster::last(&self.network, &self.folder, &self.known, probed).unwrap_or_default();
        roster.hosts.extend(plan.roster.hosts.clone());
        Roster::new(roster.hosts)
    }

    /// The roster that an apply of this plan leaves: the folder's hosts with nodes, and the hosts
    /// that aren't retired yet.
    fn roster(&self, plan: &Plan) -> Roster {
        let mut roster = roster::with_nodes(&self.folder);
        for forgotten in plan.forgotten.iter().filter(|forgotten| !forgotten.pruned) {
            roster.hosts.insert(forgotten.host.to_string(), forgotten.roster.clone());
        }
        roster
    }

    /// The desired state of the network, including the contents of its files.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Plans the changes for the results of probing the hosts. A host that isn't in
    /// `probed` isn't part of the plan.
    ///
    /// # Errors
    /// Resources depend on each other in a cycle, which would be a defect of spore.
    pub fn plan(&self, probed: &BTreeMap<HostName, Probed>) -> Result<Plan, Cycle> {
        let Self { network, desired, retirement, options, .. } = self;
        let mut plan = Plan {
            network: network.clone(),
            places: Arc::clone(&self.places),
            versions: desired.versions.clone(),
            downloads: self.downloads(),
            missing: self.missing.clone(),
            ..Plan::default()
        };
        plan.asked = probed.keys().filter(|name| options.may_select(name)).count();
        let parts = self.parts(probed);
        let silent = self.silent(probed, &mut plan);
        let (states, retired) = gather(parts, self.is_whole() && self.missing.is_empty(), &mut plan);
        let States { desired: wanted, current, changes, .. } = &states;
        plan.idle_targets = self.idle_targets(current, &silent);

        plan.nodes = nodes(wanted, changes, &plan.unplanned);
        let reach = Reach::new(wanted, current, changes);
        plan.moving = reach.moving();
        let cuts_off = !reach.cut_off().is_empty();
        // If the elders' changes cut nodes off, the nodes are updated all at once, so that
        // the network is whole again as soon as possible.
        let batch = options.batch.or(cuts_off.then_some(usize::MAX));
        let order = order::order(changes, wanted, current, &plan.nodes, batch);
        let graphs = revert::Graphs { changes, desired: wanted, current, spellings: &desired.spellings };
        let can_roll_back = planned_actions::fill(&mut plan, graphs, &order, options.no_revert)?;
        for (id, node) in desired_nodes(desired) {
            if probed.contains_key(&id.host) {
                plan.nodes.entry(node.name.clone()).or_insert(NodePlan::down(node));
            }
        }
        for (name, part) in &mut plan.nodes {
            observe(name, part, &states, network, &order.interrupts);
        }
        if plan.waves.iter().any(|wave| wave.rank.is_rotation()) {
            let begun = order::has_begun(wanted, current, &desired.spellings);
            plan.rotation = Some(if begun { Rotation::Finishes } else { Rotation::Begins });
        }
        plan.last = notes::last(&plan, changes);
        notes::refusals(&mut plan, options, desired, states.rotates, changes, &reach);
        notes::notes(&mut plan, desired, &silent, &reach, cuts_off);
        plan.notes.extend(storage::notes(changes, &states.conditions));
        plan.notes.extend(surroundings::notes(&states.conditions, &self.announced));
        plan.notes.extend(self.sent_without_url(&plan));
        if can_roll_back {
            plan.notes.push(if options.no_revert { Note::NoRollback } else { Note::Rollback });
        }
        if let Some(retirement) = retirement {
            retire::conclude(&mut plan, retirement, retired, elders(desired).count());
        }
        plan.changes = states.changes;
        self.set_roster(&mut plan);
        Ok(plan)
    }

    /// The programs that hosts are to download, by digest, with how they can do that.
    fn fetched(&self) -> impl Iterator<Item = (&Sha256, Option<&Arc<HostDownload>>)> {
        let is_fetched = |fetch: &Fetch| self.options.fetch.unwrap_or(*fetch) == Fetch::Hosts;
        let fetched = self.desired.fetched.iter().filter(move |(_, (fetch, _))| is_fetched(fetch));
        fetched.map(|(sha256, (_, download))| (sha256, download.as_ref()))
    }

    fn downloads(&self) -> Downloads {
        self.fetched().filter_map(|(sha256, download)| Some((*sha256, Arc::clone(download?)))).collect()
    }

    /// Names the programs that the plan sends, although hosts were to download them.
    fn sent_without_url(&self, plan: &Plan) -> Vec<Note> {
        let staged = plan.stage.values().flatten().filter_map(|planned| planned.action.staged());
        let staged: BTreeSet<&Sha256> = staged.map(|file| &file.sha256).collect();
        let sent = |(sha256, download): (&Sha256, Option<_>)| {
            (download.is_none() && staged.contains(sha256)).then_some(Note::SentWithoutUrl(*sha256))
        };
        self.fetched().filter_map(sent).collect()
    }

    /// The receipts of an apply, for the hosts that run nodes. `probed` is what was found after
    /// it, and `salt` makes random digits for a host that has no receipt yet.
    pub fn receipts(
        &self,
        probed: &BTreeMap<HostName, Probed>,
        apply: &ApplyRecord,
        roster: &Roster,
        mut salt: impl FnMut() -> String,
    ) -> BTreeMap<HostName, Receipt> {
        let parts = self.parts(probed).into_iter().filter(|(_, part)| part.obstacles.is_empty());
        let mut receipt = |name: &HostName, part: &HostPart| {
            receipts::new(&self.network, name, part, apply.clone(), salt(), roster.file_name())
        };
        parts.filter_map(|(name, part)| Some((name.clone(), receipt(name, &part)?))).collect()
    }

    /// The handshakes to complete with the nodes of each host that has answered.
    pub fn handshakes(&self, probed: &BTreeMap<HostName, Probed>) -> BTreeMap<HostName, Handshakes> {
        let parts = self.parts(probed).into_iter();
        parts.map(|(name, part)| (name.clone(), handshakes::of(&part))).collect()
    }

    /// Sets the roster, once it is known which hosts are forgotten. A host with another one gets
    /// a receipt, unless only a part of the network is planned. If that is all that an apply would
    /// do, the plan says so.
    pub(super) fn set_roster(&self, plan: &mut Plan) {
        plan.roster = self.roster(plan);
        let name = plan.roster.file_name();
        // Without all secrets it isn't known what receipts should say.
        if self.is_whole() && self.missing.is_empty() {
            for receipt in plan.receipts.values_mut() {
                receipt.is_due |= receipt.roster.as_ref() != Some(&name);
            }
        }
        plan.notes.retain(|note| !matches!(note, Note::Receipts(_)));
        let due: Vec<HostName> = plan.receipts_due().cloned().collect();
        if plan.is_empty() && !due.is_empty() {
            plan.notes.push(Note::Receipts(due));
        }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether everything that the folder describes is planned.
    fn is_whole(&self) -> bool {
        self.options.targets.is_empty() && self.retirement.is_none()
    }

    /// Plans every host that has answered on its own.
    fn parts<'a>(&self, probed: &'a BTreeMap<HostName, Probed>) -> Vec<(&'a HostName, HostPart)> {
        let answered: Vec<(&HostName, &Facts)> = probed
            .iter()
            .filter_map(|(name, probed)| match probed {
                Probed::Facts(facts) => Some((name, &**facts)),
                Probed::Nothing(_) => None,
            })
            .collect();
        let twins = obstacles::same_machine(&answered);
        let downloads = &self.downloads();
        let common = HostPlanner {
            network: &self.network,
            desired: &self.desired,
            retirement: self.retirement.as_ref(),
            options: &self.options,
            downloads,
        };
        in_parallel(answered, |(name, facts)| {
            (name, common.plan(name, facts, twins.get(name).cloned().unwrap_or_default()))
        })
    }

    /// The hosts that haven't answered. Adds those that a target may select to the plan's
    /// unplanned hosts.
    fn silent<'a>(&self, probed: &'a BTreeMap<HostName, Probed>, plan: &mut Plan) -> BTreeSet<&'a HostName> {
        let mut silent = BTreeSet::new();
        for (name, probed) in probed {
            if let Probed::Nothing(why) = probed {
                silent.insert(name);
                if self.options.may_select(name) {
                    plan.unplanned.insert(name.clone(), vec![why.clone()]);
                }
            }
        }
        silent
    }

    /// See [`Plan::idle_targets`]. A target isn't idle if a host that hasn't answered may
    /// have its node.
    fn idle_targets(&self, current: &ByHost<Resource>, silent: &BTreeSet<&HostName>) -> Vec<Selector> {
        let is_idle = |selector: &&Selector| {
            let Some(shape) = &selector.shape else { return false };
            let selected = self.hosts.iter().filter(|(host, _)| selector.may_select(host));
            !selected.into_iter().any(|(host, shapes)| {
                let found = current.of(host).into_iter().flat_map(Graph::iter);
                // A removed node's data that is kept isn't a node.
                let mut found = found.filter(|(id, _)| {
                    self.options.purge_storage || !matches!(id.key, ResourceKey::Storage(_))
                });
                shapes.contains(shape)
                    || silent.contains(host)
                    || found.any(|(id, resource)| target::belongs_to(shape, &id.key, resource))
            })
        };
        self.options.targets.iter().filter(is_idle).cloned().collect()
    }
}

/// The states of all hosts that have answered.
struct States {
    conditions: BTreeMap<HostName, Conditions>,
    desired: ByHost<Resource>,
    current: ByHost<Resource>,
    /// The changes that the plan makes.
    changes: ByHost<Change>,
    /// Whether a node, target or not, runs with another version of a secret that all nodes
    /// must have at the same time.
    rotates: bool,
}

/// Merges the parts of all hosts. Also returns what a retirement leaves alone on each host.
/// `is_whole` says whether it is known of every host what its receipt should say.
fn gather(
    parts: Vec<(&HostName, HostPart)>,
    is_whole: bool,
    plan: &mut Plan,
) -> (States, Vec<retire::Remainder>) {
    let (mut conditions, mut rotates) = (BTreeMap::new(), false);
    let (mut desired, mut current, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let mut retired = Vec::new();
    // A version that a host reports is shown, and noted on the hosts that get the same
    // binary, unless the folder has a version for that digest. Nothing else depends on it.
    let mut claimed = BTreeMap::new();
    for (name, part) in parts {
        if !part.obstacles.is_empty() {
            let reasons = part.obstacles.iter().cloned().map(Unplanned::Obstacle);
            plan.unplanned.insert(name.clone(), reasons.collect());
        }
        claimed.extend(part.conditions.versions.clone());
        plan.unchanged += part.unchanged;
        if part.obstacles.is_empty() {
            plan.receipts.extend(receipts::of(&part, is_whole).map(|receipt| (name.clone(), receipt)));
        }
        plan.uncompared.extend(part.uncompared);
        plan.overridden.extend(part.overridden);
        rotates |= part.rotates;
        retired.extend(part.remainder);
        conditions.insert(name.clone(), part.conditions);
        desired.push((name.clone(), part.desired));
        current.push((name.clone(), part.current));
        changes.push((name.clone(), part.changes));
    }
    for (digest, version) in claimed {
        plan.versions.entry(digest).or_insert(version);
    }
    let [desired, current] = [desired, current].map(ByHost::from_iter);
    (States { conditions, desired, current, changes: ByHost::from_iter(changes), rotates }, retired)
}

/// Sets the state in which a node was found, and its start.
fn observe(
    name: &NodeName,
    part: &mut NodePlan,
    states: &States,
    network: &str,
    interrupts: &BTreeSet<NodeName>,
) {
    // A node of another network doesn't count as up, because this network can't use it.
    let is_ours = || {
        let host = states.conditions.get(&name.host);
        host.is_some_and(|host| host.networks.iter().all(|name| name.as_str() == network))
    };
    let id = ResourceId { host: name.host.clone(), key: ResourceKey::Service(name.unit()) };
    let service = match states.current.get(&id) {
        Some(Resource::Service(service)) if is_ours() => Some(service),
        _ => None,
    };
    part.found = match service.map(|service| &service.activity) {
        Some(Activity::Running(_)) => Found::Healthy,
        Some(Activity::Failing { trouble: Trouble::Restarted(_) | Trouble::Unfinished, .. }) => {
            Found::Unproven
        }
        Some(Activity::Failing { trouble: Trouble::Deaf(_) | Trouble::Silent(_), .. }) => Found::Deaf,
        _ if interrupts.contains(name) => Found::Replaces,
        _ => Found::Down,
    };
    part.invocation = service.and_then(|service| service.activity.started()?.invocation.clone());
}

fn nodes(
    desired: &ByHost<Resource>,
    changes: &ByHost<Change>,
    unplanned: &BTreeMap<HostName, Vec<Unplanned>>,
) -> BTreeMap<NodeName, NodePlan> {
    let wanted = desired.iter().filter_map(|(_, resource)| match resource {
        Resource::Service(service) => service.node.as_ref(),
        _ => None,
    });
    wanted
        .chain(changes.iter().filter_map(|(_, change)| node_of(change)))
        .filter(|node| !unplanned.contains_key(&node.name.host))
        .map(|node| (node.name.clone(), NodePlan::down(node)))
        .collect()
}

/// The desired nodes.
pub(super) fn desired_nodes(desired: &Desired) -> impl Iterator<Item = (&ResourceId, &Node)> {
    desired.goals.iter().filter_map(|(id, goal)| match goal {
        Goal::Have(Resource::Service(service)) => service.node.as_ref().map(|node| (id, node)),
        _ => None,
    })
}

/// The desired bootstrap nodes.
pub(super) fn elders(desired: &Desired) -> impl Iterator<Item = (&ResourceId, &Node)> {
    desired_nodes(desired).filter(|(_, node)| node.bootstrap)
}
