//! Turns changes and waves into the actions of each host.
//!
//! The entry point is [`fill`]. The work of an apply has two parts. *Staging* does
//! everything that takes time and affects no running process: it installs packages, creates
//! directories, writes files next to their destinations and validates configurations.
//! Staging runs on all hosts at once. *Switching* does the rest, wave by wave, and is
//! quick: files are renamed and processes restarted. So nodes are down for a short time
//! only, and most failures occur before anything has been switched.

use super::action::{Action, LinkBefore, Running, Staged};
use super::order::{Order, Rank};
use super::revert::{Graphs, Reverts, reverts};
use super::{Plan, PlannedAction, Wave, node_of};
use crate::daemon::Daemon;
use crate::diff::{Change, FileChange, ServiceChange, Verb};
use crate::resource::{
    Activity, ByHost, Edge, Effect, File, HostName, Input, Inputs, NodeName, Resource, ResourceId,
    ResourceKey, Service, Sha256, Started, staged_path,
};
use std::collections::{BTreeMap, BTreeSet};

/// Adds the actions of each host, for staging and for each wave, to a plan. Returns whether
/// any node could be rolled back. With `no_revert`, none is, and the fallback of every node
/// is to be left as it is.
pub(super) fn fill(
    plan: &mut Plan,
    graphs: Graphs<'_>,
    order: &Order,
    no_revert: bool,
) -> Result<bool, crate::resource::Cycle> {
    let Graphs { changes, desired, current, spellings: _ } = graphs;
    let ids = changes.order()?;
    stage(plan, changes, &ids);
    verify(plan, desired, current, changes);
    record(plan, current, changes);
    plan.stage.retain(|_, actions| !actions.is_empty());

    plan.waves = order.ranks.iter().map(|rank| Wave { rank: *rank, hosts: BTreeMap::new() }).collect();
    let last = order.ranks.len() - 1;
    let turns = turns(changes, &ids, order);
    let mut reverts = reverts(graphs, &turns, order);
    let can_roll_back = reverts.are_possible();
    if no_revert {
        reverts = Reverts::default();
    }
    let mut early = Early::new(changes, order);
    for (id, when) in turns {
        let Some(change) = changes.get(id) else { continue };
        let at = match &when {
            When::Staged => continue,
            When::Quiet => 0,
            When::With(node) => {
                let turn = order.nodes.get(node).copied().unwrap_or(last);
                early.wave(id, change, node).unwrap_or(turn)
            }
            When::Remove => last,
        };
        let Some(wave) = plan.waves.get_mut(at) else { continue };
        let actions = wave.hosts.entry(id.host.clone()).or_default();
        let new = switch(id, change, graphs, &reverts).into_iter();
        let new = new.map(|action| PlannedAction::of(&id.key, action));
        // A node that makes room for another is removed before any action of the other
        // node.
        let makes_room = matches!(change, Change::Remove(_)) && at != last;
        let place = if makes_room { 0 } else { actions.len() };
        actions.splice(place..place, new);
    }
    number(plan, order);
    Ok(can_roll_back)
}

/// Removes empty waves, and sets the number of each node's wave.
fn number(plan: &mut Plan, order: &Order) {
    let mut number = 0;
    let mut numbers = Vec::new();
    plan.waves.retain_mut(|wave| {
        wave.hosts.retain(|_, actions| !actions.is_empty());
        number += usize::from(!wave.hosts.is_empty());
        numbers.push(number);
        !wave.hosts.is_empty()
    });
    for (node, part) in &mut plan.nodes {
        part.wave = order.nodes.get(node).and_then(|at| numbers.get(*at).copied());
    }
}

/// When a change is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum When {
    /// During staging.
    Staged,
    /// In the first wave, because no process is affected.
    Quiet,
    /// In the turn of this node.
    With(NodeName),
    /// In the last wave.
    Remove,
}

