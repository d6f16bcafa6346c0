//! Finds where an edit goes, with the crate yaml-edit. It puts a word in the place of the new
//! key and value, and `write` replaces the word: so the crate decides where, and `write` how.

use super::write::{self, Around};
use super::{Document, New, Path, Step, Way, is_block_scalar, is_flow, is_null};
use crate::yaml::{Content, Entry, Node};
use std::str::FromStr as _;
use yaml_edit::{Mapping, MappingEntry, YamlFile, YamlNode};

/// A word for a key or a value, which doesn't occur in the text.
fn word(name: &str, text: &str) -> String {
    let mut word = format!("spore{name}");
    while text.contains(&word) {
        word.push('x');
    }
    word
}

/// Replaces the value at the end of the way.
pub(super) fn set(before: &Document<'_>, way: &Way<'_, '_>, path: &Path, new: &New) -> Option<String> {
    let target = way.target();
    if matches!(target.content, Content::Null) {
        return fill(before, way, path, new);
    }
    let span = target.span.range();
    let is_collection = matches!(target.content.resolved(), Content::List(_) | Content::Map(_));
    let is_block = is_collection && !is_flow(target, before.text) || is_block_scalar(target, before.text);
    if is_block && target.defined.is_none() {
        return None;
    }
    let around = Around { flow: true, like: Some(target), ..Around::of(before, way) };
    let (head, tail) = (&before.text[..span.start], &before.text[span.end..]);
    Some(format!("{head}{}{tail}", write::inline(new, &around)))
}

/// Writes a value where there is none.
fn fill(before: &Document<'_>, way: &Way<'_, '_>, path: &Path, new: &New) -> Option<String> {
    let (file, value) = (YamlFile::from_str(before.text).ok()?, word("value", before.text));
    let parent = &way.nodes[..way.nodes.len() - 1];
    match (node(&file, parent, path)?, path.0.last()?) {
        (YamlNode::Mapping(mapping), Step::Key(_)) => {
            let entry = entry(&mapping, way.entry()?.span.start)?;
            entry.set_value(&value, mapping.is_flow_style());
        }
        (YamlNode::Sequence(items), Step::Item(index)) => {
            items.set(*index, &value);
        }
        _ => return None,
    }
    // In the place of a written null, a block would have to go around the comment behind it.
    let is_written = way.target().span.start < way.target().span.end;
    let flow = is_written || parent.iter().any(|node| is_flow(node, before.text));
    let around = Around { flow, ..Around::of(before, way) };
    write::value(&file.to_string(), &value, new, &around)
}

/// Adds an entry to the mapping at the end of the way.
pub(super) fn add(
    before: &Document<'_>,
    way: &Way<'_, '_>,
    path: &Path,
    key: &str,
    new: &New,
) -> Option<String> {
    if is_null(way.target()) {
        return fill(before, way, path, &New::Map(vec![(key.to_owned(), new.clone())]));
    }
    let (file, key_word) = (YamlFile::from_str(before.text).ok()?, word("key", before.text));
    let value = word("value", before.text);
    let YamlNode::Mapping(mapping) = node(&file, &way.nodes, path)? else { return None };
    mapping.set(&key_word, &value);
    let like = match way.target().content.resolved() {
        Content::Map(entries) => {
            entries.iter().rfind(|entry| entry.defined.is_none() && write::is_like(new, &entry.value))
        }
        _ => None,
    };
    let around = Around {
        like: like.map(|entry| &entry.value),
        flow: way.is_flow(before.text),
        ..Around::of(before, way)
    };
    let mut text = write::value(&file.to_string(), &value, new, &around)?;
    if !around.flow && are_apart(before, way) {
        let line = text.find(&key_word).map(|at| text[..at].rfind('\n').map_or(0, |end| end + 1));
        let is_apart = |line: &usize| {
            let above = text[..*line].strip_suffix('\n').unwrap_or_default();
            above.trim_end_matches([' ', '\t', '\r']).ends_with('\n')
        };
        let line = line.filter(|line| !is_apart(line));
        line.into_iter().for_each(|line| text.insert_str(line, around.line_end));
    }
    write::key(&text, &key_word, key)
}

