//! The properties of a host that determine which resources a goal needs there.

use super::{Firewall, KeyedFact, Surroundings};
use crate::artifact::Architecture;
use crate::resource::{Daemon, File, Link, Port, Printable, Sha256, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The properties of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// The output of `uname -m`, and the architecture that it stands for.
    pub architecture: (Printable, Option<Architecture>),
    /// Whether the host runs systemd.
    pub systemd: bool,
    /// See [`super::Facts::machine`].
    pub machine: Option<Sha256>,
    /// Whether packages can be installed with apt.
    pub apt: bool,
    /// The number of bytes that are free where the nodes' program is, or would be.
    pub free_bytes: u64,
    /// The versions of the nodes' program that applies have noted on the host, by the binary's digest.
    pub versions: BTreeMap<Sha256, Version>,
    /// The daemons' programs that exist on the host.
    pub programs: BTreeMap<Daemon, Arc<File>>,
    /// See [`super::Facts::keyed`].
    pub keyed: BTreeMap<String, KeyedFact>,
    /// ufw, if it is enabled.
    pub firewall: Option<Firewall>,
    /// The state of the host's container engine.
    pub engine: Engine,
    /// The state of the host's DNS resolver.
    pub resolver: Resolver,
    /// The directories that exist where nodes keep their data, whether they belong to a
    /// node or not, by path.
    pub storage: BTreeSet<String>,
    /// The networks that the configurations on the host belong to.
    pub networks: BTreeSet<Printable>,
    /// The addresses and ports on which a process listens.
    pub listening: BTreeSet<(IpAddr, Port)>,
    /// What the host has besides the network's resources.
    pub surroundings: Surroundings,
    /// How far the host's clock is ahead of the controller's, in seconds.
    pub clock_ahead: Option<i64>,
    /// Parts of nodes' units that the host's administrator has overridden.
    pub foreign: Vec<Foreign>,
}

/// A part of a node's unit that is overridden, so that neither our template nor a restart
/// can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The unit, such as `tau@store.service`.
    pub unit: String,
    /// The file that overrides it.
    pub file: Printable,
    /// The part of the unit that is overridden.
    pub what: ForeignPart,
}

/// The part of a unit that a [`Foreign`] file overrides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignPart {
    /// The whole unit: another unit file takes precedence over the template.
    Fragment,
    /// The program: the unit runs this program instead of its daemon's.
    Program(Printable),
    /// One directive, such as `LimitNOFILE`.
    Directive(String),
}

/// The state of a host's container engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// An engine's unit is active.
    Running,
    /// An engine is installed, but isn't active.
    Stopped {
        /// The unit to start.
        unit: String,
        /// Whether the unit is started at boot.
        enabled: bool,
    },
    /// The installation of an engine was started, but hasn't finished.
    Unfinished {
        /// The package.
        package: String,
        /// The unit that the package installs.
        unit: String,
    },
    /// The host's owner has masked its unit, so that nothing can start it.
    Masked {
        /// The unit.
        unit: String,
    },
    /// No engine is installed.
    Absent,
}

/// The state of systemd-resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Whether its stub listener holds port 53, or would hold it after the next start if
    /// our drop-in didn't exist.
    pub wants_dns_port: bool,
    /// Whether it runs or is meant to run: the administrator hasn't stopped it.
    pub runs: bool,
    /// Set if `/etc/resolv.conf` leads to the stub listener: the link, or `None` if it is a
    /// regular file.
    pub leads_to_stub: Option<Option<Link>>,
}
