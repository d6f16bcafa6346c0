//! The findings about a folder as a [`Report`].

use super::{Item, Level, Place, Region, Report};
use crate::finding::{Finding, Severity};
use crate::render::{excerpt, rule, rules, wording};

/// A report of `spore check`. `fails_at` is the least severity at which the check fails.
pub fn findings(problems: &[Finding], verdict: String, folder: String, fails_at: Severity) -> Report {
    let mut items: Vec<Item> = problems.iter().map(item).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.level));
    Report {
        command: "check",
        verdict,
        about: Vec::new(),
        folder,
        what: "problem",
        rules: rules().collect(),
        items,
        fails_at: level(fails_at),
    }
}

fn item(finding: &Finding) -> Item {
    let wording = wording(finding);
    let excerpt = excerpt(finding, &wording);
    Item {
        rule: rule(finding),
        level: level(finding.severity()),
        message: wording.message,
        help: Some(wording.help).filter(|help| !help.is_empty()),
        places: wording.labels.into_iter().map(|(at, label)| place(&at, label)).collect(),
        host: None,
        group: None,
        excerpt,
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Note => Level::Note,
        Severity::Warning => Level::Warning,
        Severity::Error => Level::Error,
    }
}

fn place(at: &crate::finding::Place, label: String) -> Place {
    // A finding about a whole file has no text.
    let region = (!at.source().text().is_empty()).then(|| {
        let (line, column) = at.line_and_column();
        Region { line, column, end: Some(at.end()) }
    });
    Place { file: at.file().to_owned(), region, label }
}
