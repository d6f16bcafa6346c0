//! Decides what an apply does next, given everything that has happened and been observed
//! so far.
//!
//! Enter at [`Scheduler::next`]. It is a state machine without I/O and without a
//! clock: the code that talks to the hosts asks it what comes next, carries that out,
//! and reports each host's result ([`Scheduler::ran`]) or what it observed there
//! ([`Scheduler::looked`]). These rules hold in every state:
//!
//! 1. *A host that can't be locked or staged has failed.* Staging touches
//!    nothing that runs, so if more hosts fail there than `max_failures` allows, nothing
//!    is switched on any host. A host that has failed is left out from
//!    then on.
//! 2. *One node of each shape goes first.* Where the canary that the plan named
//!    was left out, another host of its shape goes alone before the rest.
//! 3. *A node isn't taken down while it is the last healthy one of its shape, or
//!    the last healthy elder, and others of the same group are down*: they, or
//!    their hosts, failed or were lost in this apply, were found down and not
//!    brought up, or have died. A node that may die again doesn't stand in for a healthy
//!    one, but may be taken down while another like it is up. The exception is an elder
//!    that the plan names in [`Plan::last`]: the user has agreed to that. The only node
//!    of a shape has no others.
//! 4. *Nodes are looked at again* at the end, and before anything is taken down, started
//!    or removed (a rotation doesn't wait for that): a node that is no longer in the start
//!    in which its turn ended has died, and its host has failed. One whose turn hasn't come
//!    and that isn't in the start in which the plan found it counts as down.
//! 5. *A failed elder or canary ends the apply*, and so do more failures than are
//!    allowed. No node is started that would dial an elder, unless one is up at the address
//!    that it would dial. Nothing is removed unless everything else has succeeded, because
//!    it may still be needed.
//! 6. *A rotation begins on all hosts or on none.* Nodes with the old secret and
//!    with the new one can't talk, so once it has begun it isn't stopped by a
//!    failure or an interrupt; and a rotation that an earlier apply began is finished
//!    wherever possible.
//! 7. *After an interrupt nothing new begins*, apart from the rest of a rotation.
//!
//! Every host of every wave ends up either as part of one [`Next::Run`] or as
//! one [`Skipped`].

use super::{Found, Last, Plan, Rank, Rotation};
use crate::resource::{HostName, NodeName, ShapeName};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// Run what [`Plan::stage`] lists for these hosts.
    Stage(BTreeSet<HostName>),
    /// Run what this wave lists for these hosts; the others may follow later.
    Run {
        /// Its index in [`Plan::waves`].
        wave: usize,
        /// All of them at the same time.
        hosts: BTreeSet<HostName>,
    },
    /// Check the current state of these nodes.
    Look(BTreeMap<HostName, BTreeSet<NodeName>>),
    /// Nothing more.
    Finished,
}

/// How a host's list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ran {
    /// Every action ended well.
    Done,
    /// An action didn't, and those after it weren't begun.
    Failed,
    /// The connection was lost.
    Lost,
    /// The rest wasn't begun, because the user asked to stop.
    Interrupted,
}

/// What a node was seen doing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Whether its process is up.
    pub is_up: bool,
    /// The start it is in, as the service manager names it.
    pub invocation: String,
}

/// A host's part in a wave that isn't begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// The wave's index.
    pub wave: usize,
    /// The host.
    pub host: HostName,
    /// Why.
    pub why: SkipReason,
}

