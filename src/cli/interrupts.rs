//! Being told to end, and ending in order.

use super::Exit;
use tokio::signal::unix::{SignalKind, signal};

/// Goes on with `work` until it ends or somebody ends it: Ctrl-C, a terminal
/// that is closed, `kill`. It is then dropped where it stands, and cleans up.
pub(super) async fn unless_interrupted(
    work: impl Future<Output = miette::Result<Exit>>,
) -> miette::Result<Exit> {
    // From here on no signal ends the process; and nothing is there yet.
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)] = kinds.map(signal) else {
        return work.await;
    };
    tokio::select! {
        // Before `work` takes notice of it by itself.
        biased;
        _ = interrupt.recv() => Ok(Exit::Interrupted),
        _ = terminate.recv() => Ok(Exit::Interrupted),
        _ = hang_up.recv() => Ok(Exit::Interrupted),
        exit = work => exit,
    }
}
