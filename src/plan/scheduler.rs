//! Decides what an apply does next, given everything that has happened and been observed so
//! far.
//!
//! The entry points are [`Scheduler::new`] and [`Scheduler::next`]. The scheduler is a
//! state machine without I/O and without a clock. The caller, which communicates with the
//! hosts, asks it what comes next and carries that out. Then the caller reports for each
//! host how its actions ended ([`Scheduler::ran`]), in what states its nodes were observed
//! ([`Scheduler::looked`]), or that it was lost ([`Scheduler::lose`]).
//!
//! A plan is made on the assumption that every action succeeds. The scheduler keeps an
//! apply safe when that turns out to be wrong: it only ever leaves parts of the plan out or
//! delays them, and never adds anything. It knows three kinds of trouble. A host has
//! *failed* if one of its actions failed, if it couldn't be locked, or if one of its nodes
//! died after its turn. A host that can no longer be contacted is *lost*, which is also a
//! failure. And a node is *down* if it was found down, if it wasn't brought up, or if it
//! has died.
//!
//! These rules hold in every state:
//!
//! 1. *A host that can't be locked or staged has failed.* Staging affects no running
//!    process, so it is still safe to stop: if more hosts fail by the end of staging than
//!    `max_failures` allows, nothing is switched on any host. If the apply goes on, a
//!    failed host is left out of all later waves.
//! 2. *One node of each shape is updated first.* The plan puts canaries into waves of their
//!    own. If such a canary was left out, another node of its shape takes its role: it is
//!    updated before the rest of its shape, even if the plan has them in one wave.
//! 3. *The last healthy node of a group isn't taken down while others of the group are
//!    down.* A group is all nodes of a shape, or all elders. The nodes of a failed host
//!    count as down. A node that was found unproven (it may die again) can't replace a
//!    healthy one: the healthy one isn't taken down if only unproven nodes would remain.
//!    But an unproven node may be taken down while another is up. Two exceptions: an elder
//!    that is listed in [`Plan::last`] is taken down, because the user has agreed to that;
//!    and in a group of one no others are down, so its node can be updated.
//! 4. *The scheduler acts on fresh observations.* All nodes that should be up, except for
//!    those of hosts that are busy, are looked at again before a wave that takes a node down, starts a node that dials elders, or
//!    removes something, and once more at the end. (A rotation doesn't wait for that.) If a
//!    node is no longer in the start in which its turn ended, it has died and its host has
//!    failed. A node whose turn hasn't come, and that isn't in the start in which the plan
//!    found it, counts as down.
//! 5. *The apply ends if an elder or a canary fails*, and if more hosts fail than
//!    `max_failures` allows. A node that dials elders isn't started unless an elder is up
//!    at an address that the node will dial. Nothing is removed unless everything before
//!    that has succeeded, because the old resources may still be in use.
//! 6. *A rotation begins on all hosts or on none.* Nodes with the old secret can't
//!    communicate with nodes that have the new one, so a half-finished rotation is worse
//!    than a failed node. Once begun, it isn't stopped by a failure or an interrupt: it
//!    only leaves out the hosts that had failed before it began, and those that are lost. A
//!    rotation that an earlier apply began is finished wherever possible, even if more
//!    hosts have failed than `max_failures` allows.
//! 7. *After an interrupt nothing new begins*, except the rest of a rotation that has
//!    begun.
//! 8. *Nodes that are down don't wait for each other to settle.* A part of a wave ends when
//!    its nodes have stayed healthy for a while. If it starts nodes that were down, parts on
//!    other hosts that also do only that begin as soon as its nodes are healthy. Everything
//!    else waits until the part has ended.
//!
//! Every host of every wave ends up in one [`Next::Run`] or in one [`Skipped`]. A host
//! whose actions were interrupted is in both.

use super::{Found, Last, Plan, Rank, Rotation};
use crate::resource::{HostName, NodeName, ShapeName};
use std::collections::{BTreeMap, BTreeSet};

