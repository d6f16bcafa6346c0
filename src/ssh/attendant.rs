//! What a login may need from the person who runs the command: a touch of a security key, or an
//! answer to a question of the server. Whoever has the other end of the channel asks for it.

use super::SecretText;
use crate::resource::Printable;
use std::pin::pin;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// What a person is needed for.
#[derive(Debug)]
pub enum Need {
    /// A security key has to be touched.
    Touch {
        /// The server that is logged in to.
        server: String,
    },
    /// The server asks a question.
    Answer {
        /// The server that is logged in to.
        server: String,
        /// What it says about its questions; may be empty.
        instructions: Printable,
        /// The question.
        prompt: Printable,
        /// Whether the answer may be shown while it is typed.
        echo: bool,
        /// Takes the answer. Dropping it means that nobody answers.
        reply: oneshot::Sender<SecretText>,
    },
}

/// Reaches the person who runs the command, if anyone does.
#[derive(Clone, Debug, Default)]
pub struct Attendant {
    needs: Option<UnboundedSender<Need>>,
    /// Held while one server needs the person, so that they know which one it is about.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Attendant {
    /// Someone who gets these needs.
    pub fn new(needs: UnboundedSender<Need>) -> Self {
        Self { needs: Some(needs), turn: Arc::default() }
    }

    /// Does something that needs the person, once no other server does. The deadline stands still
    /// meanwhile.
    pub(super) async fn needed<T>(&self, deadline: &Deadline, work: impl Future<Output = T>) -> T {
        let _pause = deadline.pause();
        let _turn = self.turn.lock().await;
        work.await
    }

    pub(super) fn touch(&self, server: &str) {
        if let Some(needs) = &self.needs {
            let _ = needs.send(Need::Touch { server: server.to_owned() });
        }
    }

    /// The answer to a question; `None` if nobody answers it.
    pub(super) async fn answer(
        &self,
        server: &str,
        instructions: &Printable,
        prompt: Printable,
        echo: bool,
    ) -> Option<SecretText> {
        let (reply, answer) = oneshot::channel();
        let (server, instructions) = (server.to_owned(), instructions.clone());
        self.needs.as_ref()?.send(Need::Answer { server, instructions, prompt, echo, reply }).ok()?;
        answer.await.ok()
    }
}

/// The end of the time for a login. It stands still while a person is needed.
#[derive(Debug)]
pub(super) struct Deadline(Mutex<Remaining>);

#[derive(Debug)]
enum Remaining {
    Until(Instant),
    Paused(Duration),
}

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(Mutex::new(Remaining::Until(Instant::now() + time)))
    }

    /// Waits for the work; `None` if the time is over first.
    pub(super) async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let until = match *self.remaining() {
                Remaining::Until(until) => until,
                Remaining::Paused(left) => Instant::now() + left.max(Duration::from_millis(100)),
            };
            tokio::select! {
                done = &mut work => return Some(done),
                () = sleep_until(until) => {}
            }
            if matches!(*self.remaining(), Remaining::Until(until) if until <= Instant::now()) {
                return None;
            }
        }
    }

    fn pause(&self) -> Pause<'_> {
        let mut remaining = self.remaining();
        if let Remaining::Until(until) = *remaining {
            *remaining = Remaining::Paused(until.saturating_duration_since(Instant::now()));
        }
        Pause(self)
    }

    fn remaining(&self) -> std::sync::MutexGuard<'_, Remaining> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropping it lets the deadline move again.
struct Pause<'a>(&'a Deadline);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let mut remaining = self.0.remaining();
        if let Remaining::Paused(left) = *remaining {
            *remaining = Remaining::Until(Instant::now() + left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test]
    async fn a_deadline_stands_still_while_a_person_is_needed() {
        let (attendant, time) = (Attendant::default(), Duration::from_millis(200));
        let deadline = Deadline::after(time);
        let work = attendant.needed(&deadline, sleep(2 * time));
        assert_eq!(deadline.limit(work).await, Some(()));
        assert_eq!(deadline.limit(std::future::pending::<()>()).await, None);
    }
}
