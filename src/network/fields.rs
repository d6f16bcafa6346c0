//! Typed access to the values of a document, which reports what is wrong with them.
//!
//! Text in messages is taken from the masked source, never from the value.

use super::problem::{ProblemReport, Read, Reported, nearest};
use super::slot::Slot;
use super::{At, Place, SourceText};
use crate::finding::{Excerpt, Expected, FieldProblem, Finding, Form, Kind, Owner};
use crate::yaml::{Content, Node, Span};
use std::sync::Arc;

/// A value in a document.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    pub(super) node: &'t Node<'t>,
    pub(super) source: &'t Arc<SourceText>,
    /// The place of the value's key, if it has one.
    pub(super) key: Option<Span>,
    /// The alias or merge key through which the value's parent is used.
    pub(super) via: Option<Span>,
}

impl<'t> Item<'t> {
    pub(super) fn place(self) -> Place {
        let Node { span, defined, .. } = *self.node;
        match self.via {
            Some(via) => Place::new(self.source, via).defined_at(Some(defined.unwrap_or(span))),
            None => Place::new(self.source, span).defined_at(defined),
        }
    }

    /// The alias through which the value's parts are used.
    fn inner_via(self) -> Option<Span> {
        self.via.or(self.node.defined.map(|_| self.node.span))
    }

    pub(super) fn at<T>(self, value: T) -> At<T> {
        At { value, place: self.place() }
    }

    /// The first line of the value, masked and shortened.
    pub(super) fn shown(self) -> Excerpt {
        let span = self.node.defined.unwrap_or(self.node.span);
        let text = self.source.text().get(span.range()).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        match line.char_indices().nth(60) {
            Some((cut, _)) => Excerpt::of(format_args!("{}…", &line[..cut])),
            None => Excerpt::of(line),
        }
    }

    /// Reports what is wrong with this value.
    pub(super) fn wrong(self, what: impl Into<Kind>, report: &mut ProblemReport) -> Reported {
        report.push(Finding::new(what).at(&self.place()))
    }

    /// The place of the value's key, or of the value if it has no key. Missing parts of the
    /// value are reported there.
    pub(super) fn head(self) -> Place {
        match self.key {
            Some(span) => Place::new(self.source, span),
            None => self.place(),
        }
    }

    fn not(self, expected: Expected, report: &mut ProblemReport) -> Reported {
        let found = match self.node.content.resolved() {
            Content::Broken => return Reported,
            Content::Null => Form::Nothing,
            Content::Scalar { .. } | Content::Tagged { .. } => Form::Scalar,
            Content::List(_) => Form::List,
            Content::Map(_) | Content::Shared(_) => Form::Mapping,
        };
        let place = if self.is_null() { self.head() } else { self.place() };
        report.push(Finding::new(FieldProblem::Type { expected, found }).at(&place))
    }

    /// The value as text, if it is a scalar that isn't blank.
    pub(super) fn text(self, expected: Expected, report: &mut ProblemReport) -> Read<&'t str> {
        match self.node.content.resolved() {
            Content::Scalar { text, .. } if text.trim().is_empty() => {
                Err(self.wrong(FieldProblem::NoText(expected), report))
            }
            Content::Scalar { text, .. } => Ok(text),
            _ => Err(self.not(expected, report)),
        }
    }

    /// A port in plain decimal digits, which all YAML readers interpret alike.
    pub(super) fn port(self, report: &mut ProblemReport) -> Read<At<u16>> {
        let text = self.text(Expected::Port, report)?;
        let plain = matches!(self.node.content.resolved(), Content::Scalar { plain: true, .. });
        let decimal = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        match text.parse() {
            Ok(port) if plain && decimal => Ok(self.at(port)),
            _ => Err(self.wrong(FieldProblem::Port(self.shown()), report)),
        }
    }

    /// A number, quoted or not.
    pub(super) fn number(self, expected: Expected, report: &mut ProblemReport) -> Read<At<f64>> {
        let text = self.text(expected.clone(), report)?;
        let digits = text.trim().bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        match text.trim().parse::<f64>() {
            Ok(number) if digits && number.is_finite() => Ok(self.at(number)),
            _ => Err(self.wrong(FieldProblem::Number { text: self.shown(), expected }, report)),
        }
    }

    /// The items of a list. A single value counts as a list with one item.
    pub(super) fn items(self, report: &mut ProblemReport) -> Vec<Item<'t>> {
        match self.node.content.resolved() {
            Content::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    let item = Item { node, source: self.source, key: None, via: self.inner_via() };
                    if matches!(node.content.resolved(), Content::Null) {
                        item.wrong(FieldProblem::EmptyItem, report);
                    } else {
                        items.push(item);
                    }
                }
                items
            }
            Content::Null | Content::Broken => Vec::new(),
            _ => vec![self],
        }
    }

    pub(super) fn is_null(self) -> bool {
        matches!(self.node.content.resolved(), Content::Null)
    }

    /// Whether the value has an anchor, so that aliases can refer to it.
    pub(super) fn is_anchored(self) -> bool {
        matches!(self.node.content, Content::Shared(_)) && self.node.defined.is_none()
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self.node.content.resolved(), Content::List(_))
    }

    pub(super) fn is_mapping(self) -> bool {
        matches!(self.node.content.resolved(), Content::Map(_))
    }

    /// The entries of a mapping.
    pub(super) fn fields(self, owner: Owner, report: &mut ProblemReport) -> Read<Fields<'t>> {
        let Content::Map(entries) = self.node.content.resolved() else {
            return Err(self.not(Expected::Mapping(owner), report));
        };
        let mut fields = Fields::new(owner, Some(self.head()));
        fields.slots = entries
            .iter()
            .map(|entry| Slot {
                name: &entry.key,
                plain: entry.plain,
                place: match self.inner_via() {
                    Some(via) => {
                        Place::new(self.source, via).defined_at(Some(entry.defined.unwrap_or(entry.span)))
                    }
                    None => Place::new(self.source, entry.span).defined_at(entry.defined),
                },
                item: Item {
                    node: &entry.value,
                    source: self.source,
                    key: Some(entry.span),
                    via: self.inner_via().or(entry.defined.map(|_| entry.span)),
                },
                taken: false,
                again: entry.again,
            })
            .collect();
        Ok(fields)
    }
}

