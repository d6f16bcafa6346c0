//! Verifies that an edit changed what it should have changed, and nothing else: neither another
//! value nor another byte.

use super::{Change, Document, New, Path, Step, Way, Why};
use crate::yaml::{Content, plain};
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
fn of(new: &New) -> Value {
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
        && match (change, way) {
            (Change::Remove, Some(way)) => only_removed(before, &after, way),
            (Change::Remove, None) => false,
            (_, way) => {
                let replaced = way.map(|way| way.target()).filter(|target| {
                    matches!(change, Change::Set(_)) || matches!(target.content.resolved(), Content::Null)
                });
                let replaced = replaced.map_or(0..0, |target| target.span.range());
                let comments = |document: &Document<'_>| -> Vec<String> {
                    document.comments.iter().map(|at| document.text[at.range()].to_owned()).collect()
                };
                replaces(before.text, after.text, &replaced) && comments(before) == comments(&after)
            }
        }
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
/// with the comments there. An empty collection may be left in its place.
fn only_removed(before: &Document<'_>, after: &Document<'_>, way: &Way<'_, '_>) -> bool {
    let Some(parent) = way.parent() else { return false };
    let (own, region) = region(before, way, parent.content.resolved());
    let (head, tail) = common(before.text.as_bytes(), after.text.as_bytes());
    let (was, is) = (before.text.len(), after.text.len());
    let is_within = |removed: Range<usize>| {
        region.start <= removed.start
            && removed.end <= region.end
            && removed.start <= own.start
            && own.end <= removed.end
    };
    // Where equal bytes adjoin, there are several ways to see what was removed.
    let removed = |left: usize| {
        let length = (was + left).checked_sub(is);
        let starts = (is.saturating_sub(left + tail)..=head.min(is.saturating_sub(left))).rev();
        let mut starts = starts.filter(|start| {
            let left = after.text.get(*start..start + left);
            left.is_some_and(|left| left.is_empty() || ["{}", "[]"].contains(&left.trim()))
        });
        length.is_some_and(|length| starts.any(|start| is_within(start..start + length)))
    };
    comments_stay(before, after, &region) && (0..=4).any(removed)
}

/// The bytes of an entry or an item itself, and those up to its siblings.
fn region(before: &Document<'_>, way: &Way<'_, '_>, parent: &Content<'_>) -> (Range<usize>, Range<usize>) {
    let target = way.target().span.range();
    let own = way.entry.map_or(target.start, |entry| entry.span.start as usize)..target.end;
    let own = own.start.min(own.end)..own.end;
    // (start, end) of each sibling.
    let siblings: Vec<Range<usize>> = match parent {
        Content::Map(entries) => {
            let own = entries.iter().filter(|entry| entry.defined.is_none());
            own.map(|entry| {
                let start = entry.span.start as usize;
                start..(entry.value.span.end as usize).max(entry.span.end as usize)
            })
            .collect()
        }
        Content::List(items) => items.iter().map(|item| item.span.range()).collect(),
        _ => Vec::new(),
    };
    let start = siblings.iter().map(|at| at.end).filter(|end| *end <= own.start).max();
    let end = siblings.iter().map(|at| at.start).filter(|start| *start >= own.end).min();
    let container = way.parent().map_or(0..before.text.len(), |parent| parent.span.range());
    let start = start.unwrap_or_else(|| before.text[..container.start].rfind(['\n', ':']).map_or(0, |at| at + 1));
    let end = end.unwrap_or_else(|| end_of_container(before, container.end));
    (own, start..end)
}

/// The end of the line on which a collection ends.
fn end_of_container(before: &Document<'_>, end: usize) -> usize {
    before.text[end..].find('\n').map_or(before.text.len(), |at| end + at + 1)
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
