//! Adds, changes and removes shapes.

use super::{Dialect, Edits, Impossible};
use crate::edit::{Change, New};
use crate::network::Component;
use crate::resource::ShapeName;
use serde_yaml::Value;

/// A shape to be added.
#[derive(Clone, Debug)]
pub struct NewShape {
    /// Its name.
    pub name: ShapeName,
    /// The TCP port that other nodes dial.
    pub main: u16,
    /// Everything else.
    pub more: ShapeChange,
}

/// What changes in a shape.
#[derive(Clone, Debug, Default)]
pub struct ShapeChange {
    /// The services.
    pub services: Option<Vec<String>>,
    /// The TCP port that other nodes dial.
    pub main: Option<u16>,
    /// The port of the node's own client.
    pub lite: Option<u16>,
    /// The port of the node's IPFS client.
    pub ipfs: Option<u16>,
    /// The plugins.
    pub plugins: Option<Vec<String>>,
}

fn number(port: u16) -> New {
    New::Plain(port.to_string())
}

fn list(texts: &[String]) -> New {
    New::List(texts.iter().map(New::text).collect())
}

impl Edits<'_> {
    /// Adds a shape.
    ///
    /// # Errors
    /// There is such a shape, or the file can't be edited safely.
    pub fn add_shape(&mut self, shape: &NewShape) -> Result<(), Impossible> {
        let NewShape { name, main, more } = shape;
        let others = self.entries(Component::Shapes)?;
        let mut fields = Vec::new();
        if let Some(services) = more.services.as_ref().filter(|services| !services.is_empty()) {
            let field = match self.dialect_by(&others, &["protocols"], &["services"]) {
                Dialect::Manual => "protocols",
                Dialect::Upstream => "services",
            };
            fields.push((field, list(services)));
        }
        let is_nested = others.values().any(|shape| nested(shape, "main"));
        let is_flat = others.values().any(|shape| shape.get("ports").is_some() && !nested(shape, "main"));
        let manual = is_nested || !is_flat && self.dialect() == Dialect::Manual;
        let mut ports = Vec::new();
        if manual {
            ports.push(("main", New::map([("p2p", number(*main))])));
            let lite: Vec<(&str, New)> = [("ipfs", more.ipfs), ("p2p", more.lite)]
                .into_iter()
                .filter_map(|(key, port)| Some((key, number(port?))))
                .collect();
            if !lite.is_empty() {
                ports.push(("lite", New::map(lite)));
            }
        } else {
            ports.push(("main", number(*main)));
            ports.extend(more.lite.map(|port| ("lite", number(port))));
            ports.extend(more.ipfs.map(|port| ("ipfs", number(port))));
        }
        fields.push(("ports", New::map(ports)));
        if let Some(plugins) = more.plugins.as_ref().filter(|plugins| !plugins.is_empty()) {
            fields.push(("plugins", list(plugins)));
        }
        self.add_entry(Component::Shapes, name.as_str(), New::map(fields))
    }

    /// Changes a shape.
    ///
    /// # Errors
    /// There is no such shape, or the file can't be edited safely.
    pub fn set_shape(&mut self, name: &ShapeName, change: &ShapeChange) -> Result<(), Impossible> {
        let others = self.entries(Component::Shapes)?;
        let shape = others.get(name.as_str());
        let shape = shape.ok_or_else(|| Impossible::Missing(format!("shape `{name}`")))?.clone();
        let name = name.as_str();
        if let Some(services) = &change.services {
            let names = ["protocols", "services"].into_iter().filter(|field| shape.get(*field).is_some());
            let mut names: Vec<&str> = names.collect();
            if names.is_empty() {
                names.push(match self.dialect_by(&others, &["protocols"], &["services"]) {
                    Dialect::Manual => "protocols",
                    Dialect::Upstream => "services",
                });
            }
            // If both dialects' fields are there, they have to agree.
            names.into_iter().try_for_each(|field| self.set_list(name, field, services))?;
        }
        if let Some(plugins) = &change.plugins {
            self.set_list(name, "plugins", plugins)?;
        }
        for (field, port) in [("main", change.main), ("lite", change.lite)] {
            let Some(port) = port else { continue };
            match nested(&shape, field) {
                true => self.set(name, &["ports", field], "p2p", number(port))?,
                false
                    if shape.get("ports").and_then(|ports| ports.get(field)).is_none()
                        && nested(&shape, "main") =>
                {
                    self.set(name, &["ports"], field, New::map([("p2p", number(port))]))?;
                }
                false => self.set(name, &["ports"], field, number(port))?,
            }
        }
        if let Some(port) = change.ipfs {
            let below_lite = self.value(Component::Shapes, &[name, "ports", "lite", "ipfs"])?.is_some();
            let flat = shape.get("ports").and_then(|ports| ports.get("ipfs")).is_some();
            let manual = nested(&shape, "main") || nested(&shape, "lite");
            let has_lite = self.value(Component::Shapes, &[name, "ports", "lite"])?.is_some();
            if flat || !(manual || below_lite) {
                self.set(name, &["ports"], "ipfs", number(port))?;
            }
            match (flat, manual || below_lite, has_lite) {
                (true, _, _) if below_lite => self.set(name, &["ports", "lite"], "ipfs", number(port))?,
                (false, true, true) => self.set(name, &["ports", "lite"], "ipfs", number(port))?,
                (false, true, false) => {
                    self.set(name, &["ports"], "lite", New::map([("ipfs", number(port))]))?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes a shape.
    ///
    /// # Errors
    /// There is no such shape, or the file can't be edited safely.
    pub fn remove_shape(&mut self, name: &ShapeName) -> Result<(), Impossible> {
        self.remove_entry(Component::Shapes, "shape", name.as_str())
    }

    /// Sets a field, or adds it.
    fn set(&mut self, name: &str, above: &[&str], field: &str, new: New) -> Result<(), Impossible> {
        let above: Vec<&str> = [&[name], above].concat();
        let whole = [above.as_slice(), &[field]].concat();
        let keys = if self.value(Component::Shapes, &whole)?.is_some() { &whole } else { &above };
        let (file, path) = self.place(Component::Shapes, keys)?;
        let change =
            if keys.len() == whole.len() { Change::Set(new) } else { Change::Add(field.to_owned(), new) };
        self.edit(&file, &path, &change)
    }

    /// Makes a list have these items: the others are removed, and new ones are added at the end,
    /// so that comments on those that stay are kept.
    fn set_list(&mut self, name: &str, field: &str, items: &[String]) -> Result<(), Impossible> {
        let keys = [name, field];
        let (file, path) = self.place(Component::Shapes, &keys)?;
        let Some(Value::Sequence(old)) = self.value(Component::Shapes, &keys)? else {
            return self.set(name, &[], field, list(items));
        };
        let old: Vec<String> = old.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect();
        for (index, _) in old.iter().enumerate().rev().filter(|(_, item)| !items.contains(item)) {
            self.edit(&file, &path.clone().item(index), &Change::Remove)?;
        }
        for item in items.iter().filter(|item| !old.contains(item)) {
            self.edit(&file, &path, &Change::Push(New::text(item)))?;
        }
        Ok(())
    }
}

/// Whether a port is written in the manual's way, as a mapping.
fn nested(shape: &Value, field: &str) -> bool {
    shape.get("ports").and_then(|ports| ports.get(field)).is_some_and(Value::is_mapping)
}
