//! Composes the text of new keys and values, in the style of what is around them.

use super::{Document, New, Step, Way, is_flow};
use crate::yaml::{Content, Node};

/// What is around a new value.
#[derive(Clone, Copy)]
pub(super) struct Around<'d, 't> {
    pub(super) text: &'t str,
    /// Whether the value is within brackets, so that it must be in brackets itself.
    pub(super) flow: bool,
    /// A similar value, whose style is followed.
    pub(super) like: Option<&'d Node<'t>>,
    pub(super) line_end: &'static str,
    /// How much further a mapping in a mapping is indented.
    pub(super) indent: usize,
    /// How much further a list in a mapping is indented.
    pub(super) item_indent: usize,
}

impl<'d, 't> Around<'d, 't> {
    pub(super) fn new(text: &'t str) -> Self {
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { text, flow: false, like: None, line_end, indent: 2, item_indent: 2 }
    }

    pub(super) fn of(before: &Document<'t>, way: &Way<'d, 't>) -> Self {
        let mut around = Self::new(before.text);
        if let Some(root) = before.root.as_ref() {
            around.indent = indent(root, before.text, false).unwrap_or(2);
            around.item_indent = indent(root, before.text, true).unwrap_or(around.indent);
        }
        around.flow = way.is_flow(before.text);
        around
    }

    /// The style of the part of `like` with this key, or of another part of the same kind.
    fn below(&self, key: &str, new: &New) -> Self {
        let like = self.like.and_then(|like| match like.content.resolved() {
            Content::Map(entries) => {
                let same = entries.iter().find(|entry| entry.key == key);
                same.or_else(|| entries.iter().rfind(|entry| is_like(new, &entry.value)))
            }
            _ => None,
        });
        Self { like: like.map(|entry| &entry.value), ..*self }
    }

    /// Whether a collection is written on the lines below its key.
    fn is_block(&self, new: &New) -> bool {
        let like = self.like.filter(|like| like.defined.is_none());
        match (new, like) {
            _ if self.flow => false,
            (New::List(items), _) if items.is_empty() => false,
            (New::Map(entries), _) if entries.is_empty() => false,
            (New::List(_), Some(like)) if matches!(like.content.resolved(), Content::List(_)) => {
                !is_flow(like, self.text)
            }
            (New::Map(_), Some(like)) if matches!(like.content.resolved(), Content::Map(_)) => {
                !is_flow(like, self.text)
            }
            (New::Map(entries), _) => entries.iter().any(|(_, value)| matches!(value, New::Map(_))),
            _ => false,
        }
    }
}

/// Whether an existing value shows how the new one should be written. The entries of a mapping
/// may all be of one kind, or each of another one.
pub(super) fn is_like(new: &New, value: &Node<'_>) -> bool {
    match (new, value.content.resolved()) {
        (New::Map(new), Content::Map(entries)) => {
            new.iter().any(|(key, _)| entries.iter().any(|entry| entry.key == *key))
        }
        (New::Map(_), _) => false,
        (New::List(_), content) => matches!(content, Content::List(_)),
        (New::Text(_) | New::Plain(_), content) => matches!(content, Content::Scalar { .. }),
    }
}

/// How much further the first collection that is in a mapping, but not in brackets, is indented
/// than its key.
fn indent(node: &Node<'_>, text: &str, list: bool) -> Option<usize> {
    let Content::Map(entries) = &node.content else { return None };
    let column = |at: u32| at as usize - text[..at as usize].rfind('\n').map_or(0, |end| end + 1);
    entries.iter().filter(|entry| entry.defined.is_none()).find_map(|entry| {
        let here = match &entry.value.content {
            Content::Map(_) if !list => true,
            Content::List(_) if list => true,
            _ => false,
        };
        let lines = text.get(entry.span.end as usize..entry.value.span.start as usize);
        if here && !is_flow(&entry.value, text) && lines.is_some_and(|lines| lines.contains('\n')) {
            return column(entry.value.span.start).checked_sub(column(entry.span.start));
        }
        indent(&entry.value, text, list)
    })
}

/// Replaces `word`, which is in the place of a value, by the value.
pub(super) fn value(text: &str, word: &str, new: &New, around: &Around<'_, '_>) -> Option<String> {
    let (head, tail) = around_word(text, word)?;
    if !around.is_block(new) {
        return Some(format!("{head}{}{tail}", inline(new, around)));
    }
    // What follows on the line is a comment on the key.
    let (line, rest) = tail.split_at(tail.find(['\r', '\n']).unwrap_or(tail.len()));
    let comment = if line.trim().is_empty() { "" } else { line };
    let head = head.trim_end_matches(' ');
    let start = head.rfind('\n').map_or(0, |end| end + 1);
    let before = &head[start..];
    // The key may be the first of a list item.
    let column = before.len() - before.trim_start_matches([' ', '-']).len();
    let block = block(new, column, around);
    Some(format!("{head}{comment}{}{block}{rest}", around.line_end))
}

