//! The properties of a host that determine which resources a goal needs there.

use super::Firewall;
use crate::artifact::Architecture;
use crate::resource::{Daemon, File, Link, Printable, Sha256, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a host is.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// What `uname -m` says, and the architecture that it means.
    pub architecture: (Printable, Option<Architecture>),
    /// systemd runs it.
    pub systemd: bool,
    /// See [`super::Facts::machine`].
    pub machine: Option<Sha256>,
    /// Packages can be installed with apt.
    pub apt: bool,
    /// How many bytes are free where tau's files are, or would be.
    pub free_bytes: u64,
    /// Versions of tau that applies have noted there, by the binary's digest.
    pub versions: BTreeMap<Sha256, Version>,
    /// The daemons' programs that are there.
    pub programs: BTreeMap<Daemon, Arc<File>>,
    /// ufw, where it is enabled.
    pub firewall: Option<Firewall>,
    /// The container engine.
    pub engine: Engine,
    /// What answers DNS on the host.
    pub resolver: Resolver,
    /// Where nodes keep their data there, wanted or not, by path.
    pub storage: BTreeSet<String>,
    /// The networks to which the configurations on the host belong.
    pub networks: BTreeSet<Printable>,
    /// Units of nodes that the host's owner has changed by means other than our template.
    pub foreign: Vec<Foreign>,
}

/// A part of a node's unit that isn't ours, and that our template and a restart
/// can't change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// `tau@store.service`
    pub unit: String,
    /// The file that says so.
    pub file: Printable,
    /// The part of the unit that it overrides.
    pub what: Overridden,
}

/// What a [`Foreign`] file overrides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overridden {
    /// The whole unit: a unit file of its own takes precedence over the template.
    Fragment,
    /// The program: it isn't tau that runs.
    Program(Printable),
    /// One directive: `LimitNOFILE`.
    Directive(String),
}

/// A container engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// It runs, or is started when it is asked for something.
    Running,
    /// It is installed.
    Stopped {
        /// The unit to start.
        unit: String,
        /// Whether that is started at boot.
        enabled: bool,
    },
    /// Its installation was started, but hasn't finished.
    Unfinished {
        /// The package.
        package: String,
        /// The unit that it brings.
        unit: String,
    },
    /// There is none.
    Absent,
}

/// What systemd-resolved does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Its stub listener has port 53, or would have at its next start if it
    /// weren't for our drop-in.
    pub wants_dns_port: bool,
    /// It is up, or should be: its owner hasn't stopped it.
    pub runs: bool,
    /// `/etc/resolv.conf` where it leads to the stub listener: the link, or
    /// `None` for a file of its own.
    pub leads_to_stub: Option<Option<Link>>,
}
