//! Finds and parses the files of each component of the folder.

use super::fields::{Fields, Item};
use super::files::{Files, Found};
use super::mask::Mask;
use super::problem::ProblemReport;
use super::slot::Slot;
use super::{Place, SourceText};
use crate::finding::{Component, Excerpt, Finding, FolderProblem, Owner};
use crate::yaml::Places as _;
use crate::yaml::{self, Content, Node, Span, small};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The extensions of the files that are read.
pub(super) const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// The documents of one component.
pub(super) struct Documents<'f> {
    component: Component,
    /// The component's name in messages: `hosts.yaml`, `hosts/`.
    title: String,
    documents: Vec<Document<'f>>,
    /// Whether part of the component couldn't be read, so that what seems to be missing may
    /// be there.
    pub(super) partial: bool,
}

struct Document<'f> {
    /// The name of the document's entry, if the component is a folder.
    entry: Option<&'f str>,
    /// Whether an earlier document has the same entry. This one is only checked.
    again: bool,
    source: Arc<SourceText>,
    root: Node<'f>,
}

impl<'f> Documents<'f> {
    /// Finds and parses a component. `None` if the component doesn't exist, which is
    /// reported if the component is required.
    pub(super) fn read(component: Component, files: &'f Files, report: &mut ProblemReport) -> Option<Self> {
        let places = places(component, files);
        let Some(first) = places.first() else {
            if component.is_required() {
                report.push(Finding::new(FolderProblem::NoFile(component)));
            }
            return None;
        };
        // Only the first place is used; the others are only checked.
        let mut all = Self::load(component, first, files, report);
        for place in &places[1..] {
            Self::load(component, place, files, report);
        }
        if let [_, second, ..] = places.as_slice() {
            let titles = places.iter().map(|place| Excerpt::of(place.title())).collect();
            let problem = Finding::new(FolderProblem::Twice(titles)).at(&first.place(files));
            report.push(problem.at(&second.place(files)));
            all.partial = true;
        }
        // An empty optional file counts as absent.
        let nothing = all.documents.is_empty() && !all.partial && !component.is_required();
        (!nothing).then_some(all)
    }

    fn load(component: Component, place: &Where<'f>, files: &'f Files, report: &mut ProblemReport) -> Self {
        let mut all = Self { component, title: place.title(), documents: Vec::new(), partial: false };
        match place {
            Where::File(path) => all.file(path, None, false, files, report),
            Where::Folder(name) => all.folder(name, files, report),
        }
        all
    }

    fn folder(&mut self, name: &'static str, files: &'f Files, report: &mut ProblemReport) {
        let mut seen = BTreeMap::new();
        for path in files.below(name) {
            let rest = &path[name.len() + 1..];
            if rest.starts_with('.') {
                continue;
            }
            if rest.contains('/') {
                if self.component != Component::Logins {
                    let what = FolderProblem::Nested { file: Excerpt::of(path), folder: name };
                    report.push(Finding::new(what).at(&Place::of(path)));
                }
                continue;
            }
            let Some(entry) = stem(rest) else { continue };
            let first = seen.get(entry).copied();
            if let Some(first) = first {
                let what = FolderProblem::BothEndings { folder: name, entry: Excerpt::of(entry) };
                report.push(Finding::new(what).at(&Place::of(path)).at(&Place::of(first)));
            }
            seen.insert(entry, path);
            self.file(path, Some(entry), first.is_some(), files, report);
        }
    }

