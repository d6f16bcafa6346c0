//! What a change to a network means for the files of its folder: which of them are edited, and
//! where, in the dialect in which the folder is written. The main entry point is [`Edits`], which
//! collects the changes; [`create()`] and [`adopt()`] compose the files of a new network and of one that
//! runs already, and [`convert()`] changes the dialect. Nothing is written here.
//!
//! Whether the result is a sound network is left to `check`, and how an edit is made to `edit`.

mod adopted;
mod arguments;
mod bootstrap;
mod convert;
mod create;
mod hosts;
pub mod inventory;
mod logins;
mod pins;
mod shapes;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use adopted::{ACCOUNTS, APP_KEY, AdoptedNetwork, TENANCY, adopt};
pub use arguments::{Degrees, NotAnSshd, NotDegrees, Sshd};
pub use convert::{Converted, Unconvertible, convert};
pub use create::{LAST, NewNetwork, PRIVATE_KEY, PUBLIC_KEY, SWARM_KEY, create};
pub use hosts::{NewHost, NewKey, NewNode, PlaceOfKey, Renewed};
pub use logins::NewLogin;
pub use shapes::{NewShape, ShapeChange};

use crate::edit::{self, Change, New, Path, Refused};
use crate::network::{Component, Files, Layout};
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// Why a change can't be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Impossible {
    /// There is something of this name already.
    #[error("{0} already exists in {1}")]
    Exists(String, String),
    /// There is nothing of this name.
    #[error("there is no {0} in the folder")]
    Missing(String),
    /// The component is written in several files.
    #[error("the folder has more than one file for its {0}")]
    Several(&'static str),
    /// A file isn't a text that could be read.
    #[error("{0} can't be edited: it isn't a readable text file of the folder")]
    Unreadable(String),
    /// A file can't be edited without changing something else.
    #[error("{file}:{}: {}", refused.line, refused.why)]
    Refused {
        /// The file.
        file: String,
        /// The edit that was refused.
        refused: Refused,
    },
}

impl Impossible {
    /// The same, with `text` in place of the lines to write by hand, which have a secret.
    pub(super) fn without_secret(self, text: &str) -> Self {
        match self {
            Self::Refused { file, refused } => {
                Self::Refused { file, refused: Refused { lines: text.to_owned(), ..refused } }
            }
            other => other,
        }
    }

    /// What the user has to write, and where, if the edit can't be made safely.
    pub fn by_hand(&self) -> Option<String> {
        let Self::Refused { file, refused } = self else { return None };
        let below =
            if refused.path.0.is_empty() { String::new() } else { format!(", under `{}`", refused.path) };
        Some(match refused.lines.is_empty() {
            true => format!("edit the file by hand: remove `{}` from {file}", refused.path),
            false => format!("edit the file by hand; write in {file}{below}:\n{}", refused.lines),
        })
    }
}

/// A file that changes.
#[derive(Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path in the folder.
    pub path: String,
    /// The text before; `None` if the file is new.
    pub before: Option<String>,
    /// The text after; `None` if the file is deleted.
    pub after: Option<String>,
    /// Whether the file is a secret, which only its owner may read.
    pub is_secret: bool,
}

/// The texts may have secrets.
impl fmt::Debug for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileChange({})", self.path)
    }
}

/// Changes of a folder's files. Each is made on the result of those before.
pub struct Edits<'f> {
    files: &'f Files,
    /// In the order in which the files are to be written.
    changed: Vec<FileChange>,
}

/// The names of things that differ between the two dialects of the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Manual,
    Upstream,
}

impl<'f> Edits<'f> {
    /// No changes yet.
    pub fn new(files: &'f Files) -> Self {
        Self { files, changed: Vec::new() }
    }

    /// The changes, in an order in which the folder is sound after each of them if it is sound
    /// after all.
    pub fn finish(self) -> Vec<FileChange> {
        let mut changes = self.changed;
        changes.retain(|change| change.before != change.after);
        // Files that name secrets come after the secrets.
        changes.sort_by_key(|change| !change.is_secret);
        changes
    }

    /// Adds a secret file.
    pub fn secret(&mut self, path: &str, text: String) -> Result<(), Impossible> {
        if self.files.text(path).is_some() {
            return Err(Impossible::Exists(path.to_owned(), "the folder".to_owned()));
        }
        self.change(path, Some(text), true);
        Ok(())
    }

    fn change(&mut self, path: &str, after: Option<String>, is_secret: bool) {
        match self.changed.iter_mut().find(|change| change.path == path) {
            Some(change) => change.after = after,
            None => {
                let before = self.files.text(path).map(str::to_owned);
                self.changed.push(FileChange { path: path.to_owned(), before, after, is_secret });
            }
        }
    }

    /// The current text of a file.
    fn text(&self, path: &str) -> Option<&str> {
        match self.changed.iter().find(|change| change.path == path) {
            Some(change) => change.after.as_deref(),
            None => self.files.text(path),
        }
    }

    fn edit(&mut self, file: &str, path: &Path, change: &Change) -> Result<(), Impossible> {
        let is_changed = self.changed.iter().any(|change| change.path == file);
        if !is_changed && self.files.has(file) && self.files.text(file).is_none() {
            return Err(Impossible::Unreadable(file.to_owned()));
        }
        let text = self.text(file).unwrap_or_default();
        let refused = |refused| Impossible::Refused { file: file.to_owned(), refused };
        let after = edit::edit(text, path, change).map_err(refused)?;
        self.change(file, Some(after), false);
        Ok(())
    }

