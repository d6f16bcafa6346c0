//! What a host may say while it answers a request.
//!
//! A host isn't trusted to run the scripts that it is sent: it may be hostile, or a
//! program may write into the answer. Everything it says about a request passes through
//! [`Exchange::hear`], the only place that decides what may come next:
//!
//! ```text
//! answer = call* end              the calls in the order of the request, each once
//! call   = began outcome
//! outcome = need                  if the call asks whether a file has to be sent
//!         | runs? good            if it starts or awaits a unit
//!         | good                  otherwise; after the whole file, if it receives one
//!         | runs? bad             then only `end` may follow
//! good   = done | already
//! bad    = differs | failed
//! ```
//!
//! `end` may come at any time, because a script can be killed; [`Exchange::is_answered`]
//! then says whether every call has its outcome. Anything else doesn't fit, and what
//! follows it can't be trusted either: the caller ends the connection.
//!
//! So a host can report at most three things about each call, and
//! [`Exchange::current`] changes at most twice a call. Whoever moves a deadline only when
//! it changes waits for a bounded time, whatever the host says.

use super::{Answer, Call};
/// The longest id of a start; systemd's have 32 characters.
const LONGEST_ID: usize = 64;

/// A request, and how far the host has answered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    calls: Vec<(usize, Kind)>,
    /// How many of the calls have had their outcome.
    at: usize,
    state: State,
    /// Whether the request has ended.
    over: bool,
}

/// What a call is about, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It asks whether a file has to be sent.
    Ask,
    /// It receives a file.
    Receive {
        /// All of the file has been sent.
        sent: bool,
    },
    /// It starts or awaits a unit.
    Unit,
    /// Anything else.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The call hasn't begun.
    Waiting,
    Begun,
    /// The call has begun, and its unit runs.
    Runs,
    /// A call had a bad outcome; those after it aren't begun.
    Stopped,
}

/// What would have been the right thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// `began` of this call.
    Began(usize),
    /// The outcome of this call.
    Outcome(usize),
    /// Nothing before all of this call's file has been sent, except that it failed.
    Unsent(usize),
    /// The end of the request.
    End,
    /// Nothing: the request has ended.
    Nothing,
}

impl Exchange {
    /// The exchange that begins when these calls are sent.
    pub fn new(calls: &[Call]) -> Self {
        let calls = calls.iter().map(|call| (call.index, call.kind)).collect();
        Self { calls, at: 0, state: State::Waiting, over: false }
    }

    /// Takes what the host says next: a line without its marker.
    ///
    /// # Errors
    /// It doesn't fit, or isn't an answer at all. The exchange is as it was.
    pub fn hear(&mut self, line: &str) -> Result<Answer, Unfit> {
        let answer = Answer::parse(line).ok_or_else(|| self.expected())?;
        self.step(&answer).map(|()| answer)
    }

    fn step(&mut self, answer: &Answer) -> Result<(), Unfit> {
        let expected = self.expected();
        let call = self.calls.get(self.at).copied();
        let is_due = |index: usize| call.is_some_and(|(due, _)| due == index);
        let kind = call.map(|(_, kind)| kind);
        let (state, is_outcome) = match (self.state, answer) {
            _ if self.over => return Err(expected),
            (state, Answer::End(_)) => {
                self.over = true;
                (state, false)
            }
            (State::Waiting, Answer::Began(index)) if is_due(*index) => (State::Begun, false),
            (State::Begun, Answer::Need(index)) if is_due(*index) && kind == Some(Kind::Ask) => {
                (State::Waiting, true)
            }
            (State::Begun, Answer::Runs(index, id))
                if is_due(*index) && kind == Some(Kind::Unit) && is_id(id) =>
            {
                (State::Runs, false)
            }
            (State::Begun | State::Runs, Answer::Ended(index, ending)) if is_due(*index) => {
                match (ending.is_good(), kind) {
                    (true, Some(Kind::Receive { sent: false })) => return Err(Unfit::Unsent(*index)),
                    (true, _) => (State::Waiting, true),
                    (false, _) => (State::Stopped, true),
                }
            }
            _ => return Err(expected),
        };
        self.state = state;
        self.at += usize::from(is_outcome);
        Ok(())
    }

    fn expected(&self) -> Unfit {
        match (self.state, self.calls.get(self.at)) {
            _ if self.over => Unfit::Nothing,
            (State::Waiting, Some((index, _))) => Unfit::Began(*index),
            (State::Begun | State::Runs, Some((index, _))) => Unfit::Outcome(*index),
            (State::Stopped, _) | (_, None) => Unfit::End,
        }
    }

    /// The last byte of the file that a call receives is being sent.
    pub fn sent(&mut self, index: usize) {
        for (call, kind) in &mut self.calls {
            if let (true, Kind::Receive { sent }) = (*call == index, kind) {
                *sent = true;
            }
        }
    }

    /// The call that is due or running, and whether it has begun; `None` once there is none.
    pub fn current(&self) -> Option<(usize, bool)> {
        let (index, _) = self.calls.get(self.at)?;
        match self.state {
            State::Waiting => Some((*index, false)),
            State::Begun | State::Runs => Some((*index, true)),
            State::Stopped => None,
        }
    }

    /// Whether every call has its outcome, or one had a bad one.
    pub fn is_answered(&self) -> bool {
        self.at == self.calls.len() || self.state == State::Stopped
    }
}

/// The words for a start come from the host, and go to the scheduler.
fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
