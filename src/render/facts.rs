//! Renders the facts about a host for a person.

use crate::facts::{Facts, UnitFact};
use crate::resource::{HostName, Printable, Size};
use std::fmt::Write as _;

/// What a host has answered. Each line ends with a line break.
pub fn facts(host: &HostName, facts: &Facts) -> String {
    let mut out = format!("{host}\n");
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<8} {text}");
    };
    line("system", format!("{}, {}", facts.os, facts.architecture));
    line("disk", format!("{} free", Size(facts.free_bytes)));
    for (name, unit) in facts.units.iter().filter(|(_, unit)| unit.load == "loaded") {
        line("unit", format!("{} {}", Printable::line(name), self::unit(unit)));
    }
    let listening: Vec<String> =
        facts.listening.iter().map(|(address, port)| format!("{address} {port}")).collect();
    if !listening.is_empty() {
        line("listens", listening.join(", "));
    }
    if let Some(at) = facts.asked.at_ns {
        line("clock", super::timestamp(u64::try_from(at / 1_000_000_000).unwrap_or_default()));
    }
    out
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