/// What the caller has to do next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// Run what [`Plan::stage`] lists for these hosts.
    Stage(BTreeSet<HostName>),
    /// Run what this wave lists for these hosts, on all of them at the same time. The
    /// wave's other hosts may follow later.
    Run {
        /// The wave's index in [`Plan::waves`].
        wave: usize,
        /// The hosts.
        hosts: BTreeSet<HostName>,
    },
    /// Observe the current state of these nodes.
    Look(BTreeMap<HostName, BTreeSet<NodeName>>),
    /// Wait until the parts of these hosts have ended, which were begun earlier and whose nodes
    /// have been healthy since.
    Wait(BTreeSet<HostName>),
    /// The apply has ended.
    Finished,
}

/// How a host's list of actions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ran {
    /// Every action succeeded.
    Done,
    /// An action failed, and the actions after it weren't begun.
    Failed,
    /// The connection was lost.
    Lost,
    /// The user asked to stop, so the remaining actions weren't begun.
    Interrupted,
}

/// The state in which a node was observed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Whether the node's unit is active.
    pub is_up: bool,
    /// The service manager's id of the start that the unit is in.
    pub invocation: String,
}

/// A host's part in a wave that wasn't begun, or that the user interrupted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// The wave's index in [`Plan::waves`].
    pub wave: usize,
    /// The host.
    pub host: HostName,
    /// Why it was skipped.
    pub why: SkipReason,
}

/// Why a host's part in a wave was skipped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The host has failed.
    HostFailed,
    /// These hosts couldn't be locked or staged, which is more than allowed.
    NotStaged(BTreeSet<HostName>),
    /// A rotation begins on all hosts or on none, and these hosts have failed.
    RotationWithout(BTreeSet<HostName>),
    /// No elder is up at an address that the host's nodes would dial.
    NoElderUp,
    /// The host's part would take down the last healthy node of a group.
    LastHealthy {
        /// The last healthy node.
        node: NodeName,
        /// The group.
        group: Group,
        /// The other nodes of the group, none of which is as healthy.
        down: BTreeSet<NodeName>,
    },
    /// The host of an elder failed in the wave in which elders had their turn, or its elder
    /// has died since then.
    ElderFailed(HostName),
    /// The host of a canary failed in the canary's turn, or the canary has died since then.
    CanaryFailed(HostName),
    /// These hosts have failed, which is more than allowed.
    Failures(BTreeSet<HostName>),
    /// The part removes something, and a part before it failed or was skipped.
    Incomplete,
    /// The user asked to stop.
    Interrupted,
}

/// A group of nodes, at least one of which should be up at any time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The bootstrap nodes.
    Elders,
    /// The nodes of a shape.
    Shape(ShapeName),
}

/// Decides what an apply does next: see the [module](self).
#[derive(Clone, Debug)]
pub struct Scheduler<'a> {
    plan: &'a Plan,
    max_failures: usize,
    /// The elders that are taken down even if they are the last healthy ones.
    agreed: BTreeSet<&'a NodeName>,
    /// By host, the nodes that the plan removes. They aren't in `state.nodes`, so they
    /// don't count as members of their groups.
    removed: BTreeMap<&'a HostName, Vec<&'a NodeName>>,
    /// By wave and host, the nodes that have their turn there, except removed ones.
    turns: BTreeMap<usize, BTreeMap<&'a HostName, Vec<&'a NodeName>>>,
    state: State,
}