/// A mapping whose entries are taken one by one.
pub(super) struct Fields<'t> {
    owner: Owner,
    pub(super) place: Option<Place>,
    pub(super) slots: Vec<Slot<'t>>,
    asked: Vec<&'static str>,
    /// The missing fields. They are reported at the end, unless an entry looks like a
    /// misspelling of their name.
    missing: Vec<(Vec<&'static str>, Finding)>,
    /// Whether part of the mapping couldn't be read. If so, missing fields aren't reported.
    pub(super) partial: bool,
}

impl<'t> Fields<'t> {
    pub(super) fn new(owner: Owner, place: Option<Place>) -> Self {
        Self { owner, place, slots: Vec::new(), asked: Vec::new(), missing: Vec::new(), partial: false }
    }

    /// Takes the value of `name`; null counts as absent.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Item<'t>> {
        self.take_named(name).map(|(_, item)| item)
    }

    fn take_named(&mut self, name: &'static str) -> Option<(Place, Item<'t>)> {
        self.asked.push(name);
        let slot = self.slots.iter_mut().find(|slot| slot.name == name)?;
        slot.taken = true;
        let empty = matches!(slot.item.node.content.resolved(), Content::Null);
        (!empty).then(|| (slot.place.clone(), slot.item))
    }

    /// Takes the value of `name`, which is required.
    pub(super) fn need(&mut self, name: &'static str, example: &'static str) -> Read<Item<'t>> {
        self.take(name).ok_or_else(|| self.missing(&[name], example))
    }

    /// Reports that none of `names` is present. The message names the first one.
    pub(super) fn missing(&mut self, names: &[&'static str], example: &'static str) -> Reported {
        let name = names.first().copied().unwrap_or_default();
        self.missing_because(names, FieldProblem::Missing { owner: self.owner.clone(), name, example })
    }

    /// Reports that none of `names` is present, as the given finding.
    pub(super) fn missing_because(&mut self, names: &[&'static str], what: impl Into<Kind>) -> Reported {
        if !self.partial {
            let problem = Finding::new(what);
            let problem = self.place.iter().fold(problem, Finding::at);
            self.missing.push((names.to_vec(), problem));
        }
        Reported
    }

    /// Takes the value of either of two names, which the two dialects have for the same
    /// field. Both may be present if the values are equal.
    pub(super) fn either<T: PartialEq>(
        &mut self,
        names: [&'static str; 2],
        report: &mut ProblemReport,
        mut read: impl FnMut(Item<'t>, &mut ProblemReport) -> Read<T>,
    ) -> Option<Read<T>> {
        let [first, second] = names.map(|name| self.take_named(name));
        match (first, second) {
            (None, None) => None,
            (Some((_, item)), None) | (None, Some((_, item))) => Some(read(item, report)),
            (Some((one, first)), Some((other, second))) => {
                let (first, second) = (read(first, report), read(second, report));
                if let (Ok(a), Ok(b)) = (&first, &second)
                    && a != b
                {
                    return Some(Err(self.contradiction(names, &one, &other, report)));
                }
                Some(first.and(second))
            }
        }
    }

    fn contradiction(
        &self,
        names: [&'static str; 2],
        here: &Place,
        there: &Place,
        report: &mut ProblemReport,
    ) -> Reported {
        let problem = Finding::new(FieldProblem::Contradiction { owner: self.owner.clone(), names });
        report.push(problem.at(here).at(there))
    }

    /// Reports the entries that weren't taken, and the missing fields. An entry that looks
    /// misspelt is an error, and makes the result `true`. Other unknown entries are
    /// warnings, because upstream's tool ignores them.
    pub(super) fn finish(mut self, report: &mut ProblemReport) -> bool {
        let mut misspelt = false;
        for slot in &self.slots {
            if slot.taken || slot.again {
                continue;
            }
            let (owner, name) = (self.owner.clone(), Excerpt::of(slot.place.shown(slot.name)));
            let joined = slot.name.split_once(':').map(|(name, _)| name);
            let what = match nearest(slot.name, self.asked.iter().copied()) {
                None if joined.is_some_and(|name| self.asked.contains(&name)) => {
                    misspelt = true;
                    self.missing.retain(|(names, _)| !names.iter().any(|name| joined == Some(name)));
                    FieldProblem::NoSpace { owner, name }
                }
                Some(meant) => {
                    misspelt = true;
                    self.missing.retain(|(names, _)| !names.contains(&meant));
                    FieldProblem::Misspelt { owner, name, meant }
                }
                None => {
                    let mut known = self.asked.clone();
                    known.sort_unstable();
                    known.dedup();
                    FieldProblem::Unknown { owner, name, known }
                }
            };
            report.push(Finding::new(what).at(&slot.place));
        }
        for (_, problem) in self.missing {
            report.push(problem);
        }
        misspelt
    }
}
