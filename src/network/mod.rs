//! The network folder, read: what its owner believes a network to be.
//!
//! Enter at [`Draft::read`]. Both dialects of the folder end in the same
//! [`Draft`]; each value keeps the place it was written at, for whoever has
//! to complain about it. All that is wrong is reported at once, and no report
//! shows a secret. A draft without errors is a [`Network`]. Nothing is written,
//! and no host is asked.
//!
//! One file here is one component of the folder. What can be read but can't
//! run is left to `check`.

mod bootstrap;
mod component;
mod domain;
mod draft;
mod fields;
mod files;
mod hosts;
mod logins;
mod mask;
mod place;
mod problem;
mod shapes;
mod syntax;
mod tau_yaml;
mod tenancy;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod yaml;

pub use domain::{CustomDomain, Domain};
pub use draft::{DomainDraft, Draft, HostDraft, NodeDraft, Partial, Secrets, ShapeDraft};
pub use files::{Files, Found, Unreadable};
pub use hosts::{Address, Host, Identity, Location, NotAnAddress, Ssh};
pub use logins::{KeyFile, Login};
pub use place::{At, Place, Source};
pub use problem::{Diagnostic, Problems, nearest};
pub use shapes::{Plugin, Ports, Shape};
pub use tenancy::{Accounts, App, Tenancy};

use component::{Component, Documents};
use draft::OrPartial as _;
use problem::{Read, Report};

use crate::artifact::{Architecture, Pin};
use crate::identity::SwarmKey;
use crate::resource::{HostName, ShapeName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A network, as its folder has it. Everything in it that refers to something
/// else of it has been found.
#[derive(Clone, Debug)]
pub struct Network {
    /// Where it was read from.
    pub folder: PathBuf,
    /// The names it goes by.
    pub domain: Domain,
    /// What lets a node in.
    pub swarm_key: At<SwarmKey>,
    /// By shape, the hosts whose nodes every other node dials first: each of
    /// them carries such a node.
    pub bootstrap: BTreeMap<ShapeName, Vec<At<HostName>>>,
    /// The templates of nodes.
    pub shapes: BTreeMap<ShapeName, Shape>,
    /// The machines.
    pub hosts: BTreeMap<HostName, Host>,
    /// The SSH users, whether a host refers to them or not.
    pub logins: BTreeMap<String, Arc<Login>>,
    /// Whose repositories it serves.
    pub tenancy: Option<Tenancy>,
    /// What the `accounts` service is given.
    pub accounts: Option<At<Accounts>>,
    /// The tau it runs; empty where the folder names none.
    pub tau: BTreeMap<Architecture, Pin>,
    /// What is odd about the folder and doesn't stop anyone.
    pub warnings: Vec<Diagnostic>,
}

impl Network {
    /// Reads a folder whose secrets are all there.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        Draft::read(folder, Secrets::Needed).finish()
    }

    /// Reads a folder that is in memory. Nothing but `files` is looked at.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn from_files(files: &Files) -> Result<Self, Problems> {
        Draft::from_files(files, Secrets::Needed).finish()
    }
}

/// The files that the folder's own files name, as written.
fn named(files: &Files) -> Vec<String> {
    // Where something is missing or wrong, reading it again says so.
    let mut ignored = Report::new(Secrets::Needed);
    let mut named = Vec::new();
    if let Some(documents) = Documents::read(Component::Network, files, &mut ignored) {
        named.extend(domain::read(documents.fields(&mut ignored), &mut ignored).named());
    }
    if let Some(documents) = Documents::read(Component::Logins, files, &mut ignored) {
        named.extend(logins::named(documents.fields(&mut ignored), &mut ignored));
    }
    named
}

fn assemble(files: &Files, secrets: Secrets, report: &mut Report) -> Draft {
    for file in files.unread() {
        report.push(misnamed(file));
    }
    let documents = Component::ALL.map(|component| Documents::read(component, files, report));
    let [network, logins, hosts, shapes, tenancy, accounts, tau] = &documents;
    let folder = files.folder();
    let mut draft = Draft::empty(folder, secrets);
    // Where part of a component couldn't be read, nothing is missing from it.
    let partial = |documents: &Option<Documents<'_>>| documents.as_ref().is_none_or(|d| d.partial);
    draft.partial = Partial {
        network: partial(network),
        shapes: partial(shapes),
        hosts: partial(hosts),
        tenancy: tenancy.as_ref().is_some_and(|documents| documents.partial),
    };

    if let Some(documents) = shapes {
        let fields = documents.fields(report);
        draft.shapes = shapes::read(fields, files, &mut draft.partial.shapes, report);
    }
    let logins_found = logins.as_ref().map(|documents| logins::read(documents.fields(report), files, report));
    let known_shapes = (!partial(shapes)).then_some(&draft.shapes);
    if let Some(documents) = hosts {
        let known = hosts::Known {
            shapes: known_shapes,
            logins: logins_found.as_ref(),
            all_logins: !partial(logins),
        };
        let fields = documents.fields(report);
        draft.hosts = hosts::read(fields, &known, &mut draft.partial.hosts, report);
    }
    if let Some(documents) = network {
        let mut raw = domain::read(documents.fields(report), report);
        if let Some((place, fields)) = raw.bootstrap.take() {
            let known_hosts = (!partial(hosts)).then_some(&draft.hosts);
            let read = bootstrap::read(fields, known_shapes, known_hosts, &mut draft.partial.network, report);
            draft.bootstrap = Some(At { value: read, place });
        }
        (draft.domain, draft.swarm_key) = raw.finish(files, &mut draft.partial.network, report);
    }
    let known = |(name, login): (String, Read<Arc<Login>>)| Some((name, login.ok()?));
    draft.logins = logins_found.into_iter().flatten().filter_map(known).collect();
    if let Some(documents) = tenancy {
        let read = tenancy::read(documents.fields(report), report);
        draft.tenancy = read.or_partial(&mut draft.partial.tenancy);
    }
    draft.accounts =
        accounts.as_ref().and_then(|documents| tenancy::read_accounts(&documents.fields(report)));
    if let Some(documents) = tau {
        draft.tau = tau_yaml::read(documents.fields(report), report);
    }
    draft
}

fn misnamed(file: &str) -> Diagnostic {
    let names = Component::ALL.iter().flat_map(|component| component.names()).copied();
    let stem = component::stem(file).unwrap_or(file).to_ascii_lowercase();
    let help = match nearest(&stem, names) {
        Some(near) => format!("did you mean `{near}.yaml`?"),
        None => "rename or move it, if it was meant for the network".to_owned(),
    };
    Diagnostic::warning(format!("nothing reads `{file}`")).help(help)
}
