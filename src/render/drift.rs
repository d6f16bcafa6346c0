//! Puts into words what has changed on the hosts themselves, and lays it out as text.

use super::plan::{counted_list, hosts, text_of_changes};
use super::{Style, Tone};
use crate::plan::file::{DriftPage, HostDrift, LastApply, OriginEntry, PlanPage, PlannedChange, State};
use crate::resource::Printable;
use std::collections::BTreeSet;

/// The part of a plan that is due to changes on the hosts.
pub fn drift(page: &PlanPage) -> DriftPage {
    let named = page.applied.keys().chain(page.unplanned.iter().map(|found| &found.host));
    let names: BTreeSet<&Printable> = named.chain(page.changes.iter().map(|change| &change.host)).collect();
    let hosts: Vec<HostDrift> = names.into_iter().map(|name| host(page, name)).collect();
    let summary = summary(&hosts);
    DriftPage { network: page.network.clone(), summary, hosts }
}

fn host(page: &PlanPage, name: &Printable) -> HostDrift {
    let receipt = page.applied.get(name);
    let since = receipt.cloned().flatten();
    let unplanned = page.unplanned.iter().filter(|found| found.host == *name);
    let mut why: Vec<Printable> =
        unplanned.map(|found| Printable::composed(format!("{}; {}", found.why, found.help))).collect();
    if why.is_empty() && receipt.is_some() && since.is_none() {
        why.push("it has no receipt of an apply, so what has changed since isn't known".into());
    }
    let of_host = || page.changes.iter().filter(|change| change.host == *name);
    let unknown = of_host().filter(|change| since.is_some() && change.origin == OriginEntry::Unknown);
    let unknown: Vec<String> = unknown.map(|change| change.resource.to_string()).collect();
    if !unknown.is_empty() {
        let names = counted_list(unknown.into_iter());
        let text = match since.as_ref().filter(|since| since.superseded) {
            Some(LastApply { at, .. }) => format!(
                "an apply has begun since that of {at} and hasn't left a receipt, so it isn't known where these \
                 differences come from: {names}"
            ),
            None => format!("its receipt doesn't say where these differences come from: {names}"),
        };
        why.push(Printable::composed(text));
    }
    let is_unknown = !why.is_empty();
    let is_host = |change: &&PlannedChange| matches!(change.origin, OriginEntry::Host | OriginEntry::Both);
    let changes: Vec<PlannedChange> = of_host().filter(is_host).cloned().collect();
    let overridden = page.overridden.iter().filter(|found| found.host == *name);
    let overridden = overridden.map(|found| Printable::composed(format!("{}: {}", found.unit, found.text)));
    let overridden: Vec<Printable> = overridden.collect();
    let state = match (changes.is_empty() && overridden.is_empty(), is_unknown) {
        (false, _) => State::Drifted,
        (true, true) => State::Unknown,
        (true, false) => State::InSync,
    };
    why.extend(overridden);
    HostDrift { host: name.clone(), state, since, why, changes }
}

/// Example: `drift: 1 host changed (h2); 1 host unknown (h4); 5 hosts in sync`.
fn summary(found: &[HostDrift]) -> Printable {
    let of =
        |state: State| found.iter().filter(move |host| host.state == state).map(|host| host.host.to_string());
    let mut parts = Vec::new();
    for (state, word) in [(State::Drifted, "changed"), (State::Unknown, "unknown")] {
        let names: Vec<String> = of(state).collect();
        if !names.is_empty() {
            parts.push(format!("{} {word} ({})", hosts(names.len()), counted_list(names.into_iter())));
        }
    }
    parts.push(format!("{} in sync", hosts(of(State::InSync).count())));
    Printable::composed(format!("drift: {}", parts.join("; ")))
}

/// The whole page. Each line ends with a line break.
pub fn drift_text(page: &DriftPage, style: Style) -> String {
    let mut out = String::new();
    for found in page.hosts.iter().filter(|host| host.state != State::InSync) {
        let mut heading = style.paint(Tone::Strong, &found.host);
        if let Some(since) = &found.since
            && !found.changes.is_empty()
        {
            let since = format!("  changed on the host since the apply of {}", since.at);
            heading += &style.paint(Tone::Faint, since);
        }
        out.push_str(&format!("{heading}\n"));
        for why in &found.why {
            out.push_str(&format!("  {why}\n"));
        }
        out.push_str(&text_of_changes(&found.changes, style));
        out.push('\n');
    }
    out.push_str(&format!("{}\n", page.summary));
    out
}
