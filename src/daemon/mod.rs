//! The daemons that nodes run, and what the other rooms need to know about each: its files
//! and what they mean, what a probe asks about it, its unit, how its start is recorded, when
//! it is healthy, and what a change to each field of its configuration needs.
//!
//! [`Daemon`] is the entry point. The rooms that compare and plan (`facts`, `diff`, `plan`)
//! know a daemon only through its methods, so a second daemon is another variant and another
//! folder here. Nothing here knows which hosts there are, or in what order they are changed.
//!
//! Two services of a host that a daemon may need have a file each as well: the container
//! [`engine`] and the DNS [`resolver`].

pub mod engine;
pub mod resolver;
mod setting;
pub mod tau;
mod template;

pub use setting::Setting;
pub use template::{Override, Template, parse_directives, program, with_specifier};

pub use crate::resource::Daemon;

use crate::resource::{Document, Health, HostText, NodeName, Printable, ShapeName};
use std::collections::BTreeSet;

/// What a file on a host is. It decides how the probe reads the file, and how the file is
/// compared with a desired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A node's configuration.
    Config(Daemon),
    /// A key, of which only the digest leaves the host.
    Secret,
    /// A copy of a secret that another tool leaves in `/tmp`, owned by whoever logged in.
    ///
    /// **What counts in /tmp**, which `probe.sh`, `lib.sh` and `remove.sh` keep to as well: a
    /// regular file with one of the names in [`leftovers`] that has the digest of a secret of
    /// the network. Any user may have put any other file there, so other files are ignored:
    /// they are neither a problem nor a change. As a user may also put a pipe or a link there
    /// at any instant, the probe opens the file without waiting and without following links.
    /// Secrets are small: the probe reads no more than 64 KiB.
    Leftover,
    /// A public text.
    Text,
    /// A unit template.
    Unit,
    /// A program or a plugin, of which only the digest is compared.
    Blob,
}

/// How the probe reads the files that match a pattern, and what it does with them.
/// `probe.sh` documents each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Only what `stat` says.
    Stat,
    /// The digest, as the host remembers it if the file hasn't changed since.
    Program,
    /// The digest.
    Digest,
    /// The digest, if the file is in `/tmp`; see [`Meaning::Leftover`].
    Leftover,
    /// The text of a node's configuration, from which the daemon's awk program cuts the
    /// secrets; its node's unit is queried.
    Config,
    /// The directives of a unit file.
    Unit,
    /// The whole text.
    Text,
    /// The text without its comments.
    Settings,
    /// A link to a unit, which is queried.
    Wants,
}

impl Reader {
    /// Its name in `probe.sh`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Program => "program",
            Self::Digest => "digest",
            Self::Leftover => "leftover",
            Self::Config => "config",
            Self::Unit => "unit",
            Self::Text => "text",
            Self::Settings => "settings",
            Self::Wants => "wants",
        }
    }
}

