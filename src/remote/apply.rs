//! A plan's waves, carried out: each host of a wave side by side, each wave when
//! the one before has succeeded. What a failure means is in `course`.

use super::course::Course;
use super::{HostError, Locked, Payloads, Redactor, Run};
use crate::plan::action::Action;
use crate::plan::wire::{Outcome, Report};
use crate::plan::{self, Plan};
use crate::resource::{HostName, Key, ResourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

/// Where a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Everything is written beside its place.
    Stage,
    /// The wave of this index.
    Wave(usize),
}

/// What happens while a plan is applied.
#[derive(Debug)]
pub enum Progress {
    /// A step begins.
    Began(Step),
    /// A host's action goes on.
    Action {
        /// The host.
        host: HostName,
        /// What it does.
        action: Action,
        /// How that goes.
        report: Report,
    },
    /// A host can't be worked with any more.
    Lost {
        /// The host.
        host: HostName,
        /// What was under way there.
        action: Option<Action>,
        /// Why, and what to do.
        error: HostError,
    },
}

/// The hosts of a plan, none of which is known to be anybody else's.
#[derive(Debug, Default)]
pub struct Locks {
    /// Those that are ours.
    pub locked: BTreeMap<HostName, Locked>,
    /// Those that couldn't be locked: gone, silent, or without room for a lock.
    /// They count as not staged.
    pub lost: BTreeMap<HostName, HostError>,
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Applied {
    /// The plan's changes that have been made: every step of each ended well,
    /// now or in an earlier apply.
    pub done: BTreeSet<ResourceId>,
    /// By host, what went wrong there.
    pub failed: BTreeMap<HostName, Failure>,
    /// Whether that is because no elder is up that nodes could dial.
    pub without_elder: bool,
    /// Whether somebody asked to stop.
    pub interrupted: bool,
}

impl Applied {
    /// How many of the plan's changes were neither made nor failed.
    pub fn skipped(&self, plan: &Plan) -> usize {
        let failed = self.failed.values().filter(|failure| failure.change.is_some()).count();
        plan.changes.len().saturating_sub(self.done.len() + failed)
    }
}

/// Something that went wrong on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What was under way.
    pub action: Option<Action>,
    /// The change that this action was to carry out, if any.
    pub change: Option<Key>,
    /// What was wrong, in one line or more.
    pub what: String,
    /// Whether there is nothing to mend: the host isn't as it was planned on,
    /// and the next plan is another.
    pub is_stale: bool,
}

/// Asks a running apply to begin nothing new.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// What runs is let end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether that was asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Applies `plan` to the hosts, which come back with their locks. It goes on
/// while at most `max_failures` hosts have failed in its waves.
pub async fn apply(
    plan: &Plan,
    locks: Locks,
    payloads: Arc<Payloads>,
    redactor: Arc<Redactor>,
    stop: &Stop,
    max_failures: usize,
    progress: UnboundedSender<Progress>,
) -> (Applied, BTreeMap<HostName, Locked>) {
    let Locks { locked: hosts, lost } = locks;
    let left = plan.steps_of_changes();
    let mut runner = Runner { hosts, payloads, redactor, progress, left, applied: Applied::default() };
    for (host, error) in lost {
        let failure = Failure { action: None, change: None, what: error.to_string(), is_stale: false };
        runner.applied.failed.insert(host.clone(), failure);
        let _ = runner.progress.send(Progress::Lost { host, action: None, error });
    }
    let mut course = Course::new(plan, max_failures);
    if !plan.stage.is_empty() {
        runner.step(Step::Stage, &plan.stage, stop).await;
    }
    course.staged(&runner.applied.failed);
    for (i, wave) in plan.waves.iter().enumerate() {
        let asked = stop.is_asked();
        if !course.begins(wave, &runner.applied.failed, asked) {
            runner.applied.interrupted |= asked;
            continue;
        }
        let before = runner.applied.failed.len();
        let mut hosts = wave.hosts.clone();
        hosts.retain(|host, _| course.takes_part(host, &runner.applied.failed));
        if !hosts.is_empty() {
            // What must not be stopped half-way isn't.
            let never = Stop::default();
            let stop = if wave.rank.is_rotation() { &never } else { stop };
            runner.step(Step::Wave(i), &hosts, stop).await;
        }
        course.ended(wave, before, &runner.applied.failed);
    }
    runner.applied.without_elder = course.without_elder;
    (runner.applied, runner.hosts)
}

