//! Checks a network that could be read. It finds settings that tau or sshd would reject,
//! that are ambiguous, or that are probably mistakes.
//!
//! The entry points are [`read`] and [`check`]. Each file of this module contains one
//! family of checks: a function of a [`Draft`] that is independent of the other families
//! and draws no conclusions from what couldn't be read. An *error* is something that tau,
//! sshd or the reader would reject, or that is ambiguous. Everything else is a *warning*,
//! because a folder that upstream's tool deploys as running nodes is never rejected. The
//! severity of a finding depends on that finding only: see
//! [`Severity`](crate::finding::Severity). What tau rejects was tested with the real tau;
//! the cases are in `fixtures/tau-cases`.

mod addresses;
mod binaries;
mod domain;
mod elders;
mod git;
mod identities;
mod locations;
mod logins;
mod ports;
mod services;
mod shapes;

pub use binaries::binaries;

use crate::finding::Finding;
use crate::network::{Draft, Files, HostDraft, NodeDraft, Outside, Secrets, ShapeDraft};
use crate::resource::ShapeName;
use std::collections::BTreeSet;
use std::path::Path;

/// A family of checks.
type Family = fn(&Draft) -> Vec<Finding>;

const FAMILIES: [Family; 10] = [
    addresses::check,
    domain::check,
    elders::check,
    git::check,
    identities::check,
    locations::check,
    logins::check,
    ports::check,
    services::check,
    shapes::check,
];

/// The maximum number of findings of one kind that are reported, because a file can have a
/// million of them.
const MOST: usize = 10_000;
/// The maximum number of nodes of one host that are shown for one finding.
const MOST_ON_A_HOST: usize = 8;

/// The findings about `draft`, in addition to those of reading it.
pub fn check(draft: &Draft) -> Vec<Finding> {
    FAMILIES.into_iter().flat_map(|family| family(draft)).collect()
}

/// Reads a folder and checks it.
pub fn read(folder: &Path, secrets: Secrets, outside: impl Into<Outside>) -> Draft {
    let mut draft = Draft::read(folder, secrets, outside);
    let problems = check(&draft);
    draft.report(problems);
    draft
}

/// Reads a folder that is in memory, and checks it.
pub fn files(files: &Files, secrets: Secrets) -> Draft {
    let mut draft = Draft::from_files(files, secrets);
    let problems = check(&draft);
    draft.report(problems);
    draft
}

/// The shapes that run on some host, or all shapes if it isn't known which of them do.
/// Errors in shapes that no host runs aren't reported, because such shapes aren't deployed.
fn used(draft: &Draft) -> BTreeSet<&ShapeName> {
    if draft.partial.hosts || draft.hosts.values().any(|host| !host.all_nodes) {
        return draft.shapes.keys().collect();
    }
    draft.hosts.values().flat_map(|host| host.nodes.keys()).collect()
}

/// The nodes of one host whose shapes are known.
fn on<'d>(host: &'d HostDraft, draft: &'d Draft) -> impl Iterator<Item = (&'d NodeDraft, &'d ShapeDraft)> {
    host.nodes.values().filter_map(|node| Some((node, draft.shapes.get(&*node.shape)?)))
}
