//! Collects what is found while a folder is read.

use super::{At, Place, Secrets};
use crate::finding::{Absent, Excerpt, Finding, FolderProblem, Severity};
use std::error::Error;
use std::fmt;

/// All findings of a folder that has at least one error, in the order of its files.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Finding>);

impl Problems {
    /// The number of errors.
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
    problems: Vec<Finding>,
    left_out: usize,
    /// The highest severity among the findings that were left out.
    worst_left_out: Option<Severity>,
}

impl Findings {
    pub(super) fn push(&mut self, problem: Finding) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.left_out += 1;
            self.worst_left_out = self.worst_left_out.max(Some(problem.severity()));
        }
    }

    /// The findings in the order of the files, followed by one about the findings that were
    /// left out.
    pub(super) fn in_order(&self) -> Vec<Finding> {
        let mut problems = self.problems.clone();
        sort(&mut problems);
        if let Some(worst) = self.worst_left_out {
            problems.push(Finding::new(FolderProblem::More { left_out: self.left_out, worst }));
        }
        problems
    }
}

/// Collects findings while a folder is read.
pub(super) struct ProblemReport {
    secrets: Secrets,
    findings: Findings,
    /// The missing secrets, if [`Secrets::Elsewhere`] allows that.
    missing: Vec<(Place, Absent)>,
    /// The files with secrets, where they are named.
    secret_files: Vec<At<String>>,
    /// How much has been spent on searches for the nearest name: see [`MOST_COMPARED`].
    compared: usize,
}

/// The maximum number of findings that are kept.
const MOST_PROBLEMS: usize = 10_000;
/// The maximum number of comparisons in searches for the name that was meant, which must
/// not take longer than reading.
const MOST_COMPARED: usize = 1_000_000;
/// The maximum length of a name for which a suggestion is searched.
const LONGEST_NAME: usize = 64;
/// The maximum number of missing secrets that are shown.
const MOST_SHOWN: usize = 8;

/// A problem with a value was found, and has been reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// A value, unless it has a problem, which has been reported.
pub(super) type Read<T> = Result<T, Reported>;

impl ProblemReport {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            findings: Findings::default(),
            missing: Vec::new(),
            secret_files: Vec::new(),
            compared: 0,
        }
    }

    pub(super) fn push(&mut self, problem: Finding) -> Reported {
        self.findings.push(problem);
        Reported
    }

    /// Marks the findings that `read` reports as findings in this host's entry, which has an
    /// anchor.
    pub(super) fn anchored<T>(&mut self, host: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.findings.problems.len();
        let value = read(self);
        for problem in &mut self.findings.problems[before..] {
            problem.set_anchored(Excerpt::of(host));
        }
        value
    }

    /// Reports that a secret is missing, as `problem`, unless secrets may be elsewhere.
    pub(super) fn missing(&mut self, place: Place, what: Absent, problem: Finding) -> Read<()> {
        match self.secrets {
            Secrets::Needed => Err(self.push(problem)),
            Secrets::Elsewhere => {
                self.missing.push((place, what));
                Ok(())
            }
        }
    }

    /// Notes that a secret may be elsewhere, if secrets may be.
    pub(super) fn elsewhere(&mut self, place: Place, what: Absent) {
        if self.secrets == Secrets::Elsewhere {
            self.missing.push((place, what));
        }
    }

    /// Notes that a file has a secret, which git should ignore.
    pub(super) fn has_secret(&mut self, file: At<String>) {
        self.secret_files.push(file);
    }

    /// The files with secrets.
    pub(super) fn secret_files(&mut self) -> Vec<At<String>> {
        std::mem::take(&mut self.secret_files)
    }

    /// The name among `names` that `name` was probably meant to be.
    pub(super) fn nearest<'n>(
        &mut self,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        let rest = MOST_COMPARED.saturating_sub(self.compared);
        // Comparing long names takes longer.
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
    fn without_secrets(&self) -> Option<Finding> {
        let public = self.missing.iter().filter(|(_, what)| *what == Absent::PublicFile).count();
        let secrets = self.missing.len() - public;
        if self.missing.is_empty() {
            return None;
        }
        let first = || self.missing.iter().take(MOST_SHOWN);
        let shown = first().map(|(_, what)| *what).collect();
        let note = Finding::new(FolderProblem::SecretsMissing { shown, secrets, public });
        Some(first().fold(note, |note, (place, _)| note.at(place)))
    }
}

fn sort(problems: &mut [Finding]) {
    fn position(problem: &Finding) -> Option<(&str, usize)> {
        problem.places().first().map(|place| (place.file(), place.span().start))
    }
    problems.sort_by(|a, b| position(a).cmp(&position(b)));
}

/// The name among `names` that `name` was probably meant to be.
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
