//! Decides what happens to a node that doesn't become healthy: its [`Fallback`].
//!
//! A switch replaces files and starts the node with the new ones. If the node doesn't
//! become healthy, it should go back to files with which it is known to have worked. Which
//! files these are has to be decided when the plan is made, because the fallback runs on
//! the host, in the request that starts the node. These are the rules:
//!
//! - A running node goes back to the files with which its process was started. For each
//!   file that it reads, that version is put back if it is at its place before the switch,
//!   or if an earlier switch has kept it. A file that was changed under a running node
//!   isn't what the node runs with, so it isn't put back. If it is unknown what the process
//!   was started with, the files that are in place before the switch are put back.
//! - A node that is up after the service manager had to restart it is treated like a
//!   running node.
//! - Any other node (failing, starting or down) has no files that are known to work. If an
//!   apply was cut off in the middle of its switch, before the node was healthy or rolled
//!   back, that switch has kept the old files, and the node goes back to these. Files of the
//!   node that the switch hadn't replaced yet are put back as they are in place.
//! - Without such files, a node that was down is stopped again. So is a node that was
//!   failing or starting and isn't enabled: a node is enabled after its first healthy
//!   start, so it has never had one. Any other node is left as it is.
//! - A file that several nodes of a host read is switched with the first of these nodes,
//!   and put back if that node fails. Once that node is healthy, the file stays, and the
//!   other nodes go back to their other files only.
//! - A file that the switch creates stays, because nothing read it before. Changes of owner
//!   and mode, links, firewall rules and packages stay, too.
//! - A key that all nodes must have at the same time is never put back, and a node that is
//!   restarted in a rotation has no fallback at all: the old key would cut it off from the
//!   network.

use super::action::{Fallback, Replaced};
use super::order::Order;
use super::planned_actions::When;
use crate::desired::Spellings;
use crate::diff::{Change, runs_with};
use crate::resource::{
    Activity, ByHost, Content, Edge, Effect, File, Health, HostName, Inputs, Node, Resource, ResourceId,
    ResourceKey, Sha256, Trouble, kept_for,
};
use std::collections::{BTreeMap, BTreeSet};

/// The fallbacks of a plan's nodes.
#[derive(Debug, Default)]
pub(super) struct Reverts<'a> {
    /// By unit, the fallback of each node that is started or waited for, except in a
    /// rotation.
    fallbacks: BTreeMap<&'a ResourceId, Fallback>,
    /// The files that have to be kept when they are replaced.
    keeps: BTreeSet<&'a ResourceId>,
}

impl Reverts<'_> {
    /// What happens to a unit that doesn't become healthy.
    pub(super) fn fallback(&self, unit: &ResourceId) -> Fallback {
        self.fallbacks.get(unit).cloned().unwrap_or(Fallback::Leave)
    }

    /// Whether any node can be rolled back.
    pub(super) fn are_possible(&self) -> bool {
        self.fallbacks.values().any(|fallback| matches!(fallback, Fallback::Revert { .. }))
    }

    /// Whether a file has to be kept when it is replaced.
    pub(super) fn keeps(&self, file: &ResourceId) -> bool {
        self.keeps.contains(file)
    }
}

/// The graphs that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Graphs<'a> {
    pub(super) changes: &'a ByHost<Change>,
    pub(super) desired: &'a ByHost<Resource>,
    pub(super) current: &'a ByHost<Resource>,
    pub(super) spellings: &'a Spellings,
}

/// The fallbacks of all nodes. `turns` says when each change is made.
pub(super) fn reverts<'a>(
    graphs: Graphs<'a>,
    turns: &[(&'a ResourceId, When)],
    order: &Order,
) -> Reverts<'a> {
    let kept = kept(graphs.current);
    let turns: BTreeMap<&ResourceId, &When> = turns.iter().map(|(id, when)| (*id, when)).collect();
    let mut nodes: Vec<_> = graphs
        .changes
        .iter()
        .filter_map(|(id, change)| match change {
            Change::Service(change) if change.verb.is_some() => {
                let node = change.after.node.as_ref()?;
                Some((order.nodes.get(&node.name)?, id, node))
            }
            _ => None,
        })
        .collect();
    nodes.sort_by_key(|(wave, id, _)| (**wave, *id));
    let mut reverts = Reverts::default();
    let mut taken = BTreeSet::new();
    for (wave, id, node) in nodes {
        let rotates = order.ranks.get(*wave).is_some_and(|rank| rank.is_rotation());
        if rotates {
            continue;
        }
        let mut files = Vec::new();
        for (file, effect) in reads(graphs.desired, id) {
            if effect == Effect::RestartTogether {
                continue;
            }
            let mine = turns.get(file).is_none_or(|when| **when == When::With(node.name.clone()));
            if mine && taken.insert(file) {
                files.push(Candidate::new(graphs, file, effect, &kept));
            }
        }
        let (activity, is_enabled) = match graphs.current.get(id) {
            Some(Resource::Service(service)) => (&service.activity, service.enabled),
            _ => (&Activity::Stopped, false),
        };
        let is_first = matches!(activity, Activity::Failing { .. } | Activity::Starting(_)) && !is_enabled;
        let is_unfinished = files.iter().any(|file| !file.kept.is_empty());
        let back: Vec<(&Candidate<'_>, Sha256)> =
            files.iter().filter_map(|file| Some((file, file.old(activity, is_unfinished)?))).collect();
        reverts.keeps.extend(back.iter().filter(|(file, old)| file.is_found(old)).map(|(file, _)| file.id));
        let fallback = match (back.is_empty(), activity) {
            (true, Activity::Stopped | Activity::Masked) => Fallback::Stop,
            (true, _) if is_first => Fallback::Stop,
            (true, _) => Fallback::Leave,
            (false, _) => Fallback::Revert {
                health: health(node, &back),
                files: back.iter().filter_map(|(file, old)| file.replaced(*old)).collect(),
            },
        };
        reverts.fallbacks.insert(id, fallback);
    }
    reverts
}

/// The files that a unit reads.
fn reads<'a>(
    desired: &'a ByHost<Resource>,
    unit: &ResourceId,
) -> impl Iterator<Item = (&'a ResourceId, Effect)> {
    desired.before(unit).into_iter().filter_map(|(file, edge)| match edge {
        Edge::Reads(effect) if matches!(file.key, ResourceKey::File(_)) => Some((file, *effect)),
        _ => None,
    })
}

