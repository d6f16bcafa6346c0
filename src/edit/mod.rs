//! Changes one value in the text of a YAML file, and leaves every other byte as it is:
//! comments, order, quotes, indentation, line ends, anchors, the byte-order mark. The entry
//! point is [`edit()`].
//!
//! The crate yaml-edit finds the place (`place`), and `write` composes the new text. Neither is
//! trusted: `verify` parses the result again, and compares all values and all bytes with those
//! before. What isn't exactly the intended change is [refused](Refused), with the lines for the
//! user to write. What a value means is left to other rooms.

mod place;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod verify;
mod write;

use crate::yaml::{Content, Entry, Node, Places, Span, parse};
use serde_yaml::Value;
use std::fmt;
use thiserror::Error;

/// One step from a value to a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of this key.
    Key(String),
    /// The item at this index.
    Item(usize),
}

/// The way from the document to a value. Shown as `h1.ssh.auth[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The way through these keys.
    pub fn keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The way to an item of the list at this path.
    #[must_use]
    pub fn item(mut self, index: usize) -> Self {
        self.0.push(Step::Item(index));
        self
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum New {
    /// A text. It is quoted if a reader might take it for something else.
    Text(String),
    /// A number or a boolean, exactly as it is to be written.
    Plain(String),
    /// A list.
    List(Vec<New>),
    /// A mapping.
    Map(Vec<(String, New)>),
}

impl New {
    /// A text.
    pub fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// Whether a reader gets this value.
    pub fn means(&self, value: &Value) -> bool {
        verify::of(self) == *value
    }

    /// A mapping.
    pub fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// A change of the value at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Replaces a scalar, or a collection in brackets.
    Set(New),
    /// Adds an entry at the end of a mapping. A value that is null, and a document without
    /// values, count as an empty mapping.
    Add(String, New),
    /// Adds an item at the end of a list. Null counts as an empty list.
    Push(New),
    /// Removes the entry or the item with this value, together with the comment behind it.
    Remove,
}

/// An edit that wasn't made, because it can't be made, or not safely.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Refused {
    /// The reason.
    pub why: Why,
    /// The line that shows the reason, counted from one.
    pub line: usize,
    /// Where the edit belongs, and the lines to write there by hand; no lines if something is
    /// to be removed.
    pub path: Path,
    /// See `path`.
    pub lines: String,
}

/// Why an edit wasn't made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// The text isn't a YAML document.
    #[error("the file has a YAML error")]
    Yaml,
    /// There is nothing at the path.
    #[error("there is no such value")]
    Missing,
    /// The mapping has an entry with this key.
    #[error("there is such an entry already")]
    Exists,
    /// The value has another type.
    #[error("the value isn't a mapping, or isn't a list")]
    Type,
    /// The value is written somewhere else, and used by an alias or a merge key.
    #[error("the value is an alias, or comes from a merge key: it is written in another place")]
    Alias,
    /// The value has an anchor, and other places use it.
    #[error("the value is within an anchor: the change would show wherever its alias is used")]
    Anchor,
    /// The value has several lines, with comments or a layout that might be lost.
    #[error("the value has several lines, which might lose comments")]
    Lines,
    /// The result wasn't exactly the intended one.
    #[error("the way in which the file is written can't be edited without changing something else")]
    Inexact,
}

/// A text as it was read.
struct Document<'t> {
    text: &'t str,
    /// `None` if the text has no value.
    root: Option<Node<'t>>,
    comments: Vec<Span>,
}

impl<'t> Document<'t> {
    /// Parses a text without a byte-order mark. `Err` has the place of an error in it.
    fn read(text: &'t str) -> Result<Self, Span> {
        let mut comments = Comments(Vec::new());
        let parsed = parse(text, &mut comments);
        match parsed.flaws.first() {
            Some(flaw) => Err(flaw.spans.first().copied().unwrap_or_default()),
            None => Ok(Self { text, root: parsed.root, comments: comments.0 }),
        }
    }

