//! The request to a running apply to stop.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Asks a running apply to begin no further actions.
///
/// The apply still waits for requests that are already running, but no longer than
/// [`RemoteLimits::interrupt`](super::RemoteLimits::interrupt), so that a host that doesn't
/// answer can't keep it from ending. Every request of an apply therefore goes through
/// [`Stop::wait`].
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Option<Instant>>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Asks the apply to stop. Asking again changes nothing.
    pub fn ask(&self) {
        self.0.send_if_modified(|asked| {
            let is_first = asked.is_none();
            asked.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// Whether the apply was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for a request. Once the apply is asked to stop, waits no longer than `grace`,
    /// counted from the later of the two: when the apply was asked, or when the request
    /// began. (A request may begin after the apply was asked to stop: once a rotation is
    /// complete, the apply still checks its nodes.) Returns `None` if the request wasn't
    /// answered in time; the connection is then unusable.
    pub async fn wait<T>(&self, grace: Duration, request: impl Future<Output = T>) -> Option<T> {
        let begun = Instant::now();
        let over = async { sleep_until(self.asked().await.max(begun) + grace).await };
        // The grace period is polled first, so that a host that never stops writing can't
        // escape it.
        tokio::select! {
            biased;
            () = over => None,
            answered = request => Some(answered),
        }
    }

    /// Waits until the apply is asked to stop, and returns that time.
    pub(super) async fn asked(&self) -> Instant {
        let mut asked = self.0.subscribe();
        match asked.wait_for(Option::is_some).await.map(|at| *at) {
            Ok(Some(at)) => at,
            // This can't happen: `self` keeps the sender alive, and `wait_for` returns only
            // a `Some`.
            _ => std::future::pending().await,
        }
    }
}