/// The part of the scheduler that changes during the apply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: At,
    /// The last result of [`Scheduler::next`].
    asked: Next,
    /// The hosts of the current wave that have neither been run nor skipped.
    waiting: BTreeSet<HostName>,
    /// The hosts whose part in a wave has begun and hasn't ended, with the wave.
    running: BTreeMap<HostName, usize>,
    /// The running hosts whose nodes are healthy, and which needn't be waited for: rule 8.
    settling: BTreeSet<HostName>,
    failed: BTreeSet<HostName>,
    /// The failed hosts that can no longer be contacted.
    lost: BTreeSet<HostName>,
    nodes: BTreeMap<NodeName, NodeState>,
    /// The nodes that have died since their turn.
    died: BTreeSet<NodeName>,
    /// By shape, the first node that was updated successfully.
    canaries: BTreeMap<ShapeName, NodeName>,
    /// During a rotation, the hosts that had failed before it began.
    rotating_without: Option<BTreeSet<HostName>>,
    /// Whether all nodes have been looked at since the last actions were run.
    is_fresh: bool,
    /// Why nothing new begins, except the rest of a rotation.
    stopped: Option<SkipReason>,
    skipped: Vec<Skipped>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Beginning,
    Staging,
    Wave(usize),
    End,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NodeState {
    /// The node is up, and its turn hasn't come.
    Up,
    /// The node is up, but was found unproven, and its turn hasn't come.
    Unproven,
    /// The node was found down, failed in its turn, or has died.
    Down,
    /// The node's turn succeeded, and ended in this start, if it is known.
    Turned(Option<String>),
}

/// How much a node contributes to its group, in ascending order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NodeHealth {
    Down,
    Unproven,
    Healthy,
}

/// The number of nodes of each group, by health.
#[derive(Default)]
struct Census(BTreeMap<Group, BTreeMap<NodeHealth, usize>>);

impl Census {
    /// The number of nodes of a group that are at least as healthy as `health`.
    fn as_good(&self, group: &Group, health: NodeHealth) -> usize {
        self.0.get(group).into_iter().flat_map(|counts| counts.range(health..)).map(|(_, n)| n).sum()
    }
}

impl<'a> Scheduler<'a> {
    /// A scheduler for an apply that continues while at most `max_failures` hosts have
    /// failed.
    pub fn new(plan: &'a Plan, max_failures: usize) -> Self {
        Self::begin(plan, max_failures, plan.going().collect(), &plan.last)
    }

    /// The nodes that an apply of this plan would skip because they are the last healthy
    /// ones of their groups, even if nothing failed. Elders in `agreed` aren't skipped.
    /// Found by a simulated apply in which every action succeeds.
    pub(super) fn foresee(plan: &Plan, going: &BTreeSet<&NodeName>, agreed: &[Last]) -> Vec<Last> {
        let mut scheduler = Scheduler::begin(plan, 0, going.clone(), agreed);
        loop {
            match scheduler.next(false) {
                Next::Finished => break,
                // The observations of a simulated apply would bring nothing new.
                Next::Look(_) => {}
                Next::Stage(hosts) | Next::Run { hosts, .. } | Next::Wait(hosts) => {
                    hosts.iter().for_each(|host| scheduler.ran(host, Ran::Done, &BTreeMap::new()));
                }
            }
        }
        let mut last = Vec::new();
        for skipped in scheduler.state.skipped {
            if let SkipReason::LastHealthy { node, group, down } = skipped.why {
                last.push(Last { node, group, down });
            }
        }
        last
    }

    fn begin(plan: &'a Plan, max_failures: usize, going: BTreeSet<&'a NodeName>, agreed: &'a [Last]) -> Self {
        let wanted = plan.nodes.iter().filter(|(name, _)| !going.contains(name));
        let nodes = wanted.map(|(name, part)| {
            let node = match part.found {
                Found::Healthy | Found::Replaces => NodeState::Up,
                Found::Unproven => NodeState::Unproven,
                Found::Deaf | Found::Down => NodeState::Down,
            };
            (name.clone(), node)
        });
        let agreed = agreed.iter().filter(|last| last.group == Group::Elders).map(|last| &last.node);
        let state = State {
            at: At::Beginning,
            asked: Next::Finished,
            waiting: BTreeSet::new(),
            running: BTreeMap::new(),
            settling: BTreeSet::new(),
            failed: BTreeSet::new(),
            lost: BTreeSet::new(),
            nodes: nodes.collect(),
            died: BTreeSet::new(),
            canaries: BTreeMap::new(),
            rotating_without: None,
            is_fresh: false,
            stopped: None,
            skipped: Vec::new(),
        };
        let mut turns: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
        for (name, part) in plan.nodes.iter().filter(|(name, _)| !going.contains(name)) {
            if let Some(wave) = part.wave {
                turns.entry(wave - 1).or_default().entry(&name.host).or_default().push(name);
            }
        }
        let mut removed: BTreeMap<_, Vec<_>> = BTreeMap::new();
        going.iter().for_each(|node| removed.entry(&node.host).or_default().push(*node));
        Self { plan, max_failures, agreed: agreed.collect(), removed, turns, state }
    }

