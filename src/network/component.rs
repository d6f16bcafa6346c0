//! Which files make up which component of the folder.

use super::fields::{Fields, Item};
use super::files::{Files, Found};
use super::mask::Mask;
use super::place::{Place, Source};
use super::problem::{Diagnostic, ProblemReport};
use super::slot::Slot;
use crate::yaml::Places as _;
use crate::yaml::{self, Content, Flaw, Node, Span, small};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A component of the folder: a file, or a folder with one file per entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Component {
    Network,
    Logins,
    Hosts,
    Shapes,
    Tenancy,
    Accounts,
    Tau,
}

impl Component {
    pub(super) const ALL: [Self; 7] =
        [Self::Network, Self::Logins, Self::Hosts, Self::Shapes, Self::Tenancy, Self::Accounts, Self::Tau];

    /// The names of its file, without the extension; upstream's current one last.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Network => &["network", "cloud"],
            Self::Logins => &["keys", "auth"],
            Self::Hosts => &["hosts"],
            Self::Shapes => &["shapes"],
            Self::Tenancy => &["tenancy"],
            Self::Accounts => &["accounts"],
            Self::Tau => &["tau"],
        }
    }

    /// What it contains, for the help if it is missing; `None` if it is optional.
    fn example(self) -> Option<&'static str> {
        match self {
            Self::Network => Some("it has the domain, the swarm key and the elders"),
            Self::Logins => {
                Some("it has the SSH users, such as `root: {username: root, key: ~/.ssh/id_ed25519}`")
            }
            Self::Hosts => Some("it has the hosts, each with `addr`, `ssh` and `shapes`"),
            Self::Shapes => Some("it has the shapes, each with `ports` and `services`"),
            Self::Tenancy | Self::Accounts | Self::Tau => None,
        }
    }
}

/// The extensions of files that are read.
pub(super) const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// The documents of one component.
pub(super) struct Documents<'f> {
    component: Component,
    /// Its name in messages: `hosts.yaml`, `hosts/`.
    title: String,
    documents: Vec<Document<'f>>,
    /// Whether some of it couldn't be read: what seems missing may not be.
    pub(super) partial: bool,
}

struct Document<'f> {
    /// The name of its entry, if the component is a folder.
    entry: Option<&'f str>,
    /// The entry exists already, so this one is only checked.
    again: bool,
    source: Arc<Source>,
    root: Node<'f>,
}

