//! Finds what is at an offset in a text that may have YAML errors.
//!
//! There is only one parser. If it can't read the whole text, the entry around the offset is read alone,
//! with everything else blanked, so that offsets remain valid. To find out what could be written at an
//! offset, the word there is replaced by a mark, and the mark is looked for in the result.

use crate::edit::Step;
use crate::yaml::{Content, Node, Places, Span, parse, small};
use std::ops::Range;

struct NoPlaces;
impl Places for NoPlaces {}

/// What is at an offset.
pub(super) struct Found<'n, 't> {
    /// The way to the value, or to the value of the key.
    pub(super) path: Vec<Step>,
    pub(super) part: Part,
    pub(super) span: Span,
    /// The value, or the value of the key.
    pub(super) node: &'n Node<'t>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
    /// An alias, whose value is written in another place.
    Alias,
}

/// Calls `read` with the root of the text, or else with that of the entry around the offset.
pub(super) fn with_root<R>(text: &str, offset: usize, read: impl Fn(&Node<'_>) -> Option<R>) -> Option<R> {
    let parsed = parse(text, &mut NoPlaces);
    match parsed.root {
        Some(root) => read(&root),
        None if parsed.broken => read(&parse(&entry_alone(text, offset), &mut NoPlaces).root?),
        None => None,
    }
}

/// What is at an offset: a key, a scalar or an alias.
pub(super) fn at<'n, 't>(root: &'n Node<'t>, offset: usize) -> Option<Found<'n, 't>> {
    let mut path = Vec::new();
    let (part, span, node) = find(root, small(offset), &mut path)?;
    Some(Found { path, part, span, node })
}

fn find<'n, 't>(node: &'n Node<'t>, offset: u32, path: &mut Vec<Step>) -> Option<(Part, Span, &'n Node<'t>)> {
    let touches = |span: Span| span.start <= offset && offset <= span.end;
    if node.defined.is_some() {
        return touches(node.span).then_some((Part::Alias, node.span, node));
    }
    match node.content.resolved() {
        Content::Map(entries) => entries.iter().filter(|entry| entry.defined.is_none()).find_map(|entry| {
            path.push(Step::Key(entry.key.to_string()));
            let found = match touches(entry.span) {
                true => Some((Part::Key, entry.span, &entry.value)),
                false => find(&entry.value, offset, path),
            };
            found.or_else(|| {
                path.pop();
                None
            })
        }),
        Content::List(items) => items.iter().enumerate().find_map(|(index, item)| {
            path.push(Step::Item(index));
            find(item, offset, path).or_else(|| {
                path.pop();
                None
            })
        }),
        Content::Scalar { .. } => touches(node.span).then_some((Part::Value, node.span, node)),
        Content::Null | Content::Tagged { .. } | Content::Broken | Content::Shared(_) => None,
    }
}

/// Calls `visit` with every key and every scalar that is written in this place.
pub(super) fn each<V>(node: &Node<'_>, path: &mut Vec<Step>, visit: &mut V)
where
    V: FnMut(&[Step], Part, Span, &str),
{
    if node.defined.is_some() {
        return;
    }
    match node.content.resolved() {
        Content::Map(entries) => {
            for entry in entries.iter().filter(|entry| entry.defined.is_none()) {
                path.push(Step::Key(entry.key.to_string()));
                visit(path, Part::Key, entry.span, &entry.key);
                each(&entry.value, path, visit);
                path.pop();
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Item(index));
                each(item, path, visit);
                path.pop();
            }
        }
        Content::Scalar { text, .. } => visit(path, Part::Value, node.span, text),
        Content::Null | Content::Tagged { .. } | Content::Broken | Content::Shared(_) => {}
    }
}

/// The root of a text, if all of it could be read.
pub(super) fn root(text: &str) -> Option<Node<'_>> {
    parse(text, &mut NoPlaces).root
}

/// The text with all lines blanked but those of the entry of the document in which the offset is.
fn entry_alone(text: &str, offset: usize) -> String {
    let entry = entry(text, offset);
    let blank = |part: &str| -> String {
        let blank = |byte: u8| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { ' ' };
        part.bytes().map(blank).collect()
    };
    format!("{}{}{}", blank(&text[..entry.start]), &text[entry.clone()], blank(&text[entry.end..]))
}

