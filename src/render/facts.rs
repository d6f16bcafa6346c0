//! Renders the facts about a host for a person.

use crate::facts::{Facts, Memory, PortOwner, Surroundings, UnitFact};
use crate::resource::{HostName, Port, Printable, Size, timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a host has answered. Each line ends with a line break.
pub fn facts(host: &HostName, facts: &Facts) -> String {
    let mut out = format!("{host}\n");
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<10} {text}");
    };
    let Surroundings { memory, processors, addresses, owners, searched: _, received, alive: _ } =
        &facts.surroundings;
    line("system", format!("{}, {}", facts.os, facts.architecture));
    if let Some(processors) = processors {
        line("processors", processors.to_string());
    }
    if let Some(Memory { total, available }) = memory {
        line("memory", format!("{} available of {}", Size(*available), Size(*total)));
    }
    line("disk", format!("{} free", Size(facts.free_bytes)));
    if !addresses.is_empty() {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        line("addresses", addresses.join(" "));
    }
    let clock = facts.asked.at_ns.and_then(|at| u64::try_from(at / 1_000_000_000).ok());
    if let Some(at) = clock {
        line("clock", timestamp(at) + &ahead(at, *received));
    }
    for (name, unit) in facts.units.iter().filter(|(_, unit)| unit.load == "loaded") {
        line("unit", format!("{} {}", Printable::line(name), self::unit(unit)));
    }
    let owner = |port: Port| owners.iter().find(|owner| owner.port == port);
    let mut listens: BTreeMap<Port, Vec<String>> = BTreeMap::new();
    for (address, port) in &facts.listening {
        listens.entry(*port).or_default().push(address.to_string());
    }
    for (port, addresses) in listens {
        let by =
            owner(port).map(|PortOwner { name, pid, unit, .. }| format!(": {name} (process {pid}, {unit})"));
        line("listens", format!("{port} on {}{}", addresses.join(" "), by.unwrap_or_default()));
    }
    out
}

/// Example: `, 75 s ahead of this machine's`. Empty if the clocks agree, as far as is known.
fn ahead(at: u64, received: Option<u64>) -> String {
    let Some(received) = received else { return String::new() };
    match (at.abs_diff(received), at > received) {
        (0..=2, _) => String::new(),
        (seconds, true) => format!(", {seconds} s ahead of this machine's"),
        (seconds, false) => format!(", {seconds} s behind this machine's"),
    }
}

/// Example: `active (running), enabled, process 123`.
fn unit(unit: &UnitFact) -> String {
    let UnitFact { active, sub, enabled, pid, .. } = unit;
    let mut text = format!("{active} ({sub})");
    if !enabled.is_empty() {
        let _ = write!(text, ", {enabled}");
    }
    if let Some(pid) = pid {
        let _ = write!(text, ", process {pid}");
    }
    Printable::line(&text).to_string()
}
