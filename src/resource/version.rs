//! The version that a program reports.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A program's version, as set by its build: `v1.1.10`, or the beginning of a commit id. It
/// is one word that is safe to print, and to store on a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(String);

/// The maximum length of a version.
const LONGEST: usize = 80;

/// Text that can't be a version.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a version has up to {LONGEST} letters, digits and any of `.+-_~`")]
pub struct InvalidVersion;

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || ".+-_~".contains(c);
        let fits = (1..=LONGEST).contains(&text.len()) && text.chars().all(is_word);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidVersion) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
