//! A network folder as far as it could be understood, which is the input of `check`. The
//! entry point is [`Draft::read`].
//!
//! Reading doesn't stop at an error. A value with an error is reported once and left out of
//! the draft, and the part that lacks it is marked as `partial`, so that checks draw no
//! conclusions from its absence. A draft without errors can be converted to a [`Network`]
//! with [`Draft::finish`].

use super::problem::{Findings, ProblemReport, Problems};
use super::{
    Accounts, App, At, CustomDomain, Domain, Files, Finding, HostAddress, Identity, InGit, Jump, Keeper,
    KeyFile, Location, Login, Network, Outside, Place, Plugin, Secret, Ssh, Tenancy, ValidationFiles,
};
use crate::artifact::{Architecture, Pin};
use crate::daemon::tau;
use crate::finding::{Excerpt, FolderProblem};
use crate::identity::{NodeKey, PeerId, SwarmKey, ValidationKeys};
use crate::resource::{HostName, SecretBytes, Sha256, ShapeName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a folder must contain its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// A missing secret is an error.
    Needed,
    /// Secrets may be missing, as in the checkout of a pull request. The missing secrets
    /// are listed in one note; the others are read.
    Elsewhere,
}

/// A network, as far as its folder could be understood.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The folder that the network was read from.
    pub folder: PathBuf,
    /// The network's domain names.
    pub domain: DomainDraft,
    /// The pre-shared key of all nodes.
    pub swarm_key: Option<At<Secret<SwarmKey>>>,
    /// By shape, the hosts whose nodes every other node dials first.
    pub bootstrap: Option<At<BTreeMap<ShapeName, Vec<At<HostName>>>>>,
    /// The templates of nodes.
    pub shapes: BTreeMap<ShapeName, ShapeDraft>,
    /// The hosts.
    pub hosts: BTreeMap<HostName, HostDraft>,
    /// The SSH users.
    pub logins: BTreeMap<String, LoginDraft>,
    /// The owner of the repositories that the network serves.
    pub tenancy: Option<TenancyDraft>,
    /// The configuration of the `accounts` service.
    pub accounts: Option<At<Accounts>>,
    /// The tau to run, by architecture.
    pub tau: BTreeMap<Architecture, At<Pin>>,
    /// The parts that couldn't be read in full.
    pub partial: Partial,
    /// Whether the secrets were expected in the folder.
    pub secrets: Secrets,
    /// The digests of the files that the network was read from, by path, except the keys of
    /// logins, which don't affect a plan.
    pub sources: BTreeMap<String, Sha256>,
    /// The files with an unencrypted private key that git doesn't ignore.
    pub unignored: Vec<(At<String>, InGit)>,
    findings: Findings,
}

/// The parts that couldn't be read in full, so that what seems to be missing may be there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Partial {
    /// The bootstrap nodes.
    pub bootstrap: bool,
    /// The hosts.
    pub hosts: bool,
    /// The tenancy.
    pub tenancy: bool,
}

/// The domain names of a network, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct DomainDraft {
    /// The root domain of the network.
    pub root: Option<At<String>>,
    /// The parent of generated domain names.
    pub generated: Option<At<String>>,
    /// The domain-validation key pair.
    pub validation: Option<At<Secret<ValidationKeys>>>,
    /// Where the files of the pair are named.
    pub validation_files: ValidationFiles,
    /// Custom domains.
    pub custom: BTreeMap<String, CustomDomain>,
}

/// A template of nodes, as far as it is known.
#[derive(Clone, Debug)]
pub struct ShapeDraft {
    /// The shape's name.
    pub name: At<ShapeName>,
    /// By their current names.
    pub services: Vec<At<String>>,
    /// The port at which other nodes reach a node of this shape.
    pub main: Option<At<u16>>,
    /// The port on loopback at which the node's own client listens.
    pub lite: Option<At<u16>>,
    /// The port at which the node's IPFS client listens.
    pub ipfs: Option<At<u16>>,
    /// The programs that nodes of this shape load.
    pub plugins: Vec<At<Plugin>>,
}

/// A host, as far as it is known.
#[derive(Clone, Debug)]
pub struct HostDraft {
    /// The host's name in the folder.
    pub name: At<HostName>,
    /// The addresses that other nodes dial, in the order of the folder.
    pub addresses: Vec<At<HostAddress>>,
    /// Whether all addresses could be read.
    pub all_addresses: bool,
    /// The SSH connection.
    pub ssh: Option<SshDraft>,
    /// The host's location.
    pub location: Option<Location>,
    /// The host's nodes.
    pub nodes: BTreeMap<ShapeName, NodeDraft>,
    /// Whether all nodes could be read.
    pub all_nodes: bool,
}

/// The SSH connection to a host, as far as it is known.
#[derive(Clone, Debug)]
pub struct SshDraft {
    /// An IP address or a host name.
    pub address: At<String>,
    /// Further addresses.
    pub more: Vec<At<String>>,
    /// The SSH port, 22 by default.
    pub port: u16,
    /// Whether the folder names the port.
    pub names_port: bool,
    /// The servers through which the host is reached.
    pub jumps: Vec<At<Jump>>,
    /// The names of the logins to try.
    pub logins: Vec<At<String>>,
}

/// A login, as far as it is known.
#[derive(Clone, Debug)]
pub struct LoginDraft {
    /// The name that hosts refer to.
    pub name: At<String>,
    /// The user to log in as.
    pub user: Option<At<String>>,
    /// Private keys, including missing files.
    pub keys: Vec<At<KeyFile>>,
    /// The password.
    pub password: Option<At<SecretBytes>>,
}

