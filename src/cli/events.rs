//! The events of an apply as NDJSON: one JSON object on each line, for pipelines and tools.
//!
//! The first line has the version of the format, and each line has the time and the kind of
//! event. A line is written as a whole and at once. [`EventLog`] gets the same events as the
//! display.

use super::CommandError;
use crate::plan::scheduler::Skipped;
use crate::plan::wire::{ActionReport, Outcome};
use crate::plan::{Applied, Plan};
use crate::remote::{ApplyEvent, ApplyEventKind};
use crate::render;
use crate::render::events::{Change, Ended, EndedAs, Event, Line, Step};
use crate::resource::{HostName, Printable, ResourceId, Sha256, timestamp};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The version of the format, `major.minor`. A minor version only adds fields and events.
const FORMAT: &str = "1.2";

/// The shortest time between two events about the progress of the same action.
const PACE: Duration = Duration::from_secs(1);

/// Writes the lines.
pub(super) struct EventLog {
    out: Box<dyn Write + Send>,
    /// The first error. Nothing is written after it, and the apply goes on.
    error: Option<io::Error>,
    /// For each host, when its progress was last written.
    told: BTreeMap<HostName, Instant>,
}

impl EventLog {
    /// Opens the file, or standard output if it is `-`, and writes the first line.
    ///
    /// # Errors
    /// If the file can't be written.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let out: Box<dyn Write + Send> = match path.as_os_str() == "-" {
            true => Box::new(io::stdout()),
            false => Box::new(File::create(path).map_err(|error| failed(path, &error))?),
        };
        let mut log = Self { out, error: None, told: BTreeMap::new() };
        log.write(Event::Version { version: FORMAT, spore: env!("CARGO_PKG_VERSION") });
        match log.error.take() {
            Some(error) => Err(failed(path, &error)),
            None => Ok(log),
        }
    }

    /// The first error while writing, if there was any.
    pub(super) fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Writes what the apply is going to do.
    pub(super) fn planned(&mut self, plan: &Plan, digest: Sha256) {
        let change = |id: &ResourceId| Change { host: name(&id.host), resource: resource(id) };
        self.write(Event::Planned {
            network: Printable::line(&plan.network),
            plan: digest.to_string(),
            changes: plan.changes.iter().map(|(id, _)| change(id)).collect(),
            waves: plan.waves.len(),
        });
    }

    /// Writes an event.
    pub(super) fn tell(&mut self, event: &ApplyEvent) {
        let told = match &event.kind {
            ApplyEventKind::Action { host, wave, action, report } => {
                let (name, step) = (name(host), Step::of(action, wave.map(|wave| wave + 1)));
                match report {
                    ActionReport::Began { .. } => Event::Started { host: name, step },
                    ActionReport::Sent { sent, total, .. } => {
                        if self.told.get(host).is_some_and(|at| at.elapsed() < PACE) {
                            return;
                        }
                        self.told.insert(host.clone(), Instant::now());
                        Event::Progress { host: name, step, sent: *sent, total: *total }
                    }
                    ActionReport::Got { bytes, .. } => {
                        if self.told.get(host).is_some_and(|at| at.elapsed() < PACE) {
                            return;
                        }
                        self.told.insert(host.clone(), Instant::now());
                        Event::Downloading { host: name, step, downloaded: *bytes }
                    }
                    ActionReport::NotFetched { why, .. } => {
                        Event::NotFetched { host: name, step, reason: why.clone() }
                    }
                    ActionReport::Runs { .. }
                    | ActionReport::Settles { .. }
                    | ActionReport::NotReached { .. } => return,
                    ActionReport::Ended { outcome, .. } if outcome.is_good() => {
                        Event::Done { host: name, step, already: *outcome == Outcome::Already }
                    }
                    ActionReport::Ended { outcome, .. } => {
                        let reason = Printable::composed(render::failed_outcome(outcome));
                        Event::Failed { host: name, step: Some(step), reason }
                    }
                }
            }
            ApplyEventKind::Lost { host, wave, action, error } => Event::Failed {
                host: name(host),
                step: action.as_ref().map(|action| Step::of(action, wave.map(|wave| wave + 1))),
                reason: Printable::composed(render::host_error(error)),
            },
            ApplyEventKind::Died(node) => Event::Failed {
                host: name(&node.host),
                step: None,
                reason: Printable::composed(render::died(node)),
            },
            ApplyEventKind::Skipped(skipped) => {
                for Skipped { wave, host, why } in skipped {
                    let text = Printable::composed(render::skip_reason(why));
                    let skipped =
                        Event::NotReached { host: name(host), wave: wave + 1, reason: why.into(), text };
                    self.write_at(event.at, skipped);
                }
                return;
            }
            ApplyEventKind::Began(_) | ApplyEventKind::Started(_) | ApplyEventKind::Ended(_) => return,
        };
        self.write_at(event.at, told);
    }

    /// Writes the last line of an apply that has ended before it began.
    pub(super) fn not_begun(&mut self, text: &str) {
        self.write(Event::Summary { text: Printable::line(text), changes: Vec::new() });
    }

    /// Writes the last line.
    pub(super) fn ended(&mut self, applied: &Applied, plan: &Plan) {
        let (made, failed) = (applied.made(plan), applied.failed_changes(plan));
        let result = |id: &ResourceId| match (failed.contains(id), made.contains(id)) {
            (true, _) => EndedAs::Failed,
            (false, true) => EndedAs::Done,
            (false, false) => EndedAs::NotReached,
        };
        let changes = plan.changes.iter();
        let changes =
            changes.map(|(id, _)| Ended { host: name(&id.host), resource: resource(id), result: result(id) });
        let changes = changes.collect();
        self.write(Event::Summary { text: Printable::composed(render::outcome(applied, plan)), changes });
    }

    fn write(&mut self, event: Event) {
        self.write_at(SystemTime::now(), event);
    }

    fn write_at(&mut self, at: SystemTime, event: Event) {
        if self.error.is_some() {
            return;
        }
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = timestamp(since.as_secs());
        let at = format!("{}.{:03}Z", second.trim_end_matches('Z'), since.subsec_millis());
        let line = serde_json::to_string(&Line { at, event }).unwrap_or_default() + "\n";
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        self.error = written.err();
    }
}

fn failed(path: &Path, error: &io::Error) -> CommandError {
    let what = format!("can't write the events to {}", path.display());
    CommandError::because(what, Some("choose another place for them".to_owned()), Some(error.to_string()))
}

fn name(host: &HostName) -> Printable {
    Printable::composed(host.to_string())
}

fn resource(id: &ResourceId) -> Printable {
    Printable::composed(id.key.to_string())
}
