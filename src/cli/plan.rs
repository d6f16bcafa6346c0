//! `spore plan`: shows what would change on the hosts, and changes nothing.

use super::args::{Args, Format, PlanArgs, PlanFormat};
use super::survey::{self, Survey, survey_of, survey_offline};
use super::{Exit, format, saved, terminal, trust};
use crate::facts::file::Gathered;
use crate::network::Secrets;
use crate::plan::file::{PlanPage, Verdict};
use crate::render::graph::Diagram;
use crate::render::report::Report;
use crate::render::{self, Style, report};
use crate::resource::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) async fn run(args: Args, options: PlanArgs) -> miette::Result<Exit> {
    let mut survey = made(&args, &options).await?;
    let mut digest = None;
    if let Some(out) = &options.out {
        survey.leave_out_unsaved()?;
        let bytes = survey.file().to_bytes();
        saved::write(out, &bytes)?;
        digest = Some(Sha256::of(&bytes));
        terminal::note(&format!("saved the plan to {}", out.display()));
    }
    let page = survey.page();
    match options.format {
        PlanFormat::Report(format) => write(&args, format, &page, &survey.basis.at, digest),
        PlanFormat::Html => {
            let report = reported(&args, &page, &survey.basis.at, digest).0;
            let diagram = Diagram::of(&survey.subject.network, Some(&page));
            let html = report::html(&report, &page, &diagram, format::lines_address().as_deref());
            terminal::document(&html, &report.conclusion());
        }
    }
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
    let secrets = if options.without_secrets { Secrets::Elsewhere } else { Secrets::Needed };
    let subject = survey::subject(args, &options.plan, secrets, None)?;
    let Some(path) = &options.facts else {
        let host_keys = trust::host_keys(&options.plan.connection, &subject.network, None).await?;
        return survey_of(subject, &host_keys, &options.plan.connection).await;
    };
    let file = saved::facts(path, &subject.network.domain.root.value)?;
    note_age(&file.facts);
    survey_offline(subject, &file.facts)
}

/// Writes a plan in any format. `digest` is that of its file.
pub(super) fn write(args: &Args, format: Format, page: &PlanPage, at: &str, digest: Option<Sha256>) {
    let (report, text) = reported(args, page, at, digest);
    format::write(&report, format, || text);
}

/// A plan as a report, and as text for people.
fn reported(args: &Args, page: &PlanPage, at: &str, digest: Option<Sha256>) -> (Report, String) {
    let mut report = report::plan(page, format::folder(args));
    let text = shown(page, at, digest, terminal::style(args));
    // The first lines say what the plan is about.
    let about = if digest.is_some() { 2 } else { 1 };
    report.about = text.lines().take(about).map(str::to_owned).collect();
    (report, text)
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