    fn line_of(&self, at: usize) -> usize {
        line_of(self.text, at)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count()
}

struct Comments(Vec<Span>);

impl Places for Comments {
    fn comment(&mut self, at: Span) {
        self.0.push(at);
    }
}

/// The nodes on the way to a value.
struct Way<'d, 't> {
    /// From the root to the value.
    nodes: Vec<&'d Node<'t>>,
    /// The entry of each of the nodes, if it is the value of a key.
    entries: Vec<Option<&'d Entry<'t>>>,
}

impl<'d, 't> Way<'d, 't> {
    fn to(root: &'d Node<'t>, path: &Path) -> Option<Self> {
        let mut way = Self { nodes: vec![root], entries: vec![None] };
        for step in &path.0 {
            let next = match (step, way.target().content.resolved()) {
                (Step::Key(key), Content::Map(entries)) => {
                    let entry = entries.iter().find(|entry| entry.key == *key)?;
                    (&entry.value, Some(entry))
                }
                (Step::Item(index), Content::List(items)) => (items.get(*index)?, None),
                _ => return None,
            };
            way.nodes.push(next.0);
            way.entries.push(next.1);
        }
        Some(way)
    }

    fn target(&self) -> &'d Node<'t> {
        // There is always the root.
        self.nodes[self.nodes.len() - 1]
    }

    /// The value's entry, if the last step is a key.
    fn entry(&self) -> Option<&'d Entry<'t>> {
        self.entries[self.entries.len() - 1]
    }

    /// The collection that the value is in, and its entry.
    fn parent(&self) -> Option<(&'d Node<'t>, Option<&'d Entry<'t>>)> {
        let at = self.nodes.len().checked_sub(2)?;
        Some((self.nodes[at], self.entries[at]))
    }

    /// Where the value is, or the alias on the way to it.
    fn place(&self) -> usize {
        let alias = self.nodes.iter().find(|node| node.defined.is_some());
        alias.unwrap_or(&self.target()).span.start as usize
    }

    /// Whether the value is written in another place.
    fn is_elsewhere(&self) -> bool {
        self.nodes.iter().any(|node| node.defined.is_some())
            || self.entries.iter().flatten().any(|entry| entry.defined.is_some())
    }

    /// Whether the value is within an anchor, or has one in it.
    fn is_anchored(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.content, Content::Shared(_))) || has_anchor(self.target())
    }

    /// Whether the value is within brackets, or is in brackets itself.
    fn is_flow(&self, text: &str) -> bool {
        self.nodes.iter().any(|node| is_flow(node, text))
    }
}

fn has_anchor(node: &Node<'_>) -> bool {
    match &node.content {
        Content::Shared(_) => node.defined.is_none(),
        Content::List(items) => items.iter().any(has_anchor),
        Content::Map(entries) => entries.iter().any(|entry| has_anchor(&entry.value)),
        _ => false,
    }
}

/// Whether a scalar is a block of text, `|` or `>`. Its place is that of its text, or includes
/// the line with that sign.
fn is_block_scalar(node: &Node<'_>, text: &str) -> bool {
    let is_header = |word: &str| word.starts_with(['|', '>']);
    let above = text[..node.span.start as usize].trim_end().lines().next_back().unwrap_or_default();
    let is_scalar = matches!(node.content.resolved(), Content::Scalar { .. } | Content::Tagged { .. });
    is_scalar
        && (is_header(&text[node.span.range()])
            || !text[..node.span.start as usize].ends_with([':', '-', ' ', '\t', '[', '{', ','])
            || text[..node.span.start as usize].rfind('\n').is_some_and(|end| {
                text[end..node.span.start as usize].trim().is_empty()
                    && above.split_whitespace().any(is_header)
            }))
}

/// Whether a collection is written in brackets.
fn is_flow(node: &Node<'_>, text: &str) -> bool {
    let is_collection = matches!(node.content.resolved(), Content::List(_) | Content::Map(_));
    is_collection && text[node.span.start as usize..].starts_with(['{', '['])
}

