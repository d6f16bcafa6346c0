//! Adds and removes hosts.

use super::{Dialect, Edits, Impossible, one_or_list};
use crate::edit::{Change, New};
use crate::network::{Component, Draft};
use crate::resource::{HostName, ShapeName};
use serde_yaml::Value;

/// A host to be added.
#[derive(Clone, Debug)]
pub struct NewHost {
    /// Its name.
    pub name: HostName,
    /// The addresses that other nodes dial.
    pub addresses: Vec<String>,
    /// The address of its sshd.
    pub ssh_address: String,
    /// The port of its sshd, if it isn't 22.
    pub ssh_port: Option<u16>,
    /// The jump hosts through which it is reached.
    pub jumps: Vec<String>,
    /// The logins, by name.
    pub logins: Vec<String>,
    /// Latitude and longitude, as they are to be written.
    pub location: Option<[String; 2]>,
    /// Its nodes.
    pub nodes: Vec<NewNode>,
}

/// A node of a new host.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Its shape.
    pub shape: ShapeName,
    /// Its key; `None` if the host is to generate it.
    pub key: Option<NewKey>,
}

/// The key of a new node.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The peer id.
    pub id: String,
    /// The path of the file with the key.
    pub file: String,
}

/// Where the folder has the key of a node.
#[derive(Clone, PartialEq, Eq)]
pub enum PlaceOfKey {
    /// Among the hosts: this key.
    Here(String),
    /// In this file.
    File(String),
    /// Neither names it.
    Elsewhere,
}

/// The new key of a node, by where it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Renewed {
    /// Only its host has it.
    OnHost,
    /// Among the hosts, in place of the old one.
    Here(String),
    /// In this file, which is another one than that of the old key.
    File(String),
}