/// Whether there is an empty line between each two entries of a mapping.
fn are_apart(before: &Document<'_>, way: &Way<'_, '_>) -> bool {
    let Content::Map(entries) = way.target().content.resolved() else { return false };
    let own: Vec<_> = entries.iter().filter(|entry| entry.defined.is_none()).collect();
    let is_apart = |pair: &[&Entry<'_>]| {
        let [one, next] = pair else { return false };
        let end = one.value.span.end.max(one.span.end) as usize;
        let gap = before.text.get(end..next.span.start as usize).unwrap_or_default();
        // Without the rest of the first line, and without the beginning of the last.
        let lines = gap.rsplit_once('\n').map_or("", |(lines, _)| lines);
        lines.split('\n').skip(1).any(|line| line.trim().is_empty())
    };
    own.len() > 1 && own.windows(2).all(is_apart)
}

/// Adds an item to the list at the end of the way.
pub(super) fn push(before: &Document<'_>, way: &Way<'_, '_>, path: &Path, new: &New) -> Option<String> {
    if is_null(way.target()) {
        return fill(before, way, path, &New::List(vec![new.clone()]));
    }
    let (file, value) = (YamlFile::from_str(before.text).ok()?, word("value", before.text));
    let YamlNode::Sequence(items) = node(&file, &way.nodes, path)? else { return None };
    items.push(&value);
    let like = match way.target().content.resolved() {
        Content::List(items) => items.last(),
        _ => None,
    };
    // A collection in a list is written in brackets, so that it needs no column.
    let around = Around { like, flow: true, ..Around::of(before, way) };
    write::value(&file.to_string(), &value, new, &around)
}

/// Removes an entry or an item.
pub(super) fn remove(before: &Document<'_>, way: &Way<'_, '_>, parent: &Path, last: &Step) -> Option<String> {
    let file = YamlFile::from_str(before.text).ok()?;
    let nodes = &way.nodes[..way.nodes.len() - 1];
    match (node(&file, nodes, parent)?, last) {
        (YamlNode::Mapping(mapping), Step::Key(_)) => {
            let key = entry(&mapping, way.entry()?.span.start)?.key_node()?;
            mapping.remove(&key)?;
        }
        (YamlNode::Sequence(items), Step::Item(index)) => {
            items.remove(*index)?;
        }
        _ => return None,
    }
    Some(file.to_string())
}

/// A document without a value, or with an empty mapping in brackets, with its first entry.
pub(super) fn begin(before: &Document<'_>, key: &str, new: &New) -> String {
    let text = before.text;
    let around = Around::new(text);
    let entry = write::entry(key, new, 0, &around);
    let written = before.root.as_ref().map(|root| root.span.range()).filter(|span| !span.is_empty());
    if let Some(span) = written {
        return format!("{}{entry}{}", &text[..span.start], &text[span.end..]);
    }
    let end = around.line_end;
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{entry}{end}")
}

/// The node of yaml-edit that corresponds to the last of `nodes`, which are on the way along
/// `path`. `None` if an alias is on the way.
fn node(file: &YamlFile, nodes: &[&Node<'_>], path: &Path) -> Option<YamlNode> {
    let document = file.document()?;
    let mut node = document
        .as_mapping()
        .map(YamlNode::Mapping)
        .or_else(|| document.as_sequence().map(YamlNode::Sequence))?;
    for (parent, step) in nodes.iter().zip(&path.0).take(nodes.len() - 1) {
        node = match (node, step) {
            (YamlNode::Mapping(mapping), Step::Key(key)) => {
                let Content::Map(entries) = parent.content.resolved() else { return None };
                let at = entries.iter().find(|entry| entry.key == *key)?.span.start;
                untagged(entry(&mapping, at)?.value_node()?)?
            }
            (YamlNode::Sequence(items), Step::Item(index)) => untagged(items.get(*index)?)?,
            _ => return None,
        };
    }
    Some(node)
}

fn untagged(node: YamlNode) -> Option<YamlNode> {
    match node {
        YamlNode::TaggedNode(tagged) => {
            let mapping = tagged.as_mapping().map(YamlNode::Mapping);
            mapping.or_else(|| tagged.as_sequence().map(YamlNode::Sequence))
        }
        node => Some(node),
    }
}

/// The entry whose key is at this offset. It isn't looked for by its key, because both parsers
/// may not agree on what the key means.
fn entry(mapping: &Mapping, at: u32) -> Option<MappingEntry> {
    mapping.entries().find(|entry| entry.key_node().is_some_and(|key| key.byte_range().start == at))
}
