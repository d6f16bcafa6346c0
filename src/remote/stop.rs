//! How a running apply is asked to stop.

use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// Asks a running apply to begin nothing new.
///
/// A running request is waited for, but no longer than
/// [`Settings::interrupt`](super::Settings::interrupt): a host that doesn't answer can't
/// keep an apply from ending.
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

    /// Waits until it is asked, and returns when that was.
    pub async fn asked(&self) -> Instant {
        let mut asked = self.0.subscribe();
        match asked.wait_for(Option::is_some).await.map(|at| *at) {
            Ok(Some(at)) => at,
            // Not possible: the sender is alive, and the value is there.
            _ => std::future::pending().await,
        }
    }
}
