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
            message: message.into(),
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
        self.help = Some(help.into());
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
            let span = place.span();
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
