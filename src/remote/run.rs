//! Runs actions on one host in few round trips. Consecutive actions other than stages
//! are one request. Consecutive stages take two: the first asks which files the host
//! needs, the second sends them.

use super::apply::Stop;
use super::error::{During, HostError};
use super::host::Run;
use super::lock;
use super::payload::{Payload, Payloads};
use super::redact::Redactor;
use super::settings::Settings;
use super::shell::{Exposed, Line, Lines, NoLine, Shell};
use crate::plan::action::{Action, Fallback, Staged};
use crate::plan::wire::{self, Answer, Call, Ending, Outcome, Patience, Report, Transfer};
use crate::resource::Printable;
use crate::ssh::{ChannelError, Writer};
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// How many bytes are sent between two reports of progress.
const CHUNK: usize = 256 << 10;

/// Runs actions in order; sends no further request after a `stop`.
pub(super) async fn run(
    shell: &mut Shell,
    settings: &Settings,
    actions: &[Action],
    payloads: &Payloads,
    redactor: &Redactor,
    stop: &Stop,
    tell: &mut (dyn FnMut(Report) + Send),
) -> Result<Run, HostError> {
    let actions: &[Action] =
        &actions.iter().map(|action| impatient(action, settings.healthy)).collect::<Vec<_>>();
    let mut runner = Runner { settings, actions, redactor, tell, at: 0, began: false, told: 0 };
    let ran = runner.all(shell, payloads, stop).await;
    // The error may contain arbitrary output of the host.
    ran.map_err(|error| error.redacted(redactor))
}

/// Limits the time within which a node must be healthy to `most`.
fn impatient(action: &Action, most: Duration) -> Action {
    let mut action = action.clone();
    let (health, fallback) = match &mut action {
        Action::Start { health, fallback, .. } => (health.as_mut(), fallback),
        Action::Await { health, fallback, .. } => (Some(health), fallback),
        _ => return action,
    };
    let back = match fallback {
        Fallback::Revert { files: _, health } => Some(health),
        Fallback::Leave | Fallback::Stop => None,
    };
    for health in health.into_iter().chain(back) {
        health.within = health.within.min(most);
    }
    action
}

fn is_stage(action: &Action) -> bool {
    matches!(action, Action::Stage(_))
}

/// The bytes to send, and whether they are compressed.
fn bytes(payload: &Payload) -> (Bytes, bool) {
    match payload {
        Payload::Bytes(bytes) => (bytes.clone(), false),
        Payload::Secret(secret) => (Bytes::from_owner(Exposed(secret.clone())), false),
        Payload::Artifact { raw, gzip } if gzip.len() < raw.len() => (gzip.clone(), true),
        Payload::Artifact { raw, .. } => (raw.clone(), false),
    }
}

struct Runner<'a> {
    settings: &'a Settings,
    actions: &'a [Action],
    redactor: &'a Redactor,
    tell: &'a mut (dyn FnMut(Report) + Send),
    /// The index of the first action that hasn't ended.
    at: usize,
    /// Whether the host has begun that action.
    began: bool,
    /// The index of the first action whose beginning hasn't been reported. A stage begins
    /// in both of its requests, but is reported once.
    told: usize,
}