fn is_null(node: &Node<'_>) -> bool {
    matches!(node.content.resolved(), Content::Null)
}

/// Whether there is nothing in a value: null, or an empty collection.
fn is_empty(node: &Node<'_>) -> bool {
    match node.content.resolved() {
        Content::Null => true,
        Content::List(items) => items.is_empty(),
        Content::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

/// The lines that a user has to write for an entry.
pub fn by_hand(key: &str, new: &New) -> String {
    write::by_hand(Some(&Step::Key(key.to_owned())), new)
}

/// The value at a path, with aliases and merge keys resolved. `None` if there is none, or the
/// text has an error.
pub fn value(text: &str, path: &Path) -> Option<Value> {
    let document = Document::read(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()?;
    Some(Way::to(document.root.as_ref()?, path)?.target().content.to_value())
}

/// The text after an edit.
///
/// # Errors
/// The edit can't be made, or not without changing anything else.
pub fn edit(text: &str, path: &Path, change: &Change) -> Result<String, Refused> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = &text[..text.len() - body.len()];
    let refused = |(why, line): (Why, usize)| {
        let lines = match change {
            Change::Set(new) => write::by_hand(path.0.last(), new),
            Change::Add(key, new) => write::by_hand(Some(&Step::Key(key.clone())), new),
            Change::Push(new) => write::by_hand(Some(&Step::Item(0)), new),
            Change::Remove => String::new(),
        };
        // What is set is written with its key.
        let above = matches!((change, path.0.last()), (Change::Set(_), Some(Step::Key(_))));
        let depth = path.0.len() - usize::from(above);
        Refused { why, line, path: Path(path.0[..depth].to_vec()), lines }
    };
    let before = Document::read(body).map_err(|at| refused((Why::Yaml, line_of(body, at.start as usize))))?;
    let after = edited(&before, path, change).map_err(refused)?;
    Ok(format!("{mark}{after}"))
}

fn edited(before: &Document<'_>, path: &Path, change: &Change) -> Result<String, (Why, usize)> {
    let way = before.root.as_ref().and_then(|root| Way::to(root, path));
    let expected = verify::expected(before, path, change).map_err(|why| {
        let line = way.as_ref().map_or(1, |way| before.line_of(way.place()));
        (why, line)
    })?;
    let after = match (&way, change) {
        (Some(way), Change::Set(new)) => place::set(before, way, path, new),
        (Some(way), Change::Remove) => {
            let parent = Path(path.0[..path.0.len().saturating_sub(1)].to_vec());
            path.0.last().and_then(|last| place::remove(before, way, &parent, last))
        }
        (Some(way), Change::Add(key, new)) if way.nodes.len() == 1 && is_empty(way.target()) => {
            Some(place::begin(before, key, new))
        }
        (Some(way), Change::Add(key, new)) => place::add(before, way, path, key, new),
        (Some(way), Change::Push(new)) => place::push(before, way, path, new),
        (None, Change::Add(key, new)) => Some(place::begin(before, key, new)),
        (None, _) => None,
    };
    let exact = after.filter(|after| verify::is_exact(before, after, way.as_ref(), change, &expected));
    exact.ok_or_else(|| match &way {
        None => (Why::Inexact, 1),
        Some(way) => (reason(before, way, change), before.line_of(way.place())),
    })
}

/// Why an edit that was tried isn't exact.
fn reason(before: &Document<'_>, way: &Way<'_, '_>, change: &Change) -> Why {
    let is_block = || {
        let target = way.target();
        let is_collection = matches!(target.content.resolved(), Content::List(_) | Content::Map(_));
        let text = &before.text[target.span.range()];
        is_collection && !is_flow(target, before.text)
            || text.contains(['\n', '\r'])
            || is_block_scalar(target, before.text)
    };
    if way.is_elsewhere() {
        Why::Alias
    } else if way.is_anchored() {
        Why::Anchor
    } else if matches!(change, Change::Set(_)) && is_block() {
        Why::Lines
    } else {
        Why::Inexact
    }
}