/// Files that the probe looks for: a pattern of the shell, and how those are read whose path
/// matches it. The first pattern that a path matches decides.
pub type Question = (&'static str, Reader);

impl Daemon {
    /// All daemons.
    pub const ALL: &[Self] = &[Self::Tau];

    /// What users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tau => "tau",
        }
    }

    /// The daemon and the shape of the node that a unit runs.
    pub fn of_unit(unit: &str) -> Option<(Self, ShapeName)> {
        Self::ALL.iter().find_map(|daemon| {
            let name = unit.strip_prefix(daemon.unit_prefix())?.strip_suffix(".service")?;
            Some((*daemon, name.parse().ok()?))
        })
    }

    /// The daemon and the shape of the node that a configuration file is for.
    pub fn of_config(path: &str) -> Option<(Self, ShapeName)> {
        tau::shape_of_config(path).map(|shape| (Self::Tau, shape))
    }

    /// The daemon whose program this is.
    pub fn of_program(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|daemon| daemon.program() == path)
    }

    /// The unit that runs the node of a shape.
    pub fn unit_name(self, shape: &ShapeName) -> String {
        format!("{}{shape}.service", self.unit_prefix())
    }

    /// What the names of its nodes' units begin with.
    pub fn unit_prefix(self) -> &'static str {
        match self {
            Self::Tau => tau::UNIT_PREFIX,
        }
    }

    /// The template of its nodes' units.
    pub fn template(self) -> &'static Template {
        match self {
            Self::Tau => tau::template(),
        }
    }

    /// The path of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Tau => tau::BINARY,
        }
    }

    /// The directories that it uses, parents first, with their modes.
    pub fn directories(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Tau => tau::DIRECTORIES,
        }
    }

    /// The directories of its files and of its unit template.
    pub fn written_directories(self) -> &'static [&'static str] {
        match self {
            Self::Tau => &["/tb/bin", tau::CONFIG, tau::KEYS, tau::PLUGINS, "/etc/systemd/system"],
        }
    }

    /// The directory of its nodes' configurations. Records of starts name keys relative to it.
    pub fn config_directory(self) -> &'static str {
        match self {
            Self::Tau => tau::CONFIG,
        }
    }

    /// The directory of its plugins.
    pub fn plugin_directory(self) -> &'static str {
        match self {
            Self::Tau => tau::PLUGINS,
        }
    }

    /// The configuration file of a shape's node.
    pub fn config_path(self, shape: &ShapeName) -> String {
        match self {
            Self::Tau => tau::config_path(shape),
        }
    }

    /// The setting from which a field of a node's configuration is written.
    pub fn setting(self, field: &str) -> Option<Setting<'_>> {
        match self {
            Self::Tau => tau::config::setting(field),
        }
    }

    /// The keys that a node reads when it starts, and whether there is no start without it.
    pub fn keys(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Tau => {
                &[(tau::SWARM_KEY, true), (tau::VALIDATION_PUBLIC, true), (tau::VALIDATION_PRIVATE, false)]
            }
        }
    }

    /// Whether the node of a shape reads this file.
    pub fn reads(self, shape: &ShapeName, path: &str) -> bool {
        path == self.program()
            || path == self.template().path()
            || path == self.config_path(shape)
            || self.keys().iter().any(|(key, _)| *key == path)
            || is_in(self.plugin_directory(), path)
    }

    /// Whether a validation of a node's configuration reads this file.
    pub fn validates_with(self, path: &str) -> bool {
        path == self.program() || is_below(self.config_directory(), path)
    }

    /// Whether users have to do something themselves when this file changes: with another
    /// key, they must validate their domains again.
    pub fn is_known_to_users(self, path: &str) -> bool {
        match self {
            Self::Tau => path == tau::VALIDATION_PUBLIC,
        }
    }

    /// The directories in which nodes keep their data, each in one of its own.
    pub fn data_directories(self) -> &'static [&'static str] {
        match self {
            Self::Tau => &[tau::STORAGE, tau::RAFT],
        }
    }

    /// The daemon whose nodes may keep data at this path.
    pub fn of_data(path: &str) -> Option<Self> {
        let keeps = |daemon: &Self| daemon.data_directories().iter().any(|above| is_below(above, path));
        Self::ALL.iter().copied().find(keeps)
    }

    /// Where the node of a shape keeps its data.
    pub fn data_paths(self, shape: &ShapeName) -> Vec<String> {
        match self {
            Self::Tau => tau::storage_paths(shape).to_vec(),
        }
    }

    /// The shapes whose nodes may keep data at this path.
    pub fn shapes_of_data(self, path: &str) -> Vec<ShapeName> {
        match self {
            Self::Tau => tau::shapes_of_storage(path),
        }
    }

    /// The files that the probe looks for.
    pub fn questions(self) -> &'static [Question] {
        match self {
            Self::Tau => tau::QUESTIONS,
        }
    }

    /// The awk function `cut`, which prints a configuration without its secrets.
    pub fn cutting(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::cut_awk(),
        }
    }

    /// The `sed` script that replaces the private key of a configuration by the public one,
    /// for the record of a start. It exits with 9 for a file in which it can't.
    pub fn cutting_for_records(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::cut_sed(),
        }
    }

    /// The functions with which the scripts of actions ask about its files.
    pub fn script(self) -> &'static str {
        match self {
            Self::Tau => tau::SCRIPT,
        }
    }

    /// How the line of its journal begins that says that a node has started, after the name of
    /// the shape.
    pub fn start_sign(self) -> &'static str {
        match self {
            Self::Tau => tau::START_SIGN,
        }
    }

    /// Parses a configuration from which the probe has cut the secrets.
    pub fn config(self, text: &HostText) -> Option<Document> {
        match self {
            Self::Tau => tau::config::parse(text).ok(),
        }
    }

    /// The network to which a node with this configuration belongs.
    pub fn network(self, config: &Document) -> Option<&Printable> {
        match self {
            Self::Tau => tau::config::network(config),
        }
    }

    /// Where others can dial a node with this configuration: addresses that contain its id.
    pub fn dialled_at(self, config: &Document) -> BTreeSet<String> {
        match self {
            Self::Tau => tau::config::dialled_at(config),
        }
    }

    /// The addresses that a node with this configuration dials.
    pub fn dials(self, config: &Document) -> BTreeSet<String> {
        match self {
            Self::Tau => tau::config::dials(config),
        }
    }

    /// What a node with this configuration does for the network.
    pub fn serves(self, config: &Document) -> BTreeSet<String> {
        match self {
            Self::Tau => tau::config::services(config),
        }
    }

    /// Where a node with this configuration listens.
    pub fn listens(self, config: &Document) -> Listens {
        match self {
            Self::Tau => tau::config::listens(config),
        }
    }

    /// When a node counts as healthy with a configuration that was found; see
    /// [`tau::health_with`].
    pub fn health_with(self, shape: &ShapeName, config: Option<&Document>) -> Health {
        match self {
            Self::Tau => tau::health_with(shape, config),
        }
    }

    /// Whether two configurations are probably of one node whose shape was renamed.
    pub fn is_alike(self, old: &Document, new: &Document) -> bool {
        match self {
            Self::Tau => tau::config::is_alike(old, new),
        }
    }
}

