//! The secrets that no report may contain.

use std::fs;

/// Every substring of a secret that is long enough not to occur by coincidence.
pub(crate) fn secrets() -> Vec<String> {
    let text = fs::read_to_string("fixtures/folders/secrets.txt").unwrap();
    let mut parts = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let length = line.len().min(16);
        parts.extend((0..=line.len() - length).map(|at| line[at..at + length].to_owned()));
    }
    parts
}
