//! Says why a file can't be used: a saved plan that no longer fits, or a file that isn't one.

use super::plan::counted_list;
use crate::facts::file::FileError;
use crate::plan::file::{Changed, How, PLANNER, Stale};

/// Why a saved plan can't be applied.
pub fn stale(stale: &Stale) -> String {
    match stale {
        Stale::Planner { found, spore } => format!(
            "spore {spore} made it, whose planner has version {found}; the planner of this spore has version {PLANNER}"
        ),
        Stale::Network(network) => format!("it is for the network {network}"),
        Stale::WithoutSecrets(missing) => {
            let missing = counted_list(missing.iter().map(ToString::to_string));
            format!("it was made without these secrets: {missing}")
        }
        Stale::SwarmKey => "the swarm key isn't the one that it was planned with".to_owned(),
        Stale::Folder(files) => format!("the folder has changed since: {}", changes(files)),
        Stale::Secrets(files) => format!("secrets have changed since: {}", changes(files)),
        Stale::Artifacts(names) => format!("programs have changed since: {}", changes(names)),
        Stale::Edited(pointer) => {
            format!("planning from its facts gives another plan; the first difference is at {pointer}")
        }
    }
}

/// What to do about a saved plan that can't be applied.
pub fn stale_help(stale: &Stale) -> String {
    match stale {
        Stale::Planner { .. } => "apply it with the same spore, or make the plan again",
        Stale::Network(_) => "pass the folder of that network",
        Stale::WithoutSecrets(_) => "make the plan again where the secrets are: `spore plan -o FILE`",
        Stale::SwarmKey | Stale::Folder(_) | Stale::Secrets(_) | Stale::Artifacts(_) => {
            "nothing was changed; make the plan again, or check out what it was made from"
        }
        Stale::Edited(_) => {
            "nothing was changed; the file was edited, or another spore made it: make the plan again"
        }
    }
    .to_owned()
}

fn changes(found: &[Changed]) -> String {
    let word = |how: How| match how {
        How::Added => "added",
        How::Removed => "removed",
        How::Changed => "changed",
    };
    counted_list(found.iter().map(|Changed { name, how }| format!("{name} ({})", word(*how))))
}

/// Why a file can't be read as a saved plan or as facts, and what to do about it. `command` is
/// the command that writes such files.
pub fn unusable_file(error: &FileError, command: &str) -> (String, String) {
    let help = match error {
        FileError::TooBig | FileError::TooLong | FileError::Foreign(_) => {
            format!("pass a file that `{command}` has written")
        }
        FileError::Json { .. } => format!("the file was cut off or edited; write it again: `{command}`"),
        FileError::Other("facts") => "pass facts with `spore plan --facts FILE`".to_owned(),
        FileError::Other(_) => {
            "show a plan with `spore show FILE`, or apply it with `spore apply FILE`".to_owned()
        }
        FileError::Version { .. } => format!("use the same spore, or write the file again: `{command}`"),
    };
    (error.to_string(), help)
}
