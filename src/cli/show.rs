//! `spore show`: shows a saved plan, stale or not. Reads no folder and contacts no host.

use super::args::{Args, ShowOptions};
use super::plan::{note_age, write};
use super::{Exit, saved, terminal};

pub(crate) fn run(args: &Args, options: &ShowOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let saved = saved::plan(&options.plan)?;
    note_age(&saved.plan.facts);
    let (page, at) = (&saved.plan.plan, &saved.plan.facts.at);
    write(args, options.format, page, at, Some(saved.sha256));
    Ok(Exit::Done)
}
