//! Where each component of a folder is written, for those who edit it.

use super::component::{ENDINGS, stem};
use super::files::Files;
use super::mask::Mask;
use crate::finding::Component;
use crate::yaml;

/// Where a component is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In this file.
    File(String),
    /// In this folder, with one file for each entry.
    Folder(&'static str),
    /// Nowhere yet.
    Absent,
    /// In several places, which is an error.
    Several,
}

impl Layout {
    /// Where the component is written in this folder.
    pub(crate) fn of(component: Component, files: &Files) -> Self {
        let mut all = Vec::new();
        for name in component.names() {
            let paths = ENDINGS.iter().map(|ending| format!("{name}.{ending}"));
            all.extend(paths.filter(|path| files.get(path).is_some()).map(Self::File));
            // `keys/` is a component only if it has an entry.
            let has_entry = || files.below(name).any(|path| entry_of(name, path).is_some());
            if files.is_folder(name) && (component != Component::Logins || has_entry()) {
                all.push(Self::Folder(name));
            }
        }
        match all.len() {
            0 => Self::Absent,
            1 => all.remove(0),
            _ => Self::Several,
        }
    }

    /// The file of an entry of a folder, whether it exists or not.
    pub(crate) fn entry(folder: &str, name: &str, files: &Files) -> String {
        let paths = ENDINGS.iter().map(|ending| format!("{folder}/{name}.{ending}"));
        let mut existing = paths.filter(|path| files.get(path).is_some());
        existing.next().unwrap_or_else(|| format!("{folder}/{name}.{}", ENDINGS[0]))
    }

    /// The names of the entries of a folder, with their files.
    pub(crate) fn entries<'f>(folder: &'f str, files: &'f Files) -> impl Iterator<Item = (&'f str, &'f str)> {
        files.below(folder).filter_map(move |path| Some((entry_of(folder, path)?, path)))
    }
}

fn entry_of<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    let rest = &path[folder.len() + 1..];
    stem(rest).filter(|_| !rest.starts_with('.') && !rest.contains('/'))
}

/// The component that a file of the folder belongs to, and the entry that the file describes, if the
/// component is a folder. `None` if spore doesn't read such a file.
pub(crate) fn component_of(path: &str) -> Option<(Component, Option<&str>)> {
    let (name, entry) = match path.split_once('/') {
        Some((folder, file)) => (folder, Some(stem(file).filter(|entry| !entry.contains('/'))?)),
        None => (stem(path)?, None),
    };
    Some((named(name)?, entry))
}

fn named(name: &str) -> Option<Component> {
    Component::ALL.into_iter().find(|component| component.names().contains(&name))
}

/// The text of a file of the folder with its secrets masked, each byte by another one. Line ends
/// stay where they are.
pub fn shown(path: &str, text: &str) -> String {
    let (mark, text) = text.split_at(if text.starts_with('\u{feff}') { 3 } else { 0 });
    let first = path.split('/').next().unwrap_or_default();
    // Hosts are the component in which the fewest values are shown.
    let mut mask = Mask::new(text, named(stem(first).unwrap_or(first)).unwrap_or(Component::Hosts));
    yaml::parse(text, &mut mask);
    format!("{mark}{}", mask.finish())
}
