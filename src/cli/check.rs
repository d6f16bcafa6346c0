//! `spore check`: reports what is wrong with the folder. Contacts no host.

use super::args::{Args, CheckOptions};
use super::{Exit, folder, suggest, terminal};
use crate::check;
use crate::network::{Draft, Finding, Secrets, Severity};
use crate::render;

pub(crate) fn run(args: &Args, options: &CheckOptions) -> miette::Result<Exit> {
    if let Some(id) = &options.explain {
        let text = render::explain(id).ok_or_else(|| suggest::unknown_check(id))?;
        terminal::out(&text);
        return Ok(Exit::Done);
    }
    let secrets = if options.without_secrets { Secrets::Elsewhere } else { Secrets::Needed };
    let mut draft = check::read(&folder::of_network(args)?, secrets, options.folder.outside());
    let problems = tokio::task::block_in_place(|| check::binaries(&draft));
    draft.report(problems);
    let problems = draft.problems();
    terminal::out(&render::problems(&problems, terminal::style(args)));
    let worst = problems.iter().map(Finding::severity).max();
    let denied = options.deny_warnings && worst == Some(Severity::Warning);
    let tally = render::tally(&problems);
    terminal::out(&match worst {
        Some(Severity::Warning) if denied => format!("check: {tally}, denied by --deny-warnings\n"),
        Some(Severity::Error | Severity::Warning) => format!("check: {tally}\n"),
        Some(Severity::Note) | None => format!("check: no problems in {}\n", size(&draft)),
    });
    Ok(if denied || worst == Some(Severity::Error) { Exit::Failed } else { Exit::Done })
}

/// Example: `2 shapes, 3 hosts and 3 nodes`.
fn size(draft: &Draft) -> String {
    let nodes: usize = draft.hosts.values().map(|host| host.nodes.len()).sum();
    let [shapes, hosts] = [(draft.shapes.len(), "shape"), (draft.hosts.len(), "host")]
        .map(|(count, what)| render::counted(count, what));
    format!("{shapes}, {hosts} and {}", render::counted(nodes, "node"))
}
