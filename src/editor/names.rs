//! Where names are defined and used: those of hosts, shapes and logins, and the paths of files.

use super::tree::{self, Part};
use super::{Cursor, Document, document, keys};
use crate::edit::Step;
use crate::finding::Component;
use crate::network::{Files, Layout};
use std::ops::Range;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A host.
    Host,
    /// A login.
    Login,
    /// A shape.
    Shape,
    /// A file, by its path in the folder.
    File,
}

/// A range of bytes in a file of the folder, without its byte-order mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The path of the file, as the folder has it or as it is written there.
    pub file: String,
    /// The range.
    pub span: Range<usize>,
}

/// A name where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) of: Named,
    pub(super) text: String,
    pub(super) is_definition: bool,
    pub(super) spot: Spot,
}

/// What the key or the value at the end of a way in a component names, and whether that is its definition.
pub(super) fn role(component: Component, path: &[Step], part: Part) -> Option<(Named, bool)> {
    Some(match (component, part, &keys(path)[..]) {
        (Component::Hosts, Part::Key, [_]) => (Named::Host, true),
        (Component::Shapes, Part::Key, [_]) => (Named::Shape, true),
        (Component::Logins, Part::Key, [_]) => (Named::Login, true),
        (Component::Hosts, Part::Key, [_, "shapes", _])
        | (Component::Network, Part::Key, ["p2p", "bootstrap", _]) => (Named::Shape, false),
        (Component::Network, Part::Value, ["p2p", "bootstrap", _])
        | (Component::Hosts, Part::Value, [_, "ssh", "jump"]) => (Named::Host, false),
        (Component::Hosts, Part::Value, [_, "ssh", "auth" | "key"]) => (Named::Login, false),
        (Component::Network, Part::Value, ["p2p", "swarm", "key"])
        | (Component::Network, Part::Value, ["domain", "validation", "key", "private" | "public"])
        | (Component::Logins, Part::Value, [_, "key" | "files" | "password_file"])
        | (Component::Hosts, Part::Value, [_, "shapes", _, "key_file"])
        | (Component::Shapes, Part::Value, [_, "plugins"])
        | (Component::Tenancy, Part::Value, ["app", "key_file"])
        | (Component::Tau, Part::Value, [_, "path"]) => (Named::File, false),
        _ => return None,
    })
}

impl Document<'_> {
    fn name(&self, file: &str, path: &[Step], part: Part, span: Range<usize>, text: &str) -> Option<Name> {
        let path = self.whole(path);
        let (of, is_definition) = role(self.component, &path, part)?;
        let text = match self.component {
            // A plugin is named by its file in a folder of its own.
            Component::Shapes if of == Named::File => format!("plugins/{text}"),
            _ => text.to_owned(),
        };
        Some(Name { of, text, is_definition, spot: Spot { file: file.to_owned(), span } })
    }
}

impl Cursor<'_> {
    /// The name under the cursor.
    pub(super) fn name(&self) -> Option<Name> {
        let document = self.document()?;
        let written = tree::with_root(document.text, self.offset, |root| {
            let found = tree::at(root, self.offset)?;
            let text = match (found.part, &found.path.last()) {
                (Part::Key, Some(Step::Key(key))) => key.clone(),
                (Part::Value, _) => found.node.content.text()?.to_owned(),
                _ => return None,
            };
            document.name(self.file, &found.path, found.part, found.span.range(), &text)
        });
        // A file for one entry defines its name, wherever the cursor is in the rest of the file.
        written.or_else(|| entry(&document, self.file))
    }

    /// Where the name under the cursor is defined, or the value of the alias.
    pub fn definition(&self) -> Vec<Spot> {
        if let Some(spot) = self.anchor() {
            return vec![spot];
        }
        let is_on_entry = |name: &Name| name.is_definition && name.spot.span.is_empty();
        let Some(name) = self.name().filter(|name| !is_on_entry(name)) else { return Vec::new() };
        match name.of {
            Named::File => vec![Spot { file: name.text, span: 0..0 }],
            _ => self.same(&name).filter(|other| other.is_definition).map(|other| other.spot).collect(),
        }
    }

    /// Where the name under the cursor is used, and where it is defined if `with_definition`.
    pub fn references(&self, with_definition: bool) -> Vec<Spot> {
        let Some(name) = self.name() else { return Vec::new() };
        let shown = |other: &Name| with_definition || !other.is_definition;
        self.same(&name).filter(shown).map(|other| other.spot).collect()
    }

    fn same(&self, name: &Name) -> impl Iterator<Item = Name> {
        all(self.files).into_iter().filter(move |other| other.of == name.of && other.text == name.text)
    }

    fn anchor(&self) -> Option<Spot> {
        let document = self.document()?;
        tree::with_root(document.text, self.offset, |root| {
            let found = tree::at(root, self.offset).filter(|found| found.part == Part::Alias)?;
            Some(Spot { file: self.file.to_owned(), span: found.node.defined?.range() })
        })
    }
}

fn entry(document: &Document<'_>, file: &str) -> Option<Name> {
    let entry = document.entry?;
    document.name(file, &[], Part::Key, 0..0, entry)
}

/// Every name in the folder, in the order of its files. A file with a YAML error is left out.
pub(super) fn all(files: &Files) -> Vec<Name> {
    let mut names = Vec::new();
    for component in Component::ALL {
        let paths: Vec<String> = match Layout::of(component, files) {
            Layout::File(file) => vec![file],
            Layout::Folder(folder) => {
                Layout::entries(folder, files).map(|(_, file)| file.to_owned()).collect()
            }
            Layout::Absent | Layout::Several => Vec::new(),
        };
        for path in paths {
            let Some(document) = document(files, &path) else { continue };
            names.extend(entry(&document, &path));
            let Some(root) = tree::root(document.text) else { continue };
            tree::each(&root, &mut Vec::new(), &mut |way, part, span, text| {
                names.extend(document.name(&path, way, part, span.range(), text));
            });
        }
    }
    names
}
