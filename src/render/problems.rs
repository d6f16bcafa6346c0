//! What is wrong with a network folder, in the order of its files.

use super::Style;
use crate::network::{Diagnostic, Place};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};
use std::fmt;

/// Columns that fit most terminals and the logs of most pipelines.
const WIDTH: usize = 100;

/// Errors first, then warnings; each with its places, and what to do about it.
pub fn problems(problems: &[Diagnostic], style: Style) -> String {
    let theme = match style {
        Style::Plain => GraphicalTheme::none(),
        Style::Colour => GraphicalTheme::unicode(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let (errors, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.is_error());
    let mut text = String::new();
    for problem in errors.into_iter().chain(warnings) {
        for (nth, part) in parts(problem).into_iter().enumerate() {
            let mut drawn = String::new();
            // A place outside its text can't be drawn; what is wrong can be said.
            if handler.render_report(&mut drawn, &part).is_err() {
                drawn = format!("{}\n", problem.message());
            }
            // What is wrong is said once, above the first file.
            let said = if nth == 0 { 0 } else { drawn.find('\n').map_or(0, |end| end + 1) };
            text.push_str(&drawn[said..]);
        }
        text.push('\n');
    }
    text
}

/// `2 errors, 1 warning`
pub fn tally(problems: &[Diagnostic]) -> String {
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{count} {what}s")),
    };
    let both = [counted(errors, "error"), counted(problems.len() - errors, "warning")];
    both.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What is shown of one problem in one file: a report has one source only.
#[derive(Debug)]
struct Part<'p> {
    problem: &'p Diagnostic,
    labels: Vec<&'p (Place, String)>,
    is_last: bool,
}

/// File by file, in the order in which the problem names them.
fn parts(problem: &Diagnostic) -> Vec<Part<'_>> {
    let mut parts = vec![Part { problem, labels: Vec::new(), is_last: false }];
    for label in problem.labels() {
        let same_file =
            |part: &&mut Part<'_>| part.labels.first().is_none_or(|first| first.0.file() == label.0.file());
        match parts.iter_mut().find(same_file) {
            Some(part) => part.labels.push(label),
            None => parts.push(Part { problem, labels: vec![label], is_last: false }),
        }
    }
    if let Some(last) = parts.last_mut() {
        last.is_last = true;
    }
    parts
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem.message())
    }
}

impl std::error::Error for Part<'_> {}

impl miette::Diagnostic for Part<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(if self.problem.is_error() { Severity::Error } else { Severity::Warning })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.problem.advice().filter(|_| self.is_last)?;
        Some(Box::new(help))
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