    fn layout(&self, component: Component) -> Result<Layout, Impossible> {
        match Layout::of(component, self.files) {
            Layout::Several => Err(Impossible::Several(component.names()[0])),
            layout => Ok(layout),
        }
    }

    /// The file and the path of a value of a component, by its keys. The file may not exist yet.
    fn place(&self, component: Component, keys: &[&str]) -> Result<(String, Path), Impossible> {
        Ok(match (self.layout(component)?, keys) {
            (Layout::File(file), _) => (file, Path::keys(keys.iter().copied())),
            (Layout::Folder(folder), [first, rest @ ..]) => {
                (Layout::entry(folder, first, self.files), Path::keys(rest.iter().copied()))
            }
            (Layout::Folder(folder), []) => (format!("{folder}/"), Path::default()),
            (Layout::Absent | Layout::Several, _) => {
                (self.new_file(component), Path::keys(keys.iter().copied()))
            }
        })
    }

    /// The name of the file of a component that the folder doesn't have yet.
    fn new_file(&self, component: Component) -> String {
        let names = component.names();
        let name = match self.dialect() {
            Dialect::Manual => names.first(),
            Dialect::Upstream => names.last(),
        };
        format!("{}.yaml", name.copied().unwrap_or_default())
    }

    /// The value of a component at these keys.
    fn value(&self, component: Component, keys: &[&str]) -> Result<Option<Value>, Impossible> {
        let (file, path) = self.place(component, keys)?;
        Ok(self.text(&file).and_then(|text| edit::value(text, &path)))
    }

    /// Adds an entry to a component.
    fn add_entry(&mut self, component: Component, name: &str, new: New) -> Result<(), Impossible> {
        let (file, path) = self.place(component, &[name])?;
        if self.value(component, &[name])?.is_some() || path.0.is_empty() && self.text(&file).is_some() {
            return Err(Impossible::Exists(format!("`{name}`"), file));
        }
        match (path.0.is_empty(), new) {
            (true, New::Map(entries)) => entries
                .into_iter()
                .try_for_each(|(key, value)| self.edit(&file, &path, &Change::Add(key, value))),
            (_, new) => self.edit(&file, &Path::default(), &Change::Add(name.to_owned(), new)),
        }
    }

    /// Removes an entry of a component.
    fn remove_entry(&mut self, component: Component, what: &str, name: &str) -> Result<(), Impossible> {
        let (file, path) = self.place(component, &[name])?;
        let is_there =
            self.text(&file).is_some_and(|text| path.0.is_empty() || edit::value(text, &path).is_some());
        if !is_there {
            return Err(Impossible::Missing(format!("{what} `{name}`")));
        }
        if path.0.is_empty() {
            self.change(&file, None, false);
            return Ok(());
        }
        self.edit(&file, &path, &Change::Remove)
    }

    /// The entries of a component.
    fn entries(&self, component: Component) -> Result<BTreeMap<String, Value>, Impossible> {
        let whole = |file: &str| self.text(file).and_then(|text| edit::value(text, &Path::default()));
        Ok(match self.layout(component)? {
            Layout::File(file) => match whole(&file) {
                Some(Value::Mapping(entries)) => {
                    let entry = |(key, value): (Value, Value)| Some((key.as_str()?.to_owned(), value));
                    entries.into_iter().filter_map(entry).collect()
                }
                _ => BTreeMap::new(),
            },
            Layout::Folder(folder) => Layout::entries(folder, self.files)
                .filter_map(|(name, file)| Some((name.to_owned(), whole(file)?)))
                .collect(),
            Layout::Absent | Layout::Several => BTreeMap::new(),
        })
    }

    /// The dialect of the folder as a whole, by the names of its files.
    fn dialect(&self) -> Dialect {
        let is_manual = |component: Component| {
            let old = component.names()[0];
            component.names().len() > 1
                && match Layout::of(component, self.files) {
                    Layout::File(file) => file.starts_with(&format!("{old}.")),
                    Layout::Folder(folder) => folder == old,
                    Layout::Absent | Layout::Several => false,
                }
        };
        let is_manual = is_manual(Component::Network) || is_manual(Component::Logins);
        if is_manual { Dialect::Manual } else { Dialect::Upstream }
    }

    /// The dialect in which entries of a component are written, by which of these fields they
    /// have; without any, that of the folder.
    fn dialect_by(&self, entries: &BTreeMap<String, Value>, manual: &[&str], upstream: &[&str]) -> Dialect {
        let has = |path: &[&str]| {
            let found = |entry: &Value| path.iter().try_fold(entry, |value, key| value.get(*key)).is_some();
            entries.values().any(found)
        };
        match (has(manual), has(upstream)) {
            (true, false) => Dialect::Manual,
            (false, true) => Dialect::Upstream,
            _ => self.dialect(),
        }
    }
}

/// One text, or a list of several.
fn one_or_list(texts: &[String], always_list: bool) -> New {
    match texts {
        [one] if !always_list => New::text(one),
        texts => New::List(texts.iter().map(New::text).collect()),
    }
}
