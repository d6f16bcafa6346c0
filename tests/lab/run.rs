//! The result of running `spore`: its exit code and output, and assertions about them.

use crate::host::LabHost;

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Run {
    command: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    /// With `SPORE_LAB_SHOW=1`, prints every run.
    #[expect(clippy::print_stderr, reason = "only where it was asked for")]
    pub(crate) fn new(arguments: &[&str], code: Option<i32>, out: String, err: String) -> Self {
        let run = Self { command: format!("spore {}", arguments.join(" ")), code, out, err };
        if std::env::var_os("SPORE_LAB_SHOW").is_some() {
            eprintln!("{run}");
        }
        run
    }

    /// The command's exit code; `None` if it was killed by a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}: {self}");
        self
    }

    /// Asserts that a line contains `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.lines_with(text).next().is_some(), "expected a line with `{text}`: {self}");
        self
    }

    /// Asserts that one line contains all of `texts`.
    #[track_caller]
    pub(crate) fn says_in_one_line(self, texts: &[&str]) -> Self {
        let found = self.lines().any(|line| texts.iter().all(|text| line.contains(text)));
        assert!(found, "expected one line with {texts:?}: {self}");
        self
    }

    /// Asserts that no line contains `text`.
    #[track_caller]
    #[expect(clippy::wrong_self_convention, reason = "a link of a chain, as its neighbours are")]
    pub(crate) fn is_silent_on(self, text: &str) -> Self {
        assert!(self.lines_with(text).next().is_none(), "expected no line with `{text}`: {self}");
        self
    }

    /// Asserts that the line that starts with `plan: ` contains `text`.
    #[track_caller]
    pub(crate) fn last_says(self, text: &str) -> Self {
        let last = self.out.lines().rfind(|line| line.starts_with("plan: "));
        assert!(last.is_some_and(|line| line.contains(text)), "expected `plan: …{text}`: {self}");
        self
    }

    /// The last line on standard output.
    pub(crate) fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }

    /// The lines that contain `text`.
    pub(crate) fn lines_with<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines().filter(move |line| line.contains(text))
    }

    /// Whether the output contains `text`.
    pub(crate) fn printed(&self, text: &str) -> bool {
        self.out.contains(text) || self.err.contains(text)
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.out.lines().chain(self.err.lines())
    }

    /// A plan's lines about one host, which are below its heading.
    pub(crate) fn of_host(&self, host: &LabHost) -> Vec<&str> {
        // The heading may say where the host's changes come from.
        let is_heading = |line: &str| line.split("  changed ").next() == Some(host.name());
        let below = self.out.lines().skip_while(|line| !is_heading(line)).skip(1);
        below.take_while(|line| !line.is_empty()).collect()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, out, err } = self;
        write!(f, "\n`{command}` ended with {code:?}\n--- output\n{out}--- errors\n{err}---")
    }
}
