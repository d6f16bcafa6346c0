//! The daemons that nodes run, and what the other rooms need to know about each daemon: its
//! files and what they mean, what a probe asks about it, its unit, how its starts are
//! recorded, when it is healthy, and what a change to each field of its configuration
//! needs.
//!
//! [`Daemon`] is the entry point. The rooms that compare and plan (`facts`, `diff`, `plan`)
//! know a daemon only through its methods. A second daemon needs another variant and another
//! folder here, and a way for the folder to name it (`network`, `check`, `desired`). What
//! these methods assume of every daemon, a second one has to satisfy or change: a node has a
//! unit that is an instance of a template, a configuration file, and a line in its journal
//! once it has started. This room doesn't know which hosts there are, or in what order they
//! are changed.
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

use crate::resource::{Document, Handshake, Health, HostText, NodeName, Port, Printable, ShapeName};
use std::collections::BTreeSet;

/// What a file on a host is. This determines how the file is compared with a desired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A node's configuration.
    Config(Daemon),
    /// A key. Only its digest leaves the host.
    Secret,
    /// A copy of a secret that another tool leaves in `/tmp`, owned by the user who ran the
    /// tool.
    ///
    /// **Which files in /tmp count** (`probe.sh`, `lib.sh` and `remove.sh` follow the same
    /// rule): a regular file that has one of the names in [`leftovers`] and the digest of a
    /// secret of the network. Any other file may have been put there by any user, so it is
    /// ignored: it is neither a problem nor a change. A user may also put a pipe or a link
    /// there at any moment, so the probe opens the file without blocking and without
    /// following links. Secrets are small, so the probe reads no more than 64 KiB.
    Leftover,
    /// A text that isn't secret.
    Text,
    /// A unit template.
    Unit,
    /// A program or a plugin. Only its digest is compared.
    Blob,
}

/// How the probe reads the files that match a pattern, and what it does with them; see
/// `probe.sh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Only the output of `stat`.
    Stat,
    /// The digest; a remembered one if the file hasn't changed since.
    Program,
    /// The digest.
    Digest,
    /// The digest of a file in `/tmp`; see [`Meaning::Leftover`].
    Leftover,
    /// The text of a node's configuration, from which the daemon's awk program cuts the
    /// secrets. The unit of the configuration's node is queried as well.
    Config,
    /// The directives of a unit file.
    Unit,
    /// The whole text.
    Text,
    /// The whole text, unless the controller knows the file by its name.
    Roster,
    /// The text without its comments.
    Settings,
    /// A link to a unit. The unit is queried.
    Wants,
}

impl Reader {
    /// The reader's name in `probe.sh`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Program => "program",
            Self::Digest => "digest",
            Self::Leftover => "leftover",
            Self::Config => "config",
            Self::Unit => "unit",
            Self::Text => "text",
            Self::Roster => "roster",
            Self::Settings => "settings",
            Self::Wants => "wants",
        }
    }
}

