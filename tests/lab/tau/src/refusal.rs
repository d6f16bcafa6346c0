//! What tau says when it refuses: one text, chained as Go chains its errors (`outer failed with: inner`).
//!
//! The texts are the real tau's, because what reads them (tests, and people with two journals side by side) knows
//! those. Nothing here tells one refusal from another: all of them end in exit status 1.

use std::fmt;
use std::io;
use std::path::Path;

/// Why tau doesn't go on.
#[derive(Debug)]
pub(crate) struct Refusal(String);

impl Refusal {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The same refusal, seen from further out.
    pub(crate) fn within(self, context: impl fmt::Display) -> Self {
        Self(format!("{context}: {}", self.0))
    }

    /// As [`Refusal::within`], where the real one chains without a colon.
    pub(crate) fn after(self, context: impl fmt::Display) -> Self {
        Self(format!("{context} {}", self.0))
    }

    /// A failed read of a file, in the words of Go's `os.ReadFile`.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let call = if error.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
        Self(format!("{call} {}: {}", path.display(), errno_text(error)))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `No such file or directory (os error 2)` as Go has it: `no such file or directory`.
pub(crate) fn errno_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
