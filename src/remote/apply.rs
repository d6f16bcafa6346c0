//! Carries out a plan. The entry point is [`apply`]. The [`Scheduler`] decides what comes
//! next; this module does it on the hosts and reports the results.

use super::{Locked, Payloads, Run, Stop};
use crate::daemon::Daemon;
use crate::plan::action::Action;
use crate::plan::scheduler::{Next, Ran, Scheduler, Seen, SkipReason, Skipped};
use crate::plan::wire::{ActionReport, Outcome};
use crate::plan::{Applied, HostError, HostFailure, Plan, PlannedAction, Wrong};
use crate::resource::{HostName, NodeName, Printable, ResourceId, ResourceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// Something that happens while a plan is applied, and when.
#[derive(Debug)]
pub struct ApplyEvent {
    /// The time, by the controller's clock.
    pub at: SystemTime,
    /// What happens.
    pub kind: ApplyEventKind,
}

/// The kinds of events of an apply. The first event is a `Started`. The last is an `Ended`,
/// unless the apply is aborted. Whether the changes had an effect is determined afterwards,
/// by planning again.
#[derive(Debug)]
pub enum ApplyEventKind {
    /// The apply starts; it has locked these hosts.
    Started(BTreeSet<HostName>),
    /// The apply has ended with this outcome.
    Ended(Box<Applied>),
    /// The apply begins this part of the plan.
    Began(Next),
    /// The apply skips these parts of waves.
    Skipped(Vec<Skipped>),
    /// This node was running when its turn ended, and no longer is.
    Died(NodeName),
    /// An action on a host makes progress.
    Action {
        /// The host.
        host: HostName,
        /// The wave in which the action is run, from zero; `None` while files are staged.
        wave: Option<usize>,
        /// The action.
        action: PlannedAction,
        /// The action's progress or outcome.
        report: ActionReport,
    },
    /// The apply can no longer use a host.
    Lost {
        /// The host.
        host: HostName,
        /// The wave in which the host was lost, from zero; `None` if it wasn't in a wave.
        wave: Option<usize>,
        /// The action that was running on the host, if any.
        action: Option<PlannedAction>,
        /// The reason.
        error: Arc<HostError>,
    },
}

/// Sends the events. If the receiver is dropped, the apply continues without it.
#[derive(Clone)]
struct Events(UnboundedSender<ApplyEvent>);

impl Events {
    fn tell(&self, kind: ApplyEventKind) {
        let _ = self.0.send(ApplyEvent { at: SystemTime::now(), kind });
    }
}

/// The hosts of a plan, after an attempt to lock them. No host is known to be locked by
/// another apply.
#[derive(Debug, Default)]
pub struct Locks {
    /// The hosts that this apply has locked.
    pub locked: BTreeMap<HostName, Locked>,
    /// The hosts that couldn't be locked, because the connection was lost, the host didn't
    /// answer, or it couldn't store the lock file. They count as not staged.
    pub lost: BTreeMap<HostName, HostError>,
}

/// Applies `plan` to the hosts. Once more than `max_failures` hosts have failed, the
/// remaining waves are skipped, unless a rotation has begun. Returns the outcome and the
/// hosts that can still be used, which are still locked.
pub async fn apply(
    plan: &Plan,
    locks: Locks,
    payloads: Arc<Payloads>,
    stop: &Stop,
    max_failures: usize,
    events: UnboundedSender<ApplyEvent>,
) -> (Applied, BTreeMap<HostName, Locked>) {
    let mut scheduler = Scheduler::new(plan, max_failures);
    let Locks { locked: mut hosts, lost } = locks;
    let events = Events(events);
    events.tell(ApplyEventKind::Started(hosts.keys().cloned().collect()));
    let left = plan.actions_of_changes();
    for (name, host) in hosts.iter_mut().filter(|(name, _)| plan.changes_host(name)) {
        host.supersedes_receipts(plan.receipts.contains_key(name));
    }
    let (settling, settles) = unbounded_channel();
    let mut runner = PlanRunner {
        hosts,
        payloads,
        events,
        left,
        applied: Applied::default(),
        running: JoinSet::new(),
        settling,
        settles,
    };
    for (host, error) in lost {
        runner.lose(&host, error);
        scheduler.lose(&host);
    }
    let (mut told, mut dead) = (0, BTreeSet::new());
    loop {
        let next = scheduler.next(stop.is_asked());
        let skipped = scheduler.skipped().get(told..).unwrap_or_default().to_vec();
        told += skipped.len();
        if !skipped.is_empty() {
            runner.events.tell(ApplyEventKind::Skipped(skipped));
        }
        runner.events.tell(ApplyEventKind::Began(next.clone()));
        match next {
            Next::Stage(hosts) => runner.run(&mut scheduler, None, &plan.stage, &hosts, stop).await,
            Next::Run { wave: at, hosts } => {
                let Some(wave) = plan.waves.get(at) else { break };
                // A rotation is never stopped half-way.
                let never = Stop::default();
                let stop = if wave.rank.is_rotation() { &never } else { stop };
                runner.run(&mut scheduler, Some(at), &wave.hosts, &hosts, stop).await;
            }
            Next::Wait(hosts) => runner.wait(&mut scheduler, hosts, Until::Ended).await,
            Next::Look(nodes) => {
                runner.look(&mut scheduler, &nodes, stop).await;
                for node in scheduler.died().difference(&dead) {
                    runner.events.tell(ApplyEventKind::Died(node.clone()));
                }
                dead = scheduler.died().clone();
            }
            Next::Finished => break,
        }
    }
    let PlanRunner { hosts, mut applied, events, .. } = runner;
    applied.died = scheduler.died().clone();
    applied.skipped = scheduler.skipped().to_vec();
    applied.interrupted |= applied.skipped.iter().any(|skipped| skipped.why == SkipReason::Interrupted);
    events.tell(ApplyEventKind::Ended(Box::new(applied.clone())));
    (applied, hosts)
}

struct PlanRunner {
    hosts: BTreeMap<HostName, Locked>,
    payloads: Arc<Payloads>,
    events: Events,
    /// For each change, the number of its actions that haven't succeeded yet.
    left: BTreeMap<ResourceId, usize>,
    applied: Applied,
    /// The hosts whose part has begun and hasn't ended.
    running: JoinSet<Ended>,
    /// Each running host says here when its nodes have to stay healthy, and nothing else is left
    /// to do.
    settling: UnboundedSender<Settles>,
    settles: UnboundedReceiver<Settles>,
}

/// A host whose nodes have to stay healthy, with their starts.
type Settles = (HostName, BTreeMap<NodeName, String>);

/// How far the part of a host is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until it settles, if the scheduler agrees.
    Settles,
    Ended,
}

