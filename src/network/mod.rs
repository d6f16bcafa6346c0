//! Reads the network folder, which describes the desired state of a network.
//!
//! The entry point is [`Draft::read`]. Both dialects of the folder are read into the same
//! [`Draft`]. Each value keeps the place where it was written, for error messages. All
//! problems are reported at once, and no report shows a secret. A draft without errors
//! becomes a [`Network`]. Reading writes nothing and contacts no host.
//!
//! Most files of this module read one component of the folder each. Whether settings that
//! can be read will also run is left to `check`.

mod bootstrap;
mod component;
mod domain;
mod draft;
mod endpoint;
mod fields;
mod files;
pub(crate) mod git;
mod hosts;
mod jump;
mod layout;
mod logins;
mod mask;
mod problem;
mod schema;
mod secret;
mod shapes;
mod slot;
mod tau_yaml;
mod tenancy;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use domain::{CustomDomain, Domain, ValidationFiles};
pub use draft::{
    DomainDraft, Draft, HostDraft, LoginDraft, NodeDraft, Partial, Secrets, ShapeDraft, SshDraft,
    TenancyDraft,
};
pub use files::{Files, Found, Links, Outside, is_network};
pub use hosts::{Host, HostAddress, Identity, Keeper, Location, NotAnAddress, Ssh};
pub use jump::{Jump, is_host};
pub use layout::shown;
pub(crate) use layout::{Layout, component_of};
pub use logins::{KeyFile, Login};
pub use problem::{Problems, nearest};
pub use schema::{FileSchema, SCHEMAS};
pub use secret::{MissingSecret, Secret};
pub use shapes::{Plugin, Ports, Shape};
pub use tenancy::{Accounts, App, Tenancy};

pub use crate::finding::{At, Bounds, Finding, InGit, Place, Severity, SourceText, UnreadableFile};

use component::Documents;
use fields::Fields;
use problem::{ProblemReport, Reported};

use crate::artifact::{Architecture, Pin};
pub(crate) use crate::finding::Component;
use crate::finding::{Excerpt, FolderProblem};
use crate::identity::{SshKeyKind, SwarmKey};
use crate::resource::{HostName, ShapeName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A network as its folder describes it. Every reference in it has been resolved.
#[derive(Clone, Debug)]
pub struct Network {
    /// The folder that the network was read from.
    pub folder: PathBuf,
    /// The network's domain names.
    pub domain: Domain,
    /// The pre-shared key of all nodes.
    pub swarm_key: At<Secret<SwarmKey>>,
    /// The elders: by shape, the hosts whose nodes every other node dials first. Each of
    /// the hosts runs a node of that shape.
    pub bootstrap: At<BTreeMap<ShapeName, Vec<At<HostName>>>>,
    /// The templates of nodes.
    pub shapes: BTreeMap<ShapeName, Shape>,
    /// The hosts.
    pub hosts: BTreeMap<HostName, Host>,
    /// The SSH users, including those that no host uses.
    pub logins: BTreeMap<String, Arc<Login>>,
    /// The owner of the repositories that the network serves.
    pub tenancy: Option<Tenancy>,
    /// The configuration of the `accounts` service; `None` if the folder has none.
    pub accounts: Option<Secret<At<Accounts>>>,
    /// The tau to run, by architecture; empty if the folder pins none.
    pub tau: BTreeMap<Architecture, At<Pin>>,
    /// The findings that are not errors.
    pub warnings: Vec<Finding>,
}

impl Network {
    /// Reads a folder that contains all its secrets.
    ///
    /// # Errors
    /// All findings, if there is an error among them.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        Draft::read(folder, Secrets::Needed, Links::Inside).finish()
    }

    /// Reads a folder that is in memory. No other files are read.
    ///
    /// # Errors
    /// All findings, if there is an error among them.
    pub fn from_files(files: &Files) -> Result<Self, Problems> {
        Draft::from_files(files, Secrets::Needed).finish()
    }
}

/// The paths of files that the folder's own files refer to, as written.
fn named(files: &Files) -> Vec<String> {
    // The problems are reported when the folder is assembled.
    let mut ignored = ProblemReport::new(Secrets::Needed);
    let mut named = Vec::new();
    if let Some(documents) = Documents::read(Component::Network, files, &mut ignored) {
        named.extend(domain::read(documents.fields(&mut ignored), &mut ignored).named());
    }
    if let Some(documents) = Documents::read(Component::Logins, files, &mut ignored) {
        named.extend(logins::named(&documents.fields(&mut ignored), &mut ignored));
    }
    // Most folders have no such files, and can have many hosts.
    if files.mention(b"key_file")
        && let Some(documents) = Documents::read(Component::Hosts, files, &mut ignored)
    {
        named.extend(hosts::key_files(documents.fields(&mut ignored), &mut ignored));
    }
    if let Some(documents) = Documents::read(Component::Tenancy, files, &mut ignored) {
        named.extend(tenancy::key_file(documents.fields(&mut ignored), &mut ignored));
    }
    named
}

fn assemble(files: &Files, secrets: Secrets, report: &mut ProblemReport) -> Draft {
    for file in files.unread() {
        report.push(misnamed(file));
    }
    let documents = Component::ALL.map(|component| Documents::read(component, files, report));
    let [network, logins, hosts, shapes, tenancy, accounts, tau] =
        documents.each_ref().map(|documents| documents.as_ref().map(|documents| documents.fields(report)));
    // If part of a component couldn't be read, nothing is reported as missing from it.
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
            files,
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
    draft.sources = files.digests();
    for key in draft.logins.values().flat_map(|login| &login.keys) {
        draft.sources.remove(&key.written);
    }
    logins::missing_keys(&draft, report);
    draft.partial.tenancy = tenancy.as_ref().is_some_and(|fields| fields.partial);
    draft.tenancy = tenancy.and_then(|fields| tenancy::read(fields, files, report));
    draft.accounts = accounts.and_then(|fields| tenancy::read_accounts(&fields));
    if let Some(fields) = tau {
        draft.tau = tau_yaml::read(fields, report);
    }
    let plain = draft.logins.values().flat_map(|login| &login.keys);
    let plain = plain.filter(|key| key.kind == Some(SshKeyKind::Plain));
    let plain = plain.map(|key| key.clone().map(|key| key.written));
    draft.unignored =
        report.secret_files().into_iter().chain(plain).filter_map(|file| files.in_git(file)).collect();
    draft
}

fn misnamed(file: &str) -> Finding {
    let names = Component::ALL.iter().flat_map(|component| component.names()).copied();
    let name = file.to_ascii_lowercase();
    let near = nearest(component::stem(&name).unwrap_or(&name), names);
    Finding::new(FolderProblem::Misnamed { file: Excerpt::of(file), near }).at(&Place::of(file))
}
