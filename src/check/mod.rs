//! What is wrong with a network that can be read: what tau or sshd would
//! refuse, what can be taken in two ways, and what will disappoint.
//!
//! Enter at [`check`]. One file here is one family of checks, a function of a
//! [`Draft`] that knows nothing of the others and draws no conclusion from
//! what couldn't be read. An *error* is what tau, sshd or the reader would
//! refuse, or what can be read in two ways; all else is a *warning*, for a
//! folder that upstream's tool plants into running nodes is never refused. What
//! tau refuses is known from the real one: `fixtures/tau-cases`.

mod addresses;
mod domain;
mod elders;
mod identities;
mod locations;
mod logins;
mod ports;
mod services;
mod shapes;

use crate::network::{Diagnostic, Draft, HostDraft, NodeDraft, ShapeDraft};

/// A family of checks.
type Family = fn(&Draft) -> Vec<Diagnostic>;

const FAMILIES: [Family; 9] = [
    addresses::check,
    domain::check,
    elders::check,
    identities::check,
    locations::check,
    logins::check,
    ports::check,
    services::check,
    shapes::check,
];

/// Everything that is wrong with `draft` beyond what reading it has found.
pub fn check(draft: &Draft) -> Vec<Diagnostic> {
    FAMILIES.into_iter().flat_map(|family| family(draft)).collect()
}

/// Every node whose shape is known, host by host.
fn nodes(draft: &Draft) -> impl Iterator<Item = (&HostDraft, &NodeDraft, &ShapeDraft)> {
    draft.hosts.values().flat_map(|host| on(host, draft).map(move |(node, shape)| (host, node, shape)))
}

/// The nodes of one host whose shapes are known.
fn on<'d>(host: &'d HostDraft, draft: &'d Draft) -> impl Iterator<Item = (&'d NodeDraft, &'d ShapeDraft)> {
    host.nodes.values().filter_map(|node| Some((node, draft.shapes.get(&*node.shape)?)))
}
