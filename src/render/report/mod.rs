//! Results for other programs: pipelines, pull requests, code scanners. A [`Report`] is a
//! list of results with their places, whatever they are about, and each of the other files
//! here writes it in one format. `findings` makes a report of a folder's findings,
//! `plan` one of a plan, and `drift` one of what has changed on the hosts.
//!
//! A report contains text from the folder. Secrets have been masked before, and each format
//! escapes whatever its readers would interpret.

mod drift;
mod findings;
mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod plan;
mod sarif;

pub use drift::drift;
pub use findings::findings;
pub use github::github;
pub use html::html;
pub use json::{Document, json};
pub use junit::junit;
pub use markdown::markdown;
pub use plan::plan;
pub use sarif::sarif;

/// The results of a command.
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the command.
    pub command: &'static str,
    /// The conclusion in one line, without the command's name.
    pub verdict: String,
    /// Further lines about all of it, such as the digest of a plan. Only for people.
    pub about: Vec<String>,
    /// The path of the folder, relative to the root of its repository. Empty if it is the
    /// root.
    pub folder: String,
    /// What most results are: a noun, such as `problem`.
    pub what: &'static str,
    /// Everything that the command looks for, with or without results.
    pub rules: Vec<Rule>,
    /// The results, the most important first.
    pub items: Vec<Item>,
    /// The command fails if there is a result of at least this level.
    pub fails_at: Level,
}

/// How much a result matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something that the user should know.
    Note,
    /// A likely mistake, or something to look at before going on.
    Warning,
    /// Something that has to be fixed.
    Error,
}

/// What a command looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable id, such as `ports/clash`.
    pub id: &'static str,
    /// What is the case if there is a result: a lowercase fragment.
    pub title: &'static str,
    /// Why that matters: sentences.
    pub why: &'static str,
}

/// One result.
#[derive(Clone, Debug)]
pub struct Item {
    /// What was looked for.
    pub rule: Rule,
    /// How much the result matters.
    pub level: Level,
    /// What was found, in plain text. Names are in backticks.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// The places that show it, the primary place first.
    pub places: Vec<Place>,
    /// The host that it is about.
    pub host: Option<String>,
    /// The results that it belongs to; they follow each other.
    pub group: Option<String>,
    /// Preformatted text: lines of a file, or a difference.
    pub excerpt: String,
}

/// A place in a file of the folder.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path relative to the folder.
    pub file: String,
    /// The part of the file, unless it is the whole file.
    pub region: Option<Region>,
    /// What is to be seen there; may be empty.
    pub label: String,
}

/// A part of a file. Lines and columns are counted from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The line of the first character.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// The line of the end, and the column after the last character, if the end is known.
    pub end: Option<(usize, usize)>,
}

impl Report {
    /// The conclusion in one line, with the command's name.
    pub fn conclusion(&self) -> String {
        format!("{}: {}", self.command, self.verdict)
    }

    /// The path of a file of the folder, or of the folder itself, relative to the root of
    /// the repository.
    fn path(&self, file: &str) -> String {
        match (&*self.folder, file) {
            ("", "") => ".".to_owned(),
            ("", path) | (path, "") => path.to_owned(),
            (folder, file) => format!("{folder}/{file}"),
        }
    }

    /// Example: `networks/prod/hosts.yaml:3:5`.
    fn location(&self, place: &Place) -> String {
        let path = self.path(&place.file);
        match place.region {
            Some(Region { line, column, .. }) => format!("{path}:{line}:{column}"),
            None => path,
        }
    }

    /// The number of results of a level.
    fn count(&self, level: Level) -> usize {
        self.items.iter().filter(|item| item.level == level).count()
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Item {
    /// The excerpt and the help.
    fn details(&self) -> String {
        let mut text = self.excerpt.clone();
        if let Some(help) = &self.help {
            text.push_str(&format!("help: {help}\n"));
        }
        text
    }
}
