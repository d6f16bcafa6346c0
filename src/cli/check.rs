//! `spore check`: reports what is wrong with the folder. Contacts no host.

use super::args::{Args, CheckOptions};
use super::{Exit, folder, format, suggest, terminal};
use crate::check;
use crate::network::{Draft, Finding, Secrets, Severity};
use crate::render::{self, report};

pub(crate) fn run(args: &Args, options: &CheckOptions) -> miette::Result<Exit> {
    if let Some(id) = &options.explain {
        let text = render::explain(id).ok_or_else(|| suggest::unknown_check(id))?;
        terminal::out(&text);
        return Ok(Exit::Done);
    }
    let secrets = if options.without_secrets { Secrets::Elsewhere } else { Secrets::Needed };
    let folder = folder::of_network(args)?;
    let mut draft = check::read(&folder, secrets, options.folder.outside());
    let problems = tokio::task::block_in_place(|| check::binaries(&draft));
    draft.report(problems);
    let problems = draft.problems();
    let worst = problems.iter().map(Finding::severity).max();
    let denied = options.deny_warnings && worst == Some(Severity::Warning);
    let tally = render::tally(&problems);
    let verdict = match worst {
        Some(Severity::Warning) if denied => format!("{tally}, denied by --deny-warnings"),
        Some(Severity::Error | Severity::Warning) => tally,
        Some(Severity::Note) | None => format!("no problems in {}", size(&draft)),
    };
    let fails_at = if options.deny_warnings { Severity::Warning } else { Severity::Error };
    let report = report::findings(&problems, verdict, format::folder(args), fails_at);
    format::write(&report, options.format, || {
        format!("{}{}\n", render::problems(&problems, terminal::style(args)), report.conclusion())
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
