//! Names of hosts, shapes and nodes. They are used in paths and unit names on hosts, so
//! few characters are allowed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// A name with characters that aren't allowed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("`{0}` isn't a valid name: use letters, digits, `_`, `.` and `-`, and begin with a letter or digit")]
pub struct InvalidName(String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Copies share the text: every resource of a host has its name.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if is_name(text) { Ok(Self(text.into())) } else { Err(InvalidName(text.to_owned())) }
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
    /// The name of a host in the folder.
    HostName
}
name! {
    /// The name of a shape, which is a template of nodes.
    ShapeName
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// A kind of daemon that a node can run. Everything else about it is in room `daemon`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Daemon {
    /// Taubyte's daemon.
    Tau,
}

/// The name of a node: a shape on a host, written `shape@host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    /// The shape from which the node is made.
    pub shape: ShapeName,
    /// The host on which it runs.
    pub host: HostName,
    /// The daemon that the node runs.
    pub daemon: Daemon,
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}@{}", self.shape, self.host))
    }
}
