//! What is wrong with a folder, each with its place and what to do about it.

use super::mask::is_obeyed;
use super::{Place, Secrets};
use std::error::Error;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    is_error: bool,
    message: String,
    help: Option<String>,
    labels: Vec<(Place, String)>,
}

impl Diagnostic {
    /// Something that stops: what tau, sshd or the reader would refuse, or
    /// what can be read in two ways. `message` is a lowercase fragment.
    pub fn error(message: impl Into<String>) -> Self {
        Self { is_error: true, message: readable(message.into()), help: None, labels: Vec::new() }
    }

    /// Something that doesn't.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(message) }
    }

    /// Shows it at `place`, with `text` beneath. Where the value is only
    /// referred to there, shows its definition too.
    #[must_use]
    pub fn at(mut self, place: &Place, text: impl Into<String>) -> Self {
        let text = readable(text.into());
        match self.labelled(place) {
            // Somebody else's alias led here.
            Some(label) if label.ends_with(DEFINED) => *label = format!("{text}; {label}"),
            _ => self.labels.push((place.clone(), text)),
        }
        let Some(definition) = place.definition() else { return self };
        if self.labelled(&definition).is_none() {
            let alias = place.source().text().get(place.span()).unwrap_or_default();
            let is_named = alias.starts_with('*') && !alias.contains("**");
            let label = if is_named { format!("`{alias}` is {DEFINED}") } else { DEFINED.to_owned() };
            self.labels.push((definition, readable(label)));
        }
        self
    }

    /// What is said at this very place.
    fn labelled(&mut self, place: &Place) -> Option<&mut String> {
        let same = |other: &Place| other.file() == place.file() && other.span() == place.span();
        self.labels.iter_mut().find(|(other, _)| same(other)).map(|(_, text)| text)
    }

    /// Says what to do about it: an edit that a person can make.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(readable(help.into()));
        self
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it stops.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// Where it is shown, and what is said there; the first is where it counts.
    pub fn labels(&self) -> &[(Place, String)] {
        &self.labels
    }

    /// Whether it is shown in this file of the folder.
    pub fn is_in(&self, file: &str) -> bool {
        self.labels.iter().any(|(place, _)| place.file() == file)
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// What is said where the value of an alias stands.
const DEFINED: &str = "defined here";

/// What a person can read of a text that may quote a name as long as a file,
/// or one that would move the cursor.
pub(super) fn readable(text: String) -> String {
    const MOST: usize = 400;
    if text.len() <= MOST && !text.contains(is_obeyed) {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() > MOST {
            shown.push('…');
            break;
        }
        if is_obeyed(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Diagnostic {}

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

/// What is wrong, as much of it as anybody reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Diagnostic>,
    left_out: usize,
    /// Whether there is an error among those.
    left_out_stops: bool,
}

impl Findings {
    pub(super) fn push(&mut self, problem: Diagnostic) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.left_out += 1;
            self.left_out_stops |= problem.is_error;
        }
    }

    /// Everything, in the order of the files, and how much more there is.
    pub(super) fn in_order(&self) -> Vec<Diagnostic> {
        let mut problems = self.problems.clone();
        sort(&mut problems);
        if self.left_out > 0 {
            let message = format!("{} more problems are not shown", self.left_out);
            let more = Diagnostic::error(message).help("correct some of the others first");
            problems.push(Diagnostic { is_error: self.left_out_stops, ..more });
        }
        problems
    }
}

/// Gathers what is wrong while a folder is read.
pub(super) struct Report {
    secrets: Secrets,
    findings: Findings,
    /// Where secrets are named, or missing, that aren't at hand.
    elsewhere: Vec<(Place, &'static str)>,
    /// How many names have been compared in search of the nearest.
    compared: usize,
}

/// More than this nobody reads.
const MOST_PROBLEMS: usize = 10_000;
/// Finding what was meant must not take longer than reading.
const MOST_COMPARED: usize = 1_000_000;
/// Nobody misspells a name of more than this.
const LONGEST_NAME: usize = 64;
/// Of the secrets that aren't at hand, so many are shown.
const MOST_SHOWN: usize = 8;

/// Something is wrong, and the report has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// A value, unless what is wrong with it was reported.
pub(super) type Read<T> = Result<T, Reported>;

impl Report {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self { secrets, findings: Findings::default(), elsewhere: Vec::new(), compared: 0 }
    }

    pub(super) fn push(&mut self, problem: Diagnostic) -> Reported {
        self.findings.push(problem);
        Reported
    }

    /// Says one thing more to do about whatever `read` reports.
    pub(super) fn advising<T>(&mut self, advice: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.findings.problems.len();
        let value = read(self);
        for problem in &mut self.findings.problems[before..] {
            let help = problem.help.take().map_or_else(String::new, |help| format!("{help}; "));
            problem.help = Some(readable(format!("{help}{advice}")));
        }
        value
    }

    /// A secret isn't at hand: an error, unless it may be elsewhere.
    pub(super) fn no_secret(&mut self, place: Place, label: &'static str, problem: Diagnostic) -> Reported {
        match self.secrets {
            Secrets::Needed => self.push(problem),
            Secrets::Elsewhere => {
                self.elsewhere.push((place, label));
                Reported
            }
        }
    }

    /// The one of `names` that `name` was probably meant to be.
    pub(super) fn nearest<'n>(
        &mut self,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        let rest = MOST_COMPARED.saturating_sub(self.compared);
        // To compare long names takes longer.
        let cost = 1 + name.len() / 8;
        let names = names.into_iter().take(rest / cost).inspect(|_| self.compared += cost);
        nearest(name, names)
    }

    /// Everything, in the order of the files.
    pub(super) fn finish(mut self) -> Findings {
        if let Some(warning) = self.without_secrets() {
            self.findings.push(warning);
        }
        self.findings
    }

    fn without_secrets(&self) -> Option<Diagnostic> {
        let message = match self.elsewhere.len() {
            0 => return None,
            1 => "a secret is not at hand, and was not checked".to_owned(),
            count => format!("{count} secrets are not at hand, and were not checked"),
        };
        let mut warning = Diagnostic::warning(message);
        for (place, label) in self.elsewhere.iter().take(MOST_SHOWN) {
            warning = warning.at(place, *label);
        }
        Some(warning.help("run `spore check` where they are, too"))
    }
}

fn sort(problems: &mut [Diagnostic]) {
    fn position(problem: &Diagnostic) -> Option<(&str, usize)> {
        problem.labels.first().map(|(place, _)| (place.file(), place.span().start))
    }
    problems.sort_by(|a, b| position(a).cmp(&position(b)));
}

/// The one of `names` that `name` was probably meant to be.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let most = (name.chars().count() / 3).min(3);
    let name = name.to_lowercase();
    let mut best = None;
    for other in names {
        if name.len().abs_diff(other.len()) > most {
            continue;
        }
        let distance = strsim::osa_distance(&name, &other.to_lowercase());
        if distance <= most && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, other));
        }
    }
    best.map(|(_, name)| name)
}