    /// Reports that a host can't be used: it couldn't be locked, or was lost.
    pub fn lose(&mut self, host: &HostName) {
        self.state.running.remove(host);
        self.state.settling.remove(host);
        self.state.lost.insert(host.clone());
        self.state.failed.insert(host.clone());
        // Before that, failures are counted at the end of staging: see `staged`.
        if matches!(self.state.at, At::Wave(_) | At::End) {
            self.count_failures();
        }
    }

    /// What the caller has to do next. The results of what it had to do before must have
    /// been reported, except for hosts that settle. `interrupted` says whether the user has asked to stop.
    pub fn next(&mut self, interrupted: bool) -> Next {
        let next = loop {
            match self.state.at {
                At::Beginning => {
                    self.state.at = At::Staging;
                    let mut hosts: BTreeSet<HostName> = self.plan.stage.keys().cloned().collect();
                    hosts.retain(|host| !self.state.failed.contains(host));
                    if !hosts.is_empty() && !interrupted {
                        break Next::Stage(hosts);
                    }
                }
                At::Staging => {
                    self.staged();
                    self.enter(0);
                }
                At::Wave(wave) => match self.wave(wave, interrupted) {
                    Some(next) => break next,
                    None => self.enter(wave + 1),
                },
                At::End if !self.state.settling.is_empty() => break Next::Wait(self.state.settling.clone()),
                At::End => {
                    let had_a_turn = |node: &NodeState| matches!(node, NodeState::Turned(_));
                    let look = self.look();
                    if self.state.is_fresh || look.is_empty() || !self.state.nodes.values().any(had_a_turn) {
                        break Next::Finished;
                    }
                    break Next::Look(look);
                }
            }
        };
        match &next {
            Next::Look(_) => self.state.is_fresh = true,
            Next::Run { wave, hosts } => {
                self.state.is_fresh = false;
                self.state.running.extend(hosts.iter().map(|host| (host.clone(), *wave)));
            }
            Next::Stage(_) | Next::Wait(_) | Next::Finished => {}
        }
        self.state.asked = next.clone();
        next
    }

    /// Reports that the last action of a host's part in a wave has brought its node up, and that
    /// all nodes of the part, which `started` has with their starts, are healthy now. Returns
    /// whether the host needn't be waited for. Its part still ends with [`Scheduler::ran`].
    pub fn settles(&mut self, host: &HostName, started: &BTreeMap<NodeName, String>) -> bool {
        let Some(wave) = self.state.running.get(host).copied() else { return false };
        if !self.plan.waves.get(wave).is_some_and(|wave| wave.rank.is_start()) {
            return false;
        }
        for (node, start) in started {
            self.state.nodes.insert(node.clone(), NodeState::Turned(Some(start.clone())));
        }
        self.state.settling.insert(host.clone());
        true
    }

