//! `spore drift`: shows what has changed on the hosts themselves. Changes nothing.

use super::args::{Args, DriftFormat, DriftOptions, Format, PlanArgs, PlanFormat};
use super::{CommandError, Exit, format, plan, terminal};
use crate::plan::file::State;
use crate::render::{self, report};

pub(crate) async fn run(args: Args, options: DriftOptions) -> miette::Result<Exit> {
    let DriftOptions { plan, facts, format: written_as } = options;
    if !plan.targets.is_empty() {
        let help = "remove the option: `drift` compares every host";
        return Err(CommandError::new("`drift` doesn't accept `--target`", help).into());
    }
    let options =
        PlanArgs { plan, out: None, facts, without_secrets: false, format: PlanFormat::Report(Format::Text) };
    let survey = plan::made(&args, &options).await?;
    let page = survey.page();
    let drift = render::drift(&page);
    let header = render::header(&page, &survey.basis.at);
    let mut report = report::drift(&drift, format::folder(&args));
    report.about = header.lines().take(1).map(str::to_owned).collect();
    match written_as {
        DriftFormat::Report(format) => {
            let text = || header + &render::drift_text(&drift, terminal::style(&args));
            format::write(&report, format, text);
        }
        DriftFormat::Prometheus => {
            let metrics = render::metrics(&drift, &survey.basis.at);
            terminal::document(&metrics, &report.conclusion());
        }
    }
    Ok(match (drift.has(State::Drifted), drift.has(State::Unknown)) {
        (true, _) => Exit::Changes,
        (false, true) => Exit::Unplanned,
        (false, false) => Exit::Done,
    })
}
