//! What is wrong with a folder, each with its place and what to do about it.

use super::Place;
use miette::{LabeledSpan, Severity, SourceCode};
use std::error::Error;
use std::fmt;

/// One thing that is wrong.
///
/// As a [`miette::Diagnostic`] it shows the places of its first file itself,
/// and those of other files as related to it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<(Place, String)>,
    elsewhere: Vec<Diagnostic>,
}

impl Diagnostic {
    /// Something that stops: what tau, sshd or the reader would refuse, or
    /// what can be read in two ways. `message` is a lowercase fragment.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: readable(message.into()),
            help: None,
            labels: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    /// Something that doesn't.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Shows it at `place`, with `text` beneath. Where the value is only
    /// referred to there, shows its definition too.
    #[must_use]
    pub fn at(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.push(place.clone(), text.into());
        if let Some(definition) = place.definition() {
            self.push(definition, "defined here".to_owned());
        }
        self
    }

    /// Says what to do about it: an edit that a person can make.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(readable(help.into()));
        self
    }

    fn push(&mut self, place: Place, text: String) {
        let same_file =
            |labels: &[(Place, String)]| labels.first().is_none_or(|(first, _)| first.file() == place.file());
        if same_file(&self.labels) {
            self.labels.push((place, text));
        } else if let Some(other) = self.elsewhere.iter_mut().find(|other| same_file(&other.labels)) {
            other.labels.push((place, text));
        } else {
            let other = Self { severity: Severity::Advice, labels: vec![(place, text)], ..Self::error("") };
            self.elsewhere.push(other);
        }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it stops.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Where it is shown, the places of the first file first.
    pub fn labels(&self) -> impl Iterator<Item = (&Place, &str)> {
        let all = std::iter::once(self).chain(&self.elsewhere);
        all.flat_map(|part| part.labels.iter().map(|(place, text)| (place, text.as_str())))
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// What a person can read of a text that may quote a name as long as a file,
/// or one that would move the cursor.
fn readable(text: String) -> String {
    const MOST: usize = 400;
    if text.len() <= MOST && !text.contains(char::is_control) {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() > MOST {
            shown.push('…');
            break;
        }
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message.is_empty(), self.labels.first()) {
            (true, Some((place, _))) => write!(f, "see also {}", place.file()),
            _ => f.write_str(&self.message),
        }
    }
}

impl Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
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
            let span = place.shown();
            LabeledSpan::new(text, span.start, span.len())
        })))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.elsewhere.is_empty() {
            return None;
        }
        Some(Box::new(self.elsewhere.iter().map(|other| other as &dyn miette::Diagnostic)))
    }
}

/// Everything that is wrong with a folder, in the order of its files: at least
/// one error, and the warnings.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Diagnostic>);

impl Problems {
    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.is_error()).count()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors() {
            1 => f.write_str("the network folder has a mistake"),
            errors => write!(f, "the network folder has {errors} mistakes"),
        }
    }
}

impl Error for Problems {}

impl miette::Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn miette::Diagnostic)))
    }
}

/// Gathers what is wrong while a folder is read.
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<Diagnostic>,
    left_out: usize,
    /// How many characters have been compared in search of the nearest name.
    compared: usize,
}

/// More than this nobody reads.
const MOST_PROBLEMS: usize = 10_000;
/// Finding what was meant must not take longer than reading.
const MOST_COMPARED: usize = 100_000_000;
/// Nobody misspells a name of more than this.
const LONGEST_NAME: usize = 64;

/// Something is wrong, and the report has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// A value, unless what is wrong with it was reported.
pub(super) type Read<T> = Result<T, Reported>;

impl Report {
    pub(super) fn push(&mut self, problem: Diagnostic) -> Reported {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.left_out += 1;
        }
        Reported
    }

    /// The one of `names` that `name` was probably meant to be.
    pub(super) fn nearest<'n>(
        &mut self,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let most = (name.chars().count() / 3).min(3);
        let mut best = None;
        for other in names {
            self.compared += 1;
            if self.compared > MOST_COMPARED {
                break;
            }
            if name.len().abs_diff(other.len()) > most {
                continue;
            }
            self.compared += name.len() * other.len();
            let distance = strsim::osa_distance(name, other);
            if distance <= most && best.is_none_or(|(nearest, _)| distance < nearest) {
                best = Some((distance, other));
            }
        }
        best.map(|(_, name)| name)
    }

    /// Everything, in the order of the files; whether there is an error in it.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, bool) {
        self.problems.sort_by(|a, b| {
            let key = |problem: &Diagnostic| {
                problem.labels.first().map(|(place, _)| (place.file().to_owned(), place.span().start))
            };
            key(a).cmp(&key(b))
        });
        if self.left_out > 0 {
            let message = format!("{} more problems are not shown", self.left_out);
            self.problems.push(Diagnostic::error(message).help("correct some of the others first"));
        }
        let any_error = self.problems.iter().any(Diagnostic::is_error);
        (self.problems, any_error)
    }
}
