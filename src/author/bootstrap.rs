//! Adds elders to `p2p.bootstrap`, and removes them.

use super::{Edits, Impossible};
use crate::edit::{Change, New};
use crate::network::Component;
use serde_yaml::Value;

const BOOTSTRAP: [&str; 2] = ["p2p", "bootstrap"];

impl Edits<'_> {
    /// Adds a node to the elders.
    ///
    /// # Errors
    /// It is one already, or the file can't be edited safely.
    pub fn add_elder(&mut self, shape: &str, host: &str) -> Result<(), Impossible> {
        let [p2p, bootstrap] = BOOTSTRAP;
        let item = || New::List(vec![New::text(host)]);
        let shapes = self.value(Component::Network, &BOOTSTRAP)?;
        let hosts = shapes.as_ref().and_then(|shapes| shapes.get(shape));
        if hosts.is_some_and(|hosts| position(hosts, host).is_some()) {
            return Err(Impossible::Exists(format!("`{shape}@{host}`"), "p2p.bootstrap".to_owned()));
        }
        let (keys, change): (&[&str], Change) = match (&shapes, hosts) {
            (None, _) => (&[p2p], Change::Add(bootstrap.into(), New::map([(shape, item())]))),
            (Some(_), None) => (&BOOTSTRAP, Change::Add(shape.to_owned(), item())),
            // A single host may be written without a list.
            (Some(_), Some(Value::String(other))) => {
                (&[p2p, bootstrap, shape], Change::Set(New::List(vec![New::text(other), New::text(host)])))
            }
            (Some(_), Some(_)) => (&[p2p, bootstrap, shape], Change::Push(New::text(host))),
        };
        let (file, path) = self.place(Component::Network, keys)?;
        self.edit(&file, &path, &change)
    }

    /// Removes a node from the elders.
    ///
    /// # Errors
    /// It isn't one, or the file can't be edited safely.
    pub fn remove_elder(&mut self, shape: &str, host: &str) -> Result<(), Impossible> {
        let [p2p, bootstrap] = BOOTSTRAP;
        let hosts = self.value(Component::Network, &[p2p, bootstrap, shape])?;
        let at = hosts.as_ref().and_then(|hosts| position(hosts, host));
        let at = at.ok_or_else(|| Impossible::Missing(format!("`{shape}@{host}` in p2p.bootstrap")))?;
        let (file, path) = self.place(Component::Network, &[p2p, bootstrap, shape])?;
        let path = if matches!(hosts, Some(Value::Sequence(_))) { path.item(at) } else { path };
        self.edit(&file, &path, &Change::Remove)
    }

    /// Removes all nodes of a host from the elders.
    pub(super) fn remove_elder_of_all_shapes(&mut self, host: &str) -> Result<(), Impossible> {
        let Some(Value::Mapping(shapes)) = self.value(Component::Network, &BOOTSTRAP)? else { return Ok(()) };
        let named = shapes.into_iter().filter(|(_, hosts)| position(hosts, host).is_some());
        let shapes: Vec<String> = named.filter_map(|(shape, _)| Some(shape.as_str()?.to_owned())).collect();
        shapes.iter().try_for_each(|shape| self.remove_elder(shape, host))
    }
}

/// Where a host is in a list, or as its only item.
fn position(hosts: &Value, host: &str) -> Option<usize> {
    match hosts {
        Value::Sequence(items) => items.iter().position(|item| item.as_str() == Some(host)),
        value => (value.as_str() == Some(host)).then_some(0),
    }
}
