//! Runs actions on one host in few round trips. The entry point is [`run`]. Consecutive
//! actions other than stages are one request. Consecutive stages are up to two requests:
//! the first asks which files the host needs, the second sends them.

use super::connection::{Connection, Run};
use super::handshake;
use super::limits::RemoteLimits;
use super::lock;
use super::payload::{Payload, Payloads};
use super::send::{Sent, Unsent, send};
use super::shell::{Exposed, Line, Lines, NoLine, Shell};
use super::stop::Stop;
use crate::artifact::Encoding;
use crate::plan::action::{Action, Fallback};
use crate::plan::wire::{
    self, ActionReport, Answer, Call, Ending, Exchange, Need, Outcome, Patience, Transfer, Unfit,
};
use crate::plan::{During, HostError, LostReason, Misfit};
use crate::resource::{Contact, Printable, Redactor, Untrusted};
use crate::ssh::{ChannelError, Session, Writer};
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// How many bytes are shown of an answer that doesn't fit.
const QUOTED: usize = 100;

/// The shortest time between two reports of how much a host has downloaded, so that a hostile
/// host can't cause more.
const GOT_PACE: Duration = Duration::from_millis(500);

/// Runs actions in order until an action fails; sends no further request after a `stop`. The
/// first request that does more than stage takes `supersedes`; see [`Locked::supersedes_receipts`](super::Locked).
pub(super) async fn run(
    connection: &mut Connection,
    supersedes: &mut Option<bool>,
    actions: &[Action],
    payloads: &Payloads,
    stop: &Stop,
    tell: &mut (dyn FnMut(ActionReport) + Send),
) -> Result<Run, HostError> {
    let Connection { shell, session, limits, .. } = connection;
    let actions: &[Action] =
        &actions.iter().map(|action| with_capped_health(action, limits.healthy)).collect::<Vec<_>>();
    let redactor = &shell.lines.redactor().clone();
    let mut runner = ActionRunner {
        session,
        limits,
        supersedes,
        actions,
        payloads,
        redactor,
        tell,
        at: (0, false),
        told: 0,
        got_at: None,
    };
    runner.all(shell, stop).await
}

/// Limits the time within which a node must be healthy to `most`.
fn with_capped_health(action: &Action, most: Duration) -> Action {
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
    action.staged().is_some()
}

/// Returns the bytes to send, and how they are encoded. `best` is the best encoding that the host
/// can decode.
///
/// # Errors
/// A program can't be fetched.
async fn bytes(payload: &Payload, best: Encoding) -> Result<(Bytes, Encoding), Printable> {
    match payload {
        Payload::Bytes(bytes) => Ok((bytes.clone(), Encoding::Raw)),
        Payload::Secret(secret) => Ok((Bytes::from_owner(Exposed(secret.clone())), Encoding::Raw)),
        Payload::Artifact(program) => Ok(program.encoded(best).await),
        Payload::OnDemand(program) => Ok(program.get().await?.encoded(best).await),
    }
}

struct ActionRunner<'a> {
    session: &'a Session,
    limits: &'a RemoteLimits,
    supersedes: &'a mut Option<bool>,
    actions: &'a [Action],
    payloads: &'a Payloads,
    redactor: &'a Redactor,
    tell: &'a mut (dyn FnMut(ActionReport) + Send),
    /// The index of the action that is due or running, and whether the host has begun it.
    at: (usize, bool),
    /// The index of the first action whose beginning hasn't been reported. A stage begins
    /// in both of its requests, but is reported once.
    told: usize,
    /// When it was last reported how much of a file the host has downloaded.
    got_at: Option<Instant>,
}

