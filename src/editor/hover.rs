//! What is known about what is at a cursor.

use super::changes::{Requires, requires};
use super::names::{Name, Named};
use super::schema::Schema;
use super::tree::{self, Part};
use super::{Cursor, keys};
use crate::edit::Step;
use std::ops::Range;

/// What is known about something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A field of the folder.
    Field {
        /// The names of the field and of the mappings that it is in, from the outermost.
        path: Vec<String>,
        /// What it means.
        meaning: String,
        /// Whether it may be left out.
        need: Need,
        /// What a change of it needs, if that doesn't depend on more.
        requires: Option<Requires>,
    },
    /// A shape.
    Shape {
        /// Its name.
        name: String,
        /// The services that it runs.
        services: Vec<String>,
        /// The port that other nodes dial.
        main: Option<u16>,
        /// The hosts that have a node of it.
        hosts: Vec<String>,
    },
    /// A host.
    Host {
        /// Its name.
        name: String,
        /// The addresses that other nodes dial.
        addresses: Vec<String>,
        /// The shapes of its nodes.
        shapes: Vec<String>,
    },
    /// A login.
    Login {
        /// Its name.
        name: String,
        /// The user.
        user: Option<String>,
        /// The hosts that have it.
        hosts: Vec<String>,
    },
}

/// Whether a field may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// It may be.
    Optional,
    /// One of these fields is required.
    OneOf(Vec<String>),
}

impl Cursor<'_> {
    /// What is known about what is under the cursor, and its place.
    pub fn about(&self) -> Option<(Range<usize>, About)> {
        let document = self.document()?;
        if let Some(name) = self.name().filter(|name| !name.spot.span.is_empty())
            && let Some(about) = self.about_name(&name)
        {
            return Some((name.spot.span, about));
        }
        let schema = Schema::of(document.component)?;
        tree::with_root(document.text, self.offset, |root| {
            let found = tree::at(root, self.offset).filter(|found| found.part != Part::Alias)?;
            let mut path = document.whole(&found.path);
            while let Some(Step::Item(_)) = path.last() {
                path.pop();
            }
            let field = schema.field_at(&path)?;
            // The names of entries are left out.
            let described = (1..=path.len()).filter(|end| schema.field_at(&path[..*end]).is_some());
            let names =
                described.filter_map(|end| keys(&path[end - 1..end]).first().map(|key| (*key).to_owned()));
            let need = match field.required.is_empty() {
                true => Need::Optional,
                false => Need::OneOf(field.required.iter().map(|name| (*name).to_owned()).collect()),
            };
            let about = About::Field {
                path: names.collect(),
                meaning: field.meaning.to_owned(),
                need,
                requires: requires(document.component, &path),
            };
            Some((found.span.range(), about))
        })
    }

    fn about_name(&self, name: &Name) -> Option<About> {
        let draft = self.draft;
        let text = &*name.text;
        Some(match name.of {
            Named::Shape => {
                let shape = draft.shapes.values().find(|shape| shape.name.as_str() == text)?;
                let runs = |host: &&crate::network::HostDraft| host.nodes.contains_key(&shape.name.value);
                About::Shape {
                    name: shape.name.place.shown(text).to_owned(),
                    services: shape.services.iter().map(|service| service.shown().to_owned()).collect(),
                    main: shape.main.as_ref().map(|port| port.value),
                    hosts: draft.hosts.values().filter(runs).map(shown).collect(),
                }
            }
            Named::Host => {
                let host = draft.hosts.values().find(|host| host.name.as_str() == text)?;
                About::Host {
                    name: shown(host),
                    addresses: host.addresses.iter().map(|address| address.ip.to_string()).collect(),
                    shapes: host
                        .nodes
                        .values()
                        .map(|node| node.shape.place.shown(node.shape.as_str()).to_owned())
                        .collect(),
                }
            }
            Named::Login => {
                let login = draft.logins.get(text)?;
                let has = |host: &&crate::network::HostDraft| {
                    host.ssh.iter().any(|ssh| ssh.logins.iter().any(|login| login.value == text))
                };
                About::Login {
                    name: login.name.shown().to_owned(),
                    user: login.user.as_ref().map(|user| user.shown().to_owned()),
                    hosts: draft.hosts.values().filter(has).map(shown).collect(),
                }
            }
            Named::File => return None,
        })
    }
}

fn shown(host: &crate::network::HostDraft) -> String {
    host.name.place.shown(host.name.as_str()).to_owned()
}