impl Runner<'_> {
    async fn all(&mut self, shell: &mut Shell, payloads: &Payloads, stop: &Stop) -> Result<Run, HostError> {
        let actions = self.actions;
        let mut from = 0;
        for group in actions.chunk_by(|a, b| is_stage(a) == is_stage(b)) {
            let calls: Vec<Call> =
                group.iter().zip(from..).map(|(action, i)| wire::call(i, action)).collect();
            if stop.is_asked() {
                return Ok(Run::Interrupted);
            }
            let needed = match self.request(shell, calls, Vec::new()).await? {
                Ok(needed) => needed,
                Err(stopped) => return Ok(stopped),
            };
            if !needed.is_empty() {
                if stop.is_asked() {
                    return Ok(Run::Interrupted);
                }
                let (mut calls, mut files) = (Vec::new(), Vec::new());
                for index in needed {
                    let Some(Action::Stage(file)) = actions.get(index) else {
                        return Err(self.malformed("the host requested an unknown file".into()));
                    };
                    let Some((bytes, gzip)) = payloads.get(&file.sha256).map(bytes) else {
                        return Ok(self.without(index, file));
                    };
                    calls.push(wire::receive(index, file, Transfer { bytes: bytes.len(), gzip }));
                    files.push((index, bytes));
                }
                if let Err(stopped) = self.request(shell, calls, files).await? {
                    return Ok(stopped);
                }
            }
            from += group.len();
        }
        Ok(Run::Done)
    }

    /// Sends a request with its files, and handles its answers. Returns the files that
    /// the host needs, or why it stopped.
    async fn request(
        &mut self,
        shell: &mut Shell,
        calls: Vec<Call>,
        files: Vec<(usize, Bytes)>,
    ) -> Result<Result<Vec<usize>, Run>, HostError> {
        let input = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut unanswered = calls.len();
        let script = wire::request(&calls, &patience(self.settings), input);
        shell.request(script.as_bytes(), self.during(), self.settings.stall).await?;
        let Shell { writer, lines } = shell;

        let (progress, mut sent) = mpsc::unbounded_channel();
        let sending = send(writer, files, self.settings.stall, progress);
        tokio::pin!(sending);
        let mut is_sent = false;
        let mut deadline = Instant::now() + self.settings.action;
        let (mut needed, mut stopped) = (Vec::new(), None);
        let status = loop {
            let line = tokio::select! {
                biased;
                Some((index, sent, total)) = sent.recv() => {
                    (self.tell)(Report::Sent { index, sent, total });
                    continue;
                }
                line = lines.next() => line,
                sending = &mut sending, if !is_sent => {
                    match sending {
                        // If the script has ended, its answers give the reason.
                        Ok(()) | Err(Unsent::Failed(ChannelError::Ended)) => {}
                        Err(Unsent::Failed(error)) => return Err(lines.gone(self.during(), Some(error))),
                        Err(Unsent::Stalled(after)) => {
                            return Err(HostError::TimedOut { during: self.during(), after });
                        }
                    }
                    is_sent = true;
                    deadline = deadline.max(Instant::now() + self.settings.action);
                    continue;
                }
                () = sleep_until(deadline), if is_sent => {
                    return Err(HostError::TimedOut { during: self.during(), after: self.allowance() });
                }
            };
            let Some(answer) = self.answer(lines, line)? else { continue };
            match answer {
                Heard::End(status) => break status,
                Heard::Answer(Answer::Began(index)) => self.begin(index),
                Heard::Answer(Answer::Need(index)) => {
                    unanswered = unanswered.saturating_sub(1);
                    needed.push(index);
                    self.at = index + 1;
                    self.began = false;
                }
                Heard::Answer(Answer::Runs(index, invocation)) => {
                    let invocation = Printable::line(&invocation).into();
                    (self.tell)(Report::Runs { index, invocation });
                }
                Heard::Answer(Answer::Ended(index, ending)) => {
                    unanswered = unanswered.saturating_sub(1);
                    stopped = stopped.or(self.end(index, ending));
                }
            }
            deadline = Instant::now() + self.allowance();
        };
        if let Some(stopped) = stopped {
            return Ok(Err(stopped));
        }
        // An action without an answer hasn't succeeded.
        if unanswered > 0 {
            let reason = match status {
                lock::GIVEN_UP => "the host received no heartbeat for too long and released the lock".into(),
                status => Printable::lines(&format!(
                    "the script on the host was killed (status {status}) {}",
                    lines.noise()
                )),
            };
            return Err(HostError::Lost { during: self.during(), reason });
        }
        Ok(Ok(needed))
    }

    fn answer(&self, lines: &mut Lines, line: Result<Line, NoLine>) -> Result<Option<Heard>, HostError> {
        match line {
            Ok(Line::Answer(answer)) => match Heard::parse(&answer) {
                Some(heard) => Ok(Some(heard)),
                None => Err(self.malformed(answer.into())),
            },
            Ok(Line::Other(noise)) => {
                lines.note(&noise);
                Ok(None)
            }
            Err(NoLine::TooLong) => Err(self.malformed("a line that is too long".into())),
            Err(NoLine::Gone(error)) => Err(lines.gone(self.during(), error)),
        }
    }

    fn begin(&mut self, index: usize) {
        self.at = index;
        self.began = true;
        if index >= self.told {
            self.told = index + 1;
            (self.tell)(Report::Began { index });
        }
    }

    /// Reports how an action ended, and returns whether the run stops there.
    fn end(&mut self, index: usize, ending: Ending) -> Option<Run> {
        let text = |said: Vec<u8>| self.redactor.clean(&said);
        let outcome = match ending {
            Ending::Done => Outcome::Done,
            Ending::Already => Outcome::Already,
            Ending::Differs(said) => Outcome::Differs { text: text(said) },
            Ending::Failed(said) => Outcome::Failed { text: text(said) },
        };
        self.at = index + 1;
        self.began = false;
        (self.tell)(Report::Ended { index, outcome: outcome.clone() });
        (!outcome.is_good()).then_some(Run::Stopped { at: index, outcome })
    }

    /// The plan's file has no payload.
    fn without(&mut self, index: usize, file: &Staged) -> Run {
        let outcome =
            Outcome::Failed { text: format!("spore doesn't have the content of {}", file.path).into() };
        (self.tell)(Report::Ended { index, outcome: outcome.clone() });
        Run::Stopped { at: index, outcome }
    }

    /// How long the host may take for the current action.
    fn allowance(&self) -> Duration {
        let Settings { action, install, stop, start, verify, settle, .. } = *self.settings;
        let own = match self.actions.get(self.at).filter(|_| self.began) {
            Some(Action::Install { .. }) => install,
            Some(Action::Verify { .. }) => verify,
            Some(Action::Stop { .. }) => stop,
            Some(Action::Start { health, fallback, .. }) => {
                let within = health.as_ref().map_or(start, |health| health.within);
                stop + settle + within + self.falling_back(fallback)
            }
            Some(Action::Await { health, fallback, .. }) => {
                // See start.sh: a node that the service manager had to restart is watched twelve
                // times as long, and may die once meanwhile.
                settle * 25 + health.within + self.falling_back(fallback)
            }
            _ => Duration::ZERO,
        };
        own + action
    }

    /// How long that may take.
    fn falling_back(&self, fallback: &Fallback) -> Duration {
        let Settings { stop, settle, .. } = *self.settings;
        match fallback {
            Fallback::Leave => Duration::ZERO,
            Fallback::Stop => stop,
            Fallback::Revert { files: _, health } => stop + settle + health.within,
        }
    }

    fn during(&self) -> During {
        During::Action { index: self.at, began: self.began }
    }

    fn malformed(&self, what: Printable) -> HostError {
        HostError::Malformed { during: self.during(), what }
    }
}

