//! Findings about a folder, each with its place and a way to fix it.

use super::{Place, Secrets};
use crate::resource::Printable;
use std::error::Error;
use std::fmt;

/// How much a finding matters.
///
/// The rule: a finding's severity depends on that finding only, never on which
/// others the folder has. So fixing one problem may remove another or reveal
/// one, but never turns an error into a warning or back. Where something
/// matters only to an entry that is in use, it is reported only for entries in
/// use; if it can't be determined what is in use, everything counts as used.
/// `tests/folders.rs` edits the fixtures to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that the user has asked for, or should know. `--deny-warnings` ignores
    /// it.
    Note,
    /// A likely mistake; tau or upstream's tool would run it all the same.
    Warning,
    /// Something that tau, sshd or the reader would reject, or that is
    /// ambiguous.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<(Place, String)>,
}

impl Diagnostic {
    fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: readable(message.into()), help: None, labels: Vec::new() }
    }

    /// An error. `message` is a lowercase fragment.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message)
    }

    /// A warning. `message` is a lowercase fragment.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message)
    }

    /// A note. `message` is a lowercase fragment.
    pub fn note(message: impl Into<String>) -> Self {
        Self::new(Severity::Note, message)
    }

    /// Shows it at `place`, with `text` beneath. Where the value is only
    /// referred to there, shows its definition too.
    #[must_use]
    pub fn at(mut self, place: &Place, text: impl Into<String>) -> Self {
        let text = readable(text.into());
        match self.labelled(place) {
            // The definition was labelled already, by way of another alias.
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

    /// The label at this very place.
    fn labelled(&mut self, place: &Place) -> Option<&mut String> {
        let same = |other: &Place| other.file() == place.file() && other.span() == place.span();
        self.labels.iter_mut().find(|(other, _)| same(other)).map(|(_, text)| text)
    }

    /// Adds how to fix it: an edit that the user can make.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(readable(help.into()));
        self
    }

    /// What was found.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Where it is shown, with the text shown there; the primary place first.
    pub fn labels(&self) -> &[(Place, String)] {
        &self.labels
    }

    /// Whether any of its places is in this file of the folder.
    pub fn is_in(&self, file: &str) -> bool {
        self.labels.iter().any(|(place, _)| place.file() == file)
    }

    /// How to fix it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// The label where the value of an alias is defined.
const DEFINED: &str = "defined here";

/// The text cut to a readable length, with control characters escaped: it may
/// quote a name as long as a file, or one that would move the cursor.
pub(super) fn readable(text: String) -> String {
    const MOST: usize = 400;
    let end = text.floor_char_boundary(MOST);
    let shown = Printable::line(&text[..end]);
    if end < text.len() { format!("{shown}…") } else { shown.into() }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Diagnostic {}

/// All findings of a folder that has at least one error, in the order of its
/// files.
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
            1 => f.write_str("the network folder has 1 error"),
            errors => write!(f, "the network folder has {errors} errors"),
        }
    }
}

impl Error for Problems {}

/// The findings, up to [`MOST_PROBLEMS`].
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Diagnostic>,
    left_out: usize,
    /// The highest severity among those that were left out.
    worst_left_out: Option<Severity>,
}

impl Findings {
    pub(super) fn push(&mut self, problem: Diagnostic) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.left_out += 1;
            self.worst_left_out = self.worst_left_out.max(Some(problem.severity));
        }
    }

    /// The findings in the order of the files, and how many were left out.
    pub(super) fn in_order(&self) -> Vec<Diagnostic> {
        let mut problems = self.problems.clone();
        sort(&mut problems);
        if let Some(severity) = self.worst_left_out {
            let message = format!("{} more problems are not shown", self.left_out);
            problems.push(Diagnostic::new(severity, message).help("fix the problems above first"));
        }
        problems
    }
}

/// Collects findings while a folder is read.
pub(super) struct ProblemReport {
    secrets: Secrets,
    findings: Findings,
    /// The secrets that are missing, where that is fine.
    missing: Vec<(Place, Absent)>,
    /// How many names have been compared in search of the nearest.
    compared: usize,
}

/// A key that the folder names or needs, and doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// The private key of a node: it has only an id.
    NodeKey,
    /// A file with a secret.
    SecretFile,
    /// A file with a public key.
    PublicFile,
}

/// More findings than this aren't kept.
const MOST_PROBLEMS: usize = 10_000;
/// Searching for the intended name must not take longer than reading.
const MOST_COMPARED: usize = 1_000_000;
/// For longer names no suggestion is searched.
const LONGEST_NAME: usize = 64;
/// The maximum number of missing secrets that are shown.
const MOST_SHOWN: usize = 8;

/// There is a problem, and it has been reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// A value, unless there was a problem with it, which has been reported.
pub(super) type Read<T> = Result<T, Reported>;

impl ProblemReport {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self { secrets, findings: Findings::default(), missing: Vec::new(), compared: 0 }
    }

    pub(super) fn push(&mut self, problem: Diagnostic) -> Reported {
        self.findings.push(problem);
        Reported
    }

    /// Adds a piece of advice to everything that `read` reports.
    pub(super) fn advising<T>(&mut self, advice: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.findings.problems.len();
        let value = read(self);
        for problem in &mut self.findings.problems[before..] {
            let help = problem.help.take().map_or_else(String::new, |help| format!("{help}; "));
            problem.help = Some(readable(format!("{help}{advice}")));
        }
        value
    }

    /// A key is missing: `problem`, unless secrets may be elsewhere.
    pub(super) fn missing(&mut self, place: Place, what: Absent, problem: Diagnostic) -> Reported {
        match self.secrets {
            Secrets::Needed => self.push(problem),
            Secrets::Elsewhere => {
                self.missing.push((place, what));
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

    /// The findings.
    pub(super) fn finish(mut self) -> Findings {
        if let Some(note) = self.without_secrets() {
            self.findings.push(note);
        }
        self.findings
    }

    /// The user has said that secrets are missing, so this is only a note.
    fn without_secrets(&self) -> Option<Diagnostic> {
        let public = self.missing.iter().filter(|(_, what)| *what == Absent::PublicFile).count();
        let message = match (self.missing.len() - public, public) {
            (0, 0) => return None,
            (1, 0) => "1 secret is missing and was skipped".to_owned(),
            (0, 1) => "1 public key is missing and was skipped".to_owned(),
            (secrets, 0) => format!("{secrets} secrets are missing and were skipped"),
            (0, public) => format!("{public} public keys are missing and were skipped"),
            (secrets, public) => {
                let plural = |count, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
                let [secrets, public] = [plural(secrets, "secret"), plural(public, "public key")];
                format!("{secrets} and {public} are missing and were skipped")
            }
        };
        let mut note = Diagnostic::note(message);
        for (place, what) in self.missing.iter().take(MOST_SHOWN) {
            note = note.at(
                place,
                match what {
                    Absent::NodeKey => "this node's key",
                    Absent::SecretFile => "this file",
                    Absent::PublicFile => "this public key",
                },
            );
        }
        Some(note.help("run `spore check` without `--without-secrets` where they are available"))
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