    /// Reports how a host's part of a [`Next::Stage`] or [`Next::Run`] has ended. `started` has
    /// the start of each node whose turn ended well, even if a later action failed.
    pub fn ran(&mut self, host: &HostName, ran: Ran, started: &BTreeMap<NodeName, String>) {
        let wave = self.state.running.remove(host);
        self.state.settling.remove(host);
        match ran {
            Ran::Done => {}
            Ran::Failed => drop(self.state.failed.insert(host.clone())),
            Ran::Lost => self.lose(host),
            Ran::Interrupted => {
                self.state.stopped.get_or_insert(SkipReason::Interrupted);
            }
        }
        let Some(wave) = wave else { return };
        let Some(rank) = self.plan.waves.get(wave).map(|wave| wave.rank) else { return };
        if ran == Ran::Interrupted {
            let (host, why) = (host.clone(), SkipReason::Interrupted);
            self.state.skipped.push(Skipped { wave, host, why });
        }
        let turns: Vec<NodeName> = self.turns(wave, host).iter().map(|node| (*node).clone()).collect();
        let is_canary = matches!(rank, Rank::Canary | Rank::Update)
            && turns.iter().any(|node| !self.state.canaries.contains_key(&node.shape));
        for node in turns {
            let is_started = started.contains_key(&node);
            if ran == Ran::Done || is_started {
                let start = started.get(&node).cloned();
                if matches!(rank, Rank::Canary | Rank::Update) {
                    self.state.canaries.entry(node.shape.clone()).or_insert_with(|| node.clone());
                }
                self.state.nodes.insert(node, NodeState::Turned(start));
            } else if ran != Ran::Interrupted {
                self.state.nodes.insert(node, NodeState::Down);
            }
        }
        if matches!(ran, Ran::Failed | Ran::Lost) {
            if rank.is_elders() {
                self.stop(SkipReason::ElderFailed(host.clone()));
            } else if is_canary {
                self.stop(SkipReason::CanaryFailed(host.clone()));
            }
        }
        self.count_failures();
    }

    /// Reports the observed states of a host's nodes in the last [`Next::Look`]. A node
    /// that isn't in `seen` isn't up.
    pub fn looked(&mut self, host: &HostName, seen: &BTreeMap<NodeName, Seen>) {
        let Next::Look(asked) = &self.state.asked else { return };
        for node in asked.get(host).cloned().unwrap_or_default() {
            let now = seen.get(&node).filter(|seen| seen.is_up);
            let Some(state) = self.state.nodes.get_mut(&node) else { continue };
            let planned = self.plan.nodes.get(&node).and_then(|part| part.invocation.as_ref());
            let is_another = |seen: &Seen| planned.is_some_and(|planned| *planned != seen.invocation);
            let had_its_turn = match state {
                // A node that isn't in the start in which the plan found it has died since.
                // It may be up again, but may also die again.
                NodeState::Up | NodeState::Unproven if now.is_none_or(is_another) => false,
                NodeState::Turned(Some(start)) if now.is_none_or(|seen| seen.invocation != *start) => true,
                NodeState::Turned(None) if now.is_none() => true,
                _ => continue,
            };
            *state = NodeState::Down;
            if had_its_turn {
                self.state.failed.insert(host.clone());
                self.state.died.insert(node.clone());
                if self.is_elder(&node) {
                    self.stop(SkipReason::ElderFailed(host.clone()));
                } else if self.state.canaries.get(&node.shape) == Some(&node) {
                    self.stop(SkipReason::CanaryFailed(host.clone()));
                }
            }
        }
        self.count_failures();
    }

    /// The parts of waves that were skipped, in the order of these decisions.
    pub fn skipped(&self) -> &[Skipped] {
        &self.state.skipped
    }

    /// The nodes that have died since their turn.
    pub fn died(&self) -> &BTreeSet<NodeName> {
        &self.state.died
    }

    fn stop(&mut self, why: SkipReason) {
        self.state.stopped.get_or_insert(why);
    }

    fn count_failures(&mut self) {
        if self.state.failed.len() > self.max_failures {
            self.stop(SkipReason::Failures(self.state.failed.clone()));
        }
    }

    /// Decides whether the apply may go on after staging. No running process has been
    /// affected yet, so this is the last point at which the apply can stop without leaving
    /// anything half-done.
    fn staged(&mut self) {
        let failed = &self.state.failed;
        if failed.len() > self.max_failures {
            self.stop(SkipReason::NotStaged(failed.clone()));
        } else if !failed.is_empty() && self.plan.rotation == Some(Rotation::Begins) {
            self.stop(SkipReason::RotationWithout(failed.clone()));
        }
    }

    fn enter(&mut self, wave: usize) {
        match self.plan.waves.get(wave) {
            Some(next) => {
                self.state.waiting = next.hosts.keys().cloned().collect();
                self.state.at = At::Wave(wave);
                if !next.rank.is_rotation() {
                    self.state.rotating_without = None;
                }
            }
            None => self.state.at = At::End,
        }
    }

