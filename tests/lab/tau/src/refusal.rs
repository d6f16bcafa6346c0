//! The error with which tau rejects its input: one text, chained like Go's errors (`outer
//! failed with: inner`).
//!
//! The texts are those of the real tau, because tests compare them. There is only one type,
//! because every error leads to exit status 1.

use std::fmt;
use std::io;
use std::path::Path;

/// The reason why tau exits.
#[derive(Debug)]
pub(crate) struct Refusal(String);

impl Refusal {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Adds context before the error.
    pub(crate) fn within(self, context: impl fmt::Display) -> Self {
        Self(format!("{context}: {}", self.0))
    }

    /// Like [`Refusal::within`], but without a colon, for errors in which the real tau has
    /// none.
    pub(crate) fn after(self, context: impl fmt::Display) -> Self {
        Self(format!("{context} {}", self.0))
    }

    /// The error for a file that can't be read, with the text of Go's `os.ReadFile`.
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

/// Converts `No such file or directory (os error 2)` to Go's `no such file or directory`.
pub(crate) fn errno_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
