//! `spore show`: shows a saved plan, stale or not. Reads no folder and contacts no host.

use super::args::{Args, ShowOptions};
use super::plan::{note_age, shown};
use super::{Exit, saved, terminal};

pub(crate) fn run(args: &Args, options: &ShowOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let saved = saved::plan(&options.plan)?;
    note_age(&saved.plan.facts);
    let (page, at) = (&saved.plan.plan, &saved.plan.facts.at);
    terminal::out(&shown(page, at, Some(saved.sha256), terminal::style(args)));
    Ok(Exit::Done)
}