    /// The next part of a wave. It is `None` once all hosts of the wave have been run or
    /// skipped.
    ///
    /// The order of the checks matters. Hosts are first skipped for reasons that are known
    /// already, so that nodes aren't looked at for a wave that is skipped anyway. After a
    /// look, this function is called again. As the observations may have stopped the apply
    /// or failed more hosts, it then repeats these checks before anything is run.
    fn wave(&mut self, wave: usize, interrupted: bool) -> Option<Next> {
        let rank = self.plan.waves.get(wave)?.rank;
        if !self.state.settling.is_empty() && !rank.is_start() {
            return Some(Next::Wait(self.state.settling.clone()));
        }
        if rank.is_rotation() {
            return self.rotate(wave, interrupted);
        }
        if interrupted && !self.state.waiting.is_empty() {
            self.stop(SkipReason::Interrupted);
        }
        let failed = self.state.failed.clone();
        self.skip(wave, |_, host| failed.contains(host).then_some(SkipReason::HostFailed));
        let mut why = self.state.stopped.clone();
        if why.is_none() && rank == Rank::Remove && !(failed.is_empty() && self.state.skipped.is_empty()) {
            why = Some(SkipReason::Incomplete);
        }
        if why.is_none() && rank.dials() && !self.is_an_elder_up() {
            why = Some(SkipReason::NoElderUp);
        }
        self.skip(wave, |_, _| why.clone());
        let takes_down = |host: &HostName| self.taken_down(wave, host).next().is_some();
        let depends = rank == Rank::Remove || rank.dials() || self.state.waiting.iter().any(takes_down);
        if depends && !self.state.waiting.is_empty() && !self.state.is_fresh {
            let look = self.look();
            if !look.is_empty() {
                return Some(Next::Look(look));
            }
        }
        let census = self.census();
        self.skip(wave, |scheduler, host| scheduler.last_healthy(wave, host, &BTreeSet::new(), &census));
        let hosts = self.part(wave, rank, &census);
        if hosts.is_empty() {
            let waiting = self.state.waiting.clone();
            return (!waiting.is_empty()).then_some(Next::Wait(waiting));
        }
        self.state.waiting.retain(|host| !hosts.contains(host));
        Some(Next::Run { wave, hosts })
    }

