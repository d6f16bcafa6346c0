//! What an editor shows of a folder while its files are being written: what is at a position, where a name
//! is defined and used, what could be written at a position, and the edits that fix a finding.
//!
//! The entry point is [`Cursor`], a position in a file of the folder. What a field means is taken from the
//! schemas ([`crate::network::SCHEMAS`]), and what a change of it needs from the daemon, so that nothing is
//! described twice. The files are those that an editor has, saved or not: see [`Files::read_with`]. A file
//! with a YAML error is read as far as possible, because a file that is being written has one most of the
//! time. No secret is in a result: values are never quoted, only names that the folder shows.

mod changes;
mod complete;
mod fix;
mod hover;
mod names;
mod schema;
mod tree;

pub use changes::{Requires, Scope};
pub use complete::{Completion, Offered};
pub use fix::{Fix, Fixing, fixes};
pub use hover::{About, Need};
pub use names::{Named, Spot};

use crate::edit::Step;
use crate::finding::Component;
use crate::network::{Draft, Files, component_of};

/// A position in a file of the folder.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'f> {
    /// The folder.
    pub files: &'f Files,
    /// What was read from it.
    pub draft: &'f Draft,
    /// The path of the file in the folder.
    pub file: &'f str,
    /// The offset in the file, without its byte-order mark.
    pub offset: usize,
}

/// The file that a cursor is in.
struct Document<'f> {
    component: Component,
    /// The entry that the file describes, if the component is a folder.
    entry: Option<&'f str>,
    text: &'f str,
}

impl<'f> Cursor<'f> {
    /// `None` if the file isn't one of a component, or isn't text.
    fn document(&self) -> Option<Document<'f>> {
        document(self.files, self.file)
    }
}

fn document<'f>(files: &'f Files, file: &'f str) -> Option<Document<'f>> {
    let (component, entry) = component_of(file)?;
    Some(Document { component, entry, text: unmarked(files.text(file)?) })
}

/// The text without a byte-order mark, to which all offsets refer.
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl Document<'_> {
    /// The way from the component to what has this path in the file.
    fn whole(&self, path: &[Step]) -> Vec<Step> {
        let entry = self.entry.map(|entry| Step::Key(entry.to_owned()));
        entry.into_iter().chain(path.iter().cloned()).collect()
    }
}

/// The keys on a way.
fn keys(path: &[Step]) -> Vec<&str> {
    let keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    });
    keys.collect()
}