fn entry(text: &str, offset: usize) -> Range<usize> {
    let begins =
        |line: &str| !line.starts_with([' ', '\t', '#', '-', '\n', '\r', '}', ']']) && !line.is_empty();
    let mut entry = 0..text.len();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if begins(line) && at <= offset {
            entry.start = at;
        } else if begins(line) {
            entry.end = at;
            break;
        }
        at += line.len();
    }
    entry
}

/// A place at which something can be written.
#[derive(Debug)]
pub(super) struct Gap {
    /// The mapping in which the key is written, or the way to the value.
    pub(super) path: Vec<Step>,
    pub(super) part: Part,
    /// The other keys of the mapping, or the other items of the list.
    pub(super) others: Vec<String>,
    /// The word that is there, which is replaced.
    pub(super) word: Range<usize>,
    /// Whether nothing but the word is on its line, or the word is in brackets, so that a mapping can begin.
    pub(super) begins: bool,
    /// Whether a `:` follows.
    pub(super) has_colon: bool,
}

/// The place at this offset, if a key or a value can be written there.
pub(super) fn gap(text: &str, offset: usize) -> Option<Gap> {
    let word = word(text, offset);
    let mut mark = "sporemark".to_owned();
    while text.contains(&mark) {
        mark.push('x');
    }
    let line = text[..word.start].rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let indent = &text[line..word.start];
    let has_colon = text[word.end..].trim_start_matches([' ', '\t']).starts_with(':');
    let alone = entry(text, offset);
    let (before, after) = (&text[..word.start], &text[word.end..]);
    // In an entry of its own, errors elsewhere don't matter; and without what follows, nor do those there.
    let (from, to) =
        (&text[alone.start.min(word.start)..word.start], &text[word.end..alone.end.max(word.end)]);
    let close = closing(from);
    let key = if has_colon { "" } else { ":" };
    let tries = [
        format!("{before}{mark}{after}"),
        format!("{before}{mark}{key}{after}"),
        format!("{from}{mark}{to}"),
        format!("{from}{mark}{key}{to}"),
        format!("{from}{mark}{close}"),
        format!("{from}{mark}: {close}"),
    ];
    let found = tries.iter().find_map(|text| {
        let root = parse(text, &mut NoPlaces).root?;
        let mut path = Vec::new();
        marked(&root, &mark, &mut path).map(|(part, others)| (path, part, others))
    });
    let (path, part, others) = found?;
    let begins = indent.trim_start_matches([' ', '\t', '-']).is_empty() || !close.is_empty();
    Some(Gap { path, part, others, word, begins, has_colon })
}

/// Finds the mark: `path` becomes the way to it, and the other names around it are returned.
fn marked(node: &Node<'_>, mark: &str, path: &mut Vec<Step>) -> Option<(Part, Vec<String>)> {
    match node.content.resolved() {
        Content::Map(entries) => {
            let own = || entries.iter().filter(|entry| entry.defined.is_none());
            if own().any(|entry| entry.key == mark) {
                let others = own().filter(|entry| entry.key != mark).map(|entry| entry.key.to_string());
                return Some((Part::Key, others.collect()));
            }
            own().find_map(|entry| below(&entry.value, Step::Key(entry.key.to_string()), mark, path))
        }
        Content::List(items) => {
            let found =
                items.iter().enumerate().find_map(|(index, item)| below(item, Step::Item(index), mark, path));
            let text = |item: &Node<'_>| match item.content.resolved() {
                Content::Scalar { text, .. } if text != mark => Some(text.to_string()),
                _ => None,
            };
            let is_item = matches!(path.last(), Some(Step::Item(_)));
            found.map(|(part, others)| match is_item && part == Part::Value && others.is_empty() {
                true => (part, items.iter().filter_map(text).collect()),
                false => (part, others),
            })
        }
        Content::Scalar { text, .. } if text == mark => Some((Part::Value, Vec::new())),
        _ => None,
    }
}

fn below(node: &Node<'_>, step: Step, mark: &str, path: &mut Vec<Step>) -> Option<(Part, Vec<String>)> {
    path.push(step);
    let found = marked(node, mark, path);
    if found.is_none() {
        path.pop();
    }
    found
}

