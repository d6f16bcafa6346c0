//! Renders the content of a file, or two contents as a unified diff. Secrets are mentioned
//! but never shown.

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
