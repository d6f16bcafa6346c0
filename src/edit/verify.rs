//! Verifies that an edit changed what it should have changed, and nothing else: neither another
//! value nor another byte.

use super::{Change, Document, New, Path, Step, Way, Why, is_block_scalar, is_empty, is_null};
use crate::yaml::{Content, Entry, Node, plain};
use serde_yaml::{Mapping, Value};
use std::ops::Range;

/// The values of the document after an edit.
pub(super) fn expected(before: &Document<'_>, path: &Path, change: &Change) -> Result<Value, Why> {
    let mut value = values(before);
    let (last, parents) = match (path.0.split_last(), change) {
        (Some((last, parents)), Change::Set(_) | Change::Remove) => (Some(last), parents),
        (None, Change::Set(_) | Change::Remove) => return Err(Why::Missing),
        (_, Change::Add(..) | Change::Push(_)) => (None, path.0.as_slice()),
    };
    let mut target = &mut value;
    for step in parents {
        target = at(target, step).ok_or(Why::Missing)?;
    }
    match change {
        Change::Set(new) => {
            *last.and_then(|last| at(target, last)).ok_or(Why::Missing)? = of(new);
        }
        Change::Add(key, new) => {
            if target.is_null() {
                *target = Value::Mapping(Mapping::new());
            }
            let entries = target.as_mapping_mut().ok_or(Why::Type)?;
            if entries.insert(key.as_str().into(), of(new)).is_some() {
                return Err(Why::Exists);
            }
        }
        Change::Push(new) => {
            if target.is_null() {
                *target = Value::Sequence(Vec::new());
            }
            target.as_sequence_mut().ok_or(Why::Type)?.push(of(new));
        }
        Change::Remove => match (last, target) {
            (Some(Step::Key(key)), Value::Mapping(entries)) => {
                entries.shift_remove(key.as_str()).ok_or(Why::Missing)?;
            }
            (Some(Step::Item(index)), Value::Sequence(items)) if *index < items.len() => {
                items.remove(*index);
            }
            _ => return Err(Why::Missing),
        },
    }
    Ok(value)
}

fn at<'v>(value: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match step {
        Step::Key(key) => value.as_mapping_mut()?.get_mut(key.as_str()),
        Step::Item(index) => value.as_sequence_mut()?.get_mut(*index),
    }
}

fn values(document: &Document<'_>) -> Value {
    document.root.as_ref().map_or(Value::Null, |root| root.content.to_value())
}

/// The value that a reader gets.
pub(super) fn of(new: &New) -> Value {
    match new {
        New::Text(text) => Value::String(text.clone()),
        New::Plain(text) => plain(text),
        New::List(items) => Value::Sequence(items.iter().map(of).collect()),
        New::Map(entries) => {
            let entry = |(key, value): &(String, New)| (Value::String(key.clone()), of(value));
            Value::Mapping(entries.iter().map(entry).collect())
        }
    }
}

/// Whether `after` has exactly the `expected` values, and differs from the text before only in
/// the bytes that the change is about.
pub(super) fn is_exact(
    before: &Document<'_>,
    after: &str,
    way: Option<&Way<'_, '_>>,
    change: &Change,
    expected: &Value,
) -> bool {
    // Mappings are compared as sets. Their order can't have changed, because the bytes haven't.
    let Ok(after) = Document::read(after) else { return false };
    values(&after) == *expected
        && !changes_an_open_end(before, &after)
        && match (change, way) {
            (Change::Remove, Some(way)) => only_removed(before, &after, way),
            (Change::Remove, None) => false,
            (_, way) => {
                let replaced = way
                    .map(|way| way.target())
                    .filter(|target| matches!(change, Change::Set(_)) || is_empty(target));
                // With the space before a null.
                let replaced = replaced.map_or(0..0, |target| {
                    let Range { start, end } = target.span.range();
                    let spaces = if is_null(target) { before.text[..start].trim_end().len() } else { start };
                    spaces..end
                });
                let comments = |document: &Document<'_>| -> Vec<String> {
                    document.comments.iter().map(|at| document.text[at.range()].to_owned()).collect()
                };
                replaces(before.text, after.text, &replaced) && comments(before) == comments(&after)
            }
        }
}

/// Whether one of the texts ends with a block of text (`|` or `>`) without a line end, and the
/// other doesn't end with it. Readers disagree on whether the value ends with a line end then, so
/// it would change for some of them.
fn changes_an_open_end(before: &Document<'_>, after: &Document<'_>) -> bool {
    (ends_open(before) || ends_open(after)) && common(before.text.as_bytes(), after.text.as_bytes()).1 == 0
}

fn ends_open(document: &Document<'_>) -> bool {
    let text = document.text;
    let last = document.root.as_ref().and_then(last).filter(|_| !text.ends_with('\n'));
    last.is_some_and(|last| is_block_scalar(last, text))
}

/// The last scalar.
fn last<'n, 't>(node: &'n Node<'t>) -> Option<&'n Node<'t>> {
    let own: Vec<&Node<'t>> = match &node.content {
        Content::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        Content::List(items) => items.iter().collect(),
        Content::Shared(shared) => match &**shared {
            Content::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
            Content::List(items) => items.iter().collect(),
            _ => return Some(node),
        },
        _ => return Some(node),
    };
    own.into_iter().max_by_key(|node| node.span.end).and_then(last)
}

