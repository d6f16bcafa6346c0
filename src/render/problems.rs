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
    let theme = match style {
        Style::Plain => GraphicalTheme::none(),
        Style::Colour => GraphicalTheme::unicode(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let of = |severity| problems.iter().filter(move |problem| problem.severity() == severity);
    let by_severity = [Severity::Error, Severity::Warning, Severity::Note].into_iter().flat_map(of);
    let mut text = String::new();
    for problem in by_severity {
        let wording = wording(problem);
        for (nth, part) in parts(problem, &wording).into_iter().enumerate() {
            let mut drawn = String::new();
            // If a place is outside its text, the report can't be drawn. The message can
            // still be shown.
            if handler.render_report(&mut drawn, &part).is_err() {
                drawn = format!("{}\n", wording.message);
            }
            // The message appears once, above the part of the first file.
            let repeated = if nth == 0 { 0 } else { drawn.find('\n').map_or(0, |end| end + 1) };
            text.push_str(&drawn[repeated..]);
        }
        text.push('\n');
    }
    text
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
    /// The id of the check. Only the first part has it, just as only the first part shows
    /// the message.
    id: Option<&'static str>,
    severity: Severity,
    wording: &'p Wording,
    labels: Vec<&'p (Place, String)>,
    is_last: bool,
}

/// Splits a finding into one part for each file, in the order of the labels.
fn parts<'p>(problem: &Finding, wording: &'p Wording) -> Vec<Part<'p>> {
    let severity = problem.severity();
    let part = |labels| Part { id: None, severity, wording, labels, is_last: false };
    let mut parts = vec![part(Vec::new())];
    for label in &wording.labels {
        let same_file =
            |part: &&mut Part<'_>| part.labels.first().is_none_or(|first| first.0.file() == label.0.file());
        match parts.iter_mut().find(same_file) {
            Some(part) => part.labels.push(label),
            None => parts.push(part(vec![label])),
        }
    }
    if let Some(first) = parts.first_mut() {
        first.id = Some(id(problem));
    }
    if let Some(last) = parts.last_mut() {
        last.is_last = true;
    }
    parts
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wording.message)
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
        self.is_last.then(|| Box::new(&self.wording.help) as Box<dyn fmt::Display>)
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