impl PlanRunner {
    /// Runs the action lists of these hosts concurrently, and waits until all have ended, or
    /// settle.
    async fn run(
        &mut self,
        scheduler: &mut Scheduler<'_>,
        wave: Option<usize>,
        lists: &BTreeMap<HostName, Vec<PlannedAction>>,
        hosts: &BTreeSet<HostName>,
        stop: &Stop,
    ) {
        let mut begun = BTreeSet::new();
        for (name, list) in lists.iter().filter(|(name, _)| hosts.contains(*name)) {
            let Some(host) = self.hosts.remove(name) else {
                self.unlocked(name);
                scheduler.ran(name, Ran::Lost, &BTreeMap::new());
                continue;
            };
            let part = Part { wave, list: list.clone(), payloads: Arc::clone(&self.payloads) };
            self.running.spawn(part.run(host, stop.clone(), self.events.clone(), self.settling.clone()));
            begun.insert(name.clone());
        }
        self.wait(scheduler, begun, Until::Settles).await;
    }

    /// Waits for the parts of these hosts.
    async fn wait(&mut self, scheduler: &mut Scheduler<'_>, mut hosts: BTreeSet<HostName>, until: Until) {
        while !hosts.is_empty() {
            tokio::select! {
                Some((name, started)) = self.settles.recv() => {
                    if scheduler.settles(&name, &started) && until == Until::Settles {
                        hosts.remove(&name);
                    }
                }
                ended = self.running.join_next() => {
                    let Some(ended) = ended else { return };
                    // If the task panicked, propagate the panic.
                    let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    hosts.remove(&ended.name);
                    self.ended(scheduler, ended);
                }
            }
        }
    }

