//! `spore plan`

use super::args::{Args, PlanOptions};
use super::survey::survey;
use super::{Exit, terminal};
use crate::plan::Plan;
use crate::render;

pub(crate) async fn run(args: &Args, options: &PlanOptions) -> miette::Result<Exit> {
    let survey = tokio::select! {
        survey = survey(args, options, None) => survey?,
        () = terminal::interrupt() => return Ok(Exit::Interrupted),
    };
    terminal::out(&render::plan(&survey.plan, terminal::style(args)));
    Ok(verdict(&survey.plan))
}

fn verdict(plan: &Plan) -> Exit {
    match (plan.unplanned.is_empty(), plan.is_empty()) {
        (false, _) => Exit::Unplanned,
        (true, true) => Exit::Done,
        (true, false) => Exit::Changes,
    }
}