/// Decides when each change is made, and in which order the changes of a host are made.
///
/// A change that a node with a turn depends on is made in that turn, and not earlier: if an
/// apply ends before the turn, the node's files are as they were. If several nodes depend
/// on a change, it is made with the first of them. The changes are therefore visited in
/// reverse order, so that when each one is visited, the changes that depend on it have been
/// decided. [`Early`] is the exception.
fn turns<'a>(changes: &ByHost<Change>, ids: &[&'a ResourceId], order: &Order) -> Vec<(&'a ResourceId, When)> {
    let mut found: BTreeMap<&ResourceId, When> = BTreeMap::new();
    for id in ids.iter().rev() {
        let Some(change) = changes.get(id) else { continue };
        let own = node_of(change).filter(|node| order.nodes.contains_key(&node.name));
        let when = match change {
            _ if own.is_some() => own.map_or(When::Quiet, |node| When::With(node.name.clone())),
            Change::Remove(_) => When::Remove,
            // Unit files are reloaded after the last of them has been removed.
            Change::Units if follows_removal(id, changes) => When::Remove,
            Change::Package { .. } => When::Staged,
            Change::Directory { before: None, .. } => When::Staged,
            _ => changes
                .after(id)
                .into_iter()
                .filter_map(|(later, _)| match found.get(later) {
                    Some(When::With(node)) => Some(node),
                    _ => None,
                })
                .min_by_key(|node| order.nodes.get(node))
                .map_or(When::Quiet, |node| When::With(node.clone())),
        };
        found.insert(id, when);
    }
    let mut turns: Vec<_> = ids.iter().filter_map(|id| found.remove(id).map(|when| (*id, when))).collect();
    // A process is stopped before its files are removed. Data is removed before the
    // configuration, which proves that the data belongs to a node.
    turns.sort_by_key(|(id, when)| match when {
        When::Remove if matches!(id.key, ResourceKey::Storage(_)) => 1,
        When::Remove => 2,
        _ => 0,
    });
    turns
}

/// Finds the changes that are made before the turn of the node that depends on them, while the
/// bootstrap nodes come up and settle: those that replace nothing, if the node is stopped. Until
/// it is started, no process reads them.
struct Early<'a> {
    changes: &'a ByHost<Change>,
    /// The wave in which bootstrap nodes that are down come up, if there is one.
    elders: Option<usize>,
    /// The nodes that are stopped, and are started after that wave, on hosts that are idle in it.
    nodes: BTreeSet<&'a NodeName>,
    /// The changes that have to wait for the turn.
    late: BTreeSet<&'a ResourceId>,
}

impl<'a> Early<'a> {
    fn new(changes: &'a ByHost<Change>, order: &'a Order) -> Self {
        let elders = order.ranks.iter().position(|rank| *rank == Rank::StartBootstrap);
        let busy = order.nodes.iter().filter(|(_, wave)| Some(**wave) == elders);
        let busy: BTreeSet<&HostName> = busy.map(|(node, _)| &node.host).collect();
        let is_started = |node: &NodeName| {
            order.nodes.get(node).and_then(|wave| order.ranks.get(*wave)) == Some(&Rank::Start)
        };
        let stopped = changes.iter().filter_map(|(_, change)| match change {
            Change::Service(service) if running(service.before.as_ref()) == Running::Stopped => {
                service.after.node.as_ref().map(|node| &node.name)
            }
            _ => None,
        });
        let nodes = stopped.filter(|node| is_started(node) && !busy.contains(&node.host)).collect();
        Self { changes, elders, nodes, late: BTreeSet::new() }
    }

    /// The wave in which a change is made early; `None` if it is made in the turn of `node`, which
    /// depends on it. The changes that come before it on its host have been visited.
    fn wave(&mut self, id: &'a ResourceId, change: &Change, node: &NodeName) -> Option<usize> {
        let replaces_nothing = match change {
            Change::File(change) => change.before.is_none(),
            Change::Link { before, displaces, .. } => before.is_none() && displaces.is_none(),
            Change::Rule | Change::Units => true,
            _ => false,
        };
        let follows = self.changes.before(id).iter().any(|(earlier, _)| self.late.contains(earlier))
            || follows_removal(id, self.changes);
        let is_early = self.nodes.contains(node) && replaces_nothing && !follows;
        if !is_early {
            self.late.insert(id);
        }
        self.elders.filter(|_| is_early)
    }
}

fn follows_removal(id: &ResourceId, changes: &ByHost<Change>) -> bool {
    changes.before(id).iter().any(|(earlier, _)| matches!(changes.get(earlier), Some(Change::Remove(_))))
}

/// Adds the staging of packages, directories and files.
fn stage(plan: &mut Plan, changes: &ByHost<Change>, ids: &[&ResourceId]) {
    for (id, change) in ids.iter().filter_map(|id| Some((*id, changes.get(id)?))) {
        let actions = plan.stage.entry(id.host.clone()).or_default();
        match change {
            Change::Package { unfinished } => {
                if let ResourceKey::Package(name) = &id.key {
                    let install = Action::Install { package: name.clone(), unfinished: *unfinished };
                    actions.push(PlannedAction::of(&id.key, install));
                }
            }
            Change::Directory { before: None, after } => {
                if let Some(path) = id.key.path() {
                    let (path, access) = (path.to_owned(), after.clone());
                    actions.push(PlannedAction::of(&id.key, Action::MakeDirectory { path, access }));
                }
            }
            Change::File(change) if change.rewritten => {
                if let Some(path) = id.key.path() {
                    let file = staged_file(path, change);
                    let download = plan.downloads.get(&file.sha256).cloned();
                    actions.push(PlannedAction::of(&id.key, file.stage(download)));
                }
            }
            _ => {}
        }
    }
}