    fn ended(&mut self, scheduler: &mut Scheduler<'_>, ended: Ended) {
        self.applied.interrupted |= ended.ran == Ran::Interrupted;
        for key in ended.done {
            let id = ResourceId { host: ended.name.clone(), key };
            if let Some(left) = self.left.get_mut(&id) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.applied.done.insert(id);
                }
            }
        }
        scheduler.ran(&ended.name, ended.ran, &ended.started);
        if let Some(what) = ended.failed {
            self.applied.failed.insert(ended.name.clone(), what);
        }
        if let Some(host) = ended.host {
            self.hosts.insert(ended.name, host);
        }
    }

    /// Asks these hosts concurrently about the current state of their nodes.
    async fn look(
        &mut self,
        scheduler: &mut Scheduler<'_>,
        nodes: &BTreeMap<HostName, BTreeSet<NodeName>>,
        stop: &Stop,
    ) {
        let mut looking = JoinSet::new();
        for (name, nodes) in nodes {
            let Some(mut host) = self.hosts.remove(name) else {
                self.unlocked(name);
                scheduler.lose(name);
                continue;
            };
            let (name, nodes, stop) = (name.clone(), nodes.clone(), stop.clone());
            looking.spawn(async move {
                let unit = NodeName::unit;
                let seen = host.watch(&nodes.iter().map(unit).collect::<Vec<_>>(), &stop).await;
                let by_node = |seen: BTreeMap<String, Seen>| {
                    let node = |node: NodeName| Some((node.clone(), seen.get(&unit(&node))?.clone()));
                    nodes.into_iter().filter_map(node).collect::<BTreeMap<_, _>>()
                };
                (name, host, seen.map(by_node))
            });
        }
        for (name, host, seen) in looking.join_all().await {
            match seen {
                Ok(seen) => {
                    self.hosts.insert(name.clone(), host);
                    scheduler.looked(&name, &seen);
                }
                Err(error) => {
                    self.lose(&name, error);
                    scheduler.lose(&name);
                }
            }
        }
    }

    /// Records that a host isn't locked and therefore can't be used. If the host was lost
    /// earlier, the reason for that is already recorded and stays.
    fn unlocked(&mut self, host: &HostName) {
        let failure = HostFailure { action: None, change: None, what: Wrong::NotLocked };
        self.applied.failed.entry(host.clone()).or_insert(failure);
    }

    /// Records that a host was lost while none of its actions was running.
    fn lose(&mut self, host: &HostName, error: HostError) {
        let error = Arc::new(error);
        let what = Wrong::Host(Arc::clone(&error));
        let failure = HostFailure { action: None, change: None, what };
        self.applied.failed.entry(host.clone()).or_insert(failure);
        self.events.tell(ApplyEventKind::Lost { host: host.clone(), wave: None, action: None, error });
    }
}

/// How the action list of a host ended.
struct Ended {
    name: HostName,
    host: Option<Locked>,
    ran: Ran,
    /// The change that each successful action belongs to.
    done: Vec<ResourceKey>,
    /// The invocation in which each node was running when its turn ended.
    started: BTreeMap<NodeName, String>,
    failed: Option<HostFailure>,
}

/// A host's part in a wave, or in staging.
struct Part {
    wave: Option<usize>,
    list: Vec<PlannedAction>,
    payloads: Arc<Payloads>,
}

