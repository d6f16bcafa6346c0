//! Shared by `demo` and `rehearse`: ending the simulated hosts after an interrupt, and the
//! help for [`FleetError`].

use super::{CommandError, Exit, terminal};
use crate::pretend::FleetError;

/// Runs `work` until it ends. A signal drops `work` at its current `await`, together with
/// the simulated hosts that it owns.
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

/// Adds help to an error.
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

/// Turns a failure to read or write a file of the fleet into an error with help.
pub(super) fn written(error: std::io::Error) -> CommandError {
    failure(error.into())
}