    /// The waiting hosts that can be run at the same time. It is empty if all waiting hosts settle.
    ///
    /// As long as shapes of the waiting hosts lack a canary, one host for each of these
    /// shapes is chosen, and the others wait. In any case a host waits if it would take
    /// down the last healthy node of a group together with the hosts chosen so far. The
    /// caller has skipped every host that would do that alone, so at least one host is
    /// chosen if any is waiting.
    fn part(&self, wave: usize, rank: Rank, census: &Census) -> BTreeSet<HostName> {
        let is_update = matches!(rank, Rank::Canary | Rank::Update);
        let is_new = |node: &NodeName| is_update && !self.state.canaries.contains_key(&node.shape);
        let needs_canary = |host: &&HostName| self.turns(wave, host).iter().any(|node| is_new(node));
        let canaries: Vec<&HostName> = self.state.waiting.iter().filter(needs_canary).collect();
        let goes_alone = !canaries.is_empty();
        let idle = self.state.waiting.iter().filter(|host| !self.state.settling.contains(*host));
        let candidates = if goes_alone { canaries } else { idle.collect() };
        let mut hosts: BTreeSet<HostName> = BTreeSet::new();
        let (mut shapes, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for host in candidates {
            let own: BTreeSet<&ShapeName> = self.turns(wave, host).iter().map(|node| &node.shape).collect();
            if goes_alone && !shapes.is_disjoint(&own)
                || self.last_healthy(wave, host, &taken, census).is_some()
            {
                continue;
            }
            shapes.extend(own);
            taken.extend(self.taken_down(wave, host));
            hosts.insert(host.clone());
        }
        hosts
    }

    fn rotate(&mut self, wave: usize, interrupted: bool) -> Option<Next> {
        if self.state.waiting.is_empty() {
            return None;
        }
        if self.state.rotating_without.is_none() {
            let finishes = self.plan.rotation == Some(Rotation::Finishes);
            if interrupted {
                self.stop(SkipReason::Interrupted);
            } else if !finishes && !self.state.failed.is_empty() {
                self.stop(SkipReason::RotationWithout(self.state.failed.clone()));
            }
            let is_held = interrupted || !finishes || self.state.stopped == Some(SkipReason::Interrupted);
            if let Some(why) = self.state.stopped.clone().filter(|_| is_held) {
                self.skip(wave, |_, _| Some(why.clone()));
                return None;
            }
            self.state.rotating_without = Some(self.state.failed.clone());
        }
        let out: BTreeSet<HostName> =
            self.state.rotating_without.iter().flatten().chain(&self.state.lost).cloned().collect();
        self.skip(wave, |_, host| out.contains(host).then_some(SkipReason::HostFailed));
        let hosts = std::mem::take(&mut self.state.waiting);
        (!hosts.is_empty()).then_some(Next::Run { wave, hosts })
    }

    fn skip(&mut self, wave: usize, why: impl Fn(&Self, &HostName) -> Option<SkipReason>) {
        for host in self.state.waiting.clone() {
            if let Some(why) = why(self, &host) {
                self.state.waiting.remove(&host);
                self.state.skipped.push(Skipped { wave, host, why });
            }
        }
    }

    /// Why a host's part in a wave can't be run while the nodes in `taken` are taken down,
    /// too.
    ///
    /// The part takes a node of the host down. That is acceptable if another node of the
    /// group remains up that is at least as healthy, or if no node of the group is in a
    /// worse state: then the group was complete before, and taking its nodes down is what
    /// an ordinary update does. So the part can't be run if the group has worse nodes, and
    /// every node that is as healthy as this one is to be taken down.
    fn last_healthy(
        &self,
        wave: usize,
        host: &HostName,
        taken: &BTreeSet<&NodeName>,
        census: &Census,
    ) -> Option<SkipReason> {
        let own: Vec<&NodeName> = self.taken_down(wave, host).collect();
        for node in self.taken_down(wave, host).filter(|node| self.health(node) > NodeHealth::Down) {
            if self.agreed.contains(node) {
                continue;
            }
            let elders = self.is_elder(node).then_some(Group::Elders);
            for group in elders.into_iter().chain([Group::Shape(node.shape.clone())]) {
                // Most groups have more nodes that are as healthy than are taken down, so
                // they needn't be searched.
                if census.as_good(&group, self.health(node)) > taken.len() + own.len() {
                    continue;
                }
                // An unproven node may die again, so it can't replace a healthy one.
                let (as_good, worse): (Vec<&NodeName>, Vec<&NodeName>) =
                    self.of_group(&group).partition(|other| self.health(other) >= self.health(node));
                if !worse.is_empty()
                    && as_good.iter().all(|other| taken.contains(other) || own.contains(other))
                {
                    let down = worse.into_iter().cloned().collect();
                    return Some(SkipReason::LastHealthy { node: node.clone(), group, down });
                }
            }
        }
        self.last_to_go(wave, host, census)
    }

    /// Why a host's part in the last wave can't be run: it removes a node that is up, while
    /// the remaining nodes of its shape are in a worse state. A shape of which no node
    /// remains is removed on purpose.
    fn last_to_go(&self, wave: usize, host: &HostName, census: &Census) -> Option<SkipReason> {
        if self.plan.waves.get(wave)?.rank != Rank::Remove {
            return None;
        }
        self.removed.get(host)?.iter().find_map(|node| {
            let own = match self.plan.nodes.get(*node)?.found {
                Found::Healthy => NodeHealth::Healthy,
                Found::Unproven => NodeHealth::Unproven,
                Found::Deaf | Found::Replaces | Found::Down => return None,
            };
            let group = Group::Shape(node.shape.clone());
            if census.as_good(&group, own) > 0 {
                return None;
            }
            let stay: Vec<&NodeName> = self.of_group(&group).collect();
            let is_last = !stay.is_empty();
            let down = stay.into_iter().cloned().collect();
            is_last.then(|| SkipReason::LastHealthy { node: (*node).clone(), group, down })
        })
    }

    fn of_group<'s>(&'s self, group: &'s Group) -> impl Iterator<Item = &'s NodeName> {
        self.state.nodes.keys().filter(move |node| match group {
            Group::Elders => self.is_elder(node),
            Group::Shape(shape) => node.shape == *shape,
        })
    }

    fn health(&self, node: &NodeName) -> NodeHealth {
        if self.state.failed.contains(&node.host) {
            return NodeHealth::Down;
        }
        match self.state.nodes.get(node) {
            Some(NodeState::Up | NodeState::Turned(_)) => NodeHealth::Healthy,
            Some(NodeState::Unproven) => NodeHealth::Unproven,
            Some(NodeState::Down) | None => NodeHealth::Down,
        }
    }

    fn is_up(&self, node: &NodeName) -> bool {
        matches!(self.state.nodes.get(node), Some(NodeState::Up | NodeState::Unproven | NodeState::Turned(_)))
            && !self.state.lost.contains(&node.host)
    }

    fn is_elder(&self, node: &NodeName) -> bool {
        self.plan.nodes.get(node).is_some_and(|part| part.bootstrap)
    }

    /// Whether an elder is up at an address that a node dials if it is started now, or
    /// there are no elders at all. An elder in [`Plan::moving`] is at its new address only
    /// after its turn.
    fn is_an_elder_up(&self) -> bool {
        let mut elders = self.of_group(&Group::Elders).peekable();
        let is_there = |elder: &NodeName| {
            !self.plan.moving.contains(elder)
                || matches!(self.state.nodes.get(elder), Some(NodeState::Turned(_)))
        };
        elders.peek().is_none() || elders.any(|elder| self.is_up(elder) && is_there(elder))
    }

    /// The number of nodes of each group, by health.
    fn census(&self) -> Census {
        let mut census = Census::default();
        for node in self.state.nodes.keys() {
            let elders = self.is_elder(node).then_some(Group::Elders);
            for group in elders.into_iter().chain([Group::Shape(node.shape.clone())]) {
                *census.0.entry(group).or_default().entry(self.health(node)).or_default() += 1;
            }
        }
        census
    }

    /// The nodes of a host that have their turn in a wave, except removed ones.
    fn turns(&self, wave: usize, host: &HostName) -> &[&'a NodeName] {
        self.turns.get(&wave).and_then(|hosts| hosts.get(host)).map_or(&[], Vec::as_slice)
    }

    /// The nodes of a host whose turn in a wave takes something down: they are up
    /// themselves, or replace a node that is up.
    fn taken_down(&self, wave: usize, host: &HostName) -> impl Iterator<Item = &'a NodeName> {
        self.turns(wave, host)
            .iter()
            .copied()
            .filter(|node| self.plan.nodes.get(*node).is_some_and(|part| part.found != Found::Down))
    }

    /// Every node that should be up now and can be observed, because its host is locked and
    /// not lost. A node that replaces another isn't up before its turn. The nodes of a host whose part
    /// settles are looked at once it has ended: the host is busy until then.
    fn look(&self) -> BTreeMap<HostName, BTreeSet<NodeName>> {
        let hosts = self.plan.hosts();
        let mut look: BTreeMap<HostName, BTreeSet<NodeName>> = BTreeMap::new();
        for (node, state) in &self.state.nodes {
            let is_another = *state == NodeState::Up
                && self.plan.nodes.get(node).is_some_and(|part| part.found == Found::Replaces);
            let is_observable = hosts.contains(&node.host) && !self.state.settling.contains(&node.host);
            if is_observable && self.is_up(node) && !is_another {
                look.entry(node.host.clone()).or_default().insert(node.clone());
            }
        }
        look
    }
}

#[cfg(test)]
mod tests;
