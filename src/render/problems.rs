//! Renders the findings about a network folder, and their count. The entry point is
//! [`problems`].

use super::{Style, Wording, id, wording};
use crate::finding::{Finding, Place, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use std::fmt;

/// The width in columns. It fits most terminals and the logs of most pipelines.
const WIDTH: usize = 100;

/// The findings, each with its places and its help: first the errors, then the warnings,
/// then the notes.
pub fn problems(problems: &[Finding], style: Style) -> String {
    let handler = handler(style);
    let of = |severity| problems.iter().filter(move |problem| problem.severity() == severity);
    let by_severity = [Severity::Error, Severity::Warning, Severity::Note].into_iter().flat_map(of);
    let mut text = String::new();
    for problem in by_severity {
        let wording = wording(problem);
        let mut parts = parts(problem.severity(), &wording);
        if let Some(first) = parts.first_mut() {
            first.id = Some(id(problem));
            first.message = &wording.message;
        }
        if let Some(last) = parts.last_mut() {
            last.help = Some(&wording.help);
        }
        parts.iter().for_each(|part| text.push_str(&part.drawn(&handler)));
        text.push('\n');
    }
    text
}

/// Only the lines that show a finding, in plain text. Empty if it has no place.
pub(super) fn excerpt(problem: &Finding, wording: &Wording) -> String {
    let handler = handler(Style::Plain);
    parts(problem.severity(), wording).iter().map(|part| part.drawn(&handler)).collect()
}

fn handler(style: Style) -> GraphicalReportHandler {
    let theme = match style {
        Style::Plain => GraphicalTheme::none(),
        Style::Colour => GraphicalTheme::unicode(),
    };
    GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false)
}

/// Example: `2 errors, 1 warning`. Empty if there are no errors and no warnings.
pub fn tally(problems: &[Finding]) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity() == severity).count();
    let both = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let both = both.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what));
    both.collect::<Vec<_>>().join(", ")
}

/// Examples: `1 host`, `2 hosts`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The part of a finding that is in one file. A finding with places in several files needs
/// several reports, because a report of miette has one source.
#[derive(Debug)]
struct Part<'p> {
    /// The id of the check. Only the first part shows it.
    id: Option<&'static str>,
    severity: Severity,
    /// The message. Only the first part shows it, and it is empty in the others.
    message: &'p str,
    labels: Vec<&'p (Place, String)>,
    /// The help. Only the last part shows it.
    help: Option<&'p str>,
}

/// Splits a finding into one part for each file, in the order of the labels.
fn parts(severity: Severity, wording: &Wording) -> Vec<Part<'_>> {
    let part = |labels| Part { id: None, severity, message: "", labels, help: None };
    let mut parts = vec![part(Vec::new())];
    for label in &wording.labels {
        let same_file =
            |part: &&mut Part<'_>| part.labels.first().is_none_or(|first| first.0.file() == label.0.file());
        match parts.iter_mut().find(same_file) {
            Some(part) => part.labels.push(label),
            None => parts.push(part(vec![label])),
        }
    }
    parts
}

impl Part<'_> {
    fn drawn(&self, handler: &GraphicalReportHandler) -> String {
        let mut drawn = String::new();
        // If a place is outside its text, the report can't be drawn. The message can still
        // be shown.
        if handler.render_report(&mut drawn, self).is_err() {
            drawn = format!("{}\n", self.message);
        }
        // Without a message, its line is there nevertheless.
        let from = if self.message.is_empty() { drawn.find('\n').map_or(0, |end| end + 1) } else { 0 };
        drawn.split_off(from)
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Part<'_> {}

impl miette::Diagnostic for Part<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.id.map(|id| Box::new(id) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.labels.first().map(|(place, _)| place.source().as_ref() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        Some(Box::new(self.labels.iter().map(|(place, text)| {
            let text = (!text.is_empty()).then(|| text.clone());
            let span = place.underlined();
            LabeledSpan::new(text, span.start, span.len())
        })))
    }
}