impl<'f> Documents<'f> {
    /// Finds and parses a component. `None` if there is nothing, which is reported
    /// unless it is optional.
    pub(super) fn read(component: Component, files: &'f Files, report: &mut ProblemReport) -> Option<Self> {
        let places = places(component, files);
        let Some(first) = places.first() else {
            if let Some(example) = component.example() {
                let name = component.names().last().copied().unwrap_or_default();
                let older = match component.names() {
                    [older, _] => format!(" (or `{older}.yaml`)"),
                    _ => String::new(),
                };
                let help = format!("write `{name}.yaml`{older}: {example}");
                report.push(Diagnostic::error(format!("the folder has no `{name}.yaml`")).help(help));
            }
            return None;
        };
        // Only the first is used; the others are only checked.
        let mut all = Self::load(component, first, files, report);
        for place in &places[1..] {
            Self::load(component, place, files, report);
        }
        if let [_, second, ..] = places.as_slice() {
            let help = format!("merge them into one and remove the others: {}", {
                let all: Vec<_> = places.iter().map(|place| format!("`{}`", place.title())).collect();
                all.join(", ")
            });
            let message =
                format!("`{}` and `{}` are the same component of the network", first.title(), second.title());
            let problem = Diagnostic::error(message).at(&first.place(files), "");
            report.push(problem.at(&second.place(files), "").help(help));
            all.partial = true;
        }
        // An empty optional file counts as absent.
        let nothing = all.documents.is_empty() && !all.partial && component.example().is_none();
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

    fn folder(&mut self, name: &str, files: &'f Files, report: &mut ProblemReport) {
        let mut seen = BTreeMap::new();
        for path in files.below(name) {
            let rest = &path[name.len() + 1..];
            if rest.starts_with('.') {
                continue;
            }
            if rest.contains('/') {
                if self.component != Component::Logins {
                    let problem = Diagnostic::error(format!("`{path}` is nested too deeply"));
                    report.push(problem.at(&Place::of(path), "").help(format!("move it into `{name}/`")));
                }
                continue;
            }
            let Some(entry) = stem(rest) else { continue };
            let first = seen.get(entry).copied();
            if let Some(first) = first {
                let message = format!("`{name}/{entry}` exists both as `.yaml` and as `.yml`");
                let problem = Diagnostic::error(message).at(&Place::of(path), "").at(&Place::of(first), "");
                report.push(problem.help("remove one of the two"));
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
                let problem = Diagnostic::error(format!("`{path}` {why}")).at(&Place::of(path), "");
                report.push(problem.help(why.help()));
                return;
            }
            Some(Found::Unopened) | None => return,
        };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                self.partial = true;
                let message = format!("`{path}` is not UTF-8 text");
                let place = self.not_text(path, bytes, error.valid_up_to());
                report.push(Diagnostic::error(message).at(&place, "here").help("save it as UTF-8"));
                return;
            }
        };
        let mut mask = Mask::new(text, self.component);
        let parsed = yaml::parse(text, &mut mask);
        let source = Arc::new(Source::new(path, mask.finish()));
        for flaw in parsed.flaws {
            report.push(explain(flaw, &source));
        }
        self.partial |= parsed.broken;
        match parsed.root {
            Some(Node { content: Content::Null, .. }) | None if !parsed.broken => {
                let place = Place::new(&source, Span::default());
                let problem = if self.component.example().is_some() {
                    self.partial = true;
                    Diagnostic::error(format!("`{path}` is empty"))
                } else {
                    Diagnostic::warning(format!("`{path}` is empty and ignored"))
                };
                let help = match self.component.example() {
                    Some(_) if entry.is_some() => "write the entry, or delete the file".to_owned(),
                    Some(example) => format!("{example}; write `{{}}` if there are none yet"),
                    None => "add the contents, or delete the file".to_owned(),
                };
                report.push(problem.at(&place, "empty").help(help));
            }
            Some(root) => self.documents.push(Document { entry, again, source, root }),
            None => {}
        }
    }

    /// The first byte of a file that isn't part of a character.
    fn not_text(&self, path: &str, bytes: &[u8], at: usize) -> Place {
        let mut text = String::with_capacity(bytes.len());
        for part in bytes.utf8_chunks() {
            text.push_str(part.valid());
            text.extend(part.invalid().iter().map(|_| '?'));
        }
        let mut mask = Mask::new(&text, self.component);
        mask.rest(0);
        let source = Arc::new(Source::new(path, mask.finish()));
        Place::new(&source, Span { start: small(at), end: small(at + 1) })
    }

    /// The component as one mapping: that of the file, or one of the folder's
    /// files by name.
    pub(super) fn fields(&self, report: &mut ProblemReport) -> Fields<'_> {
        let mut fields = Fields::new(format!("`{}`", self.title), None);
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
                    let inner = item.fields(&format!("`{}`", self.title), report);
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

    /// The file, or the first one in the folder.
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
        // `keys/` also holds key files: it is a component only if it has an entry.
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

fn explain(flaw: Flaw, source: &Arc<Source>) -> Diagnostic {
    let message = match flaw.quoted {
        Some(span) => format!("`{}` {}", source.text().get(span.range()).unwrap_or_default(), flaw.message),
        None => flaw.message,
    };
    let mut problem = Diagnostic::error(message);
    for (span, label) in flaw.labels {
        problem = problem.at(&Place::new(source, span), label);
    }
    match flaw.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}
