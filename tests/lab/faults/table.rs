//! What came of each fault: fault × action or situation, how it ended, how long
//! that took.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// How a fault ended, where it did as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Came {
    /// To what was wanted, by the same apply.
    Through,
    /// To the same, by applying once more.
    Converged,
    /// To an error that says what is wrong and where, and then, that mended, to
    /// what was wanted.
    ClearError,
}

/// All that happened.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By fault, situation and end.
    rows: BTreeMap<(String, String, Came), Vec<Duration>>,
    broken: Vec<(String, String)>,
}

impl Table {
    pub(crate) fn row(&mut self, fault: &str, situation: &str, came: Came, took: Duration) {
        self.rows.entry((fault.to_owned(), situation.to_owned(), came)).or_default().push(took);
    }

    /// A case that didn't end as it should.
    pub(crate) fn broken(&mut self, case: &str, text: &str) {
        self.broken.push((case.to_owned(), text.to_owned()));
    }

    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.broken.is_empty() && !self.rows.is_empty()
    }

    fn lines(&self) -> impl Iterator<Item = [String; 5]> + '_ {
        self.rows.iter().map(|((fault, situation, came), took)| {
            let seconds = |took: Option<&Duration>| took.map_or(0.0, Duration::as_secs_f64);
            let (least, most) = (seconds(took.iter().min()), seconds(took.iter().max()));
            let time = match took.len() {
                1 => format!("{most:.1} s"),
                _ => format!("{least:.1}–{most:.1} s"),
            };
            [fault.clone(), situation.clone(), came.to_string(), took.len().to_string(), time]
        })
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for [fault, situation, came, times, took] in self.lines() {
            let _ = writeln!(out, "{fault:<44} {situation:<50} {came:<12} {times:>3} × {took:>14}");
        }
        for (case, text) in &self.broken {
            let _ = writeln!(out, "BROKEN {case}: {text}");
        }
        out
    }

    /// For people who ask what holds.
    pub(crate) fn markdown(&self, seed: u64, rounds: usize, took: Duration) -> String {
        let mut out = String::from("# Faults\n\n");
        let _ = writeln!(
            out,
            "Written by `tests/faults`, seed {seed}, {rounds} rounds of every case in {} minutes. *Through*: the apply itself got there. \
             *Converged*: applying once more did. *Clear error*: it said which host, what, and why, and applying once \
             more got there when that was mended. Each time the same was looked at afterwards: files (bytes, owners, modes), processes \
             that run with what is on disk, no start too many, nothing temporary, no lock, no secret where it doesn't belong. \
             Time-outs were shortened, but where it says \"by default\".\n",
            took.as_secs() / 60
        );
        out.push_str("| fault | at | ended | times | how long |\n|---|---|---|---|---|\n");
        for line in self.lines() {
            let _ = writeln!(out, "| {} |", line.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
        if !self.broken.is_empty() {
            out.push_str("\n## What didn't hold\n\n");
        }
        for (case, text) in &self.broken {
            let _ = writeln!(out, "- `{case}`: {}", text.lines().next().unwrap_or_default());
        }
        out
    }
}

impl std::fmt::Display for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Through => "through",
            Self::Converged => "converged",
            Self::ClearError => "clear error",
        })
    }
}
