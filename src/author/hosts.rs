//! Adds and removes hosts.

use super::{Dialect, Edits, Impossible, one_or_list};
use crate::edit::{Change, New};
use crate::network::Component;
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
