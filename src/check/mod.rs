//! What is wrong with a network that can be read: what tau or sshd would
//! refuse, what can be taken in two ways, and what will disappoint.
//!
//! Enter at [`read`] or [`check`]. One file here is one family of checks, a function of a
//! [`Draft`] that knows nothing of the others and draws no conclusion from
//! what couldn't be read. An *error* is what tau, sshd or the reader would
//! refuse, or what can be read in two ways; all else is a *warning*, for a
//! folder that upstream's tool plants into running nodes is never refused. What
//! tau refuses is known from the real one: `fixtures/tau-cases`.

mod addresses;
mod binaries;
mod domain;
mod elders;
mod identities;
mod locations;
mod logins;
mod ports;
mod services;
mod shapes;

pub use binaries::binaries;

use crate::network::{Diagnostic, Draft, HostDraft, NodeDraft, Secrets, ShapeDraft};
use crate::resource::ShapeName;
use std::collections::BTreeSet;
use std::path::Path;

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

/// More of one kind nobody reads, and a file can have a million.
const MOST: usize = 10_000;
/// Of the nodes on one host that are wrong in the same way, so many are shown.
const MOST_ON_A_HOST: usize = 8;

/// Everything that is wrong with `draft` beyond what reading it has found.
pub fn check(draft: &Draft) -> Vec<Diagnostic> {
    FAMILIES.into_iter().flat_map(|family| family(draft)).collect()
}

/// Reads a folder, and checks it.
pub fn read(folder: &Path, secrets: Secrets) -> Draft {
    let mut draft = Draft::read(folder, secrets);
    let problems = check(&draft);
    draft.report(problems);
    draft
}

/// The shapes that run somewhere. Of the others nothing is refused: nobody
/// plants them.
fn used(draft: &Draft) -> BTreeSet<&ShapeName> {
    if draft.partial.hosts || draft.hosts.values().any(|host| !host.all_nodes) {
        return draft.shapes.keys().collect();
    }
    draft.hosts.values().flat_map(|host| host.nodes.keys()).collect()
}

/// An error where it stops something that runs, else a warning.
fn problem(stops: bool, message: impl Into<String>) -> Diagnostic {
    if stops { Diagnostic::error(message) } else { Diagnostic::warning(message) }
}

/// The nodes of one host whose shapes are known.
fn on<'d>(host: &'d HostDraft, draft: &'d Draft) -> impl Iterator<Item = (&'d NodeDraft, &'d ShapeDraft)> {
    host.nodes.values().filter_map(|node| Some((node, draft.shapes.get(&*node.shape)?)))
}
