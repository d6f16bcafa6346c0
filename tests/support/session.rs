//! The sessions in README.md: commands, and the output that they should print. In that output, `…`
//! matches any text, and a line with only `…` matches any number of lines.

use std::fs;
use std::path::Path;

/// A command, and the lines that it should print.
pub(crate) struct Shown {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

/// The commands in the blocks of this kind.
pub(crate) fn shown(text: &str, kind: &str) -> Vec<Shown> {
    let begin = format!("```{kind}");
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        match (inside, line) {
            (false, line) if line == begin => inside = true,
            (true, "```") => inside = false,
            (true, line) => match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => {
                    let command = command.split("  # ").next().unwrap_or_default().trim().to_owned();
                    shown.push(Shown { line: at + 1, command, output: Vec::new() });
                }
                (None, Some(last)) => last.output.push(line.to_owned()),
                (None, None) => panic!("README.md:{}: output of no command", at + 1),
            },
            _ => {}
        }
    }
    shown
}

pub(crate) fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(path).unwrap_or_else(|error| panic!("README.md: {error}"))
}

/// Whether the output matches the lines in the README.
pub(crate) fn fits(shown: &[String], found: &[String]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=found.len()).any(|skipped| fits(rest, &found[skipped..]))
        }
        Some((line, rest)) => match found.split_first() {
            Some((first, others)) => line_fits(line.trim_end(), first) && fits(rest, others),
            None => false,
        },
    }
}

/// Whether a line matches, where `…` matches any text.
fn line_fits(shown: &str, found: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|start| found.strip_prefix(start)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn differences_are_detected() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(fits(&lines("a…c\n…\nlast"), &lines("abc\nx\ny\nlast")));
    assert!(fits(&lines("…\nlast"), &lines("last")));
    assert!(!fits(&lines("a…c"), &lines("abd")));
    assert!(!fits(&lines("a"), &lines("a\nb")));
    assert!(!fits(&lines("…\nlast"), &lines("last\nmore")));
}