/// The TCP ports on which a node listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// The port for other nodes, if the configuration says.
    pub main: Option<u16>,
    /// The port for DNS, if the node answers there. A node that finds it taken says that it
    /// has started, and doesn't try again.
    pub dns: Option<u16>,
}

impl NodeName {
    /// The unit that runs the node.
    pub fn unit(&self) -> String {
        self.daemon.unit_name(&self.shape)
    }

    /// The node's configuration file.
    pub fn config(&self) -> String {
        self.daemon.config_path(&self.shape)
    }

    /// Where the node keeps its data.
    pub fn data(&self) -> Vec<String> {
        self.daemon.data_paths(&self.shape)
    }
}

/// What a file on a host is, by its path; `None` if it is of no interest.
pub fn meaning(path: &str) -> Option<Meaning> {
    if let Some((daemon, _)) = Daemon::of_config(path) {
        return Some(Meaning::Config(daemon));
    }
    if path == resolver::DROP_IN {
        return Some(Meaning::Text);
    }
    if leftovers().any(|leftover| leftover == path) {
        return Some(Meaning::Leftover);
    }
    Daemon::ALL.iter().find_map(|daemon| match daemon {
        Daemon::Tau => tau::meaning(path),
    })
}

/// Copies of secrets that other tools leave in `/tmp`; see [`Meaning::Leftover`].
pub fn leftovers() -> impl Iterator<Item = &'static str> {
    Daemon::ALL.iter().flat_map(|daemon| match daemon {
        Daemon::Tau => tau::LEFTOVERS.iter().copied(),
    })
}

/// Whether `path` is directly in `directory`.
fn is_in(directory: &str, path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(parent, _)| parent == directory)
}

/// Whether `path` is somewhere below `directory`.
fn is_below(directory: &str, path: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}
