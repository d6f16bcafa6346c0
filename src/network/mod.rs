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
mod merge;
mod place;
mod problem;
mod shapes;
mod slot;
mod syntax;
mod tau_yaml;
mod tenancy;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod yaml;

pub use domain::{CustomDomain, Domain};
pub use draft::{
    DomainDraft, Draft, HostDraft, LoginDraft, NodeDraft, Partial, Secrets, ShapeDraft, SshDraft,
    TenancyDraft,
};
pub use files::{Files, Found, Unreadable};
pub use hosts::{Address, Host, Identity, Location, NotAnAddress, Ssh};
pub use logins::{KeyFile, Login};
pub use place::{At, Place, Source};
pub use problem::{Diagnostic, Problems, nearest};
pub use shapes::{Plugin, Ports, Shape};
pub use tenancy::{Accounts, App, Tenancy};

use component::{Component, Documents};
use fields::Fields;
use problem::{Report, Reported};

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
        let logins = logins::read(documents.fields(&mut ignored), files, &mut ignored).into_values();
        named.extend(logins.flat_map(|login| login.keys).map(|key| key.value.written));
    }
    named
}

fn assemble(files: &Files, secrets: Secrets, report: &mut Report) -> Draft {
    for file in files.unread() {
        report.push(misnamed(file));
    }
    let documents = Component::ALL.map(|component| Documents::read(component, files, report));
    let [network, logins, hosts, shapes, tenancy, accounts, tau] =
        documents.each_ref().map(|documents| documents.as_ref().map(|documents| documents.fields(report)));
    // Where part of a component couldn't be read, nothing is missing from it.
    let whole = |fields: &Option<Fields<'_>>| fields.as_ref().is_some_and(|fields| !fields.partial);
    let (all_shapes, all_logins, all_hosts) = (whole(&shapes), whole(&logins), whole(&hosts));

    let mut draft = Draft::empty(files.folder(), secrets);
    if let Some(fields) = shapes {
        draft.shapes = shapes::read(fields, files, report);
    }
    if let Some(fields) = logins {
        draft.logins = logins::read(fields, files, report);
    }
    draft.partial.hosts = !all_hosts;
    if let Some(fields) = hosts {
        let known = hosts::Known {
            shapes: all_shapes.then_some(&draft.shapes),
            logins: all_logins.then_some(&draft.logins),
        };
        draft.hosts = hosts::read(fields, &known, &mut draft.partial.hosts, report);
    }
    draft.partial.bootstrap = true;
    if let Some(fields) = network {
        let mut raw = domain::read(fields, report);
        if let Ok((place, fields)) = raw.bootstrap {
            let (shapes, hosts) = (all_shapes.then_some(&draft.shapes), all_hosts.then_some(&draft.hosts));
            let (value, partial) = bootstrap::read(fields, shapes, hosts, report);
            draft.bootstrap = Some(At { value, place });
            draft.partial.bootstrap = partial;
        }
        raw.bootstrap = Err(Reported);
        (draft.domain, draft.swarm_key) = raw.finish(files, report);
    }
    logins::missing_keys(&draft, report);
    draft.partial.tenancy = tenancy.as_ref().is_some_and(|fields| fields.partial);
    draft.tenancy = tenancy.and_then(|fields| tenancy::read(fields, report));
    draft.accounts = accounts.and_then(|fields| tenancy::read_accounts(&fields));
    if let Some(fields) = tau {
        draft.tau = tau_yaml::read(fields, report);
    }
    draft
}

fn misnamed(file: &str) -> Diagnostic {
    let names = Component::ALL.iter().flat_map(|component| component.names()).copied();
    let name = file.to_ascii_lowercase();
    let help = match nearest(component::stem(&name).unwrap_or(&name), names) {
        _ if file.contains('/') => "name it `….yaml` if it is an entry, or move it elsewhere".to_owned(),
        Some(near) => format!("did you mean `{near}.yaml`?"),
        None => "rename or move it, if it was meant for the network".to_owned(),
    };
    Diagnostic::warning(format!("nothing reads `{file}`")).at(&Place::of(file), "").help(help)
}
