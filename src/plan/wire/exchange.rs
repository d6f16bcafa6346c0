//! Checks the answer to a request line by line: [`Exchange`].
//!
//! A host isn't trusted to run the scripts that it is sent: it may be hostile, or another
//! program may write into the answer. Every line of an answer passes through
//! [`Exchange::hear`], the only place that decides which line may come next:
//!
//! ```text
//! answer  = call* end             the calls in the order of the request, each once
//! call    = began got* starts? outcome
//!                                 `got` only if the host downloads a file
//! starts  = runs settles? runs?   only if the call starts or awaits a unit; the second `runs` follows
//!         | runs runs settles     if the unit has crashed once
//! outcome = need                  only if the call asks whether a file has to be sent
//!         | done | already        if the call receives a file, only after the whole file
//!         | differs | failed      a bad outcome: only `end` may follow
//! ```
//!
//! `end` may come at any time, because a script can be killed; [`Exchange::is_answered`]
//! then says whether the outcome of the request is complete. No other line is accepted.
//! After an unacceptable line, the rest of the answer can't be trusted either, so the
//! caller ends the connection.
//!
//! Therefore [`Exchange::current`] changes at most twice for each call. A caller that
//! extends its deadline only when `current` changes waits for a limited time, whatever the
//! host sends.

use super::{Answer, Call, Need};
use crate::resource::Untrusted;

/// The maximum length of the id of a start. The ids of systemd have 32 characters.
const LONGEST_ID: usize = 64;

/// The number of starts of a unit in which it can be healthy in one call: a unit that has died
/// twice is given up.
const MOST_STARTS: u8 = 2;

/// A request, and the state of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    calls: Vec<(usize, CallKind)>,
    /// The number of calls that have their outcome.
    at: usize,
    state: State,
    /// Whether the request has ended.
    over: bool,
}

/// The kinds of calls that have different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    /// The call asks whether a file has to be sent.
    Ask,
    /// The call has the host download a file, or asks for it.
    Fetch,
    /// The call receives a file.
    Receive {
        /// Whether all of the file has been sent.
        sent: bool,
    },
    /// The call starts or awaits a unit.
    Unit,
    /// Any other call.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The call hasn't begun.
    Waiting,
    Begun,
    /// The call has begun, and its unit has been healthy in this many starts. If it `settles`, it
    /// has to stay healthy in the last one.
    Runs {
        starts: u8,
        settles: bool,
    },
    /// A call had a bad outcome, so the calls after it aren't begun.
    Stopped,
}

/// What an answer should have contained instead of a line that wasn't acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The beginning of this call.
    Began(usize),
    /// The outcome of this call.
    Outcome(usize),
    /// No success of this call, because its file hasn't been sent completely.
    Unsent(usize),
    /// The end of the request.
    End,
    /// Nothing, because the request has ended.
    Nothing,
}

impl Exchange {
    /// The exchange for a request with these calls.
    pub fn new(calls: &[Call]) -> Self {
        let calls = calls.iter().map(|call| (call.index, call.kind)).collect();
        Self { calls, at: 0, state: State::Waiting, over: false }
    }

    /// Takes the next line of the answer, without its marker.
    ///
    /// # Errors
    /// The line isn't allowed here, or isn't an answer at all. The state of the exchange
    /// hasn't changed.
    pub fn hear(&mut self, line: &Untrusted) -> Result<Answer, Unfit> {
        let answer = line.parse(Answer::parse).ok_or_else(|| self.expected())?;
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
            (State::Begun, Answer::Need(index, need)) if is_due(*index) && may_need(kind, need) => {
                (State::Waiting, true)
            }
            (State::Begun, Answer::Got(index, _)) if is_due(*index) && kind == Some(CallKind::Fetch) => {
                (State::Begun, false)
            }
            (State::Begun, Answer::Runs(index, id))
                if is_due(*index) && kind == Some(CallKind::Unit) && is_id(id) =>
            {
                (State::Runs { starts: 1, settles: false }, false)
            }
            (State::Runs { starts, settles }, Answer::Runs(index, id))
                if is_due(*index) && starts < MOST_STARTS && is_id(id) =>
            {
                (State::Runs { starts: starts + 1, settles }, false)
            }
            (State::Runs { starts, settles: false }, Answer::Settles(index)) if is_due(*index) => {
                (State::Runs { starts, settles: true }, false)
            }
            (State::Begun | State::Runs { .. }, Answer::Ended(index, ending)) if is_due(*index) => {
                match (ending.is_good(), kind) {
                    (true, Some(CallKind::Receive { sent: false })) => return Err(Unfit::Unsent(*index)),
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
            (State::Begun | State::Runs { .. }, Some((index, _))) => Unfit::Outcome(*index),
            (State::Stopped, _) | (_, None) => Unfit::End,
        }
    }

    /// Notes that the last bytes of a call's file are being sent.
    pub fn sent(&mut self, index: usize) {
        for (call, kind) in &mut self.calls {
            if let (true, CallKind::Receive { sent }) = (*call == index, kind) {
                *sent = true;
            }
        }
    }

    /// The call that is due or running, and whether it has begun. `None` if no further call
    /// will be begun.
    pub fn current(&self) -> Option<(usize, bool)> {
        let (index, _) = self.calls.get(self.at)?;
        match self.state {
            State::Waiting => Some((*index, false)),
            State::Begun | State::Runs { .. } => Some((*index, true)),
            State::Stopped => None,
        }
    }

    /// Whether every call has its outcome, or one had a bad outcome.
    pub fn is_answered(&self) -> bool {
        self.at == self.calls.len() || self.state == State::Stopped
    }
}

/// Whether a call may ask for its file in this way: the host says why it couldn't download the
/// file if it was to.
fn may_need(kind: Option<CallKind>, need: &Need) -> bool {
    match kind {
        Some(CallKind::Ask) => need.why.is_none(),
        Some(CallKind::Fetch) => need.why.is_some(),
        _ => false,
    }
}

/// Whether a text from the host has the form of the id of a start. The scheduler uses such
/// ids unredacted.
fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
