//! Inventories of Ansible: the INI format, and the JSON of `ansible-inventory --list`.

use super::{Listed, Unreadable, name};
use crate::resource::ShapeName;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Variables = BTreeMap<String, String>;

/// An inventory, whatever its format.
#[derive(Default)]
struct Inventory {
    /// The hosts' own variables, in the order of the file.
    hosts: Vec<(String, Variables)>,
    /// By group, its hosts, the groups in it, and its variables.
    groups: BTreeMap<String, Group>,
}

#[derive(Default)]
struct Group {
    hosts: BTreeSet<String>,
    children: BTreeSet<String>,
    variables: Variables,
}

pub(super) fn read(text: &str, shapes: &BTreeSet<ShapeName>) -> Result<Vec<Listed>, Unreadable> {
    let inventory = match text.trim_start().starts_with('{') {
        true => json(text)?,
        false => ini(text)?,
    };
    inventory.hosts.iter().map(|(host, own)| inventory.listed(host, own, shapes)).collect()
}

impl Inventory {
    fn host(&mut self, name: &str) -> &mut Variables {
        let at = match self.hosts.iter().position(|(host, _)| host == name) {
            Some(at) => at,
            None => {
                self.hosts.push((name.to_owned(), Variables::new()));
                self.hosts.len() - 1
            }
        };
        &mut self.hosts[at].1
    }

    /// Whether a host is in a group, or in a group of the group.
    fn is_in(&self, host: &str, group: &str, depth: usize) -> bool {
        let Some(found) = self.groups.get(group).filter(|_| depth > 0) else { return group == "all" };
        group == "all"
            || found.hosts.contains(host)
            || found.children.iter().any(|child| self.is_in(host, child, depth - 1))
    }

    fn listed(
        &self,
        host: &str,
        own: &Variables,
        shapes: &BTreeSet<ShapeName>,
    ) -> Result<Listed, Unreadable> {
        const DEEPEST: usize = 16;
        let mut listed = Listed::new(name(host, host)?);
        let groups = || self.groups.keys().filter(|group| self.is_in(host, group, DEEPEST));
        // The host's own variables come first, then those of its groups, and last those of all. Which of
        // several groups wins depends on how they are nested, so they have to agree.
        let variable = |name: &str| -> Result<Option<String>, Unreadable> {
            let of = |group: &String| self.groups.get(group).and_then(|group| group.variables.get(name));
            let values: BTreeSet<&String> = groups().filter(|group| *group != "all").filter_map(of).collect();
            Ok(match (own.get(name), values.len()) {
                (Some(own), _) => Some(own.clone()),
                (None, 0) => groups().filter(|group| *group == "all").find_map(of).cloned(),
                (None, 1) => values.first().map(|value| (*value).clone()),
                (None, _) => {
                    let what = format!(
                        "its groups have different values of {name}; import the output of `ansible-inventory --list`"
                    );
                    return Err(Unreadable::new(host, what));
                }
            })
        };
        let address = variable("ansible_host")?.unwrap_or_else(|| host.to_owned());
        listed.sshd.address = Some(address);
        listed.sshd.user = variable("ansible_user")?;
        if let Some(port) = variable("ansible_port")? {
            let port = port.parse().map_err(|_| Unreadable::new(host, format!("`{port}` isn't a port")))?;
            listed.sshd.port = Some(port);
        }
        listed.addresses = variable("spore_addr")?
            .iter()
            .flat_map(|text| text.split([' ', ',']))
            .map(str::to_owned)
            .collect();
        listed.addresses.retain(|address| !address.is_empty());
        // Every inventory has the groups `all` and `ungrouped`: they aren't meant as shapes.
        let is_meant = |shape: &ShapeName| !["all", "ungrouped"].contains(&shape.as_str());
        let is_of = |shape: &&ShapeName| is_meant(shape) && self.is_in(host, shape.as_str(), DEEPEST);
        listed.shapes = shapes.iter().filter(is_of).cloned().collect();
        Ok(listed)
    }
}

fn ini(text: &str) -> Result<Inventory, Unreadable> {
    let mut inventory = Inventory::default();
    let mut section = ("ungrouped".to_owned(), "hosts".to_owned());
    for (line, written) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if written.is_empty() || written.starts_with(['#', ';']) {
            continue;
        }
        if let Some(head) = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let (group, kind) = head.split_once(':').unwrap_or((head, "hosts"));
            section = (group.to_owned(), kind.to_owned());
            inventory.groups.entry(section.0.clone()).or_default();
            continue;
        }
        let words = shlex::split(written)
            .ok_or_else(|| Unreadable::line(line, "it can't be read as a host with variables"))?;
        let group = inventory.groups.entry(section.0.clone()).or_default();
        match section.1.as_str() {
            "hosts" => {
                let Some((host, variables)) = words.split_first() else { continue };
                if host.contains(['[', ']']) || host.ends_with(':') {
                    let what = "only the INI format without ranges is read; pass what `ansible-inventory -i FILE --list` prints";
                    return Err(Unreadable::line(line, what));
                }
                group.hosts.insert(host.clone());
                let variables: Vec<(&str, &str)> =
                    variables.iter().filter_map(|variable| variable.split_once('=')).collect();
                let own = inventory.host(host);
                own.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
            "children" => drop(group.children.insert(written.to_owned())),
            "vars" => {
                if let Some((name, value)) = written.split_once('=') {
                    let value = value.trim().trim_matches(['"', '\'']);
                    group.variables.insert(name.trim().to_owned(), value.to_owned());
                }
            }
            other => {
                return Err(Unreadable::line(line, format!("`{other}` is none of hosts, children and vars")));
            }
        }
    }
    Ok(inventory)
}

fn json(text: &str) -> Result<Inventory, Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        Unreadable::new(format!("line {}", error.line()), format!("it isn't JSON: {error}"))
    })?;
    let mut inventory = Inventory::default();
    let variables = |value: &Value| -> Variables {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let entries = value.as_object().into_iter().flatten();
        entries.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
    };
    for (group, found) in value.as_object().into_iter().flatten().filter(|(group, _)| *group != "_meta") {
        let names = |field: &str| -> BTreeSet<String> {
            let items = found.get(field).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let own = found.get("vars").map(&variables).unwrap_or_default();
        let group_of = Group { hosts: names("hosts"), children: names("children"), variables: own };
        for host in &group_of.hosts {
            inventory.host(host);
        }
        inventory.groups.insert(group.clone(), group_of);
    }
    let hosts = value.get("_meta").and_then(|meta| meta.get("hostvars")).and_then(Value::as_object);
    for (host, own) in hosts.into_iter().flatten() {
        inventory.host(host).extend(variables(own));
    }
    if inventory.hosts.is_empty() {
        return Err(Unreadable::new(
            "line 1",
            "it lists no hosts; is it what `ansible-inventory --list` prints?",
        ));
    }
    Ok(inventory)
}
