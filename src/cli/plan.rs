//! `spore plan`: shows what would change on the hosts, and changes nothing.

use super::args::{Args, PlanOptions};
use super::survey::survey;
use super::{Exit, terminal};
use crate::plan::Plan;

pub(crate) async fn run(args: &Args, options: &PlanOptions) -> miette::Result<Exit> {
    let mut interrupts = terminal::Interrupts::listen();
    let surveying = {
        let (args, options) = (args.clone(), options.clone());
        async move { survey(&args, &options, None).await }
    };
    let Some(survey) = interrupts.unless(surveying).await else {
        terminal::out("plan: interrupted\n");
        return Ok(Exit::Interrupted);
    };
    let survey = survey?;
    terminal::out(&survey.page(terminal::style(args)));
    Ok(verdict(&survey.plan))
}

fn verdict(plan: &Plan) -> Exit {
    match (plan.unplanned.is_empty(), plan.is_empty() && plan.overridden.is_empty()) {
        (false, _) => Exit::Unplanned,
        (true, _) if !plan.refusals.is_empty() => Exit::Failed,
        (true, true) => Exit::Done,
        (true, false) => Exit::Changes,
    }
}
