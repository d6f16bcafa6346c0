//! What an action finds in place of what it expects, as its script reports it: `differs` and
//! three words in base64, [`Differs::what`], [`Expected`] and [`Found`].

use crate::resource::{Sha256, Untrusted};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What an action has found in place of what it expects. Nothing was touched.
///
/// The texts are the host's: `T` is [`Untrusted`] until they have been through a redactor, and
/// then [`Printable`](crate::resource::Printable).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs<T> {
    /// What it is about: a path, a unit, a package, or a port with its protocol.
    pub what: T,
    /// What the plan expects there.
    pub expected: Expected<T>,
    /// What is there.
    pub found: Found<T>,
}

/// What the plan expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected<T> {
    /// Nothing at the path.
    Nothing,
    /// A file; with this digest, if it is known.
    File(Option<Sha256>),
    /// A symbolic link to this.
    Link(T),
    /// A directory.
    Directory,
    /// What was staged for another path; with this digest, if the file is there at all.
    Staged {
        /// The other path.
        of: T,
        /// The digest.
        sha256: Option<Sha256>,
    },
    /// This mode and owner.
    Access(T),
    /// The package isn't installed.
    NotInstalled,
    /// An installation of the package was cut off.
    Unfinished,
    /// No rule of the owner's for the port.
    NoRule,
    /// The unit isn't started at boot.
    Disabled,
    /// The unit is starting.
    Starting,
    /// The unit is stopped.
    Stopped,
    /// The unit is running in this start.
    Start(T),
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// Nothing at the path.
    Nothing,
    /// This at the path.
    There(Thing<T>),
    /// This at the path, with this mode and owner.
    WithAccess(Thing<T>, T),
    /// The path now holds a different directory from the one in the plan.
    AnotherDirectory,
    /// The package isn't installed.
    NotInstalled,
    /// The package, in this state in the package manager's words.
    Package(T),
    /// This rule of the owner's for the port, in the firewall's words.
    Rule(T),
    /// No unit file.
    NoUnitFile,
    /// Whether the unit is started at boot, in the service manager's words.
    Boot(T),
    /// The unit is stopped.
    Stopped,
    /// The unit is in this state, in the service manager's words.
    Unit {
        /// The state.
        active: T,
        /// The start.
        start: T,
        /// It was started with other files than those on the disk.
        outdated: bool,
    },
    /// The unit was started again: this is the start.
    Start(T),
    /// A file that the unit reads has changed since that start.
    ChangedInput,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing<T> {
    /// A file; with this digest, if the script has read it.
    File(Option<Sha256>),
    /// A symbolic link to this.
    Link(T),
    /// A directory.
    Directory,
    /// Neither of these.
    Other,
}

impl Differs<Untrusted> {
    /// Reads the words that follow `differs`.
    pub(super) fn parse(what: &str, expected: &str, found: &str) -> Option<Self> {
        Some(Self {
            what: Untrusted::new(decoded(what)?),
            expected: Expected::parse(&decoded(expected)?)?,
            found: Found::parse(&decoded(found)?)?,
        })
    }
}

impl<T> Differs<T> {
    /// The same with other texts.
    pub fn map<U>(self, to: impl Fn(T) -> U) -> Differs<U> {
        Differs { what: to(self.what), expected: self.expected.map(&to), found: self.found.map(&to) }
    }
}

impl Expected<Untrusted> {
    fn parse(text: &str) -> Option<Self> {
        Some(match split(text) {
            ("nothing", "") => Self::Nothing,
            ("file", sha256) => Self::File(digest(sha256)?),
            ("link", target) => Self::Link(Untrusted::new(target)),
            ("directory", "") => Self::Directory,
            ("staged", rest) => {
                let (sha256, of) = split(rest);
                let sha256 = if sha256 == "-" { None } else { Some(sha256.parse().ok()?) };
                Self::Staged { of: Untrusted::new(of), sha256 }
            }
            ("access", access) => Self::Access(Untrusted::new(access)),
            ("not-installed", "") => Self::NotInstalled,
            ("unfinished", "") => Self::Unfinished,
            ("no-rule", "") => Self::NoRule,
            ("disabled", "") => Self::Disabled,
            ("starting", "") => Self::Starting,
            ("stopped", "") => Self::Stopped,
            ("start", id) => Self::Start(Untrusted::new(id)),
            _ => return None,
        })
    }
}