impl Edits<'_> {
    /// Adds a host.
    ///
    /// # Errors
    /// There is such a host, or the file can't be edited safely.
    pub fn add_host(&mut self, host: &NewHost) -> Result<(), Impossible> {
        let others = self.entries(Component::Hosts)?;
        let all = |path: &[&str]| -> Vec<Value> {
            let found = |entry: &Value| path.iter().try_fold(entry, |value, key| value.get(*key)).cloned();
            others.values().filter_map(found).collect()
        };
        let lists = |path: &[&str]| {
            let values = all(path);
            !values.is_empty() && values.iter().all(Value::is_sequence)
        };
        let mut ssh = vec![("addr", New::text(&host.ssh_address))];
        // The others may name even the usual port.
        let port = host.ssh_port.or_else(|| (all(&["ssh", "port"]).len() * 2 > others.len()).then_some(22));
        ssh.extend(port.map(|port| ("port", New::Plain(port.to_string()))));
        if !host.jumps.is_empty() {
            ssh.push(("jump", one_or_list(&host.jumps, false)));
        }
        ssh.push(match self.dialect_by(&others, &["ssh", "key"], &["ssh", "auth"]) {
            Dialect::Manual => ("key", one_or_list(&host.logins, lists(&["ssh", "key"]))),
            Dialect::Upstream => ("auth", one_or_list(&host.logins, true)),
        });
        let mut fields = Vec::new();
        if !host.addresses.is_empty() {
            fields.push(("addr", one_or_list(&host.addresses, lists(&["addr"]))));
        }
        fields.push(("ssh", New::map(ssh)));
        if let Some([lat, long]) = &host.location {
            fields.push(match self.dialect_by(&others, &["gps"], &["location"]) {
                Dialect::Manual => ("gps", New::List(vec![New::text(lat), New::text(long)])),
                Dialect::Upstream => {
                    let [lat, long] = [lat, long].map(|degrees| New::Plain(degrees.clone()));
                    ("location", New::map([("lat", lat), ("long", long)]))
                }
            });
        }
        let node = |node: &NewNode| {
            let key = |NewKey { id, file }: &NewKey| [("id", New::text(id)), ("key_file", New::text(file))];
            (node.shape.to_string(), New::map(node.key.iter().flat_map(key)))
        };
        fields.push(("shapes", New::Map(host.nodes.iter().map(node).collect())));
        self.add_entry(Component::Hosts, host.name.as_str(), New::map(fields))
    }

    /// Writes the peer id of a node, if it isn't there yet.
    ///
    /// # Errors
    /// There is no such node, or it has another id, or the file can't be edited safely.
    pub fn set_id(&mut self, host: &str, shape: &str, id: &str) -> Result<(), Impossible> {
        let keys = [host, "shapes", shape, "id"];
        let node = self.value(Component::Hosts, &keys[..3])?;
        let node = node.ok_or_else(|| Impossible::Missing(format!("node `{shape}@{host}`")))?;
        let (whole, change) = match node.get("id") {
            Some(Value::String(there)) if there == id => return Ok(()),
            Some(Value::Null) => (true, Change::Set(New::text(id))),
            Some(_) => {
                let file = self.place(Component::Hosts, &keys)?.0;
                return Err(Impossible::Exists(format!("another id of `{shape}@{host}`"), file));
            }
            None => (false, Change::Add("id".to_owned(), New::text(id))),
        };
        let (file, path) = self.place(Component::Hosts, if whole { &keys } else { &keys[..3] })?;
        self.edit(&file, &path, &change)
    }

    /// Where the folder has the key of a node.
    ///
    /// # Errors
    /// There is no such node.
    pub fn place_of_key(&self, host: &str, shape: &str) -> Result<PlaceOfKey, Impossible> {
        let node = self.value(Component::Hosts, &[host, "shapes", shape])?;
        let node = node.ok_or_else(|| Impossible::Missing(format!("node `{shape}@{host}`")))?;
        let text = |key: &str| node.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(match (text("key"), text("key_file")) {
            (Some(key), _) => PlaceOfKey::Here(key),
            (None, Some(file)) => PlaceOfKey::File(file),
            (None, None) => PlaceOfKey::Elsewhere,
        })
    }

    /// Replaces the identity of a node, which has the old id.
    ///
    /// # Errors
    /// There is no such node, or it has another id by now, or the file can't be edited safely.
    pub fn renew(
        &mut self,
        host: &str,
        shape: &str,
        old: &str,
        id: &str,
        key: &Renewed,
    ) -> Result<(), Impossible> {
        let node = ["shapes", shape];
        let at = |field| [host, node[0], node[1], field];
        // In this order, a file is sound after each of the edits only if it holds both; they are
        // written at once.
        match key {
            Renewed::OnHost => {}
            Renewed::Here(text) => self.set_text(&at("key"), text).map_err(|error| {
                error.without_secret(
                    "key: KEY, with the `id` that belongs to it: `spore key node` prints both",
                )
            })?,
            Renewed::File(file) => self.set_text(&at("key_file"), file)?,
        }
        match self.value(Component::Hosts, &at("id"))? {
            Some(Value::String(there)) if there == id => Ok(()),
            Some(Value::String(there)) if there == old => self.set_text(&at("id"), id),
            None | Some(Value::Null) if *key != Renewed::OnHost => self.set_id(host, shape, id),
            _ => {
                let file = self.place(Component::Hosts, &at("id"))?.0;
                Err(Impossible::Exists(format!("another id of `{shape}@{host}`"), file))
            }
        }
    }

    /// Writes the ids of nodes that are derived from their keys next to these keys, in the files that
    /// change anyway. Where that can't be done safely, a node does without.
    pub fn write_derived_ids(&mut self, draft: &Draft) {
        for (host, nodes) in draft.hosts.iter().map(|(name, host)| (name.as_str(), &host.nodes)) {
            for (shape, node) in nodes.iter().filter(|(_, node)| node.key.is_some()) {
                let Some(id) = &node.id else { continue };
                let changes = |(file, _): (String, _)| self.changed.iter().any(|change| change.path == file);
                let is_named =
                    self.place_of_key(host, shape.as_str()).is_ok_and(|place| place != PlaceOfKey::Elsewhere);
                if is_named && self.place(Component::Hosts, &[host]).is_ok_and(changes) {
                    let _ = self.set_id(host, shape.as_str(), &id.to_string());
                }
            }
        }
    }

    fn set_text(&mut self, keys: &[&str], text: &str) -> Result<(), Impossible> {
        let (file, path) = self.place(Component::Hosts, keys)?;
        self.edit(&file, &path, &Change::Set(New::text(text)))
    }

    /// Removes a host, and its nodes from the elders.
    ///
    /// # Errors
    /// There is no such host, or a file can't be edited safely.
    pub fn remove_host(&mut self, name: &HostName) -> Result<(), Impossible> {
        // The elders come first: a list of elders may lack a host, but not name one that is gone.
        self.remove_elder_of_all_shapes(name.as_str())?;
        self.remove_entry(Component::Hosts, "host", name.as_str())
    }
}
