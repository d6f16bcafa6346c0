//! `spore` alone: where one stands with the network in this folder, and what
//! comes next. No host is asked.

use super::args::Args;
use super::{Exit, folder, terminal};
use crate::check;
use crate::network::{Draft, Files, Secrets};
use crate::render;
use clap::CommandFactory as _;

pub(crate) fn run(args: &Args) -> miette::Result<Exit> {
    let folder = folder::find(args.network.as_deref())?;
    if Files::read(&folder).is_ok_and(|files| files.is_network()) {
        let mut draft = check::read(&folder, Secrets::Needed);
        let problems = tokio::task::block_in_place(|| check::binaries(&draft));
        draft.report(problems);
        terminal::out(&standing(&draft));
    } else {
        terminal::out(&Args::command().render_help().to_string());
        terminal::out("\nThere is no network in this folder. To see what this is about: spore demo\n");
    }
    Ok(Exit::Done)
}

fn standing(draft: &Draft) -> String {
    let name = draft.domain.root.as_ref().map_or("?", |root| root.shown());
    let nodes: usize = draft.hosts.values().map(|host| host.nodes.len()).sum();
    let problems = draft.problems();
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let elders = draft.bootstrap.iter().flat_map(|bootstrap| bootstrap.value.values()).flatten();
    let mut elders: Vec<&str> = elders.map(|host| host.as_str()).collect();
    elders.dedup();
    let tau: Vec<&str> = draft.tau.keys().map(|architecture| architecture.name()).collect();
    let lines = [
        ("network", format!("{name}, in {}", draft.folder.display())),
        ("hosts", format!("{}; {nodes} nodes of {} shapes", draft.hosts.len(), draft.shapes.len())),
        ("elders", if elders.is_empty() { "none".to_owned() } else { elders.join(", ") }),
        (
            "tau",
            match tau.is_empty() {
                true => {
                    "none is named; hosts keep what they have (`spore tau pin URL|FILE` names one)".to_owned()
                }
                false => format!("for {}", tau.join(", ")),
            },
        ),
        (
            "check",
            match problems.is_empty() {
                true => "nothing is wrong".to_owned(),
                false => render::tally(&problems),
            },
        ),
        (
            "next",
            match (errors, problems.is_empty()) {
                (0, true) => "`spore plan` looks at the hosts, `spore rehearse` pretends them".to_owned(),
                (0, false) => "`spore check` shows the warnings, `spore plan` looks at the hosts".to_owned(),
                _ => "`spore check` shows what is wrong".to_owned(),
            },
        ),
    ];
    lines.map(|(what, text)| format!("{what:<8} {text}\n")).concat()
}