/// Adds the validation of each configuration to staging. The program that a node will run
/// validates the configuration that the node will run with, if either changes or a key
/// changes that the configuration names.
fn verify(plan: &mut Plan, desired: &ByHost<Resource>, current: &ByHost<Resource>, changes: &ByHost<Change>) {
    let is_changed = |host: &HostName| changes.of(host).is_some_and(|changes| !changes.is_empty());
    let touched = desired.hosts().filter(|(host, _)| is_changed(host));
    for (id, _) in touched.flat_map(|(_, wanted)| wanted.iter()) {
        let Some(config) = id.key.path() else { continue };
        let validated = desired.before(id).into_iter().find_map(|(program, edge)| match edge {
            Edge::Validates(arguments) => Some((program, program.key.path()?, arguments)),
            _ => None,
        });
        let Some((program_id, program, arguments)) = validated else { continue };
        let daemon = Daemon::of_program(program);
        let is_read = |path: &str| daemon.is_some_and(|daemon| daemon.validates_with(path));
        let readers = desired.after(id).into_iter().filter(|(_, edge)| matches!(edge, Edge::Reads(_)));
        let read = readers.flat_map(|(node, _)| desired.before(node));
        let staged: BTreeMap<String, String> = read
            .filter_map(|(file, _)| match (changes.get(file), file.key.path()) {
                (Some(Change::File(change)), Some(path)) if change.rewritten && is_read(path) => {
                    Some((path.to_owned(), staged_path(path, &change.after.sha256)))
                }
                _ => None,
            })
            .collect();
        // A new node that isn't a target has no configuration, neither staged nor in place.
        let has_config = staged.contains_key(config) || matches!(current.get(id), Some(Resource::File(_)));
        if !staged.is_empty() && has_config {
            let version = match changes.get(program_id) {
                Some(Change::File(change)) => plan.versions.get(&change.after.sha256).cloned(),
                _ => None,
            };
            let command = std::iter::once(program).chain(arguments.iter().map(String::as_str));
            let command = command.map(str::to_owned).collect();
            let verify = PlannedAction::check(Action::Verify { command, staged, version });
            plan.stage.entry(id.host.clone()).or_default().push(verify);
        }
    }
}

/// Adds to staging the recording of what processes were started with, if their units don't
/// record that. Later the files will have changed, and it couldn't be determined any more.
fn record(plan: &mut Plan, current: &ByHost<Resource>, changes: &ByHost<Change>) {
    let touched: BTreeSet<&HostName> = changes.iter().map(|(id, _)| &id.host).collect();
    for (id, resource) in current.iter().filter(|(id, _)| touched.contains(&id.host)) {
        let Resource::Service(service) = resource else { continue };
        let Service { activity, node: Some(_), enabled: _ } = &**service else { continue };
        let (Activity::Running(started) | Activity::Starting(started)) = activity else { continue };
        let Started { invocation: Some(invocation), inputs, recorded: false } = started else { continue };
        if let (Inputs::Known(inputs), ResourceKey::Service(unit)) = (inputs, &id.key) {
            plan.stage.entry(id.host.clone()).or_default().push(PlannedAction::check(Action::Record {
                unit: unit.clone(),
                invocation: invocation.clone(),
                inputs: inputs
                    .iter()
                    .filter(|(path, input)| is_noted(path, input))
                    .map(|(path, _)| path.clone())
                    .collect(),
            }));
        }
    }
}

/// Whether an input is recorded by its path: configurations, keys and plugins are. The
/// running program needn't be, because the kernel knows it, and the unit's directives are
/// recorded without being listed.
fn is_noted(path: &str, input: &Input) -> bool {
    input.sha256.is_some() && Daemon::of_program(path).is_none()
}

fn staged_file(path: &str, change: &FileChange) -> Staged {
    let File { access, content: _, sha256, source } = &*change.after;
    Staged { path: path.to_owned(), sha256: *sha256, access: access.clone(), source: source.clone() }
}

