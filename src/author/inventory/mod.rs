//! Reads lists of hosts that other tools have written. The entry point is [`read`].

mod ansible;
mod ssh_config;
mod table;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use super::{Degrees, Sshd};
use crate::network::HostAddress;
use crate::resource::{HostName, ShapeName};
use std::collections::BTreeSet;
use thiserror::Error;

/// The formats of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table with the columns `name`, `addr`, `ssh`, `jump`, `key`, `shape` and `gps`.
    Csv,
    /// `terraform output -json`, with an output `spore_hosts`.
    Terraform,
    /// An inventory of Ansible in its INI format, or what `ansible-inventory --list` prints.
    Ansible,
    /// An SSH configuration.
    SshConfig,
}

/// A host of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: HostName,
    /// The IP addresses that other nodes dial.
    pub addresses: Vec<String>,
    /// Its sshd.
    pub sshd: Sshd,
    /// The jump hosts on the way to it.
    pub jumps: Vec<String>,
    /// Its logins.
    pub logins: Vec<String>,
    /// Its shapes.
    pub shapes: Vec<ShapeName>,
    /// Where it is.
    pub location: Option<Degrees>,
}

impl Listed {
    fn new(name: HostName) -> Self {
        Self {
            name,
            addresses: Vec::new(),
            sshd: Sshd::default(),
            jumps: Vec::new(),
            logins: Vec::new(),
            shapes: Vec::new(),
            location: None,
        }
    }

    /// Without an address, the one of its sshd is used, if it is an IP address.
    fn completed(mut self) -> Self {
        let ip = self.sshd.address.iter().filter(|address| address.parse::<HostAddress>().is_ok());
        if self.addresses.is_empty() {
            self.addresses.extend(ip.cloned());
        }
        self
    }
}

/// A list can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {what}")]
pub struct Unreadable {
    /// The line, or the host.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl Unreadable {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    fn line(line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("line {line}"), what)
    }
}

/// The hosts of a list, by name. A group of an inventory is a shape if the folder has a shape of
/// this name.
///
/// # Errors
/// The list has another format, or lists a host twice.
pub fn read(format: Format, text: &str, shapes: &BTreeSet<ShapeName>) -> Result<Vec<Listed>, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let hosts = match format {
        Format::Csv => table::csv(text),
        Format::Terraform => table::terraform(text),
        Format::Ansible => ansible::read(text, shapes),
        Format::SshConfig => ssh_config::read(text),
    }?;
    let mut seen = BTreeSet::new();
    match hosts.iter().find(|host| !seen.insert(host.name.clone())) {
        Some(host) => Err(Unreadable::new(host.name.to_string(), "the host is listed twice")),
        None => Ok(hosts.into_iter().map(Listed::completed).collect()),
    }
}

fn name(text: &str, place: &str) -> Result<HostName, Unreadable> {
    let what = || format!("`{text}` can't be the name of a host: letters, digits, `_`, `.` and `-` can");
    text.parse().map_err(|_| Unreadable::new(place, what()))
}

/// The fields of a host, and its name.
const FIELDS: &[&str] = &["name", "addr", "ssh", "jump", "key", "shape", "shapes", "gps"];

/// The words for a field that isn't one of them.
fn is_no_field(field: &str) -> String {
    match field {
        "" => "a column has no name".to_owned(),
        _ => format!("`{field}` is none of {}", FIELDS.join(", ")),
    }
}

/// Sets a field of a host to these values.
fn set(host: &mut Listed, field: &str, values: &[String], place: &str) -> Result<(), Unreadable> {
    let wrong = |error: String| Unreadable::new(place, error);
    let one = || match values {
        [one] => Ok(one.as_str()),
        _ => Err(wrong(format!("`{field}` takes one value"))),
    };
    match field {
        "addr" => host.addresses = values.to_vec(),
        "ssh" => host.sshd = one()?.parse::<Sshd>().map_err(|error| wrong(error.to_string()))?,
        "jump" => host.jumps = values.to_vec(),
        "key" => host.logins = values.to_vec(),
        "shape" | "shapes" => {
            let shape = |name: &String| {
                name.parse().map_err(|_| wrong(format!("`{name}` can't be the name of a shape")))
            };
            host.shapes = values.iter().map(shape).collect::<Result<_, _>>()?;
        }
        "gps" => {
            let parts: Vec<&str> = values.iter().map(|part| part.trim_matches(',')).collect();
            let location = parts.join(",").parse::<Degrees>();
            host.location = Some(location.map_err(|error| wrong(error.to_string()))?);
        }
        _ => return Err(wrong(is_no_field(field))),
    }
    Ok(())
}
