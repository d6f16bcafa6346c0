//! `spore` without a command: summarizes the network folder and names the next step.
//! Contacts no host.

use super::args::Args;
use super::{Exit, folder, terminal};
use crate::check;
use crate::network::{Draft, Links, Outside, Secrets, is_network};
use crate::render;
use crate::resource::Printable;
use clap::CommandFactory as _;

/// The text on how to start, for a folder without a network.
const START: &str = "
There is no network in this folder.

Try spore on simulated hosts:    spore demo
Use an existing network folder:  cd FOLDER, or pass -n FOLDER
Create a new network folder:     spore init example.org my-network
                                 spore host add h1 --addr 203.0.113.1 --shape elders
List your network folders:       spore networks
";

pub(crate) fn run(args: &Args) -> miette::Result<Exit> {
    let folder = folder::find(args.network.as_deref())?;
    if is_network(&folder).unwrap_or(false) {
        let mut draft = check::read(&folder, Secrets::Needed, outside());
        let problems = tokio::task::block_in_place(|| check::binaries(&draft));
        draft.report(problems);
        terminal::out(&standing(&draft));
    } else {
        terminal::out(&Args::command().render_help().to_string());
        terminal::out(START);
    }
    Ok(Exit::Done)
}

/// Without a command there are no options, but the variable counts.
fn outside() -> Outside {
    let secrets = std::env::var_os("SPORE_SECRETS").filter(|path| !path.is_empty());
    Outside { links: Links::Inside, secrets: secrets.map(Into::into) }
}

fn standing(draft: &Draft) -> String {
    // The folder may come from someone else, and its texts haven't been checked.
    let name = draft.domain.root.as_ref().map_or("?".into(), |root| Printable::line(root.shown()));
    let folder = Printable::line(&draft.folder.display().to_string());
    let nodes: usize = draft.hosts.values().map(|host| host.nodes.len()).sum();
    let problems = draft.problems();
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let elders = draft.bootstrap.iter().flat_map(|bootstrap| bootstrap.value.values()).flatten();
    let mut elders: Vec<&str> = elders.map(|host| host.as_str()).collect();
    elders.dedup();
    let tau: Vec<&str> = draft.tau.keys().map(|architecture| architecture.name()).collect();
    let lines = [
        ("network", format!("{name}, in {folder}")),
        (
            "hosts",
            format!(
                "{}, with {} of {}",
                draft.hosts.len(),
                render::counted(nodes, "node"),
                render::counted(draft.shapes.len(), "shape")
            ),
        ),
        ("elders", if elders.is_empty() { "none".to_owned() } else { elders.join(", ") }),
        (
            "tau",
            match tau.is_empty() {
                true => {
                    "not pinned: hosts keep the tau they have (`spore tau pin URL|FILE` pins one)".to_owned()
                }
                false => format!("for {}", tau.join(", ")),
            },
        ),
        (
            "check",
            match problems.is_empty() {
                true => "no problems".to_owned(),
                false => render::tally(&problems),
            },
        ),
        (
            "next",
            match (errors, problems.is_empty()) {
                (0, true) => "`spore plan` inspects the hosts; `spore rehearse` simulates them".to_owned(),
                (0, false) => "`spore check` shows the warnings; `spore plan` inspects the hosts".to_owned(),
                _ => "`spore check` shows the errors".to_owned(),
            },
        ),
    ];
    lines.map(|(what, text)| format!("{what:<8} {text}\n")).concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Files;

    #[test]
    fn the_root_domain_forges_no_line() {
        let mut files = Files::new("a\x1b[2Jb");
        let cloud = "domain: {root: \"evil\\ncheck    no problems\\e]52;c;x\\a\\u202e\"}\n";
        files.insert("cloud.yaml".to_owned(), cloud.as_bytes().to_vec());
        let shown = standing(&Draft::from_files(&files, Secrets::Needed));
        let name = r"evil\u{a}check    no problems\u{1b}]52;c;x\u{7}\u{202e}";
        assert!(shown.starts_with(&format!("network  {name}, in a\\u{{1b}}[2Jb\n")), "{shown}");
    }
}
