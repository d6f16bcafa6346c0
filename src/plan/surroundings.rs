//! Notes about what a host has besides the network's resources.

use super::Note;
use crate::facts::{Alive, Conditions};
use crate::resource::HostName;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The difference between two clocks, in seconds, from which on it is worth a note.
const FAR: i64 = 60;

/// The notes about all hosts. `announced` has the addresses in the folder.
pub(super) fn notes(
    conditions: &BTreeMap<HostName, Conditions>,
    announced: &BTreeMap<HostName, Vec<IpAddr>>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    for (host, found) in conditions {
        let seconds = found.clock_ahead.filter(|seconds| seconds.abs() > FAR);
        notes.extend(seconds.map(|seconds| Note::Clock { host: host.clone(), seconds }));
        let has = &found.surroundings.addresses;
        let missing = announced.get(host).into_iter().flatten().filter(|address| !has.contains(*address));
        let addresses: Vec<IpAddr> = missing.copied().collect();
        if !has.is_empty() && !addresses.is_empty() {
            notes.push(Note::NoSuchAddress { host: host.clone(), addresses });
        }
    }
    let is_mute =
        |found: &Conditions| found.surroundings.alive.values().any(|(_, alive)| *alive == Alive::Forbidden);
    let mute: Vec<HostName> =
        conditions.iter().filter(|(_, found)| is_mute(found)).map(|(host, _)| host.clone()).collect();
    if !mute.is_empty() {
        notes.push(Note::NotHeard(mute));
    }
    notes
}
