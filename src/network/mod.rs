//! The network folder, read: what its owner believes a network to be.
//!
//! Enter at [`Network::read`]. Both dialects of the folder end in the same
//! [`Network`]; each value keeps the place it was written at, for whoever has
//! to complain about it. All that is wrong is reported at once, and no report
//! shows a secret. Nothing is written, and no host is asked.
//!
//! One file here is one component of the folder. What can be read but can't
//! run is left to `check`.

mod bootstrap;
mod component;
mod domain;
mod fields;
mod files;
mod hosts;
mod logins;
mod mask;
mod merge;
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

pub use domain::Domain;
pub use files::{Files, Found, Unreadable};
pub use hosts::{Address, Host, Identity, Location, NotAnAddress, Ssh};
pub use logins::{KeyFile, Login};
pub use place::{At, Place, Source};
pub use problem::{Diagnostic, Problems};
pub use shapes::{Plugin, Ports, Shape};
pub use tenancy::{Accounts, App, Tenancy};

use component::{Component, Documents};
use problem::{Read, Report, Reported};

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
    /// Reads the folder.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        let mut files = Files::gather(folder).map_err(|error| {
            let message = format!("the network folder `{}` can't be read: {error}", folder.display());
            let help = "name another with `-n`, or `SPORE_NETWORK`";
            Problems(vec![Diagnostic::error(message).help(help)])
        })?;
        for path in named(&files) {
            files.load_named(&path);
        }
        Self::from_files(&files)
    }

    /// Reads a folder that is in memory. Nothing but `files` is looked at.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn from_files(files: &Files) -> Result<Self, Problems> {
        let mut report = Report::default();
        let network = assemble(files, &mut report);
        let (mut problems, any_error) = report.finish();
        match network {
            Ok(network) if !any_error => Ok(Self { warnings: problems, ..network }),
            Err(Reported) if !any_error => {
                let defect =
                    "the network can't be read, and nothing says why: a defect of spore, please report it";
                problems.push(Diagnostic::error(defect));
                Err(Problems(problems))
            }
            _ => Err(Problems(problems)),
        }
    }
}

/// The files that the network's own file names, as written.
fn named(files: &Files) -> Vec<String> {
    let mut ignored = Report::default();
    // Where it is missing or wrong, reading it again says so.
    let Some(documents) = Documents::read(Component::Network, files, &mut ignored) else { return Vec::new() };
    let fields = documents.fields(&mut ignored);
    domain::read(fields, &mut ignored).named()
}

fn assemble(files: &Files, report: &mut Report) -> Read<Network> {
    for file in files.unread() {
        report.push(misnamed(file));
    }
    let documents = Component::ALL.map(|component| Documents::read(component, files, report));
    let [network, logins, hosts, shapes, tenancy, accounts, tau] = &documents;
    let folder = files.folder();

    let shapes_found =
        shapes.as_ref().map(|documents| shapes::read(documents.fields(report), folder, report));
    let logins_found =
        logins.as_ref().map(|documents| logins::read(documents.fields(report), folder, report));
    // Where part of a component couldn't be read, nothing is missing from it.
    let whole = |documents: &Option<Documents<'_>>| documents.as_ref().is_some_and(|d| !d.partial);
    let known = hosts::Known {
        shapes: shapes_found.as_ref().filter(|_| whole(shapes)),
        logins: logins_found.as_ref().filter(|_| whole(logins)),
    };
    let hosts_found = hosts.as_ref().map(|documents| hosts::read(documents.fields(report), &known, report));

    let raw = network.as_ref().map(|documents| domain::read(documents.fields(report), report));
    let mut bootstrap = Ok(BTreeMap::new());
    let (mut domain, mut swarm_key) = (Err(Reported), Err(Reported));
    if let Some(mut raw) = raw {
        if let Some(fields) = raw.bootstrap.take() {
            let shapes = known.shapes;
            let hosts = hosts_found.as_ref().filter(|_| whole(hosts));
            bootstrap = bootstrap::read(fields, shapes, hosts, report);
        }
        (domain, swarm_key) = raw.finish(files, report);
    }

    let tenancy =
        tenancy.as_ref().map(|documents| tenancy::read(documents.fields(report), report)).transpose();
    let accounts = accounts.as_ref().and_then(|documents| tenancy::read_accounts(&documents.fields(report)));
    let tau = tau.as_ref().map(|documents| tau_yaml::read(documents.fields(report), report));
    Ok(Network {
        folder: folder.to_owned(),
        domain: domain?,
        swarm_key: swarm_key?,
        bootstrap: bootstrap?,
        shapes: all(shapes_found)?,
        hosts: all(hosts_found)?,
        logins: all(logins_found)?,
        tenancy: tenancy?,
        accounts,
        tau: tau.unwrap_or(Ok(BTreeMap::new()))?,
        warnings: Vec::new(),
    })
}

fn all<K: Ord, V>(found: Option<BTreeMap<K, Read<V>>>) -> Read<BTreeMap<K, V>> {
    found.ok_or(Reported)?.into_iter().map(|(key, value)| Ok((key, value?))).collect()
}

fn misnamed(file: &str) -> Diagnostic {
    let names = Component::ALL.iter().flat_map(|component| component.names()).copied();
    let stem = component::stem(file).unwrap_or(file).to_ascii_lowercase();
    let help = match Report::default().nearest(&stem, names) {
        Some(near) => format!("did you mean `{near}.yaml`?"),
        None => "rename or move it, if it was meant for the network".to_owned(),
    };
    Diagnostic::warning(format!("nothing reads `{file}`")).help(help)
}
