//! Renders the content of a file, or two contents as a unified diff. Secrets are mentioned
//! but never shown.

use super::{Style, Tone};
use crate::resource::{Content, Document, Printable, Value};
use similar::{ChangeTag, TextDiff};

/// The lines of a unified diff without its header; none if one of the contents has no text.
pub(super) fn unified(before: &Content, after: &Content) -> Vec<Printable> {
    let (Some(mut old), Some(new)) = (text(before), text(after)) else { return Vec::new() };
    // Two secrets would look the same, so a replaced secret is marked as changed.
    if let (Content::Document(before), Content::Document(after)) = (before, after) {
        let before = &comparable(before, after);
        old = lines(before);
        for (path, field) in &before.fields {
            let replaced = after.fields.get(path).is_some_and(|new| new.value != field.value);
            if replaced && matches!(field.value, Value::Secret(_)) {
                old = old.replace(&secret(path), &format!("{path}: (secret, changed)\n"));
            }
        }
    }
    let diff = TextDiff::from_lines(&old, &new);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(1).iter_hunks() {
        lines.push(Printable::composed(hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(Printable::composed(format!("{sign}{line}")));
        }
    }
    lines
}

/// The difference that an edit makes in a file of the folder. `shown` masks the secrets of a text
/// without moving its line ends.
pub fn file_diff(
    name: &str,
    before: Option<&str>,
    after: Option<&str>,
    shown: impl Fn(&str) -> String,
    style: Style,
) -> String {
    let title = match (before, after) {
        (None, _) => format!("{name} (new)"),
        (_, None) => format!("{name} (deleted)"),
        _ => name.to_owned(),
    };
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let [was, is] = [shown(before), shown(after)];
    let [was, is] = [&was, &is].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let mut text = format!("{}\n", style.paint(Tone::Strong, Printable::line(&title)));
    // Which lines differ is determined by what they are, not by what is shown of them.
    let diff = TextDiff::from_lines(before, after);
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        text.push_str(&format!("  {}\n", style.paint(Tone::Faint, hunk.header())));
        for change in hunk.iter_changes() {
            let (lines, at, sign, tone) = match change.tag() {
                ChangeTag::Delete => (&was, change.old_index(), '-', Some(Tone::Bad)),
                ChangeTag::Insert => (&is, change.new_index(), '+', Some(Tone::Good)),
                ChangeTag::Equal => (&is, change.new_index(), ' ', None),
            };
            let line = at.and_then(|at| lines.get(at)).copied().unwrap_or_default();
            let line = Printable::line(line.trim_end_matches(['\r', '\n']));
            let line = format!("{sign}{line}");
            text.push_str(&format!("  {}\n", tone.map_or(line.clone(), |tone| style.paint(tone, &line))));
        }
    }
    text
}

/// The document on the host without the values that can't be compared, so that they don't look
/// like a difference.
fn comparable(before: &Document, after: &Document) -> Document {
    let mut comparable = before.clone();
    for path in after.withheld() {
        if let Some(field) = after.fields.get(path) {
            comparable.withhold(path, field.effect);
        }
    }
    comparable
}

/// All lines of a new document, as a diff has them.
pub(super) fn whole(document: &Document) -> Vec<Printable> {
    lines(document).lines().map(|line| Printable::composed(format!("+{line}"))).collect()
}

fn text(content: &Content) -> Option<String> {
    match content {
        Content::Text(text) => Some(text.to_string()),
        Content::Document(document) => Some(lines(document)),
        Content::Secret(_) | Content::Blob { .. } | Content::Opaque | Content::Unavailable => None,
    }
}

/// One line for each value, in the order of the fields.
fn lines(document: &Document) -> String {
    let mut out = String::new();
    for (path, field) in &document.fields {
        match &field.value {
            Value::Scalar(value) => out.push_str(&format!("{path}: {value}\n")),
            Value::Secret(_) => out.push_str(&secret(path)),
            Value::Unavailable => out.push_str(&format!("{path}: (secret not available)\n")),
            Value::List(items) => list(path, items.iter(), &mut out),
            Value::Set(items) => list(path, items.iter(), &mut out),
        }
    }
    out
}

fn list<'a>(path: &str, items: impl Iterator<Item = &'a Printable>, out: &mut String) {
    out.push_str(&format!("{path}:\n"));
    for item in items {
        out.push_str(&format!("  - {item}\n"));
    }
}

fn secret(path: &str) -> String {
    format!("{path}: (secret)\n")
}
