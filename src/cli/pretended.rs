//! What `demo` and `rehearse` have in common: the end of pretended hosts, and
//! why there are none.

use super::{Exit, Failure, terminal};
use crate::pretend::FleetError;

/// Goes on with `work` until it ends or somebody ends it. It is then dropped
/// where it stands, and its hosts with it.
pub(super) async fn unless_interrupted(
    work: impl Future<Output = miette::Result<Exit>>,
) -> miette::Result<Exit> {
    let mut interrupts = terminal::Interrupts::listen();
    tokio::select! {
        // First: so no signal ends the process any more when `work` begins.
        biased;
        () = interrupts.next() => Ok(Exit::Interrupted),
        exit = work => exit,
    }
}

/// With what to do about it.
pub(super) fn failure(error: FleetError) -> Failure {
    let help = match &error {
        FleetError::NotLinux => "try it on any Linux, in a container for instance".to_owned(),
        FleetError::NoCommand(_) => "install it: coreutils, util-linux and gzip have all of them".to_owned(),
        FleetError::Place(_) => "let TMPDIR name a directory like /tmp".to_owned(),
        FleetError::NoPrograms(..) => {
            "let TMPDIR name a directory that isn't mounted with `noexec`".to_owned()
        }
        FleetError::Io(_) | FleetError::Key(_) => "TMPDIR must be a directory that can be written".to_owned(),
    };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    match source {
        Some(source) => Failure::because(error.to_string(), Some(help), source),
        None => Failure::new(error.to_string(), help),
    }
}

/// Of a file beside the hosts.
pub(super) fn written(error: std::io::Error) -> Failure {
    failure(error.into())
}