/// A line from the host.
enum Heard {
    Answer(Answer),
    /// The request has ended, with this status.
    End(u8),
}

impl Heard {
    fn parse(answer: &str) -> Option<Self> {
        match answer.strip_prefix("end ") {
            Some(status) => status.parse().ok().map(Self::End),
            None => Answer::parse(answer).map(Self::Answer),
        }
    }
}

/// Why not everything was sent.
enum Unsent {
    Failed(ChannelError),
    Stalled(Duration),
}

async fn send(
    writer: &mut Writer,
    files: Vec<(usize, Bytes)>,
    stall: Duration,
    progress: mpsc::UnboundedSender<(usize, u64, u64)>,
) -> Result<(), Unsent> {
    for (index, bytes) in files {
        let total = bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            match timeout(stall, writer.send(chunk)).await {
                Ok(sent) => sent.map_err(Unsent::Failed)?,
                Err(_) => return Err(Unsent::Stalled(stall)),
            }
            // This fails only if the receiver is dropped, and so is this future then.
            let _ = progress.send((index, total - rest.len() as u64, total));
        }
    }
    Ok(())
}

/// The time-outs that the scripts need.
pub(super) fn patience(settings: &Settings) -> Patience {
    Patience {
        manager: settings.action,
        stop: settings.stop,
        start: settings.start,
        settle: settings.settle,
        verify: settings.verify,
        packages: settings.install / 2,
    }
}