/// Replaces `word`, which is in the place of a key, by the key.
pub(super) fn key(text: &str, word: &str, key: &str) -> Option<String> {
    let (head, tail) = around_word(text, word)?;
    Some(format!("{head}{}{tail}", scalar(key, None)))
}

/// What is before and behind a word, which yaml-edit may have quoted like its siblings.
fn around_word<'t>(text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let (head, tail) = text.split_once(word)?;
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| head.strip_suffix(quote).and_then(|head| Some((head, tail.strip_prefix(quote)?))));
    Some(unquoted.unwrap_or((head, tail)))
}

/// An entry whose key is in this column, without the end of its last line.
pub(super) fn entry(key: &str, new: &New, column: usize, around: &Around<'_, '_>) -> String {
    let margin = " ".repeat(column);
    let key = scalar(key, None);
    match around.is_block(new) {
        true => format!("{margin}{key}:{}{}", around.line_end, block(new, column, around)),
        false => format!("{margin}{key}: {}", inline(new, around)),
    }
}

/// The lines below a key in this column, without the end of the last one.
fn block(new: &New, column: usize, around: &Around<'_, '_>) -> String {
    let lines: Vec<String> = match new {
        New::Map(entries) => {
            let column = column + around.indent;
            entries.iter().map(|(key, value)| entry(key, value, column, &around.below(key, value))).collect()
        }
        New::List(items) => {
            let margin = " ".repeat(column + around.item_indent);
            items.iter().map(|item| format!("{margin}- {}", inline(item, around))).collect()
        }
        New::Text(_) | New::Plain(_) => Vec::new(),
    };
    lines.join(around.line_end)
}

/// A value on one line.
pub(super) fn inline(new: &New, around: &Around<'_, '_>) -> String {
    match new {
        New::Text(text) => scalar(text, around.like.and_then(|like| quote(like, around.text))),
        New::Plain(text) => text.clone(),
        New::List(items) => {
            let first = around.like.and_then(|like| match like.content.resolved() {
                Content::List(items) => items.first(),
                _ => None,
            });
            let around = Around { like: first, ..*around };
            let items: Vec<String> = items.iter().map(|item| inline(item, &around)).collect();
            format!("[{}]", items.join(", "))
        }
        New::Map(entries) => {
            let entry = |(key, value): &(String, New)| {
                format!("{}: {}", scalar(key, None), inline(value, &around.below(key, value)))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The quote with which a value is written.
fn quote(like: &Node<'_>, text: &str) -> Option<char> {
    let written = text.get(like.span.range())?;
    matches!(like.content, Content::Scalar { .. })
        .then(|| written.chars().next())
        .flatten()
        .filter(|first| matches!(first, '"' | '\''))
}

/// A text, unquoted if every reader takes that for the same text, in brackets too.
fn scalar(text: &str, quote: Option<char>) -> String {
    let is_hidden =
        text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'));
    if quote.is_none() && is_plain(text) {
        return text.to_owned();
    }
    if quote == Some('\'') && !is_hidden {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if is_hidden && !c.is_ascii_graphic() && c != ' ' && u32::from(c) <= 0xffff => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-._/+=~@".contains(c);
    let begins = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.' || c == '_';
    let is_path = text.starts_with("~/");
    (text.starts_with(begins) || is_path) && text.chars().all(harmless) && !is_otherwise(text)
}

/// Whether some readers take the unquoted text for a number, a date, a boolean or null.
fn is_otherwise(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = ["yes", "no", "on", "off", "y", "n", "true", "false", "null", ".inf", ".nan"];
    let digits: String = lower.chars().filter(|c| *c != '_').collect();
    let is_radix = lower.strip_prefix('0').is_some_and(|rest| {
        rest.starts_with(['x', 'o', 'b']) && rest[1..].bytes().all(|b| b.is_ascii_hexdigit() || b == b'_')
    });
    let is_date = lower.contains('-') && lower.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    words.contains(&lower.as_str())
        || digits.parse::<f64>().is_ok()
        || digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') && digits.matches('.').count() < 2
        || is_radix
        || is_date
}

/// The lines to be written by hand.
pub(super) fn by_hand(step: Option<&Step>, new: &New) -> String {
    let around = Around::new("");
    match step {
        Some(Step::Key(key)) => entry(key, new, 0, &around),
        Some(Step::Item(_)) => format!("- {}", inline(new, &around)),
        None => inline(new, &around),
    }
}
