//! Turns output into a snapshot, by removing everything that differs between runs, and finds the
//! programs that read output in tests.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first of these programs that is installed. If there is none, the test does without it, and
/// `tests/run` lists it as not run: it looks for this line.
pub(crate) fn installed<'p>(programs: &[&'p str], test: &str) -> Option<&'p str> {
    let is_there = |program: &&str| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = programs.iter().copied().find(is_there);
    if found.is_none() {
        not_run(test, &format!("{} isn't installed", programs[0]));
    }
    found
}

/// Tells `tests/run` that it should list a test as not run.
pub(crate) fn not_run(test: &str, why: &str) {
    // Written past libtest, which withholds what a test that passes prints, and which may be in
    // the middle of a line.
    let line = format!("\nskipped: {test}: {why}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Replaces temporary names, ports, ids and digests, and sorts the lines of an apply,
/// whose order depends on timing, by host.
pub(crate) fn normal(text: &str, directory: &Path) -> String {
    let mut text = text.replace(directory.to_str().unwrap(), "/tmp");
    text = text.replace(spore_drive::pretend::here().name(), "ARCHITECTURE");
    let word = |c: char| c.is_ascii_alphanumeric();
    for (before, with) in
        [("/tmp/spore-", "XXXXXX"), ("12D3KooW", "…"), ("sha256 ", "DIGEST"), ("port: ", "PORT")]
    {
        text = after(&text, before, with, word);
    }
    text = after(&text, "since the apply of ", "…", |c| c.is_ascii_alphanumeric() || "-:".contains(c));
    let lines = text.lines().map(without_time).collect::<Vec<_>>();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for run in lines.chunk_by_mut(|a, b| is_step(a) == is_step(b)).filter(|run| is_step(run[0])) {
        // The sort is stable, so the lines of one host keep their order.
        run.sort_by_key(|line| line.split_whitespace().nth(1));
    }
    lines.join("\n") + "\n"
}

/// The first line of a plan without the time.
fn without_time(line: &str) -> String {
    match line.split(", ").collect::<Vec<_>>()[..] {
        [network, time, hosts] if network.starts_with("network ") && time.ends_with('Z') => {
            format!("{network}, …, {hosts}")
        }
        _ => line.to_owned(),
    }
}

fn is_step(line: &str) -> bool {
    line.starts_with("  ✓ ")
}

/// Replaces the word that follows each `before` by `with`.
fn after(text: &str, before: &str, with: &str, is_part: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        out.push_str(head);
        out.push_str(with);
        rest = tail.trim_start_matches(&is_part);
    }
    out + rest
}

/// Compares the text with `snapshots/<name>.txt`.
#[track_caller]
pub(crate) fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(format!("{name}.txt"));
    if std::env::var_os("SPORE_BLESS").is_some() {
        return fs::write(&path, text).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(wanted.as_str(), text);
    let diff = diff.unified_diff().header("snapshot", "now").to_string();
    assert!(wanted == text, "{diff}\nSPORE_BLESS=1 updates the snapshots");
}