/// The word around an offset: the characters of names, addresses and paths.
fn word(text: &str, offset: usize) -> Range<usize> {
    let offset = text.floor_char_boundary(offset.min(text.len()));
    let is_part = |c: char| c.is_alphanumeric() || "_.-@/~".contains(c);
    let start = text[..offset].trim_end_matches(is_part).len();
    let end = text.len() - text[offset..].trim_start_matches(is_part).len();
    // A name begins with none of these: it is the sign of a list item.
    let start = start + text[start..offset].len() - text[start..offset].trim_start_matches('-').len();
    start..end
}

/// What closes the brackets that are open at the end of a text.
fn closing(text: &str) -> String {
    let mut open = Vec::new();
    let mut quote = None;
    let mut before = ' ';
    let mut is_comment = false;
    for c in text.chars() {
        match (quote, c) {
            _ if is_comment => is_comment = c != '\n',
            (Some(end), _) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '#') if before.is_whitespace() => is_comment = true,
            (None, '\'' | '"') if !before.is_alphanumeric() => quote = Some(c),
            (None, '{') => open.push('}'),
            (None, '[') => open.push(']'),
            (None, '}' | ']') => drop(open.pop()),
            _ => {}
        }
        before = c;
    }
    open.into_iter().rev().collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::edit::Path;

    /// The gap at the `|` in a text, as `key h1.ssh [addr]` or `value h1.addr`.
    fn gap_at(text: &str) -> String {
        let offset = text.find('|').unwrap();
        let text = text.replacen('|', "", 1);
        match gap(&text, offset) {
            None => "none".to_owned(),
            Some(Gap { path, part, others, word, begins, .. }) => {
                let part = if part == Part::Key { "key" } else { "value" };
                let begins = if begins { "+" } else { "" };
                format!("{part}{begins} {} {others:?} `{}`", Path(path), &text[word])
            }
        }
    }

    #[test]
    fn a_gap_is_found_in_a_file_that_is_being_written() {
        for (text, expected) in [
            ("|", "value+  [] ``"),
            ("h1:\n  |", "value+ h1 [] ``"),
            ("h1:\n  addr: 192.0.2.1\n  ss|", "key+ h1 [\"addr\"] `ss`"),
            ("h1:\n  addr: 192.0.2.1\n  |\nh2: {}\n", "key+ h1 [\"addr\"] ``"),
            ("h1:\n  ssh:\n    |\n  addr: x\n", "value+ h1.ssh [] ``"),
            ("h1:\n  ssh:\n  |\n", "key+ h1 [\"ssh\"] ``"),
            ("h1: {addr: x, |}", "key+ h1 [\"addr\"] ``"),
            ("h1: {addr: x, ssh: {au|", "key+ h1.ssh [] `au`"),
            ("h1: {ssh: {auth: [a, |", "value+ h1.ssh.auth[1] [\"a\"] ``"),
            ("h1:\n  ssh: {auth: |}", "value+ h1.ssh.auth [] ``"),
            ("h1:\n  ssh:\n    auth: ad|\n", "value h1.ssh.auth [] `ad`"),
            ("h1:\n  services:\n    - tns\n    - |\n", "value+ h1.services[1] [\"tns\"] ``"),
            ("h1:\n  services:\n    - tns\n    - ho|arder\n", "value+ h1.services[1] [\"tns\"] `hoarder`"),
            ("h1:\n  po|rts: {main: 1}\n", "key+ h1 [] `ports`"),
            // An error after it, and one before it.
            ("h1:\n  po|\nh2:\n  x: [\n", "value+ h1 [] `po`"),
            ("h1:\n  x: [\nh2:\n  y: 1\n  po|\n", "key+ h2 [\"y\"] `po`"),
            ("h1: # x|\n", "none"),
            ("h1: 'it is |'\n", "none"),
        ] {
            assert_eq!(gap_at(text), expected, "{text}");
        }
    }

    #[test]
    fn a_broken_entry_hides_no_other() {
        let text = "h1:\n  x: [1\nh2:\n  ports: {main: 4242}\nh3:\n\t- y\n";
        let path = |offset| with_root(text, offset, |root| Some(Path(at(root, offset)?.path).to_string()));
        assert_eq!(path(text.find("main").unwrap()).unwrap(), "h2.ports.main");
        assert_eq!(path(text.find("y\n").unwrap()), None);
    }
}