impl ActionRunner<'_> {
    async fn all(&mut self, shell: &mut Shell, stop: &Stop) -> Result<Run, HostError> {
        let actions = self.actions;
        let mut from = 0;
        for group in actions.chunk_by(|a, b| is_stage(a) == is_stage(b)) {
            let calls: Vec<Call> =
                group.iter().zip(from..).map(|(action, i)| wire::call(i, action)).collect();
            if stop.is_asked() {
                return Ok(Run::Interrupted);
            }
            let needed = match self.request(shell, calls, Vec::new(), stop).await? {
                Ok(needed) => needed,
                Err(stopped) => return Ok(stopped),
            };
            if !needed.is_empty() {
                let (mut calls, mut files) = (Vec::new(), Vec::new());
                for (index, best) in needed {
                    let Some(file) = actions.get(index).and_then(Action::staged) else {
                        return Err(self.malformed(Misfit::UnknownFile));
                    };
                    let Some(payload) = self.payloads.files.get(&file.source) else {
                        let outcome = Outcome::NoContent { path: file.path.clone() };
                        return Ok(self.without(index, outcome));
                    };
                    // Fetching a file here may take long, and nothing runs on the host meanwhile.
                    let prepared = tokio::select! {
                        prepared = bytes(payload, best) => prepared,
                        _ = stop.asked() => return Ok(Run::Interrupted),
                    };
                    let (bytes, encoding) = match prepared {
                        Ok(sent) => sent,
                        Err(text) => return Ok(self.without(index, Outcome::Failed { text })),
                    };
                    calls.push(wire::receive(index, file, Transfer { bytes: bytes.len(), encoding }));
                    files.push((index, bytes));
                }
                if stop.is_asked() {
                    return Ok(Run::Interrupted);
                }
                if let Err(stopped) = self.request(shell, calls, files, stop).await? {
                    return Ok(stopped);
                }
            }
            from += group.len();
        }
        Ok(Run::Done)
    }

    /// Sends a request with its files, and handles the answers. Returns the indices of the
    /// files that the host needs, with the best encoding that it can decode, or how the run stopped.
    async fn request(
        &mut self,
        shell: &mut Shell,
        calls: Vec<Call>,
        files: Vec<(usize, Bytes)>,
        stop: &Stop,
    ) -> Result<Result<Vec<(usize, Encoding)>, Run>, HostError> {
        let after = self.limits.interrupt;
        let answered = stop.wait(after, self.exchange(shell, calls, files)).await;
        answered.unwrap_or_else(|| Err(HostError::Abandoned { during: self.during(), after }))
    }

    async fn exchange(
        &mut self,
        shell: &mut Shell,
        calls: Vec<Call>,
        files: Vec<(usize, Bytes)>,
    ) -> Result<Result<Vec<(usize, Encoding)>, Run>, HostError> {
        let input = files.iter().map(|(_, bytes)| bytes.len()).sum();
        // Staging changes nothing that receipts have.
        let stages = calls.iter().all(|call| self.actions.get(call.index()).is_some_and(is_stage));
        let supersedes = if stages { None } else { self.supersedes.take() };
        let supersede = supersedes.map(wire::supersede).unwrap_or_default();
        let script = supersede + &wire::request(&calls, &patience(self.limits), input);
        let mut exchange = Exchange::new(&calls);
        self.at = exchange.current().unwrap_or(self.at);
        shell.request(script.as_bytes(), self.during(), self.limits.stall).await?;
        let Shell { writer, lines, .. } = shell;

        let mut judging = writer.clone();
        let (progress, mut sent) = mpsc::unbounded_channel();
        let sending = send(writer, files, self.limits.stall, progress);
        tokio::pin!(sending);
        // While files are being sent, the time-out of the action doesn't apply: the host
        // only has to accept the bytes in time.
        let mut is_sent = false;
        let mut deadline = Instant::now() + self.limits.action;
        let (mut needed, mut stopped) = (Vec::new(), None);
        let status = loop {
            // The deadline is polled first, so that a host that never stops writing can't
            // escape it.
            let line = tokio::select! {
                biased;
                () = sleep_until(deadline), if is_sent => {
                    return Err(HostError::TimedOut { during: self.during(), after: self.allowance() });
                }
                Some(progress) = sent.recv() => {
                    self.sent(&mut exchange, progress);
                    continue;
                }
                line = lines.next() => line,
                sending = &mut sending, if !is_sent => {
                    sending.or_else(|why| self.unsent(lines, why))?;
                    is_sent = true;
                    deadline = deadline.max(Instant::now() + self.allowance());
                    continue;
                }
            };
            // The host may have answered before the progress was noticed here.
            while let Ok(progress) = sent.try_recv() {
                self.sent(&mut exchange, progress);
            }
            let Some(answer) = self.answer(lines, line, &mut exchange)? else { continue };
            match answer {
                Answer::End(status) => break status,
                Answer::Began(index) => self.begin(index),
                Answer::Need(index, Need { best, why }) => {
                    needed.push((index, best));
                    if let Some(why) = why {
                        let why = self.redactor.show_in_one_line(&why);
                        (self.tell)(ActionReport::NotFetched { index, why });
                    }
                }
                Answer::Got(index, bytes) => self.got(index, bytes),
                Answer::Runs(index, invocation) => {
                    let invocation = Printable::line(&invocation).into();
                    (self.tell)(ActionReport::Runs { index, invocation });
                    let began = Instant::now();
                    self.judge(&mut judging, index).await.or_else(|why| self.unsent(lines, why))?;
                    // The host waits for the verdict, so that time isn't the action's.
                    deadline += began.elapsed();
                }
                Answer::Settles(index) => (self.tell)(ActionReport::Settles { index }),
                Answer::Ended(index, ending) => stopped = stopped.or(self.end(index, ending)),
            }
            // The deadline moves only when the next action is reached, never because of
            // further answers about the same action.
            let at = exchange.current().unwrap_or((self.at.0 + usize::from(self.at.1), false));
            if at != self.at {
                self.at = at;
                deadline = Instant::now() + self.allowance();
            }
        };
        if let Some(stopped) = stopped {
            return Ok(Err(stopped));
        }
        // An action without an answer hasn't succeeded.
        if !exchange.is_answered() {
            let reason = match status {
                lock::GIVEN_UP => LostReason::NoBeat,
                status => LostReason::Killed { status, said: lines.noise() },
            };
            return Err(HostError::Lost { during: self.during(), reason });
        }
        Ok(Ok(needed))
    }

    /// Completes the handshake with the node of an action, if the plan expects one, and tells the
    /// host's script how it ended.
    async fn judge(&mut self, writer: &mut Writer, index: usize) -> Result<(), Unsent> {
        let Some(expected) = self.actions.get(index).and_then(Action::handshake) else { return Ok(()) };
        let (patience, attempts) = (self.limits.proof, handshake::AFTER_START);
        let contact = match &self.payloads.swarm_key {
            Some(key) => handshake::contact(self.session, expected, key, patience, attempts).await,
            None => Contact::Unknown,
        };
        if contact == Contact::Unknown {
            (self.tell)(ActionReport::NotReached { index });
        }
        let stall = self.limits.stall;
        match timeout(stall, writer.send(wire::verdict(&contact).into())).await {
            Ok(sent) => sent.map_err(Unsent::Failed),
            Err(_) => Err(Unsent::Stalled(stall)),
        }
    }

    /// The error of a host to which not everything could be sent. If the script has ended, its
    /// answers give the reason.
    fn unsent(&self, lines: &mut Lines, why: Unsent) -> Result<(), HostError> {
        match why {
            Unsent::Failed(ChannelError::Ended) => Ok(()),
            Unsent::Failed(error) => Err(lines.gone(self.during(), Some(error))),
            Unsent::Stalled(after) => Err(HostError::TimedOut { during: self.during(), after }),
        }
    }

    fn sent(&mut self, exchange: &mut Exchange, progress: Sent) {
        match progress {
            Sent::Last(index) => exchange.sent(index),
            Sent::Part { index, sent, total } => (self.tell)(ActionReport::Sent { index, sent, total }),
        }
    }

    /// Returns the answer that a line contains, if any. It is an error if the answer
    /// doesn't fit.
    fn answer(
        &self,
        lines: &mut Lines,
        line: Result<Line, NoLine>,
        exchange: &mut Exchange,
    ) -> Result<Option<Answer>, HostError> {
        match line {
            Ok(Line::Answer(said)) => {
                let heard = exchange.hear(&said);
                heard.map(Some).map_err(|unfit| self.malformed(misfit(&said, unfit, self.redactor)))
            }
            Ok(Line::Other(noise)) => {
                lines.note(&noise);
                Ok(None)
            }
            Ok(Line::Prompt) => Ok(None),
            Err(error) => Err(lines.none(self.during(), error)),
        }
    }

    fn begin(&mut self, index: usize) {
        if index >= self.told {
            self.told = index + 1;
            (self.tell)(ActionReport::Began { index });
        }
    }

    /// Reports how an action ended, and returns whether the run stops there.
    fn end(&mut self, index: usize, ending: Ending) -> Option<Run> {
        let in_one_line = |said: Untrusted| self.redactor.show_in_one_line(&said);
        let outcome = match ending {
            Ending::Done => Outcome::Done,
            Ending::Already => Outcome::Already,
            Ending::Differs(differs) => Outcome::Differs(differs.map(in_one_line)),
            Ending::Failed(said) => Outcome::Failed { text: self.redactor.show(&said) },
        };
        (self.tell)(ActionReport::Ended { index, outcome: outcome.clone() });
        (!outcome.is_good()).then_some(Run::Stopped { at: index, outcome })
    }

    /// Reports how much of a file the host has downloaded, unless it has just been reported.
    fn got(&mut self, index: usize, bytes: u64) {
        if self.got_at.is_none_or(|at| at.elapsed() >= GOT_PACE) {
            self.got_at = Some(Instant::now());
            (self.tell)(ActionReport::Got { index, bytes });
        }
    }

    /// Reports the outcome of staging a file whose bytes can't be supplied.
    fn without(&mut self, index: usize, outcome: Outcome) -> Run {
        (self.tell)(ActionReport::Ended { index, outcome: outcome.clone() });
        Run::Stopped { at: index, outcome }
    }

    /// How long the host may take until its next valid answer about the current action.
    fn allowance(&self) -> Duration {
        let (index, began) = self.at;
        let own = match self.actions.get(index).filter(|_| began) {
            Some(Action::Install { .. }) => self.limits.install,
            Some(action) => patience(self.limits).longest(action),
            None => Duration::ZERO,
        };
        own + self.limits.action
    }

    fn during(&self) -> During {
        let (index, began) = self.at;
        During::Action { index, began }
    }

    fn malformed(&self, what: Misfit) -> HostError {
        HostError::Malformed { during: self.during(), what }
    }
}

