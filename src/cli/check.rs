//! `spore check`

use super::args::{Args, CheckOptions};
use super::{Exit, folder, terminal};
use crate::check;
use crate::network::{Diagnostic, Draft, Secrets};
use crate::render;

pub(crate) fn run(args: &Args, options: &CheckOptions) -> miette::Result<Exit> {
    let secrets = if options.without_secrets { Secrets::Elsewhere } else { Secrets::Needed };
    let mut draft = check::read(&folder::find(args.network.as_deref())?, secrets);
    let problems = tokio::task::block_in_place(|| check::binaries(&draft));
    draft.report(problems);
    let problems = draft.problems();
    terminal::out(&render::problems(&problems, terminal::style(args)));
    terminal::out(&conclusion(&draft, &problems));
    let stops = |problem: &Diagnostic| problem.is_error() || options.deny_warnings;
    Ok(if problems.iter().any(stops) { Exit::Failed } else { Exit::Done })
}

fn conclusion(draft: &Draft, problems: &[Diagnostic]) -> String {
    if !problems.is_empty() {
        return format!("check: {}\n", render::tally(problems));
    }
    let nodes: usize = draft.hosts.values().map(|host| host.nodes.len()).sum();
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let [shapes, hosts] = [counted(draft.shapes.len(), "shape"), counted(draft.hosts.len(), "host")];
    format!("check: nothing is wrong with {shapes}, {hosts} and {}\n", counted(nodes, "node"))
}
