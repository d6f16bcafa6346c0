//! `spore plan`: shows what would change on the hosts, and changes nothing.

use super::args::{Args, PlanArgs};
use super::survey::{self, Survey, survey, survey_offline};
use super::{Exit, saved, terminal};
use crate::facts::file::Gathered;
use crate::plan::file::{PlanPage, Verdict};
use crate::render::{self, Style};
use crate::resource::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) async fn run(args: &Args, options: &PlanArgs) -> miette::Result<Exit> {
    let mut interrupts = terminal::Interrupts::listen();
    let surveying = {
        let (args, options) = (args.clone(), options.clone());
        async move { made(&args, &options).await }
    };
    let Some(survey) = interrupts.unless(surveying).await else {
        terminal::out("plan: interrupted\n");
        return Ok(Exit::Interrupted);
    };
    let survey = survey?;
    let mut digest = None;
    if let Some(out) = &options.out {
        let bytes = survey.file().to_bytes();
        saved::write(out, &bytes)?;
        digest = Some(Sha256::of(&bytes));
        terminal::note(&format!("saved the plan to {}", out.display()));
    }
    let page = survey.page();
    terminal::out(&shown(&page, &survey.basis.at, digest, terminal::style(args)));
    Ok(match page.verdict {
        Verdict::InSync => Exit::Done,
        Verdict::Changes => Exit::Changes,
        Verdict::Unplanned => Exit::Unplanned,
        Verdict::Refused => Exit::Failed,
    })
}

/// Makes a plan, from the hosts or from saved facts.
///
/// # Errors
/// If there is no plan at all.
pub(super) async fn made(args: &Args, options: &PlanArgs) -> miette::Result<Survey> {
    let Some(path) = &options.facts else { return survey(args, &options.plan, None).await };
    let subject = survey::subject(args, &options.plan, None)?;
    let file = saved::facts(path, &subject.network.domain.root.value)?;
    note_age(&file.facts);
    survey_offline(subject, &file.facts)
}

/// A plan as it is shown. `digest` is that of its file.
pub(super) fn shown(page: &PlanPage, at: &str, digest: Option<Sha256>, style: Style) -> String {
    let digest = digest.map(|digest| format!("plan sha256 {digest}\n")).unwrap_or_default();
    digest + &render::header(page, at) + &render::text(page, style)
}

/// Says how old the facts of a file are.
pub(super) fn note_age(facts: &Gathered) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if let Some(age) = render::age(&facts.at, now) {
        terminal::note(&format!("note: the facts are from {}, {age}", facts.at));
    }
}