/// Describes an answer that doesn't fit, with the beginning of its text.
fn misfit(said: &Untrusted, unfit: Unfit, redactor: &Redactor) -> Misfit {
    let said = said.parse(|said| redactor.line(said));
    // The text is cut only after masking, because the redactor doesn't recognize a part of
    // a secret.
    let beginning = said.get(..said.ceil_char_boundary(QUOTED)).unwrap_or(&said);
    let more = if said.len() > QUOTED { "…" } else { "" };
    let beginning = Printable::line(&format!("{beginning}{more}"));
    Misfit::Unfit { beginning, unfit }
}

/// The time-outs that the scripts need.
pub(super) fn patience(limits: &RemoteLimits) -> Patience {
    Patience {
        manager: limits.action,
        stop: limits.stop,
        start: limits.start,
        settle: limits.settle,
        verify: limits.verify,
        packages: limits.install / 2,
        fetch: limits.fetch,
        stall: limits.stall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::SecretBytes;

    #[test]
    fn the_beginning_of_an_answer_shows_no_part_of_a_secret() {
        let redactor = Redactor::new(&[SecretBytes::new("hunter2")], [""; 0]);
        for before in QUOTED - 8..QUOTED + 2 {
            let said = format!("{}hunter2{}", "x".repeat(before), "y".repeat(20));
            let Misfit::Unfit { beginning, .. } = misfit(&Untrusted::new(said), Unfit::End, &redactor) else {
                continue;
            };
            assert!(!beginning.contains('h') && beginning.ends_with('…'), "{beginning}");
        }
    }
}
