//! The roster of a network: the hosts that it has as of an apply, and how to reach them.
//!
//! Each apply leaves it on the hosts, next to their receipts. A host that has since been deleted
//! from the folder is named in the roster of those that are still there, so it can't keep
//! running unnoticed, and can still be found. The roster of the newest receipt counts. A roster
//! contains no secret: logins are named, and the folder has them.

use crate::resource::{Printable, Redactor, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of a roster's format, `major.minor`.
pub const FORMAT: &str = "1.0";

/// The hosts of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "The roster of a network that an apply has left on a host")]
pub struct Roster {
    /// The version of this file's format.
    pub spore_roster: String,
    /// The hosts with nodes, by name.
    pub hosts: BTreeMap<String, RosterHost>,
}

/// A host of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RosterHost {
    /// The address of its SSH server.
    pub address: Printable,
    /// Further addresses of the server, tried in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Printable>,
    /// The port of its SSH server.
    pub port: u16,
    /// The servers through which it is reached, each as `[user@]host[:port]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jumps: Vec<Printable>,
    /// The names of its logins in the folder.
    pub logins: Vec<Printable>,
    /// The peer ids of its nodes, by shape.
    pub nodes: BTreeMap<Printable, Printable>,
}

impl Roster {
    /// The roster of these hosts.
    pub fn new(hosts: BTreeMap<String, RosterHost>) -> Self {
        Self { spore_roster: FORMAT.to_owned(), hosts }
    }

    /// Parses a roster that a host has sent; `None` if it isn't one of this major version.
    pub fn parse(text: &str, redactor: &Redactor) -> Option<Self> {
        let mut roster: Self = serde_json::from_str(text).ok()?;
        if roster.spore_roster.split('.').next() != FORMAT.split('.').next() {
            return None;
        }
        for RosterHost { address, more, port: _, jumps, logins, nodes } in roster.hosts.values_mut() {
            *address = redactor.line(address);
            for text in more.iter_mut().chain(jumps).chain(logins) {
                *text = redactor.line(text);
            }
            let ids = std::mem::take(nodes).into_iter();
            *nodes = ids.map(|(shape, id)| (redactor.line(&shape), redactor.line(&id))).collect();
        }
        Some(roster)
    }

    /// The bytes of the file. Equal rosters have the same.
    pub fn text(&self) -> String {
        // Serializing strings and numbers doesn't fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The name of the file, which depends on its content: a host doesn't send a roster that the
    /// controller already knows by its name.
    pub fn file_name(&self) -> String {
        format!("roster-{:.16}.json", Sha256::of(self.text().as_bytes()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_kept() {
        let old = r#"{"spore_roster":"1.0","hosts":{"h1":{"address":"192.0.2.1","port":22,"logins":[],"nodes":{}}}}"#;
        let read = Roster::parse(old, &Redactor::default());
        let Some(mut roster) = read else { panic!("a roster without the field is read") };
        assert_eq!(roster.text(), old);
        let more = vec![Printable::line("h1.example.test")];
        roster.hosts.values_mut().for_each(|host| host.more.clone_from(&more));
        let read = Roster::parse(&roster.text(), &Redactor::default());
        assert_eq!(read, Some(roster));
    }
}
