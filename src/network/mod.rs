//! The network folder, read: what its owner believes a network to be.
//!
//! Enter at [`Network::read`]. Both dialects of the folder end in the same
//! [`Network`]; each value keeps the place it was written at, for whoever has
//! to complain about it. All that is wrong is reported at once, and no report
//! shows a secret. Nothing is written, and no host is asked.
//!
//! One file here is one component of the folder. What can be read but can't
//! run is left to `check`.

mod domain;
mod hosts;
mod logins;
mod place;
mod problem;
mod shapes;
mod tau_yaml;
mod tenancy;

pub use domain::Domain;
pub use hosts::{Address, Host, Identity, Location, Ssh};
pub use logins::{KeyFile, Login};
pub use place::{At, Place, Source};
pub use problem::{Diagnostic, Problems};
pub use shapes::{Plugin, Ports, Shape};
pub use tau_yaml::TauPin;
pub use tenancy::{Accounts, App, Tenancy};

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
    /// The tau it runs, by architecture as written (`amd64`, `arm64`); empty
    /// where the folder names none.
    pub tau: BTreeMap<String, TauPin>,
    /// What is odd about the folder and doesn't stop anyone.
    pub warnings: Vec<Diagnostic>,
}

impl Network {
    /// Reads the folder.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        Err(Problems(vec![Diagnostic::error(format!("{} can't be read yet", folder.display()))]))
    }
}
