//! Finds out, without interpreting the files, whether an SSH configuration matters to spore: [`scan`].
//! Whatever isn't understood here counts as something that matters.

use std::fs;
use std::path::{Path, PathBuf};

/// The options that spore honours, or that decide what the others apply to.
const HONOURED: &[&str] = &[
    "hostname",
    "user",
    "port",
    "identityfile",
    "identitiesonly",
    "identityagent",
    "certificatefile",
    "proxyjump",
    "proxycommand",
    "userknownhostsfile",
    "globalknownhostsfile",
    "hostkeyalias",
    "connecttimeout",
    "canonicalizehostname",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
];

/// The words that aren't options.
const STRUCTURE: &[&str] = &["host", "match", "include", "ignoreunknown", "tag"];

/// How deep files may include each other, as in OpenSSH.
const DEEPEST: usize = 16;

/// What the files of a configuration set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Whether an option is set that spore honours.
    pub(super) matters: bool,
    /// The first file that sets one.
    pub(super) first: Option<PathBuf>,
    /// The other options.
    pub(super) unsupported: Vec<SetOption>,
}

/// An option that a file sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetOption {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

/// Looks at the user's and the system's file, and at those that they include.
pub(super) fn scan(own: Option<&Path>, system: &Path) -> Scan {
    let mut found = Scan::default();
    for file in own.into_iter().chain([system]) {
        // Relative names of included files are relative to this folder.
        let folder = file.parent().unwrap_or(Path::new("/"));
        found.file(file, folder, DEEPEST);
    }
    found
}

impl Scan {
    fn file(&mut self, file: &Path, folder: &Path, depth: usize) {
        // ssh ignores a file that it can't read.
        let Ok(text) = fs::read(file) else { return };
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let Some((name, values)) = words(line) else { continue };
            let lower = name.to_ascii_lowercase();
            if lower == "include" {
                for included in values {
                    self.include(&included, file, folder, depth);
                }
            } else if HONOURED.contains(&&*lower) {
                self.matters(file);
            } else if !STRUCTURE.contains(&&*lower) {
                self.unsupported.push(SetOption { name, file: file.to_owned(), line: index + 1 });
            }
        }
    }

    fn matters(&mut self, file: &Path) {
        self.matters = true;
        self.first.get_or_insert_with(|| file.to_owned());
    }

    fn include(&mut self, pattern: &str, by: &Path, folder: &Path, depth: usize) {
        let path = folder.join(super::folder::expand(Path::new(pattern)));
        let (parent, name) =
            (path.parent(), path.file_name().map(|name| name.to_string_lossy().into_owned()));
        let (Some(parent), Some(name)) = (parent, name) else { return };
        let is_plain = |text: &str| !text.contains(['*', '?', '[', '%', '$', '{']);
        if depth == 0 || !is_plain(&parent.to_string_lossy()) || name.contains(['[', '%', '$', '{']) {
            return self.matters(by);
        }
        if is_plain(&name) {
            return self.file(&path, folder, depth - 1);
        }
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        for entry in names {
            // As with a shell, a `*` doesn't match a leading dot.
            if fits(&name, &entry) && (!entry.starts_with('.') || name.starts_with('.')) {
                self.file(&parent.join(entry), folder, depth - 1);
            }
        }
    }
}

/// The first word of a line, and the others; `None` if the line is empty or a comment.
fn words(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut values = Vec::new();
    let mut rest = rest.trim();
    while !rest.is_empty() {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        values.push(value.to_owned());
        rest = after.trim_start();
    }
    Some((name.trim_matches('"').to_owned(), values))
}

/// Whether a name fits a pattern with `*` and `?`.
fn fits(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    match pattern.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = pattern.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            let mut ends = ends;
            ends.any(|at| name.get(at..).is_some_and(|tail| fits(rest, tail)))
        }
        Some(wanted) => {
            let mut name = name.chars();
            name.next().is_some_and(|c| wanted == '?' || wanted == c) && fits(pattern.as_str(), name.as_str())
        }
    }
}
