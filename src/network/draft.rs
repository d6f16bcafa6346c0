//! A network folder as far as it could be understood: what `check` looks at.
//!
//! Reading never ends at a mistake. What is wrong is reported once and left
//! out here, and whatever may be missing for that reason says so (`partial`),
//! so that nobody draws conclusions from a gap. A draft without errors is a
//! [`Network`].

use super::problem::{Diagnostic, Findings, Problems, Report};
use super::{
    Accounts, Address, App, At, CustomDomain, Domain, Files, Identity, KeyFile, Location, Login, Network,
    Place, Plugin, Ssh, Tenancy,
};
use crate::artifact::{Architecture, Pin};
use crate::identity::{NodeKey, PeerId, SwarmKey, ValidationKeys};
use crate::resource::{HostName, Secret, ShapeName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a folder is complete without its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// A secret that isn't there is an error.
    Needed,
    /// Secrets may be elsewhere, as they are for who reviews a change: those
    /// that aren't there are one warning, those that are there are read.
    Elsewhere,
}

/// What could be understood of a folder.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where it was read from.
    pub folder: PathBuf,
    /// The names it goes by.
    pub domain: DomainDraft,
    /// What lets a node in.
    pub swarm_key: Option<At<SwarmKey>>,
    /// By shape, the hosts whose nodes every other node dials first.
    pub bootstrap: Option<At<BTreeMap<ShapeName, Vec<At<HostName>>>>>,
    /// The templates of nodes.
    pub shapes: BTreeMap<ShapeName, ShapeDraft>,
    /// The machines.
    pub hosts: BTreeMap<HostName, HostDraft>,
    /// The SSH users.
    pub logins: BTreeMap<String, LoginDraft>,
    /// Whose repositories it serves.
    pub tenancy: Option<TenancyDraft>,
    /// What the `accounts` service is given.
    pub accounts: Option<At<Accounts>>,
    /// The tau it runs.
    pub tau: BTreeMap<Architecture, At<Pin>>,
    /// The parts of which something couldn't be read.
    pub partial: Partial,
    /// Whether its secrets were expected in the folder.
    pub secrets: Secrets,
    findings: Findings,
}

/// Parts of which something couldn't be read: what isn't in them may be there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Partial {
    /// The bootstrap nodes.
    pub bootstrap: bool,
    /// The hosts.
    pub hosts: bool,
    /// The tenancy.
    pub tenancy: bool,
}

/// The names that a network goes by, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct DomainDraft {
    /// The domain that everything of the network is below.
    pub root: Option<At<String>>,
    /// The domain that generated names are below.
    pub generated: Option<At<String>>,
    /// The pair that validates domains.
    pub validation: Option<At<ValidationKeys>>,
    /// Custom domains.
    pub custom: BTreeMap<String, CustomDomain>,
}

/// A template of nodes, as far as it is known.
#[derive(Clone, Debug)]
pub struct ShapeDraft {
    /// What it is called.
    pub name: At<ShapeName>,
    /// By today's names.
    pub services: Vec<At<String>>,
    /// Where other nodes reach it.
    pub main: Option<At<u16>>,
    /// Where its own client listens, on loopback.
    pub lite: Option<At<u16>>,
    /// Where its IPFS client listens.
    pub ipfs: Option<At<u16>>,
    /// Programs that its nodes load.
    pub plugins: Vec<At<Plugin>>,
}

/// A machine, as far as it is known.
#[derive(Clone, Debug)]
pub struct HostDraft {
    /// What the folder calls it.
    pub name: At<HostName>,
    /// Where other nodes reach it, in the order of the folder.
    pub addresses: Vec<At<Address>>,
    /// Whether these are all that the folder gives it.
    pub all_addresses: bool,
    /// How to get in.
    pub ssh: Option<SshDraft>,
    /// Where on earth it is.
    pub location: Option<Location>,
    /// Its nodes.
    pub nodes: BTreeMap<ShapeName, NodeDraft>,
    /// Whether these are all that the folder gives it.
    pub all_nodes: bool,
}

/// How to get into a host, as far as it is known.
#[derive(Clone, Debug)]
pub struct SshDraft {
    /// An address or a name.
    pub address: At<String>,
    /// 22, if not said otherwise.
    pub port: u16,
    /// Whom to log in as, by the names of the logins.
    pub logins: Vec<At<String>>,
}

/// A user of hosts, as far as it is known.
#[derive(Clone, Debug)]
pub struct LoginDraft {
    /// What hosts call it.
    pub name: At<String>,
    /// The user to log in as.
    pub user: Option<At<String>>,
    /// Private keys, whether they are there or not.
    pub keys: Vec<At<KeyFile>>,
    /// The password.
    pub password: Option<At<Secret>>,
}

/// Whose repositories the network serves, as far as it is known.
#[derive(Clone, Debug)]
pub struct TenancyDraft {
    /// Who hosts the repositories.
    pub provider: Option<At<String>>,
    /// The owner there.
    pub owner: Option<At<String>>,
    /// The application that acts for the owner.
    pub app: Option<App>,
    /// Where all this is said.
    pub place: Place,
}