/// The tenancy, as far as it is known.
#[derive(Clone, Debug)]
pub struct TenancyDraft {
    /// The provider of the repositories.
    pub provider: Option<At<String>>,
    /// The owner at the provider.
    pub owner: Option<At<String>>,
    /// The application that acts for the owner.
    pub app: Option<App>,
    /// Where the tenancy is written.
    pub place: Place,
}

/// A node, as far as it is known.
#[derive(Clone, Debug)]
pub struct NodeDraft {
    /// The node's shape.
    pub shape: At<ShapeName>,
    /// The node's private key.
    pub key: Option<At<NodeKey>>,
    /// The node's peer id.
    pub id: Option<At<PeerId>>,
}

impl Draft {
    /// Reads a folder. If the folder can't be read, the draft has a finding about it.
    pub fn read(folder: &Path, secrets: Secrets, outside: impl Into<Outside>) -> Self {
        match Files::read(folder, &outside.into()) {
            Ok(files) => Self::from_files(&files, secrets),
            Err(error) => {
                let mut draft = Self::empty(folder, secrets);
                let (folder, error) = (Excerpt::of(folder.display()), error.to_string());
                draft.findings.push(Finding::new(FolderProblem::Unreadable { folder, error }));
                draft
            }
        }
    }

    /// Reads a folder that is in memory. No other files are read.
    pub fn from_files(files: &Files, secrets: Secrets) -> Self {
        let mut report = ProblemReport::new(secrets);
        let draft = super::assemble(files, secrets, &mut report);
        Self { findings: report.finish(), ..draft }
    }

    /// An empty draft.
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
            sources: BTreeMap::new(),
            unignored: Vec::new(),
            findings: Findings::default(),
        }
    }

    /// The logins that hosts use, or all logins if it isn't known which of them are used.
    /// Problems of unused logins aren't reported: see [`Severity`](super::Severity).
    pub fn needed_logins(&self) -> BTreeSet<&str> {
        let is_known = |ssh: &SshDraft| {
            !ssh.logins.is_empty() && ssh.logins.iter().all(|name| self.logins.contains_key(&name.value))
        };
        if self.partial.hosts || !self.hosts.values().all(|host| host.ssh.as_ref().is_some_and(is_known)) {
            return self.logins.keys().map(String::as_str).collect();
        }
        let named = self.hosts.values().filter_map(|host| host.ssh.as_ref()).flat_map(|ssh| &ssh.logins);
        named.map(|name| name.as_str()).collect()
    }

    /// The findings, in the order of the files.
    pub fn problems(&self) -> Vec<Finding> {
        self.findings.in_order()
    }

    /// Adds findings.
    pub fn report(&mut self, problems: impl IntoIterator<Item = Finding>) {
        problems.into_iter().for_each(|problem| self.findings.push(problem));
    }

    /// Converts the draft to a network, if there is no error in its folder.
    ///
    /// # Errors
    /// All findings, if there is an error among them.
    pub fn finish(self) -> Result<Network, Problems> {
        let mut problems = self.problems();
        if problems.iter().any(Finding::is_error) {
            return Err(Problems(problems));
        }
        self.whole().map(|network| Network { warnings: problems.clone(), ..network }).ok_or_else(|| {
            problems.push(Finding::new(FolderProblem::Incomplete));
            Problems(problems)
        })
    }

    /// The network, or `None` if anything is missing.
    fn whole(self) -> Option<Network> {
        let DomainDraft { root, generated, validation, validation_files, custom } = self.domain;
        let (root, generated, validation) = (root?, generated?, validation?);
        let logins = each(self.logins, |login| login.whole().map(Arc::new))?;
        let elsewhere = self.secrets == Secrets::Elsewhere;
        let used: BTreeSet<&ShapeName> = self.hosts.values().flat_map(|host| host.nodes.keys()).collect();
        let mut shapes = self.shapes.values().filter(|shape| used.contains(&*shape.name));
        let needs_accounts =
            shapes.any(|shape| tau::needs(shape.services.iter().map(|name| name.as_str())).accounts);
        let swarm_key = self.swarm_key?;
        let tenancy = match self.tenancy {
            Some(TenancyDraft { provider, owner, app, place: _ }) => {
                Some(Tenancy { provider: provider?, owner: owner?, app })
            }
            None => None,
        };
        Some(Network {
            folder: self.folder,
            domain: Domain { root, generated, validation, validation_files, custom },
            swarm_key,
            bootstrap: self.bootstrap?,
            shapes: each(self.shapes, ShapeDraft::whole)?,
            hosts: each(self.hosts, |host| host.whole(&logins, self.secrets))?,
            logins,
            tenancy,
            // Nothing in the folder tells whether there is one elsewhere.
            accounts: match self.accounts {
                Some(accounts) => Some(Secret::Here(accounts)),
                None => (elsewhere && needs_accounts).then_some(Secret::Elsewhere),
            },
            tau: self.tau,
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
    fn whole(self, logins: &BTreeMap<String, Arc<Login>>, secrets: Secrets) -> Option<super::Host> {
        let Self { name, addresses, ssh, location, nodes, all_addresses: _, all_nodes: _ } = self;
        let nodes = each(nodes, |NodeDraft { shape, key, id }| {
            let keeper = match (&key, secrets) {
                (Some(_), _) => Keeper::Folder,
                (None, Secrets::Needed) => Keeper::Host,
                (None, Secrets::Elsewhere) => Keeper::Unknown,
            };
            Some(Identity { shape, key, id, keeper })
        })?;
        let SshDraft { address, more, port, names_port, jumps, logins: names } = ssh?;
        let logins = names.iter().map(|name| logins.get(&name.value).cloned()).collect::<Option<_>>()?;
        let ssh = Ssh { address, more, port, names_port, jumps, unreadable_jump: None, logins };
        Some(super::Host { name, addresses, ssh, location, nodes })
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