/// What has happened in a [`Part`].
#[derive(Default)]
struct Progress {
    done: Vec<ResourceKey>,
    /// The starts of the units of running actions.
    runs: BTreeMap<usize, String>,
    started: BTreeMap<NodeName, String>,
}

impl Part {
    async fn run(
        self,
        mut host: Locked,
        stop: Stop,
        events: Events,
        settling: UnboundedSender<Settles>,
    ) -> Ended {
        let name = host.name().clone();
        let actions: Vec<Action> = self.list.iter().map(|planned| planned.action.clone()).collect();
        let mut progress = Progress::default();
        let mut tell = |report: ActionReport| {
            let Some(planned) = self.list.get(report.index()) else { return };
            progress.note(&name, planned, &report);
            if let ActionReport::Settles { index } = report
                && index + 1 == self.list.len()
            {
                let _ = settling.send((name.clone(), progress.started.clone()));
            }
            let (host, wave, action) = (name.clone(), self.wave, planned.clone());
            events.tell(ApplyEventKind::Action { host, wave, action, report });
        };
        let run = host.run(&actions, &self.payloads, &stop, &mut tell).await;
        let Progress { done, started, .. } = progress;
        let (ran, failed, host) = match run {
            Ok(Run::Done) => (Ran::Done, None, Some(host)),
            Ok(Run::Interrupted) => (Ran::Interrupted, None, Some(host)),
            Ok(Run::Stopped { at, outcome }) => {
                let what = match outcome {
                    Outcome::Differs(differs) => Wrong::Differs(differs),
                    Outcome::NoContent { path } => Wrong::NoContent(path),
                    Outcome::Failed { text } => Wrong::Failed(text),
                    Outcome::Done | Outcome::Already => Wrong::Failed(Printable::default()),
                };
                let change = self.list.get(at).and_then(|planned| planned.change.clone());
                let failure = HostFailure { action: actions.get(at).cloned(), change, what };
                (Ran::Failed, Some(failure), Some(host))
            }
            Err(error) => {
                let error = Arc::new(error);
                let at = error.action().and_then(|at| self.list.get(at)).cloned();
                let failure = HostFailure {
                    action: at.as_ref().map(|planned| planned.action.clone()),
                    change: at.as_ref().and_then(|planned| planned.change.clone()),
                    what: Wrong::Host(Arc::clone(&error)),
                };
                let (host, wave) = (name.clone(), self.wave);
                events.tell(ApplyEventKind::Lost { host, wave, action: at, error });
                (Ran::Lost, Some(failure), None)
            }
        };
        Ended { name, host, ran, done, started, failed }
    }
}

impl Progress {
    fn note(&mut self, host: &HostName, planned: &PlannedAction, report: &ActionReport) {
        match report {
            ActionReport::Runs { index, invocation } => {
                self.runs.insert(*index, invocation.clone());
            }
            ActionReport::Settles { index } => {
                if let Some(start) = self.runs.get(index) {
                    self.started.extend(node(&planned.action, host).map(|node| (node, start.clone())));
                }
            }
            ActionReport::Ended { index, outcome } if outcome.is_good() => {
                self.done.extend(planned.change.clone());
                if let Some(start) = self.runs.remove(index) {
                    self.started.extend(node(&planned.action, host).map(|node| (node, start)));
                }
            }
            // The unit didn't stay healthy.
            ActionReport::Ended { .. } => {
                self.started.retain(|started, _| node(&planned.action, host).as_ref() != Some(started));
            }
            ActionReport::Began { .. }
            | ActionReport::Sent { .. }
            | ActionReport::Got { .. }
            | ActionReport::NotFetched { .. }
            | ActionReport::NotReached { .. } => {}
        }
    }
}

/// The node that an action starts or waits for on a host.
fn node(action: &Action, host: &HostName) -> Option<NodeName> {
    let (daemon, shape) = match action {
        Action::Start { unit, .. } | Action::Await { unit, .. } => Daemon::of_unit(unit)?,
        _ => return None,
    };
    Some(NodeName { shape, host: host.clone(), daemon })
}
