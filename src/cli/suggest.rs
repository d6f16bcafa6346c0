//! Suggests a command for an unknown word: spore's equivalent of another tool's command, or
//! the nearest command if the word may be a typing mistake. Suggests checks for an unknown
//! id.

use super::CommandError;
use super::args::Args;
use crate::render;
use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands of other tools, and a text on spore's equivalent.
const MEANT: &[(&[&str], &str)] = &[
    (
        &["destroy", "down", "teardown", "delete", "remove", "rm", "uninstall"],
        "`spore retire HOST` removes the network from a host; to take a network down, retire its hosts one \
         by one, elders last",
    ),
    (
        &["status", "state", "info", "ls", "list", "ps", "get"],
        "`spore` without a command summarizes the folder; `spore plan` shows how the hosts differ from it",
    ),
    (&["diff", "preview", "dry-run", "refresh"], "`spore plan` shows what would change"),
    (
        &["deploy", "up", "install", "update", "upgrade", "start", "run", "push", "sync", "reconcile"],
        "`spore apply` shows the plan, asks, and applies it",
    ),
    (&["validate", "lint", "test", "doctor"], "`spore check` checks the folder for mistakes"),
    (&["new", "create", "setup"], "`spore init DOMAIN` creates the folder of a new network"),
    (
        &["add"],
        "`spore host add`, `spore shape add`, `spore key add` and `spore bootstrap add` edit the folder",
    ),
    (
        &["rollback", "undo", "revert"],
        "revert the folder (`git revert`), then run `spore plan` and `spore apply`",
    ),
    (&["keygen", "genkey"], "`spore key` generates a key"),
    (&["pin"], "`spore tau pin URL|FILE` pins a tau"),
];

/// Returns the error for a command that doesn't exist; `None` if `error` is of another
/// kind.
pub(super) fn unknown_command(error: &clap::Error) -> Option<CommandError> {
    let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    else {
        return None;
    };
    // For an unknown subcommand of `spore tau`, clap gives the better suggestion.
    let is_below = matches!(error.get(ContextKind::Usage), Some(ContextValue::StyledStr(usage))
        if usage.to_string().contains("spore tau"));
    (!is_below).then(|| CommandError::new(format!("there is no command `{word}`"), help(word)))
}

fn help(word: &str) -> String {
    let meant = MEANT.iter().find(|(words, _)| words.contains(&word)).map(|(_, help)| (*help).to_owned());
    let near = || nearest(word).map(|name| format!("did you mean `spore {name}`?"));
    meant.or_else(near).unwrap_or_else(|| "`spore --help` lists the commands".to_owned())
}

/// Returns the command that differs by one typing mistake, or by two in a longer word.
fn nearest(word: &str) -> Option<String> {
    let slips = if word.chars().count() < 5 { 1 } else { 2 };
    let commands = Args::command();
    let names = commands.get_subcommands().map(|command| command.get_name().to_owned());
    names
        .map(|name| (strsim::osa_distance(word, &name), name))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, name)| name)
}

/// Returns the error for the id of a check that doesn't exist.
pub(super) fn unknown_check(id: &str) -> CommandError {
    CommandError::new(format!("there is no check `{id}`"), close_ids(id))
}

/// Suggests the id that differs by one or two typing mistakes or only in its family;
/// otherwise lists the ids of the same family, if there are any.
fn close_ids(id: &str) -> String {
    let (family, what) = id.split_once('/').unwrap_or((id, id));
    let near = render::ids()
        .map(|other| (strsim::osa_distance(id, other), other))
        .filter(|(distance, _)| *distance < 3)
        .min()
        .map(|(_, other)| other);
    let parts = || render::ids().filter_map(|other| Some((other, other.split_once('/')?)));
    let same = || parts().find(|(_, (_, name))| *name == what).map(|(other, _)| other);
    if let Some(id) = near.or_else(same) {
        return format!("did you mean `{id}`?");
    }
    let siblings = parts().filter(|(_, (name, _))| *name == family).map(|(other, _)| format!("`{other}`"));
    match siblings.collect::<Vec<_>>() {
        none if none.is_empty() => "`spore check` prints the id of each finding above it".to_owned(),
        siblings => format!("the checks of `{family}` are {}", siblings.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn said(words: &str) -> String {
        match Args::try_parse_from(words.split(' ')) {
            Ok(_) => "a command".to_owned(),
            Err(error) => {
                unknown_command(&error).and_then(|failure| failure.help.map(String::from)).unwrap_or_default()
            }
        }
    }

    #[test]
    fn what_was_meant_or_nothing() {
        assert!(said("spore destroy").contains("`spore retire HOST`"));
        assert!(said("spore -n folder status --all").contains("`spore plan`"));
        assert!(said("spore up").contains("`spore apply`"));
        assert!(said("spore lint").contains("`spore check`"));
        assert!(said("spore new").contains("`spore init DOMAIN`"));
        assert_eq!(said("spore aply"), "did you mean `spore apply`?");
        assert_eq!(said("spore paln"), "did you mean `spore plan`?");
        for nothing in ["foo", "tea", "kay-ak", "x", "reindeer"] {
            assert_eq!(said(&format!("spore {nothing}")), "`spore --help` lists the commands");
        }
        assert_eq!(said("spore tau foo"), "");
        assert_eq!(said("spore plan --foo"), "");
    }

    #[test]
    fn the_close_id_or_its_family() {
        for close in ["ports/clahs", "port/clash", "ports/clas", "clash", "nodes/clash"] {
            assert_eq!(close_ids(close), "did you mean `ports/clash`?");
        }
        for family in ["locations", "locations/", "locations/none-of-these"] {
            let help = "the checks of `locations` are `locations/swapped`, `locations/out-of-range`";
            assert_eq!(close_ids(family), help);
        }
        for nothing in ["", "/", "weather", "weather/wet"] {
            assert_eq!(close_ids(nothing), "`spore check` prints the id of each finding above it");
        }
    }

    /// No word in `MEANT` is a command of spore.
    #[test]
    fn no_command_is_shadowed() {
        let commands = Args::command();
        let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
        let words = MEANT.iter().flat_map(|(words, _)| *words);
        assert_eq!(words.filter(|word| names.contains(word)).count(), 0, "{names:?}");
    }
}
