//! Resolves the merge keys of a mapping, and finds its duplicate keys.

use super::Span;
use super::syntax::{Flaw, Flaws, Mistake, flaw};
use super::{Content, Entry, Node};
use std::borrow::Cow;
use std::collections::HashMap;

/// The entries with distinct keys, then those entries of `merges` whose keys are new, then
/// the duplicates.
pub(crate) fn merged<'a>(
    entries: Vec<Entry<'a>>,
    merges: Vec<Node<'a>>,
    flaws: &mut Flaws,
) -> Vec<Entry<'a>> {
    let mut kept = Kept { entries: Vec::with_capacity(entries.len()), seen: HashMap::new() };
    let mut again = Vec::new();
    for entry in entries {
        let span = entry.span;
        if let Err((entry, first)) = kept.push(entry) {
            again.push(Entry { again: true, ..entry });
            flaws.push(|| Box::new(Flaw { mistake: Mistake::DuplicateKey, spans: vec![span, first] }));
        }
    }
    for source in merges.into_iter().flat_map(sources) {
        match source.content.resolved() {
            Content::Map(entries) => {
                for entry in entries.iter().filter(|entry| !entry.again) {
                    let defined = Some(entry.defined.unwrap_or(entry.span));
                    // Existing entries take precedence over merged ones.
                    kept.push(Entry { span: source.span, defined, ..entry.clone() }).ok();
                }
            }
            Content::Broken => {}
            _ => {
                flaws.push(|| flaw(Mistake::NotMergeable, source.span));
            }
        }
    }
    kept.entries.extend(again);
    kept.entries
}

/// The mappings that one `<<` merges. If it refers to a list by an alias, each item has the
/// place of the alias.
fn sources(merge: Node<'_>) -> Vec<Node<'_>> {
    let Content::List(items) = merge.content.resolved() else { return vec![merge] };
    let shown = |item: &Node<'_>| merge.defined.map_or(item.span, |_| merge.span);
    items.iter().map(|item| Node { span: shown(item), ..item.clone() }).collect()
}

/// Mappings with at most this many keys, which are most of them, are searched one by one.
const FEW: usize = 8;

struct Kept<'a> {
    entries: Vec<Entry<'a>>,
    /// The first place of each key; filled once the mapping has more than `FEW` keys.
    seen: HashMap<Cow<'a, str>, Span>,
}

impl<'a> Kept<'a> {
    /// Adds an entry, or returns it and the first place of its key.
    fn push(&mut self, entry: Entry<'a>) -> Result<(), (Entry<'a>, Span)> {
        let first = if self.entries.len() < FEW {
            self.entries.iter().find(|other| other.key == entry.key).map(|other| other.span)
        } else {
            if self.seen.is_empty() {
                self.seen.extend(self.entries.iter().map(|other| (other.key.clone(), other.span)));
            }
            self.seen.get(&entry.key).copied()
        };
        if let Some(first) = first {
            return Err((entry, first));
        }
        if !self.seen.is_empty() {
            self.seen.insert(entry.key.clone(), entry.span);
        }
        self.entries.push(entry);
        Ok(())
    }
}
