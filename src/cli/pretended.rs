//! What `demo` and `rehearse` share: ending the simulated hosts when interrupted,
//! and the help for [`FleetError`].

use super::{CommandError, Exit, terminal};
use crate::pretend::FleetError;

/// Runs `work` to its end. A signal drops it at its current `await`, and the
/// simulated hosts with it.
pub(super) async fn unless_interrupted(
    work: impl Future<Output = miette::Result<Exit>>,
) -> miette::Result<Exit> {
    let mut interrupts = terminal::Interrupts::listen();
    tokio::select! {
        // `interrupts` is polled first, so its signal handlers are installed before
        // `work` begins.
        biased;
        () = interrupts.next() => Ok(Exit::Interrupted),
        exit = work => exit,
    }
}

/// Adds the help for each error.
pub(super) fn failure(error: FleetError) -> CommandError {
    let help = match &error {
        FleetError::NotLinux => "run it on Linux, for instance in a container".to_owned(),
        FleetError::NoCommand(_) => "install it: it is part of coreutils, util-linux or gzip".to_owned(),
        FleetError::Place(_) => "set TMPDIR to a directory with a plain name, such as /tmp".to_owned(),
        FleetError::NoPrograms(..) => "set TMPDIR to a directory that isn't mounted with `noexec`".to_owned(),
        FleetError::Io(_) | FleetError::Key(_) => "set TMPDIR to a writable directory".to_owned(),
    };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    CommandError::because(error.to_string(), Some(help), source)
}

/// A failure to read or write one of the fleet's files.
pub(super) fn written(error: std::io::Error) -> CommandError {
    failure(error.into())
}