/// The actions of a change that aren't part of staging.
fn switch(id: &ResourceId, change: &Change, graphs: Graphs<'_>, reverts: &Reverts<'_>) -> Vec<Action> {
    let path = id.key.path().unwrap_or_default().to_owned();
    match change {
        // Part of staging.
        Change::Package { .. } | Change::Directory { before: None, .. } => Vec::new(),
        Change::Directory { before: Some(before), after } => {
            vec![Action::SetAccess { path, before: before.clone(), after: after.clone() }]
        }
        Change::File(change) => vec![file(path, change, reverts.keeps(id))],
        Change::Link { before, displaces, after } => {
            let before = match (before, displaces) {
                (Some(link), _) => LinkBefore::Link(link.target.to_string()),
                (None, Some(sha256)) => LinkBefore::File(*sha256),
                (None, None) => LinkBefore::Absent,
            };
            vec![Action::Link { path, before, target: after.target.to_string() }]
        }
        Change::Rule => match &id.key {
            ResourceKey::Rule(port) => vec![Action::Allow(*port)],
            _ => Vec::new(),
        },
        Change::Units => vec![Action::Reload { files: unit_files(id, graphs) }],
        Change::Service(change) => service(id, change, reverts),
        Change::Remove(resource) => remove(&id.key, resource),
    }
}

/// The unit files that the service manager has to load, as they will be when it reloads.
fn unit_files(units: &ResourceId, graphs: Graphs<'_>) -> BTreeMap<String, Option<Sha256>> {
    let Graphs { changes, desired, current, spellings: _ } = graphs;
    let earlier = desired.before(units).into_iter().chain(current.before(units));
    earlier
        .filter(|(_, edge)| **edge == Edge::Reads(Effect::Reload))
        .filter_map(|(file, _)| {
            let by_then = match (changes.get(file), current.get(file)) {
                (Some(Change::Remove(_)), _) => None,
                (Some(Change::File(change)), _) if change.rewritten => Some(change.after.sha256),
                (_, Some(Resource::File(found))) => Some(found.sha256),
                _ => None,
            };
            Some((file.key.path()?.to_owned(), by_then))
        })
        .collect()
}

fn file(path: String, change: &FileChange, keep: bool) -> Action {
    match &change.before {
        Some(before) if !change.rewritten => {
            Action::SetAccess { path, before: before.access.clone(), after: change.after.access.clone() }
        }
        before => Action::Place {
            file: staged_file(&path, change),
            before: before.as_ref().map(|before| before.sha256),
            keep,
        },
    }
}

fn service(id: &ResourceId, change: &ServiceChange, reverts: &Reverts<'_>) -> Vec<Action> {
    let ResourceKey::Service(unit) = &id.key else { return Vec::new() };
    let mut actions = Vec::new();
    let enable = change.enable.then(|| Action::Enable { unit: unit.clone() });
    let health = change.after.node.as_ref().map(|node| node.health.clone());
    let (unit, fallback) = (unit.clone(), reverts.fallback(id));
    match (change.verb, health) {
        (None, _) => {}
        (Some(Verb::Start | Verb::Restart), health) => {
            let before = running(change.before.as_ref());
            actions.push(Action::Start { unit, before, health, fallback });
        }
        (Some(Verb::Await), Some(health)) => actions.push(Action::Await { unit, health, fallback }),
        (Some(Verb::Await), None) => {}
    }
    // A unit is enabled after it has become healthy. So a unit that isn't enabled has never
    // been healthy, which `revert` relies on.
    actions.extend(enable);
    actions
}

fn running(before: Option<&Service>) -> Running {
    match before.map(|service| &service.activity) {
        None | Some(Activity::Stopped | Activity::Masked) => Running::Stopped,
        // A unit that keeps dying may be in another start by the time the action runs.
        Some(Activity::Failing { .. } | Activity::Starting(_)) => Running::Failing,
        Some(Activity::Running(started)) => {
            started.invocation.clone().map_or(Running::Stopped, Running::Invocation)
        }
    }
}

fn remove(key: &ResourceKey, resource: &Resource) -> Vec<Action> {
    match (key, resource) {
        (ResourceKey::Service(unit), Resource::Service(service)) => {
            let before = match running(Some(service)) {
                // A masked unit may be running nevertheless.
                Running::Stopped if service.activity != Activity::Stopped => Running::Failing,
                found => found,
            };
            let stop = Action::Stop { unit: unit.clone(), before };
            vec![stop, Action::Disable { unit: unit.clone(), enabled: service.enabled }]
        }
        (ResourceKey::File(path), Resource::File(file)) => {
            vec![Action::Remove { path: path.clone(), before: file.sha256 }]
        }
        (ResourceKey::Rule(port), _) => vec![Action::Disallow(*port)],
        (ResourceKey::Storage(path), Resource::Storage { device_inode }) => {
            vec![Action::Purge { path: path.clone(), before: device_inode.clone() }]
        }
        _ => Vec::new(),
    }
}