impl<T> Expected<T> {
    fn map<U>(self, to: &impl Fn(T) -> U) -> Expected<U> {
        match self {
            Self::Nothing => Expected::Nothing,
            Self::File(sha256) => Expected::File(sha256),
            Self::Link(target) => Expected::Link(to(target)),
            Self::Directory => Expected::Directory,
            Self::Staged { of, sha256 } => Expected::Staged { of: to(of), sha256 },
            Self::Access(access) => Expected::Access(to(access)),
            Self::NotInstalled => Expected::NotInstalled,
            Self::Unfinished => Expected::Unfinished,
            Self::NoRule => Expected::NoRule,
            Self::Disabled => Expected::Disabled,
            Self::Starting => Expected::Starting,
            Self::Stopped => Expected::Stopped,
            Self::Start(id) => Expected::Start(to(id)),
        }
    }
}

impl Found<Untrusted> {
    fn parse(text: &str) -> Option<Self> {
        let unit = |rest: &str, outdated| {
            let (active, start) = split(rest);
            Self::Unit { active: Untrusted::new(active), start: Untrusted::new(start), outdated }
        };
        Some(match split(text) {
            ("nothing", "") => Self::Nothing,
            ("access", rest) => {
                let (mode, rest) = split(rest);
                let (owner, thing) = split(rest);
                Self::WithAccess(Thing::parse(thing)?, Untrusted::new(format!("{mode} {owner}")))
            }
            ("another-directory", "") => Self::AnotherDirectory,
            ("not-installed", "") => Self::NotInstalled,
            ("package", state) => Self::Package(Untrusted::new(state)),
            ("rule", rule) => Self::Rule(Untrusted::new(rule)),
            ("no-unit-file", "") => Self::NoUnitFile,
            ("boot", state) => Self::Boot(Untrusted::new(state)),
            ("stopped", "") => Self::Stopped,
            ("active", rest) => unit(rest, false),
            ("outdated", rest) => unit(rest, true),
            ("start", id) => Self::Start(Untrusted::new(id)),
            ("changed-input", "") => Self::ChangedInput,
            _ => Self::There(Thing::parse(text)?),
        })
    }
}

impl<T> Found<T> {
    fn map<U>(self, to: &impl Fn(T) -> U) -> Found<U> {
        match self {
            Self::Nothing => Found::Nothing,
            Self::There(thing) => Found::There(thing.map(to)),
            Self::WithAccess(thing, access) => Found::WithAccess(thing.map(to), to(access)),
            Self::AnotherDirectory => Found::AnotherDirectory,
            Self::NotInstalled => Found::NotInstalled,
            Self::Package(state) => Found::Package(to(state)),
            Self::Rule(rule) => Found::Rule(to(rule)),
            Self::NoUnitFile => Found::NoUnitFile,
            Self::Boot(state) => Found::Boot(to(state)),
            Self::Stopped => Found::Stopped,
            Self::Unit { active, start, outdated } => {
                Found::Unit { active: to(active), start: to(start), outdated }
            }
            Self::Start(id) => Found::Start(to(id)),
            Self::ChangedInput => Found::ChangedInput,
        }
    }
}

impl Thing<Untrusted> {
    fn parse(text: &str) -> Option<Self> {
        Some(match split(text) {
            ("file", sha256) => Self::File(digest(sha256)?),
            ("link", target) => Self::Link(Untrusted::new(target)),
            ("directory", "") => Self::Directory,
            ("other", "") => Self::Other,
            _ => return None,
        })
    }
}

impl<T> Thing<T> {
    fn map<U>(self, to: &impl Fn(T) -> U) -> Thing<U> {
        match self {
            Self::File(sha256) => Thing::File(sha256),
            Self::Link(target) => Thing::Link(to(target)),
            Self::Directory => Thing::Directory,
            Self::Other => Thing::Other,
        }
    }
}

/// The first word, and what follows it.
fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// A digest; or none, which isn't a wrong one.
fn digest(text: &str) -> Option<Option<Sha256>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn decoded(word: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(word).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