/// Files that the probe looks for: a shell pattern, and how to read the files whose paths
/// match it. If a path matches several patterns, the first one decides.
pub type Question = (&'static str, Reader);

impl Daemon {
    /// All daemons.
    pub const ALL: &[Self] = &[Self::Tau];

    /// The name of the daemon, as users know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tau => "tau",
        }
    }

    /// The daemon that a unit runs, and the shape of its node.
    pub fn of_unit(unit: &str) -> Option<(Self, ShapeName)> {
        Self::ALL.iter().find_map(|daemon| {
            let name = unit.strip_prefix(daemon.unit_prefix())?.strip_suffix(".service")?;
            Some((*daemon, name.parse().ok()?))
        })
    }

    /// The daemon that reads a configuration file, and the shape of its node.
    pub fn of_config(path: &str) -> Option<(Self, ShapeName)> {
        tau::shape_of_config(path).map(|shape| (Self::Tau, shape))
    }

    /// The daemon whose program is at this path.
    pub fn of_program(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|daemon| daemon.program() == path)
    }

    /// The unit that runs the node of a shape.
    pub fn unit_name(self, shape: &ShapeName) -> String {
        format!("{}{shape}.service", self.unit_prefix())
    }

    /// The prefix of the names of the units that run the daemon's nodes.
    pub fn unit_prefix(self) -> &'static str {
        match self {
            Self::Tau => tau::UNIT_PREFIX,
        }
    }

    /// The template of the units that run the daemon's nodes.
    pub fn template(self) -> &'static Template {
        match self {
            Self::Tau => tau::template(),
        }
    }

    /// The path of the daemon's program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Tau => tau::BINARY,
        }
    }

    /// The directories that the daemon uses, parents first, with their modes.
    pub fn directories(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Tau => tau::DIRECTORIES,
        }
    }

    /// The directories in which an apply writes the daemon's files and its unit template.
    pub fn written_directories(self) -> &'static [&'static str] {
        match self {
            Self::Tau => {
                &["/tb/bin", tau::CONFIG, tau::KEYS, tau::PLUGINS, tau::RECEIPTS, "/etc/systemd/system"]
            }
        }
    }

    /// The directory of the configurations. The record of a start names keys relative to
    /// it.
    pub fn config_directory(self) -> &'static str {
        match self {
            Self::Tau => tau::CONFIG,
        }
    }

    /// The directory of the daemon's plugins.
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
    /// The keys that a node reads when it starts, each with whether the node can't start
    /// without it.
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

    /// Whether validating a node's configuration involves this file.
    pub fn validates_with(self, path: &str) -> bool {
        path == self.program() || is_below(self.config_directory(), path)
    }

    /// Whether a change to this file requires action from users: when the validation key
    /// changes, they have to validate their domains again.
    pub fn is_known_to_users(self, path: &str) -> bool {
        match self {
            Self::Tau => path == tau::VALIDATION_PUBLIC,
        }
    }

    /// The directories in which nodes keep their data. Each node has its own
    /// subdirectories.
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

    /// Where an apply leaves its receipt.
    pub fn receipt(self) -> &'static str {
        match self {
            Self::Tau => tau::RECEIPT,
        }
    }

    /// The receipt's name from the first change of an apply until that leaves a new receipt.
    pub fn superseded_receipt(self) -> &'static str {
        match self {
            Self::Tau => tau::SUPERSEDED_RECEIPT,
        }
    }

    /// The directory of the receipt and the roster.
    pub fn receipt_directory(self) -> &'static str {
        match self {
            Self::Tau => tau::RECEIPTS,
        }
    }

    /// The awk function `cut`, which prints a configuration without its secrets.
    pub fn cutting(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::cut_awk(),
        }
    }

    /// The `sed` script that replaces the private key in a configuration with the public
    /// one, for the record of a start. It exits with status 9 if it can't.
    pub fn cutting_for_records(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::cut_sed(),
        }
    }

    /// How the private key of every node begins, in base64.
    pub fn beginning_of_keys(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::PREFIX,
        }
    }

    /// The shell functions that find the private key of a node whose key only the host has.
    pub fn finding_keys(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::finding(),
        }
    }

    /// The shell functions `make_key` and `renew_key`, which need those of [`Daemon::finding_keys`].
    pub fn making_keys(self) -> &'static str {
        match self {
            Self::Tau => tau::private_key::making(),
        }
    }

    /// The shell variables and functions through which the scripts of actions know the
    /// daemon's files.
    pub fn script(self) -> &'static str {
        match self {
            Self::Tau => tau::SCRIPT,
        }
    }

    /// The beginning of the journal line that a node writes once it has started, after the
    /// name of the shape.
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

    /// The addresses at which other nodes can dial a node with this configuration. Each
    /// contains the node's id.
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

    /// The names of the services that a node with this configuration runs.
    pub fn serves(self, config: &Document) -> BTreeSet<String> {
        match self {
            Self::Tau => tau::config::services(config),
        }
    }

    /// The ports on which a node with this configuration listens.
    pub fn listens(self, config: &Document) -> Listens {
        match self {
            Self::Tau => tau::config::listens(config),
        }
    }

    /// How many bytes a node says first on a connection to its port for other nodes.
    pub fn greeting(self) -> usize {
        match self {
            Self::Tau => tau::NONCE,
        }
    }

    /// What a node with this configuration proves on a connection to its port for other nodes;
    /// `None` if the configuration lacks what decides that.
    pub fn handshake(self, config: &Document) -> Option<Handshake> {
        match self {
            Self::Tau => tau::config::handshake(config),
        }
    }

    /// The key that whoever completes the handshake with a node needs.
    pub fn handshake_key(self) -> &'static str {
        match self {
            Self::Tau => tau::SWARM_KEY,
        }
    }

    /// Every port that a node with this configuration binds, each with whether only on loopback.
    pub fn binds(self, config: &Document) -> BTreeSet<(Port, bool)> {
        match self {
            Self::Tau => tau::config::binds(config),
        }
    }

    /// When a node with this configuration, which was found on a host, counts as healthy;
    /// see [`tau::health_with`].
    pub fn health_with(self, shape: &ShapeName, config: Option<&Document>) -> Health {
        match self {
            Self::Tau => tau::health_with(shape, config),
        }
    }

    /// Whether two configurations probably belong to one node whose shape was renamed.
    pub fn is_alike(self, old: &Document, new: &Document) -> bool {
        match self {
            Self::Tau => tau::config::is_alike(old, new),
        }
    }
}

/// The TCP ports on which a node listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// The port for other nodes, if the configuration sets it.
    pub main: Option<u16>,
    /// The port for DNS, if the node answers DNS. A node that finds this port taken still
    /// reports that it has started, and doesn't try to bind it again.
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

    /// The directories in which the node keeps its data.
    pub fn data(&self) -> Vec<String> {
        self.daemon.data_paths(&self.shape)
    }
}

/// What the file at this path is; `None` if spore doesn't compare it.
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

/// The paths where other tools leave copies of secrets in `/tmp`; see
/// [`Meaning::Leftover`].
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