/// Whether `after` is `before` with at most the bytes of `replaced` replaced, or with other
/// bytes only added.
fn replaces(before: &str, after: &str, replaced: &Range<usize>) -> bool {
    let (head, tail) = common(before.as_bytes(), after.as_bytes());
    let in_place = head >= replaced.start
        && tail >= before.len() - replaced.end
        && after.len() >= before.len() - replaced.len();
    in_place || head + tail >= before.len() && after.len() >= before.len()
}

/// The length of the longest common beginning and of the longest common end.
fn common(a: &[u8], b: &[u8]) -> (usize, usize) {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    (head, tail)
}

/// Whether only the value, its key and what is between these and their siblings was removed,
/// with the value's comments. An empty collection may be left in its place.
fn only_removed(before: &Document<'_>, after: &Document<'_>, way: &Way<'_, '_>) -> bool {
    let (own, region) = region(before, way);
    let owned = own.start..owned(before.text, &own, region.end);
    if !comments_stay(before, after, &owned) {
        return false;
    }
    if is_removed(before.text, after.text, &own, &region) {
        return true;
    }
    // Without the empty collection.
    let window = after.text.get(region.start..).unwrap_or_default();
    let empties = window.match_indices("{}").chain(window.match_indices("[]"));
    let mut empties = empties.map(|(at, _)| region.start + at).take_while(|at| *at <= region.end);
    empties.any(|at| {
        let (head, tail) = (&after.text[..at], &after.text[at + 2..]);
        let shorter = head.strip_suffix(' ').unwrap_or(head);
        [head, shorter].iter().any(|head| is_removed(before.text, &format!("{head}{tail}"), &own, &region))
    })
}

/// Whether `after` is `before` without a range that covers `own` and is in `region`.
fn is_removed(before: &str, after: &str, own: &Range<usize>, region: &Range<usize>) -> bool {
    let Some(length) = before.len().checked_sub(after.len()) else { return false };
    let (head, tail) = common(before.as_bytes(), after.as_bytes());
    // Where equal bytes adjoin, there are several ways to see what was removed.
    let mut starts = after.len().saturating_sub(tail)..=head.min(after.len());
    starts.any(|start| {
        region.start <= start
            && start <= own.start
            && own.end <= start + length
            && start + length <= region.end
    })
}

/// The end of what belongs to an entry: the comment on its last line, and those below it that
/// are indented further than it.
fn owned(text: &str, own: &Range<usize>, most: usize) -> usize {
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    let start = text[..own.start].rfind('\n').map_or(0, |end| end + 1);
    let column = own.start - start;
    let mut end = line_end(own.end);
    if end > most && most > own.end {
        // The next sibling is on the same line.
        return own.end;
    }
    loop {
        let line = &text[end..line_end(end)];
        let inner = line.len() - line.trim_start().len();
        if line.is_empty() || !line.trim_start().starts_with('#') || inner <= column {
            return end;
        }
        end += line.len();
    }
}

/// The bytes of an entry or an item itself, and those between its siblings.
fn region(before: &Document<'_>, way: &Way<'_, '_>) -> (Range<usize>, Range<usize>) {
    let target = way.target().span.range();
    let own = way.entry().map_or(target.start, |entry| entry.span.start as usize);
    let own = own.min(target.end)..target.end.max(own);
    let Some((parent, entry)) = way.parent() else { return (own.clone(), own) };
    let siblings: Vec<Range<usize>> = match parent.content.resolved() {
        Content::Map(entries) => {
            let own = entries.iter().filter(|entry| entry.defined.is_none());
            let extent = |entry: &Entry<'_>| entry.span.start..entry.value.span.end.max(entry.span.end);
            own.map(extent).map(|at| at.start as usize..at.end as usize).collect()
        }
        Content::List(items) => items.iter().map(|item| item.span.range()).collect(),
        _ => Vec::new(),
    };
    let start = siblings.iter().map(|at| at.end).filter(|end| *end <= own.start).max();
    let end = siblings.iter().map(|at| at.start).filter(|start| *start >= own.end).min();
    // Without a sibling, up to the key of the collection, and to the end of its last line.
    let start = start.unwrap_or_else(|| entry.map_or(0, |entry| entry.span.end as usize));
    let end = end.unwrap_or_else(|| end_of_container(before, parent.span.end as usize));
    (own, start..end)
}

/// The end of the line on which a collection ends, and of the empty lines below it.
fn end_of_container(before: &Document<'_>, end: usize) -> usize {
    let rest = &before.text[end..];
    let line = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let empty = rest[line..].split_inclusive('\n').take_while(|line| line.trim().is_empty());
    end + line + empty.map(str::len).sum::<usize>()
}

/// Whether the comments are the same as before, except some of those in `region`.
fn comments_stay(before: &Document<'_>, after: &Document<'_>, region: &Range<usize>) -> bool {
    let mut left = after.comments.iter().map(|at| &after.text[at.range()]).peekable();
    for at in &before.comments {
        if left.peek() == Some(&&before.text[at.range()]) {
            left.next();
        } else if !region.contains(&(at.start as usize)) {
            return false;
        }
    }
    left.peek().is_none()
}
