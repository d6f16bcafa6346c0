//! Typed access to the values of a document; problems are reported.
//!
//! Text in messages is taken from the masked source, never from the value.

use super::place::{At, Place, Source};
use super::problem::{Diagnostic, ProblemReport, Read, Reported, nearest};
use super::slot::Slot;
use crate::yaml::{Content, Node, Span};
use std::sync::Arc;

/// A value in a document.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    pub(super) node: &'t Node<'t>,
    pub(super) source: &'t Arc<Source>,
    /// Its key, if it has one.
    pub(super) key: Option<Span>,
    /// The alias or merge key through which its parent is used.
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

    /// The alias through which its parts are used.
    fn inner_via(self) -> Option<Span> {
        self.via.or(self.node.defined.map(|_| self.node.span))
    }

    pub(super) fn at<T>(self, value: T) -> At<T> {
        At { value, place: self.place() }
    }

    /// Its first line, masked and shortened.
    pub(super) fn shown(self) -> String {
        let span = self.node.defined.unwrap_or(self.node.span);
        let text = self.source.text().get(span.range()).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        match line.char_indices().nth(60) {
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line.to_owned(),
        }
    }

    /// Reports that this value isn't what is expected.
    pub(super) fn wrong(
        self,
        message: &str,
        expected: &str,
        help: &str,
        report: &mut ProblemReport,
    ) -> Reported {
        let problem = Diagnostic::error(message).at(&self.place(), expected).help(help);
        report.push(problem)
    }

    /// The place of its key, if it has one: where missing parts of it are reported.
    pub(super) fn head(self) -> Place {
        match self.key {
            Some(span) => Place::new(self.source, span),
            None => self.place(),
        }
    }

    fn not(self, expected: &str, report: &mut ProblemReport) -> Reported {
        let found = match self.node.content.resolved() {
            Content::Broken => return Reported,
            Content::Null => "nothing",
            Content::Scalar { .. } | Content::Tagged { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) | Content::Shared(_) => "a mapping",
        };
        let problem = Diagnostic::error(format!("expected {expected}, found {found}"));
        let place = if self.is_null() { self.head() } else { self.place() };
        report.push(problem.at(&place, "this").help(format!("write {expected} here")))
    }

    /// Any scalar as text; `expected` describes it in messages.
    pub(super) fn text(self, expected: &str, report: &mut ProblemReport) -> Read<&'t str> {
        match self.node.content.resolved() {
            Content::Scalar { text, .. } if text.trim().is_empty() => Err(self.wrong(
                &format!("expected {expected}, found nothing"),
                "empty",
                &format!("write {expected} here"),
                report,
            )),
            Content::Scalar { text, .. } => Ok(text),
            _ => Err(self.not(expected, report)),
        }
    }

    /// A port in plain decimal digits, which all YAML readers interpret alike.
    pub(super) fn port(self, report: &mut ProblemReport) -> Read<At<u16>> {
        const HELP: &str = "a port is a number from 1 to 65535, without quotes";
        let text = self.text("a port", report)?;
        let plain = matches!(self.node.content.resolved(), Content::Scalar { plain: true, .. });
        let decimal = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        match text.parse() {
            Ok(port) if plain && decimal => Ok(self.at(port)),
            _ => {
                Err(self.wrong(&format!("`{}` is not a port", self.shown()), "expected a port", HELP, report))
            }
        }
    }

    /// A number, quoted or not.
    pub(super) fn number(self, expected: &str, report: &mut ProblemReport) -> Read<At<f64>> {
        let text = self.text(expected, report)?;
        let digits = text.trim().bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        match text.trim().parse::<f64>() {
            Ok(number) if digits && number.is_finite() => Ok(self.at(number)),
            _ => {
                let message = format!("`{}` is not a number", self.shown());
                Err(self.wrong(
                    &message,
                    &format!("expected {expected}"),
                    "write it in degrees, such as `-33.87`",
                    report,
                ))
            }
        }
    }

    /// The items of a list; a single value counts as a list of one.
    pub(super) fn items(self, report: &mut ProblemReport) -> Vec<Item<'t>> {
        match self.node.content.resolved() {
            Content::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    let item = Item { node, source: self.source, key: None, via: self.inner_via() };
                    if matches!(node.content.resolved(), Content::Null) {
                        let problem = Diagnostic::error("an empty list item");
                        report.push(
                            problem.at(&item.place(), "empty").help("write the item, or remove the line"),
                        );
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

    /// Whether it has an anchor, so that aliases can refer to it.
    pub(super) fn is_anchored(self) -> bool {
        matches!(self.node.content, Content::Shared(_)) && self.node.defined.is_none()
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self.node.content.resolved(), Content::List(_))
    }

    pub(super) fn is_mapping(self) -> bool {
        matches!(self.node.content.resolved(), Content::Map(_))
    }

    /// The entries of a mapping; `owner` describes it in messages.
    pub(super) fn fields(self, owner: &str, report: &mut ProblemReport) -> Read<Fields<'t>> {
        let Content::Map(entries) = self.node.content.resolved() else {
            return Err(self.not(&format!("a mapping for {owner}"), report));
        };
        let mut fields = Fields::new(owner.to_owned(), Some(self.head()));
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
    /// The description of the mapping: `host `h1``.
    owner: String,
    pub(super) place: Option<Place>,
    pub(super) slots: Vec<Slot<'t>>,
    asked: Vec<&'static str>,
    /// Missing fields: reported at the end, unless they are misspelt.
    missing: Vec<(Vec<&'static str>, Diagnostic)>,
    /// Whether some of it couldn't be read: then missing fields aren't reported.
    pub(super) partial: bool,
}

impl<'t> Fields<'t> {
    pub(super) fn new(owner: String, place: Option<Place>) -> Self {
        Self { owner, place, slots: Vec::new(), asked: Vec::new(), missing: Vec::new(), partial: false }
    }

    /// The value of `name`; null counts as absent.
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

    /// The value of `name`, which is required.
    pub(super) fn need(&mut self, name: &'static str, example: &str) -> Read<Item<'t>> {
        self.take(name).ok_or_else(|| self.missing(&[name], example))
    }

    /// Reports that none of `names` is present; the message has the first one.
    pub(super) fn missing(&mut self, names: &[&'static str], example: &str) -> Reported {
        let message = format!("{} has no `{}`", self.owner, names.first().copied().unwrap_or_default());
        self.missing_because(names, &message, example)
    }

    /// As [`Fields::missing`], with another message.
    pub(super) fn missing_because(
        &mut self,
        names: &[&'static str],
        message: &str,
        example: &str,
    ) -> Reported {
        let mut problem = Diagnostic::error(message).help(format!("add `{example}`"));
        if let Some(place) = &self.place {
            problem = problem.at(place, "here");
        }
        if !self.partial {
            self.missing.push((names.to_vec(), problem));
        }
        Reported
    }

    /// The value of either of two names, which are the same field in the two
    /// dialects. Both may be present if the values are equal.
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
        [one, other]: [&str; 2],
        here: &Place,
        there: &Place,
        report: &mut ProblemReport,
    ) -> Reported {
        let message = format!("`{one}` and `{other}` of {} have different values", self.owner);
        let problem = Diagnostic::error(message).at(here, "this").at(there, "and this");
        report.push(problem.help(format!("keep one: `{one}` is the older name of `{other}`")))
    }

    /// Reports the entries that were not taken, and the missing fields. An entry
    /// that looks misspelt is an error, and makes the result `true`. Other unknown
    /// entries are warnings: upstream's tool ignores them.
    pub(super) fn finish(mut self, report: &mut ProblemReport) -> bool {
        let mut misspelt = false;
        for slot in &self.slots {
            if slot.taken || slot.again {
                continue;
            }
            let shown = slot.place.shown(slot.name);
            let message = format!("{} has no field `{shown}`", self.owner);
            let joined = slot.name.split_once(':').map(|(name, _)| name);
            let problem = match nearest(slot.name, self.asked.iter().copied()) {
                None if joined.is_some_and(|name| self.asked.contains(&name)) => {
                    misspelt = true;
                    self.missing.retain(|(names, _)| !names.iter().any(|name| joined == Some(name)));
                    Diagnostic::error(message).help("write a space after the `:`")
                }
                Some(name) => {
                    misspelt = true;
                    self.missing.retain(|(names, _)| !names.contains(&name));
                    Diagnostic::error(message).help(format!("did you mean `{name}`?"))
                }
                None => {
                    let mut all: Vec<_> = self.asked.iter().map(|name| format!("`{name}`")).collect();
                    all.sort();
                    all.dedup();
                    let help = format!("remove it; the fields of {} are {}", self.owner, all.join(", "));
                    Diagnostic::warning(message).help(help)
                }
            };
            report.push(problem.at(&slot.place, "unknown"));
        }
        for (_, problem) in self.missing {
            report.push(problem);
        }
        misspelt
    }
}
