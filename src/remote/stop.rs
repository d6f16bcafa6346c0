//! How a running apply is asked to stop.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Asks a running apply to begin nothing new.
///
/// A running request is waited for, but no longer than
/// [`RemoteLimits::interrupt`](super::RemoteLimits::interrupt): a host that doesn't answer can't
/// keep an apply from ending. Every request of an apply therefore goes through
/// [`Stop::wait`].
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Option<Instant>>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Asks. Asking again changes nothing.
    pub fn ask(&self) {
        self.0.send_if_modified(|asked| {
            let is_first = asked.is_none();
            asked.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// Whether that was asked.
    pub fn is_asked(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for a request, but no longer than `grace` once it is asked to stop, or once
    /// the request began if that was later: after the rest of a rotation, nodes are looked
    /// at. `None` means that it wasn't answered in time; the connection is unusable then.
    pub async fn wait<T>(&self, grace: Duration, request: impl Future<Output = T>) -> Option<T> {
        let begun = Instant::now();
        let over = async { sleep_until(self.asked().await.max(begun) + grace).await };
        // The grace comes first: a host that never stops talking doesn't escape it.
        tokio::select! {
            biased;
            () = over => None,
            answered = request => Some(answered),
        }
    }

    /// Waits until it is asked, and returns when that was.
    async fn asked(&self) -> Instant {
        let mut asked = self.0.subscribe();
        match asked.wait_for(Option::is_some).await.map(|at| *at) {
            Ok(Some(at)) => at,
            // Not possible: the sender is alive, and the value is there.
            _ => std::future::pending().await,
        }
    }
}
