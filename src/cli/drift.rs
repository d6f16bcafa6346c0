//! `spore drift`: shows what has changed on the hosts themselves. Changes nothing.

use super::args::{Args, DriftOptions, PlanArgs};
use super::{Exit, format, plan, terminal};
use crate::plan::file::State;
use crate::render::{self, report};

pub(crate) async fn run(args: &Args, options: &DriftOptions) -> miette::Result<Exit> {
    let mut interrupts = terminal::Interrupts::listen();
    let surveying = {
        let (args, DriftOptions { plan, facts, format }) = (args.clone(), options.clone());
        async move { plan::made(&args, &PlanArgs { plan, out: None, facts, format }).await }
    };
    let Some(survey) = interrupts.unless(surveying).await else {
        format::conclude(options.format, "drift: interrupted");
        return Ok(Exit::Interrupted);
    };
    let survey = survey?;
    let page = survey.page();
    let drift = render::drift(&page);
    let header = render::header(&page, &survey.basis.at);
    let mut report = report::drift(&drift, format::folder(args));
    report.about = header.lines().take(1).map(str::to_owned).collect();
    format::write(&report, options.format, || header + &render::drift_text(&drift, terminal::style(args)));
    Ok(match (drift.has(State::Drifted), drift.has(State::Unknown)) {
        (true, _) => Exit::Changes,
        (false, true) => Exit::Unplanned,
        (false, false) => Exit::Done,
    })
}
