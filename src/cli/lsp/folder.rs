//! A folder, some of whose files are open in the editor.

use super::text::{Encoding, Text};
use crate::check;
use crate::finding::Component;
use crate::network::{Draft, FileSchema, Files, Finding, Layout, Outside, Secrets, component_of};
use crate::resource::Sha256;
use lsp_types::Url;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The maximum size of a text of the editor that is read instead of its file.
const MOST_BYTES: usize = 16_000_000;

/// A file that is open.
pub(super) struct Document {
    /// Its path, without symbolic links to the folder that it is in.
    pub(super) path: PathBuf,
    pub(super) text: Text,
    pub(super) version: i32,
}

/// The open files, by what the editor calls them.
pub(super) type Documents = BTreeMap<Url, Document>;

/// The path of a file without symbolic links to the folder that it is in. The file may not exist.
pub(super) fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// The folder of the network that a file is part of, and the folder as the editor calls it.
pub(super) fn holding(path: &Path, documents: &Documents) -> Option<(PathBuf, PathBuf)> {
    let shown = path.to_owned();
    let path = real(path);
    let above = path.ancestors().skip(1).zip(shown.ancestors().skip(1)).take(2);
    let found = above.into_iter().find(|(folder, _)| {
        let file = path.strip_prefix(folder).ok().and_then(Path::to_str);
        file.is_some_and(|file| FileSchema::of(file).is_some()) && is_network(folder, documents)
    });
    found.map(|(folder, shown)| (folder.to_owned(), shown.to_owned()))
}

/// Whether the folder has the file that every network has, saved or not. Other files of a network, such as
/// `hosts.yaml`, have names that may mean anything.
fn is_network(folder: &Path, documents: &Documents) -> bool {
    Component::Network.names().iter().any(|name| {
        let files = ["yaml", "yml"].map(|ending| folder.join(format!("{name}.{ending}")));
        let is_there = |path: &PathBuf| path.exists() || documents.values().any(|open| open.path == *path);
        folder.join(name).is_dir() || files.iter().any(is_there)
    })
}

/// What was read from a folder.
pub(super) struct Snapshot {
    pub(super) files: Files,
    pub(super) draft: Draft,
}

/// A folder that the editor has files of.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The folder as the editor calls it.
    pub(super) shown: PathBuf,
    read: OnceCell<Snapshot>,
    /// What was found in the binaries that the folder names, and for which pins.
    binaries: (BTreeMap<String, Sha256>, Vec<Finding>),
    /// The files whose findings the editor shows.
    pub(super) published: BTreeSet<Url>,
}

impl Folder {
    pub(super) fn new(path: PathBuf, shown: PathBuf) -> Self {
        Self { path, shown, read: OnceCell::new(), binaries: Default::default(), published: BTreeSet::new() }
    }

    /// Forgets what was read, because something has changed.
    pub(super) fn forget(&mut self) {
        self.read = OnceCell::new();
    }

    /// The path in the folder of an open file.
    pub(super) fn path_of<'d>(&self, document: &'d Document) -> Option<&'d str> {
        document.path.strip_prefix(&self.path).ok()?.to_str()
    }

    /// What the folder has now.
    pub(super) fn read(&self, documents: &Documents, secrets: Secrets, outside: &Outside) -> &Snapshot {
        self.read.get_or_init(|| {
            let open = documents.values().filter(|document| document.text.as_str().len() <= MOST_BYTES);
            let changes = open.filter_map(|document| {
                Some((self.path_of(document)?, Some(document.text.as_str().as_bytes())))
            });
            match Files::read_with(&self.path, outside, changes) {
                Ok(files) => {
                    let draft = check::files(&files, secrets);
                    Snapshot { files, draft }
                }
                // The draft says why the folder can't be read.
                Err(_) => Snapshot {
                    files: Files::new(&self.path),
                    draft: check::read(&self.path, secrets, outside.clone()),
                },
            }
        })
    }

    /// Checks the binaries that the folder names, if other ones are named than at the last time: each has
    /// about 100 MB.
    pub(super) fn check_binaries(&mut self) {
        let Some(read) = self.read.get() else { return };
        let pins = pins(&read.draft);
        if pins != self.binaries.0 {
            self.binaries = (pins, check::binaries(&read.draft));
        }
    }

    /// Every finding.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let Some(read) = self.read.get() else { return Vec::new() };
        let mut findings = read.draft.problems();
        if self.binaries.0 == pins(&read.draft) {
            findings.extend(self.binaries.1.iter().cloned());
        }
        findings
    }

    /// The file that every network has.
    pub(super) fn main(&self) -> Option<String> {
        let files = &self.read.get()?.files;
        let name = Component::Network.names().last()?;
        match Layout::of(Component::Network, files) {
            Layout::File(file) => Some(file),
            Layout::Folder(folder) => Layout::entries(folder, files).next().map(|(_, file)| file.to_owned()),
            Layout::Absent | Layout::Several => Some(format!("{name}.yaml")),
        }
    }

    /// The text of a file and what the editor calls the file.
    pub(super) fn file(&self, file: &str, documents: &Documents, encoding: Encoding) -> Option<(Url, Text)> {
        let path = real(&self.path.join(file));
        if let Some((url, open)) = documents.iter().find(|(_, open)| open.path == path) {
            return Some((url.clone(), open.text.clone()));
        }
        let url = Url::from_file_path(self.shown.join(file)).ok()?;
        let text = self.read.get().and_then(|read| read.files.text(file)).unwrap_or_default();
        // An editor takes a byte-order mark off when it reads a file.
        Some((url, Text::new(crate::editor::unmarked(text).to_owned(), encoding)))
    }
}

/// The files that pin a tau, by digest.
fn pins(draft: &Draft) -> BTreeMap<String, Sha256> {
    let is_pin = |(file, _): &(&String, &Sha256)| {
        component_of(file).is_some_and(|(component, _)| component == Component::Tau)
    };
    let pins = draft.sources.iter().filter(is_pin);
    pins.map(|(file, digest)| (file.clone(), *digest)).collect()
}