/// Who a node is, as far as that is known.
#[derive(Clone, Debug)]
pub struct NodeDraft {
    /// What it runs.
    pub shape: At<ShapeName>,
    /// Its private key.
    pub key: Option<At<NodeKey>>,
    /// Its peer id.
    pub id: Option<At<PeerId>>,
}

impl Draft {
    /// Reads a folder. What can't be read is among the problems.
    pub fn read(folder: &Path, secrets: Secrets) -> Self {
        match Files::read(folder) {
            Ok(files) => Self::from_files(&files, secrets),
            Err(error) => {
                let message = format!("the network folder `{}` can't be read: {error}", folder.display());
                let help = "name another with `-n`, or `SPORE_NETWORK`";
                let mut draft = Self::empty(folder, secrets);
                draft.findings.push(Diagnostic::error(message).help(help));
                draft
            }
        }
    }

    /// Reads a folder that is in memory. Nothing but `files` is looked at.
    pub fn from_files(files: &Files, secrets: Secrets) -> Self {
        let mut report = Report::new(secrets);
        let draft = super::assemble(files, secrets, &mut report);
        Self { findings: report.finish(), ..draft }
    }

    /// Nothing is known yet.
    pub(super) fn empty(folder: &Path, secrets: Secrets) -> Self {
        Self {
            folder: folder.to_owned(),
            domain: DomainDraft::default(),
            swarm_key: None,
            bootstrap: None,
            shapes: BTreeMap::new(),
            hosts: BTreeMap::new(),
            logins: BTreeMap::new(),
            tenancy: None,
            accounts: None,
            tau: BTreeMap::new(),
            partial: Partial::default(),
            secrets,
            findings: Findings::default(),
        }
    }

    /// The logins that hosts name, or may name: of the others nothing is needed.
    pub fn needed_logins(&self) -> BTreeSet<&str> {
        if self.partial.hosts {
            return self.logins.keys().map(String::as_str).collect();
        }
        let named = self.hosts.values().filter_map(|host| host.ssh.as_ref()).flat_map(|ssh| &ssh.logins);
        named.map(|name| name.as_str()).collect()
    }

    /// What was found wrong, in the order of the files.
    pub fn problems(&self) -> Vec<Diagnostic> {
        self.findings.in_order()
    }

    /// Adds what else is wrong with it.
    pub fn report(&mut self, problems: impl IntoIterator<Item = Diagnostic>) {
        problems.into_iter().for_each(|problem| self.findings.push(problem));
    }

    /// The network, if there is no error in its folder.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn finish(self) -> Result<Network, Problems> {
        let mut problems = self.problems();
        if problems.iter().any(Diagnostic::is_error) {
            return Err(Problems(problems));
        }
        self.whole().map(|network| Network { warnings: problems.clone(), ..network }).ok_or_else(|| {
            let message = "the network isn't whole without its secrets";
            problems.push(Diagnostic::error(message).help("put the secrets into the folder"));
            Problems(problems)
        })
    }

    /// Everything of it; `None` where something isn't known.
    fn whole(self) -> Option<Network> {
        let DomainDraft { root, generated, validation, custom } = self.domain;
        let logins = each(self.logins, |login| login.whole().map(Arc::new))?;
        let tenancy = match self.tenancy {
            Some(TenancyDraft { provider, owner, app, place: _ }) => {
                Some(Tenancy { provider: provider?, owner: owner?, app })
            }
            None => None,
        };
        Some(Network {
            folder: self.folder,
            domain: Domain { root: root?, generated: generated?, validation: validation?, custom },
            swarm_key: self.swarm_key?,
            bootstrap: self.bootstrap.map(|bootstrap| bootstrap.value).unwrap_or_default(),
            shapes: each(self.shapes, ShapeDraft::whole)?,
            hosts: each(self.hosts, |host| host.whole(&logins))?,
            logins,
            tenancy,
            accounts: self.accounts,
            tau: self.tau.into_iter().map(|(architecture, pin)| (architecture, pin.value)).collect(),
            warnings: Vec::new(),
        })
    }
}

impl ShapeDraft {
    fn whole(self) -> Option<super::Shape> {
        let Self { name, services, main, lite, ipfs, plugins } = self;
        Some(super::Shape { name, services, ports: super::Ports { main: main?, lite, ipfs }, plugins })
    }
}

impl HostDraft {
    fn whole(self, logins: &BTreeMap<String, Arc<Login>>) -> Option<super::Host> {
        let Self { name, addresses, ssh, location, nodes, all_addresses: _, all_nodes: _ } = self;
        let nodes = each(nodes, |NodeDraft { shape, key, id }| Some(Identity { shape, key, id: id? }))?;
        let SshDraft { address, port, logins: names } = ssh?;
        let logins = names.iter().map(|name| logins.get(&name.value).cloned()).collect::<Option<_>>()?;
        Some(super::Host { name, addresses, ssh: Ssh { address, port, logins }, location, nodes })
    }
}

impl LoginDraft {
    fn whole(self) -> Option<Login> {
        let Self { name, user, keys, password } = self;
        Some(Login { name, user: user?, keys, password })
    }
}

fn each<K: Ord, V, W>(map: BTreeMap<K, V>, whole: impl Fn(V) -> Option<W>) -> Option<BTreeMap<K, W>> {
    map.into_iter().map(|(key, value)| Some((key, whole(value)?))).collect()
}