struct Runner {
    hosts: BTreeMap<HostName, Locked>,
    payloads: Arc<Payloads>,
    redactor: Arc<Redactor>,
    progress: UnboundedSender<Progress>,
    /// By change, how many of its steps haven't ended well.
    left: BTreeMap<ResourceId, usize>,
    applied: Applied,
}

impl Runner {
    /// Runs every host's list at once, and waits for all of them.
    async fn step(&mut self, step: Step, lists: &BTreeMap<HostName, Vec<plan::Step>>, stop: &Stop) {
        // Whoever listens may have gone; the work goes on.
        let _ = self.progress.send(Progress::Began(step));
        let mut running = JoinSet::new();
        for (name, steps) in lists {
            match self.hosts.remove(name) {
                Some(host) => {
                    running.spawn(run(
                        host,
                        steps.clone(),
                        Arc::clone(&self.payloads),
                        Arc::clone(&self.redactor),
                        stop.clone(),
                        self.progress.clone(),
                    ));
                }
                None => {
                    let lost = || Failure {
                        action: None,
                        change: None,
                        what: "was lost before".to_owned(),
                        is_stale: false,
                    };
                    self.applied.failed.entry(name.clone()).or_insert_with(lost);
                }
            }
        }
        while let Some(ended) = running.join_next().await {
            // It panicked, as we should.
            let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            self.applied.interrupted |= ended.interrupted;
            for key in ended.done {
                let id = ResourceId { host: ended.name.clone(), key };
                if let Some(left) = self.left.get_mut(&id) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        self.applied.done.insert(id);
                    }
                }
            }
            if let Some(what) = ended.failed {
                self.applied.failed.insert(ended.name.clone(), what);
            }
            if let Some(host) = ended.host {
                self.hosts.insert(ended.name, host);
            }
        }
    }
}

/// How a host's list ended.
struct Ended {
    name: HostName,
    host: Option<Locked>,
    /// The change of each step that ended well.
    done: Vec<Key>,
    failed: Option<Failure>,
    interrupted: bool,
}

async fn run(
    mut host: Locked,
    steps: Vec<plan::Step>,
    payloads: Arc<Payloads>,
    redactor: Arc<Redactor>,
    stop: Stop,
    progress: UnboundedSender<Progress>,
) -> Ended {
    let name = host.name().clone();
    let actions: Vec<Action> = steps.iter().map(|step| step.action.clone()).collect();
    let mut done = Vec::new();
    let mut tell = |report: Report| {
        if let Report::Ended { index, outcome } = &report
            && outcome.is_good()
        {
            done.extend(steps.get(*index).and_then(|step| step.change.clone()));
        }
        let index = match &report {
            Report::Began { index } | Report::Sent { index, .. } | Report::Ended { index, .. } => *index,
        };
        if let Some(action) = actions.get(index) {
            let (host, action) = (name.clone(), action.clone());
            let _ = progress.send(Progress::Action { host, action, report });
        }
    };
    let run = host.run(&actions, &payloads, &redactor, &stop, &mut tell).await;
    let interrupted = matches!(run, Ok(Run::Interrupted));
    let (failed, host) = match run {
        Ok(Run::Done | Run::Interrupted) => (None, Some(host)),
        Ok(Run::Stopped { at, outcome }) => {
            let (what, is_stale) = match outcome {
                Outcome::Differs { text } => (text, true),
                Outcome::Failed { text } => (text, false),
                Outcome::Done | Outcome::Already => (String::new(), false),
            };
            let change = steps.get(at).and_then(|step| step.change.clone());
            let failure = Failure { action: actions.get(at).cloned(), change, what, is_stale };
            (Some(failure), Some(host))
        }
        Err(error) => {
            let at = error.action().and_then(|at| steps.get(at));
            let failure = Failure {
                action: at.map(|step| step.action.clone()),
                change: at.and_then(|step| step.change.clone()),
                what: error.to_string(),
                is_stale: false,
            };
            let action = failure.action.clone();
            let _ = progress.send(Progress::Lost { host: name.clone(), action, error });
            (Some(failure), None)
        }
    };
    Ended { name, host, done, failed, interrupted }
}