/// Why a host's part in a wave isn't begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The host itself has failed.
    HostFailed,
    /// More hosts than allowed couldn't be staged: these.
    NotStaged(BTreeSet<HostName>),
    /// A rotation begins on all hosts or on none, and these have failed.
    RotationWithout(BTreeSet<HostName>),
    /// No elder is up that it could dial.
    NoElderUp,
    /// It would take down the last healthy node of a group.
    LastHealthy {
        /// That node.
        node: NodeName,
        /// Of which group.
        group: Group,
        /// Those of the same group that are down.
        down: BTreeSet<NodeName>,
    },
    /// This host failed when an elder on it had its turn, or the elder has died
    /// since.
    ElderFailed(HostName),
    /// The same of a canary's host.
    CanaryFailed(HostName),
    /// More hosts than allowed have failed: these.
    Failures(BTreeSet<HostName>),
    /// Something that comes before a removal failed or was skipped.
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
    /// Elders that are taken down although they are the last healthy ones.
    agreed: BTreeSet<&'a NodeName>,
    /// By host, the nodes that the plan removes: whether they are up doesn't matter.
    removed: BTreeMap<&'a HostName, Vec<&'a NodeName>>,
    /// By wave and host, the nodes that come up there.
    turns: BTreeMap<usize, BTreeMap<&'a HostName, Vec<&'a NodeName>>>,
    state: State,
}

/// The part that changes during the apply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: At,
    /// What was asked for last.
    asked: Next,
    /// Hosts of the wave that is under way that have neither been run nor skipped.
    waiting: BTreeSet<HostName>,
    failed: BTreeSet<HostName>,
    /// Those of them that can no longer be contacted.
    lost: BTreeSet<HostName>,
    nodes: BTreeMap<NodeName, Node>,
    /// Nodes that have died since their turn.
    died: BTreeSet<NodeName>,
    /// The first node of each shape whose update succeeded.
    canaries: BTreeMap<ShapeName, NodeName>,
    /// During a rotation: the hosts that had failed before it began.
    rotating_without: Option<BTreeSet<HostName>>,
    /// Whether all nodes have been looked at since anything was last done.
    is_fresh: bool,
    /// Why nothing more begins.
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
enum Node {
    /// Up, and its turn hasn't come.
    Up,
    /// The same, but systemd had to restart it lately.
    Unproven,
    /// Down, failed in its turn, or dead.
    Down,
    /// Its turn ended well, in this start where that is known.
    Turned(Option<String>),
}

/// What a node contributes to its group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Down,
    Unproven,
    Healthy,
}

/// How many nodes of each group there are, by health.
#[derive(Default)]
struct Census(BTreeMap<Group, BTreeMap<Health, usize>>);

impl Census {
    /// How many nodes of a group are at least that healthy.
    fn as_good(&self, group: &Group, health: Health) -> usize {
        self.0.get(group).into_iter().flat_map(|counts| counts.range(health..)).map(|(_, n)| n).sum()
    }
}

impl<'a> Scheduler<'a> {
    /// The beginning of an apply that goes on while at most `max_failures` hosts
    /// have failed.
    pub fn new(plan: &'a Plan, max_failures: usize) -> Self {
        Self::begin(plan, max_failures, plan.going().collect(), &plan.last)
    }

