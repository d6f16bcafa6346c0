//! Names of hosts, shapes and nodes. They become paths and unit names on a
//! host, so what they may contain is narrow.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A name that can't be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("`{0}` is not a usable name: letters, digits, `_`, `.` and `-`, the first a letter or digit")]
pub struct InvalidName(String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidName(text.to_owned())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// A host, as the folder calls it.
    HostName
}
name! {
    /// A shape: a template of nodes.
    ShapeName
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// One shape on one host, written `shape@host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    /// What it runs.
    pub shape: ShapeName,
    /// Where.
    pub host: HostName,
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}@{}", self.shape, self.host))
    }
}
