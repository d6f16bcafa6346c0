//! What can be written at a cursor.

use super::names::{Named, role};
use super::schema::Schema;
use super::tree::{Gap, Part, gap};
use super::{Cursor, keys};
use crate::daemon::tau::SERVICES;
use crate::edit::Step;
use crate::finding::{At, Component};
use crate::resource::HostName;
use std::ops::Range;

/// Something that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The name or the value.
    pub label: String,
    /// What it is.
    pub what: Offered,
    /// What is written.
    pub text: String,
}

/// What is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// A field, with its meaning.
    Field(String),
    /// A name that something in the folder has.
    Name(Named),
    /// A service.
    Service,
    /// One of the values that there are.
    Value,
}

impl Cursor<'_> {
    /// What can be written at the cursor, and the word that it replaces.
    pub fn completions(&self) -> Option<(Range<usize>, Vec<Completion>)> {
        let document = self.document()?;
        let gap = gap(document.text, self.offset)?;
        let path = document.whole(&gap.path);
        let schema = Schema::of(document.component)?;
        let mut all = Vec::new();
        if gap.part == Part::Key || gap.begins {
            all.extend(self.keys(document.component, schema, &path, &gap));
        }
        if gap.part == Part::Value && !path.is_empty() {
            all.extend(self.values(document.component, schema, &path));
        }
        all.retain(|offered| !gap.others.contains(&offered.label));
        Some((gap.word, all))
    }

    fn keys(&self, component: Component, schema: &Schema, path: &[Step], gap: &Gap) -> Vec<Completion> {
        let write = |name: &str, is_inline: bool| match (gap.has_colon, is_inline) {
            (true, _) => name.to_owned(),
            (false, true) => format!("{name}: "),
            (false, false) => format!("{name}:"),
        };
        let fields = schema.fields(path).into_iter().map(|field| Completion {
            label: field.name.to_owned(),
            what: Offered::Field(field.meaning.to_owned()),
            text: write(field.name, schema.is_inline(field.schema)),
        });
        let mut names: Vec<(String, Offered)> = Vec::new();
        let in_it = [path, &[Step::Key(String::new())]].concat();
        match role(component, &in_it, Part::Key) {
            Some((of, false)) => names.extend(self.names(of).map(|name| (name, Offered::Name(of)))),
            Some((_, true)) => {}
            None => names.extend(
                schema
                    .names(path)
                    .into_iter()
                    .filter(|name| *name != "<<")
                    .map(|name| (name.to_owned(), Offered::Value)),
            ),
        }
        // A schema also lists the names of fields.
        let fields: Vec<Completion> = fields.collect();
        names.retain(|(name, _)| !fields.iter().any(|field| field.label == *name));
        let names =
            names.into_iter().map(|(name, what)| Completion { text: write(&name, true), label: name, what });
        fields.into_iter().chain(names).collect()
    }

    fn values(&self, component: Component, schema: &Schema, path: &[Step]) -> Vec<Completion> {
        let offer = |label: String, what: Offered| Completion { text: label.clone(), label, what };
        let service = |name: &str| offer(name.to_owned(), Offered::Service);
        match (component, &keys(path)[..]) {
            (Component::Shapes, [_, "services" | "protocols"]) => {
                return schema.values(path).into_iter().map(service).collect();
            }
            (Component::Network, ["domain", "hosts", _]) => {
                return SERVICES.iter().map(|traits| service(traits.name)).collect();
            }
            (Component::Shapes, [_, "plugins"]) => {
                let plugins =
                    self.files.plugins().map(|name| offer(name.to_owned(), Offered::Name(Named::File)));
                return plugins.collect();
            }
            (Component::Network, ["p2p", "bootstrap", shape]) => {
                // Only a host with a node of the shape can be an elder, once there is any.
                let has = self
                    .draft
                    .hosts
                    .values()
                    .filter(|host| host.nodes.keys().any(|name| name.as_str() == *shape));
                let names: Vec<String> = has.filter_map(|host| visible(&host.name)).collect();
                let names = if names.is_empty() { self.names(Named::Host).collect() } else { names };
                return names.into_iter().map(|name| offer(name, Offered::Name(Named::Host))).collect();
            }
            _ => {}
        }
        match role(component, path, Part::Value) {
            Some((of, _)) => self.names(of).map(|name| offer(name, Offered::Name(of))).collect(),
            None => {
                schema.values(path).into_iter().map(|value| offer(value.to_owned(), Offered::Value)).collect()
            }
        }
    }

    /// The names in the folder, without those that aren't shown.
    fn names(&self, of: Named) -> impl Iterator<Item = String> {
        let names: Vec<Option<String>> = match of {
            Named::Host => self.draft.hosts.values().map(|host| visible(&host.name)).collect(),
            Named::Shape => {
                let name = |shape: &crate::network::ShapeDraft| {
                    let name = shape.name.as_str();
                    (shape.name.place.shown(name) == name).then(|| name.to_owned())
                };
                self.draft.shapes.values().map(name).collect()
            }
            Named::Login => {
                let name = |login: &crate::network::LoginDraft| {
                    (login.name.shown() == login.name.value).then(|| login.name.value.clone())
                };
                self.draft.logins.values().map(name).collect()
            }
            Named::File => Vec::new(),
        };
        names.into_iter().flatten()
    }
}

fn visible(name: &At<HostName>) -> Option<String> {
    let text = name.as_str();
    (name.place.shown(text) == text).then(|| text.to_owned())
}