    /// What an apply of this plan would leave alone if all of it went well, because it is
    /// the last healthy node of a group. `agreed` is taken down all the same.
    pub(super) fn foresee(plan: &Plan, going: &BTreeSet<&NodeName>, agreed: &[Last]) -> Vec<Last> {
        let mut scheduler = Scheduler::begin(plan, 0, going.clone(), agreed);
        loop {
            match scheduler.next(false) {
                Next::Finished => break,
                // Nothing is seen that wasn't known before.
                Next::Look(_) => {}
                Next::Stage(hosts) | Next::Run { hosts, .. } => {
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
                Found::Healthy | Found::Replaces => Node::Up,
                Found::Unproven => Node::Unproven,
                Found::Deaf | Found::Down => Node::Down,
            };
            (name.clone(), node)
        });
        let agreed = agreed.iter().filter(|last| last.group == Group::Elders).map(|last| &last.node);
        let state = State {
            at: At::Beginning,
            asked: Next::Finished,
            waiting: BTreeSet::new(),
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

    /// A host can't be worked with: it couldn't be locked, or was lost.
    pub fn lose(&mut self, host: &HostName) {
        self.state.lost.insert(host.clone());
        self.state.failed.insert(host.clone());
        // Until everything is staged, `staged` judges that.
        if matches!(self.state.at, At::Wave(_) | At::End) {
            self.count_failures();
        }
    }

    /// What comes next; all that was asked for before must have been reported.
    /// `interrupted`: the user has asked to stop.
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
                At::End => {
                    let had_a_turn = |node: &Node| matches!(node, Node::Turned(_));
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
            Next::Run { .. } => self.state.is_fresh = false,
            Next::Stage(_) | Next::Finished => {}
        }
        self.state.asked = next.clone();
        next
    }

    /// How a host's part of what was asked for has ended. `started` holds, by
    /// node, the start that its turn ended in, also where something failed after
    /// that.
    pub fn ran(&mut self, host: &HostName, ran: Ran, started: &BTreeMap<NodeName, String>) {
        match ran {
            Ran::Done => {}
            Ran::Failed => drop(self.state.failed.insert(host.clone())),
            Ran::Lost => self.lose(host),
            Ran::Interrupted => {
                self.state.stopped.get_or_insert(SkipReason::Interrupted);
            }
        }
        let Next::Run { wave, .. } = self.state.asked else { return };
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
                self.state.nodes.insert(node, Node::Turned(start));
            } else if ran != Ran::Interrupted {
                self.state.nodes.insert(node, Node::Down);
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

    /// The observed states of the host's nodes that were to be checked. A node that isn't
    /// in `seen` isn't up.
    pub fn looked(&mut self, host: &HostName, seen: &BTreeMap<NodeName, Seen>) {
        let Next::Look(asked) = &self.state.asked else { return };
        for node in asked.get(host).cloned().unwrap_or_default() {
            let now = seen.get(&node).filter(|seen| seen.is_up);
            let Some(state) = self.state.nodes.get_mut(&node) else { continue };
            let planned = self.plan.nodes.get(&node).and_then(|part| part.invocation.as_ref());
            let is_another = |seen: &Seen| planned.is_some_and(|planned| *planned != seen.invocation);
            let had_its_turn = match state {
                // One that has died since the plan may be in its next start, and die again.
                Node::Up | Node::Unproven if now.is_none_or(is_another) => false,
                Node::Turned(Some(start)) if now.is_none_or(|seen| seen.invocation != *start) => true,
                Node::Turned(None) if now.is_none() => true,
                _ => continue,
            };
            *state = Node::Down;
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

    /// What isn't begun, in the order in which that was decided.
    pub fn skipped(&self) -> &[Skipped] {
        &self.state.skipped
    }

    /// Nodes that ran when their turn ended and don't any more.
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

    /// Nothing that runs has been touched yet.
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

    /// The next part of a wave; `None` when all its hosts have been run or skipped.
    fn wave(&mut self, wave: usize, interrupted: bool) -> Option<Next> {
        let rank = self.plan.waves.get(wave)?.rank;
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
            return None;
        }
        self.state.waiting.retain(|host| !hosts.contains(host));
        Some(Next::Run { wave, hosts })
    }

    /// As many of the waiting hosts as may go at the same time.
    fn part(&self, wave: usize, rank: Rank, census: &Census) -> BTreeSet<HostName> {
        let is_update = matches!(rank, Rank::Canary | Rank::Update);
        let is_new = |node: &NodeName| is_update && !self.state.canaries.contains_key(&node.shape);
        let needs_canary = |host: &&HostName| self.turns(wave, host).iter().any(|node| is_new(node));
        let canaries: Vec<&HostName> = self.state.waiting.iter().filter(needs_canary).collect();
        let goes_alone = !canaries.is_empty();
        let candidates = if goes_alone { canaries } else { self.state.waiting.iter().collect() };
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

    /// Why a host's part can't begin while the nodes in `taken` are down.
    fn last_healthy(
        &self,
        wave: usize,
        host: &HostName,
        taken: &BTreeSet<&NodeName>,
        census: &Census,
    ) -> Option<SkipReason> {
        let own: Vec<&NodeName> = self.taken_down(wave, host).collect();
        for node in self.taken_down(wave, host).filter(|node| self.health(node) > Health::Down) {
            if self.agreed.contains(node) {
                continue;
            }
            let elders = self.is_elder(node).then_some(Group::Elders);
            for group in elders.into_iter().chain([Group::Shape(node.shape.clone())]) {
                // Most groups are too large for all of it to be taken down, so they needn't be
                // looked through.
                if census.as_good(&group, self.health(node)) > taken.len() + own.len() {
                    continue;
                }
                // One that may die again doesn't stand in for one that is healthy.
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

    /// The same of a node that is removed, in the last wave: whether it is up while those of
    /// its shape that stay are not.
    fn last_to_go(&self, wave: usize, host: &HostName, census: &Census) -> Option<SkipReason> {
        if self.plan.waves.get(wave)?.rank != Rank::Remove {
            return None;
        }
        self.removed.get(host)?.iter().find_map(|node| {
            let own = match self.plan.nodes.get(*node)?.found {
                Found::Healthy => Health::Healthy,
                Found::Unproven => Health::Unproven,
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

    fn health(&self, node: &NodeName) -> Health {
        if self.state.failed.contains(&node.host) {
            return Health::Down;
        }
        match self.state.nodes.get(node) {
            Some(Node::Up | Node::Turned(_)) => Health::Healthy,
            Some(Node::Unproven) => Health::Unproven,
            Some(Node::Down) | None => Health::Down,
        }
    }

    fn is_up(&self, node: &NodeName) -> bool {
        matches!(self.state.nodes.get(node), Some(Node::Up | Node::Unproven | Node::Turned(_)))
            && !self.state.lost.contains(&node.host)
    }

    fn is_elder(&self, node: &NodeName) -> bool {
        self.plan.nodes.get(node).is_some_and(|part| part.bootstrap)
    }

    /// Whether an elder is up where a node that is started now dials it, or the folder names
    /// none.
    fn is_an_elder_up(&self) -> bool {
        let mut elders = self.of_group(&Group::Elders).peekable();
        let is_there = |elder: &NodeName| {
            !self.plan.moving.contains(elder) || matches!(self.state.nodes.get(elder), Some(Node::Turned(_)))
        };
        elders.peek().is_none() || elders.any(|elder| self.is_up(elder) && is_there(elder))
    }

    /// How many nodes of each group there are, by health.
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

    /// The nodes of a host that come up in a wave.
    fn turns(&self, wave: usize, host: &HostName) -> &[&'a NodeName] {
        self.turns.get(&wave).and_then(|hosts| hosts.get(host)).map_or(&[], Vec::as_slice)
    }

    /// Those of them that are up until then, or that replace a node that is.
    fn taken_down(&self, wave: usize, host: &HostName) -> impl Iterator<Item = &'a NodeName> {
        self.turns(wave, host)
            .iter()
            .copied()
            .filter(|node| self.plan.nodes.get(*node).is_some_and(|part| part.found != Found::Down))
    }

    /// Every node that should be up now, where it can be seen.
    fn look(&self) -> BTreeMap<HostName, BTreeSet<NodeName>> {
        let hosts = self.plan.hosts();
        let mut look: BTreeMap<HostName, BTreeSet<NodeName>> = BTreeMap::new();
        for (node, state) in &self.state.nodes {
            let is_another = *state == Node::Up
                && self.plan.nodes.get(node).is_some_and(|part| part.found == Found::Replaces);
            if hosts.contains(&node.host) && self.is_up(node) && !is_another {
                look.entry(node.host.clone()).or_default().insert(node.clone());
            }
        }
        look
    }
}

#[cfg(test)]
mod tests;