    fn file(
        &mut self,
        path: &'f str,
        entry: Option<&'f str>,
        again: bool,
        files: &'f Files,
        report: &mut ProblemReport,
    ) {
        let bytes = match files.get(path) {
            Some(Found::File(bytes)) => bytes,
            Some(Found::Unreadable(why)) => {
                self.partial = true;
                let what = FolderProblem::FileUnreadable { file: Excerpt::of(path), why: why.clone() };
                report.push(Finding::new(what).at(&Place::of(path)));
                return;
            }
            Some(Found::Unopened) | None => return,
        };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                self.partial = true;
                let place = self.not_text(path, bytes, error.valid_up_to());
                report.push(Finding::new(FolderProblem::NotText(Excerpt::of(path))).at(&place));
                return;
            }
        };
        let mut mask = Mask::new(text, self.component);
        let parsed = yaml::parse(text, &mut mask);
        let source = Arc::new(SourceText::new(path, mask.finish()));
        for flaw in parsed.flaws {
            let places = flaw.spans.into_iter().map(|span| Place::new(&source, span));
            let problem = Finding::new(flaw.mistake);
            report.push(places.fold(problem, |problem, place| problem.at(&place)));
        }
        self.partial |= parsed.broken;
        match parsed.root {
            Some(Node { content: Content::Null, .. }) | None if !parsed.broken => {
                let place = Place::new(&source, Span::default());
                self.partial |= self.component.is_required();
                let (file, component) = (Excerpt::of(path), self.component);
                let what = FolderProblem::Empty { file, component, is_entry: entry.is_some() };
                report.push(Finding::new(what).at(&place));
            }
            Some(root) => self.documents.push(Document { entry, again, source, root }),
            None => {}
        }
    }

    /// The place of the first byte of a file that isn't part of a character.
    fn not_text(&self, path: &str, bytes: &[u8], at: usize) -> Place {
        let mut text = String::with_capacity(bytes.len());
        for part in bytes.utf8_chunks() {
            text.push_str(part.valid());
            text.extend(part.invalid().iter().map(|_| '?'));
        }
        let mut mask = Mask::new(&text, self.component);
        mask.rest(0);
        let source = Arc::new(SourceText::new(path, mask.finish()));
        Place::new(&source, Span { start: small(at), end: small(at + 1) })
    }

    /// The component as one mapping. If the component is a folder, each entry is a file of
    /// it, by name.
    pub(super) fn fields(&self, report: &mut ProblemReport) -> Fields<'_> {
        let mut fields = Fields::new(Owner::File(Excerpt::of(&self.title)), None);
        fields.partial = self.partial;
        for document in &self.documents {
            let key = document.entry.map(|_| Span::default());
            let item = Item { node: &document.root, source: &document.source, key, via: None };
            match document.entry {
                Some(name) => {
                    let place = Place::new(&document.source, Span::default());
                    fields.slots.push(Slot {
                        name,
                        plain: false,
                        place,
                        item,
                        taken: false,
                        again: document.again,
                    });
                }
                None => {
                    let inner = item.fields(Owner::File(Excerpt::of(&self.title)), report);
                    fields.partial |= inner.is_err();
                    if let Ok(inner) = inner {
                        // Missing fields are reported at the beginning of the file.
                        fields.place = Some(Place::new(&document.source, Span::default()));
                        fields.slots = inner.slots;
                    }
                }
            }
        }
        fields
    }
}

enum Where<'f> {
    File(&'f str),
    Folder(&'static str),
}

impl Where<'_> {
    fn title(&self) -> String {
        match self {
            Self::File(path) => (*path).to_owned(),
            Self::Folder(name) => format!("{name}/"),
        }
    }

    /// The place of the file, or of the first file in the folder.
    fn place(&self, files: &Files) -> Place {
        match self {
            Self::File(path) => Place::of(path),
            Self::Folder(name) => {
                let entry = files.below(name).find(|path| stem(path).is_some());
                Place::of(entry.unwrap_or(name))
            }
        }
    }
}

fn places(component: Component, files: &Files) -> Vec<Where<'_>> {
    let mut places = Vec::new();
    for name in component.names() {
        for ending in ENDINGS {
            if let Some((path, _)) = files.entry(&format!("{name}.{ending}")) {
                places.push(Where::File(path));
            }
        }
        // `keys/` also contains key files, so it is a component only if it has an entry.
        let holds_entry = |path: &str| {
            let rest = &path[name.len() + 1..];
            !rest.starts_with('.') && !rest.contains('/') && stem(rest).is_some()
        };
        let is_folder = if component == Component::Logins {
            files.below(name).any(holds_entry)
        } else {
            files.is_folder(name)
        };
        if is_folder {
            places.push(Where::Folder(name));
        }
    }
    places
}

/// The name of a file that is read, without its extension.
pub(super) fn stem(file: &str) -> Option<&str> {
    let (stem, ending) = file.rsplit_once('.')?;
    (!stem.is_empty() && ENDINGS.contains(&ending)).then_some(stem)
}
