//! `spore graph`: draws the network. Contacts no host.

use super::args::{Args, GraphFormat, GraphOptions};
use super::{CommandError, Exit, folder, saved, terminal};
use crate::network::Secrets;
use crate::render::graph::{self, Diagram};

pub(crate) fn run(args: &Args, options: &GraphOptions) -> miette::Result<Exit> {
    let (network, _) = folder::read(args, options.folder.outside(), Secrets::Elsewhere)?;
    let plan = options
        .plan
        .as_deref()
        .map(|path| Ok::<_, miette::Report>((path, saved::plan(path)?)))
        .transpose()?;
    if let Some((path, saved)) = &plan
        && saved.plan.plan.network.as_str() != network.domain.root.as_str()
    {
        let (root, other) = (&network.domain.root.value, &saved.plan.plan.network);
        let what = format!("{} is a plan for {other}, not for {root}", path.display());
        return Err(CommandError::new(what, "pass a plan for this network, or another folder").into());
    }
    let diagram = Diagram::of(&network, plan.as_ref().map(|(_, saved)| &saved.plan.plan));
    terminal::data(&match options.format {
        GraphFormat::Svg => graph::svg(&diagram),
        GraphFormat::Mermaid => graph::mermaid(&diagram),
        GraphFormat::Dot => graph::dot(&diagram),
    });
    Ok(Exit::Done)
}
