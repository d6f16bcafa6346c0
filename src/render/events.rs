//! The lines of `apply --events`: NDJSON, with structs of its own. `cli` writes them.

use crate::plan::PlannedAction;
use crate::plan::action::{Action, Running};
use crate::plan::scheduler::SkipReason;
use crate::resource::Printable;
use schemars::JsonSchema;
use serde::Serialize;

/// A line.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A line of `spore apply --events`")]
pub struct Line {
    /// When it happened, by the controller's clock, in UTC (RFC 3339).
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// An event of an apply.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first line.
    Version {
        /// The version of the format.
        version: &'static str,
        /// The version of `spore`.
        spore: &'static str,
    },
    /// What the apply is going to do.
    Planned {
        /// The network's root domain.
        network: Printable,
        /// The SHA-256 of the plan's file.
        plan: String,
        /// The changes.
        changes: Vec<Change>,
        /// The number of waves.
        waves: usize,
    },
    /// An action has begun on a host.
    Started {
        /// The host.
        host: Printable,
        /// The action.
        #[serde(flatten)]
        step: Step,
    },
    /// A part of a file has been sent.
    Progress {
        /// The host.
        host: Printable,
        /// The action.
        #[serde(flatten)]
        step: Step,
        /// Bytes of the file that were sent so far, however few bytes on the wire they took.
        sent: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The host has downloaded a part of a file.
    Downloading {
        /// The host.
        host: Printable,
        /// The action.
        #[serde(flatten)]
        step: Step,
        /// Bytes downloaded so far.
        downloaded: u64,
    },
    /// The host can't download a file, so it is sent.
    NotFetched {
        /// The host.
        host: Printable,
        /// The action.
        #[serde(flatten)]
        step: Step,
        /// Why not, for each URL.
        reason: Printable,
    },
    /// An action has succeeded.
    Done {
        /// The host.
        host: Printable,
        /// The action.
        #[serde(flatten)]
        step: Step,
        /// Whether there was nothing left to do.
        already: bool,
    },
    /// An action has failed, a host was lost, or a node has died.
    Failed {
        /// The host.
        host: Printable,
        /// The action, if one was running.
        #[serde(flatten)]
        step: Option<Step>,
        /// What went wrong.
        reason: Printable,
    },
    /// A host's part of a wave is skipped.
    NotReached {
        /// The host.
        host: Printable,
        /// The number of the wave, from 1.
        wave: usize,
        /// Why: an id.
        reason: NotReached,
        /// Why, in words.
        text: Printable,
    },
    /// The last line, unless the apply is aborted.
    Summary {
        /// The outcome in one line, which begins with `apply:`.
        text: Printable,
        /// How each planned change has ended.
        changes: Vec<Ended>,
    },
}

/// An action of the plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Step {
    /// The kind of action, such as `restart`.
    pub kind: &'static str,
    /// The path, unit, package or port that it is about.
    pub on: Printable,
    /// The action in words.
    pub action: Printable,
    /// The number of its wave, from 1; `null` while files are staged.
    pub wave: Option<usize>,
    /// The resource that it changes, by its name in the plan; `null` if it only checks or records
    /// something.
    pub resource: Option<Printable>,
}

impl Step {
    /// An action in the wave with this number.
    pub fn of(planned: &PlannedAction, wave: Option<usize>) -> Self {
        let PlannedAction { action, change } = planned;
        let (kind, on) = kind_and_subject(action);
        let resource = change.as_ref().map(|key| Printable::composed(key.to_string()));
        Self { kind, on, action: Printable::composed(super::action(action)), wave, resource }
    }
}

/// A planned change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
    /// The host.
    pub host: Printable,
    /// The resource, by its name in the plan.
    pub resource: Printable,
}

/// How a change has ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended {
    /// The host.
    pub host: Printable,
    /// The resource, by its name in the plan.
    pub resource: Printable,
    /// How it has ended.
    pub result: EndedAs,
}

/// How a change has ended.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndedAs {
    /// It was made.
    Done,
    /// It has failed, or was undone.
    Failed,
    /// It was neither made nor has it failed.
    NotReached,
}

/// Why a host's part of a wave is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotReached {
    /// The host has failed.
    HostFailed,
    /// Staging has failed on a host.
    NotStaged,
    /// A host failed, and the swarm key is replaced on all hosts or on none.
    RotationIncomplete,
    /// No elder is up that the node would dial.
    NoElderUp,
    /// The node is the last healthy one of its kind.
    LastHealthy,
    /// An elder has failed.
    ElderFailed,
    /// The canary has failed.
    CanaryFailed,
    /// Too many hosts have failed.
    Failures,
    /// Nothing is removed before everything else is done.
    Incomplete,
    /// The apply was interrupted.
    Interrupted,
}

impl From<&SkipReason> for NotReached {
    fn from(why: &SkipReason) -> Self {
        match why {
            SkipReason::HostFailed => Self::HostFailed,
            SkipReason::NotStaged(_) => Self::NotStaged,
            SkipReason::RotationWithout(_) => Self::RotationIncomplete,
            SkipReason::NoElderUp => Self::NoElderUp,
            SkipReason::LastHealthy { .. } => Self::LastHealthy,
            SkipReason::ElderFailed(_) => Self::ElderFailed,
            SkipReason::CanaryFailed(_) => Self::CanaryFailed,
            SkipReason::Failures(_) => Self::Failures,
            SkipReason::Incomplete => Self::Incomplete,
            SkipReason::Interrupted => Self::Interrupted,
        }
    }
}

/// The kind of an action, and what it is about.
fn kind_and_subject(action: &Action) -> (&'static str, Printable) {
    let (kind, on) = match action {
        Action::Install { package, .. } => ("install", package.clone()),
        Action::MakeDirectory { path, .. } => ("make-directory", path.clone()),
        Action::SetAccess { path, .. } => ("set-access", path.clone()),
        Action::Stage(file) => ("stage", file.path.clone()),
        Action::Fetch { file, .. } => ("fetch", file.path.clone()),
        Action::Verify { command, .. } => ("verify", command.join(" ")),
        Action::Place { file, .. } => ("place", file.path.clone()),
        Action::Link { path, .. } => ("link", path.clone()),
        Action::Remove { path, .. } => ("remove", path.clone()),
        Action::Purge { path, .. } => ("purge", path.clone()),
        Action::Allow(port) => ("allow", port.to_string()),
        Action::Disallow(port) => ("disallow", port.to_string()),
        Action::Reload { .. } => ("reload", "units".to_owned()),
        Action::Enable { unit } => ("enable", unit.clone()),
        Action::Disable { unit, .. } => ("disable", unit.clone()),
        Action::Record { unit, .. } => ("record", unit.clone()),
        Action::Start { unit, before: Running::Stopped, .. } => ("start", unit.clone()),
        Action::Start { unit, .. } => ("restart", unit.clone()),
        Action::Await { unit, .. } => ("await", unit.clone()),
        Action::Stop { unit, .. } => ("stop", unit.clone()),
    };
    (kind, Printable::line(&on))
}