/// The files that earlier switches have kept, by host and by the path that they were
/// replaced at.
fn kept(current: &ByHost<Resource>) -> BTreeMap<(&HostName, String), Vec<Sha256>> {
    let mut kept: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, resource) in current.iter() {
        if let (Resource::File(file), Some(path)) = (resource, id.key.path().and_then(kept_for)) {
            kept.entry((&id.host, path)).or_default().push(file.sha256);
        }
    }
    kept
}

/// A file that a node reads, and the versions of it that could be put back.
struct Candidate<'a> {
    id: &'a ResourceId,
    path: &'a str,
    effect: Effect,
    /// The version that is in place before the switch.
    in_place: Option<&'a File>,
    /// The same version, if the plan replaces it.
    found: Option<&'a File>,
    wanted: Option<Sha256>,
    /// The versions that earlier switches have kept.
    kept: Vec<Sha256>,
    spellings: &'a Spellings,
}

impl<'a> Candidate<'a> {
    fn new(
        graphs: Graphs<'a>,
        id: &'a ResourceId,
        effect: Effect,
        kept: &BTreeMap<(&HostName, String), Vec<Sha256>>,
    ) -> Self {
        let path = id.key.path().unwrap_or_default();
        let found = match graphs.changes.get(id) {
            Some(Change::File(change)) if change.rewritten => change.before.as_deref(),
            _ => None,
        };
        let in_place = match graphs.current.get(id) {
            Some(Resource::File(file)) => Some(&**file),
            _ => None,
        };
        let wanted = match (graphs.changes.get(id), graphs.desired.get(id)) {
            (Some(Change::File(change)), Some(Resource::File(wanted))) if change.rewritten => {
                Some(wanted.sha256)
            }
            // A file with other bytes but the same meaning isn't replaced, so it is the
            // wanted one.
            (_, Some(Resource::File(_))) => in_place.map(|file| file.sha256),
            _ => None,
        };
        let mut kept = kept.get(&(&id.host, path.to_owned())).cloned().unwrap_or_default();
        kept.retain(|kept| Some(*kept) != wanted);
        Self { id, path, effect, in_place, found, wanted, kept, spellings: graphs.spellings }
    }

    /// The digest of the version to put back, by the rules in the module's documentation.
    /// `None` if no version is known to work, or if it is the wanted one.
    fn old(&self, activity: &Activity, is_unfinished: bool) -> Option<Sha256> {
        let found = self.found.map(|file| file.sha256);
        let old = match activity {
            Activity::Running(started)
            | Activity::Failing { trouble: Trouble::Restarted(_), started, .. } => match &started.inputs {
                Inputs::Unknown(_) => found,
                Inputs::Known(inputs) => {
                    let is_read =
                        |file: &&File| runs_with(self.path, file, self.effect, inputs, self.spellings);
                    let read = inputs.get(self.path).and_then(|input| input.sha256);
                    // The kept version should be the one that the process has read, but its
                    // digest may be another: other bytes can have the same meaning. So any
                    // kept version is accepted if the process doesn't run with the version
                    // in place, because then it must have read one that was replaced.
                    let is_stale = self.in_place.is_some_and(|file| !is_read(&file));
                    let is_kept = |kept: &&Sha256| is_stale || read.is_none_or(|read| read == **kept);
                    self.found
                        .filter(is_read)
                        .map(|file| file.sha256)
                        .or_else(|| self.kept.iter().find(is_kept).copied())
                }
            },
            Activity::Failing { .. } | Activity::Starting(_) | Activity::Stopped | Activity::Masked => {
                self.kept.first().copied().or(found.filter(|_| is_unfinished))
            }
        };
        old.filter(|old| Some(*old) != self.wanted)
    }

    fn is_found(&self, old: &Sha256) -> bool {
        self.found.is_some_and(|found| found.sha256 == *old)
    }

    fn replaced(&self, old: Sha256) -> Option<Replaced> {
        Some(Replaced { path: self.path.to_owned(), old, new: self.wanted? })
    }
}

/// When a node counts as healthy with its old files. If the configuration is among these,
/// the expected identity and ports are those of the old configuration.
fn health(node: &Node, back: &[(&Candidate<'_>, Sha256)]) -> Health {
    let config = node.name.config();
    match back.iter().find(|(file, _)| file.path == config) {
        None => node.health.clone(),
        Some((file, old)) => {
            let document = match file.found.map(|file| &file.content) {
                Some(Content::Document(document)) if file.is_found(old) => Some(&**document),
                _ => None,
            };
            node.name.daemon.health_with(&node.name.shape, document)
        }
    }
}
