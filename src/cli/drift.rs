//! `spore drift`: shows what has changed on the hosts themselves. Changes nothing.

use super::args::{Args, DriftOptions, PlanArgs};
use super::{Exit, plan, terminal};
use crate::plan::file::State;
use crate::render;

pub(crate) async fn run(args: &Args, options: &DriftOptions) -> miette::Result<Exit> {
    let mut interrupts = terminal::Interrupts::listen();
    let surveying = {
        let (args, DriftOptions { plan, facts }) = (args.clone(), options.clone());
        async move { plan::made(&args, &PlanArgs { plan, out: None, facts }).await }
    };
    let Some(survey) = interrupts.unless(surveying).await else {
        terminal::out("drift: interrupted\n");
        return Ok(Exit::Interrupted);
    };
    let survey = survey?;
    let page = survey.page();
    let drift = render::drift(&page);
    let style = terminal::style(args);
    terminal::out(&(render::header(&page, &survey.basis.at) + &render::drift_text(&drift, style)));
    Ok(match (drift.has(State::Drifted), drift.has(State::Unknown)) {
        (true, _) => Exit::Changes,
        (false, true) => Exit::Unplanned,
        (false, false) => Exit::Done,
    })
}
