//! The vocabulary of both the desired and the current state: the resources that a host
//! can have, identified by [`ResourceId`], and the [`Graph`] that orders them.
//!
//! Both states are a `Graph<Resource>` for each host. This room doesn't know how a resource
//! is read or written; all it knows of daemons is their names.

mod content;
mod document;
mod graph;
mod handshake;
mod name;
mod printable;
mod redact;
mod secret_bytes;
mod source;
mod switch;
mod time;
mod version;

pub use content::{Content, DigestKey, ParseDigestError, Sha256, Size};
pub use document::{Document, Effect, Field, FieldPath, IDENTITY, Value};
pub use graph::{ByHost, Cycle, Edge, Graph};
pub use handshake::{Contact, Handshake, Unproved};
pub use name::{Daemon, HostName, InvalidName, NodeName, ShapeName};
pub use printable::{LONGEST, Printable, is_hidden};
pub use redact::{HostText, MASK, Redactor, Untrusted};
pub use secret_bytes::SecretBytes;
pub use source::{FileSource, FixedText, FolderKey, KeyedFile};
pub use switch::{kept_for, kept_path, part_path, staged_for, staged_path};
pub use time::{seconds, timestamp};
pub use version::{InvalidVersion, Version};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Identifies a resource: one thing on one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The host.
    pub host: HostName,
    /// The resource on that host.
    pub key: ResourceKey,
}

/// Identifies a resource on a host.
///
/// The order of the variants is the order in which a plan lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKey {
    /// A package of the host's distribution, by name.
    Package(String),
    /// A directory, by absolute path.
    Directory(String),
    /// A regular file, by absolute path.
    File(String),
    /// A symbolic link, by absolute path.
    Link(String),
    /// A port that the host's firewall allows.
    Rule(Port),
    /// The unit files as the service manager has loaded them.
    Units,
    /// Data that a removed node has left behind, by absolute path.
    Storage(String),
    /// A unit of the host's service manager.
    Service(String),
}

impl ResourceKey {
    /// The path, if the resource has one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Directory(path) | Self::File(path) | Self::Link(path) | Self::Storage(path) => Some(path),
            Self::Package(_) | Self::Rule(_) | Self::Units | Self::Service(_) => None,
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(name) => write!(f, "package {name}"),
            Self::Directory(path) | Self::Storage(path) => write!(f, "{path}/"),
            Self::File(path) | Self::Link(path) => f.write_str(path),
            Self::Rule(port) => write!(f, "ufw allow {port}"),
            Self::Units => f.write_str("systemd's units"),
            Self::Service(unit) => f.write_str(unit),
        }
    }
}

/// The state of a resource, desired or current. An absent resource isn't in the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// A package of the host's distribution.
    Package {
        /// Whether the installation has finished. Always true in a desired state.
        finished: bool,
    },
    /// A directory.
    Directory(Access),
    /// A regular file. Goals and states share it.
    File(Arc<File>),
    /// A symbolic link.
    Link(Link),
    /// An allowed port.
    Rule {
        /// Whether the firewall allows the port for IPv4 and, where that is in use, IPv6:
        /// ufw may have been interrupted between the two. Always true in a desired state.
        whole: bool,
    },
    /// The unit files as the service manager has loaded them.
    Units {
        /// Whether the service manager has loaded the current versions. Always true in a
        /// desired state.
        fresh: bool,
    },
    /// Data to be deleted. Only in a current graph.
    Storage {
        /// The `device:inode` of the directory, which distinguishes it from another
        /// directory at the same path.
        device_inode: String,
    },
    /// A unit.
    Service(Arc<Service>),
    /// Something exists, but it can't be read or is of another kind (a directory instead
    /// of a file, say). It never counts as absent. Only in a current graph.
    Unreadable {
        /// What was found, or why it couldn't be read.
        why: Unreadable,
    },
}

impl From<File> for Resource {
    fn from(file: File) -> Self {
        Self::File(Arc::new(file))
    }
}

impl From<Service> for Resource {
    fn from(service: Service) -> Self {
        Self::Service(Arc::new(service))
    }
}
/// Why an existing file or directory can't be planned on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It should be a directory, but isn't.
    NotADirectory,
    /// It should be a regular file, but isn't.
    NotAFile,
    /// It is larger than any real file of its kind.
    TooLarge,
    /// It has the name of a configuration, but isn't a valid one.
    NotAConfiguration,
    /// It was replaced while the probe read it.
    Replaced,
    /// Its name contains characters that aren't supported.
    UnusualName,
    /// It can't be read; the reason, as a program on the host reported it.
    Failed(Printable),
}

/// The mode and owner of a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, as `0o600`.
    pub mode: u32,
    /// `user:group`.
    pub owner: Printable,
}

impl Access {
    /// Owned by root, with the given permission bits.
    pub fn root(mode: u32) -> Self {
        Self { mode, owner: "root:root".into() }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o} {}", self.mode, self.owner)
    }
}

/// A regular file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Owner and mode.
    pub access: Access,
    /// The content of the file, as far as the controller may know it.
    pub content: Content,
    /// The unkeyed digest of the file's bytes, which the host can compute as well.
    /// [`Sha256::UNKNOWN`] if a part of the file isn't available.
    pub sha256: Sha256,
    /// The source of the file's bytes.
    pub source: FileSource,
}

impl File {
    /// A desired file whose content isn't available.
    pub fn unavailable(access: Access, source: FileSource) -> Self {
        Self { access, content: Content::Unavailable, sha256: Sha256::UNKNOWN, source }
    }

    /// Whether every part of the file is available, so that its bytes are known.
    pub fn is_available(&self) -> bool {
        self.sha256 != Sha256::UNKNOWN
    }
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The target, as written in the link.
    pub target: Printable,
}

/// The transport of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

/// A port number and its transport: `53/udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// TCP or UDP.
    pub transport: Transport,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        write!(f, "{}/{transport}", self.number)
    }
}

/// A unit of the service manager.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Whether the unit starts at boot.
    pub enabled: bool,
    /// Whether the unit runs.
    pub activity: Activity,
    /// The node that it runs, if any.
    pub node: Option<Node>,
}

/// What plan and apply need to know about the node that a unit runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// `shape@host`.
    pub name: NodeName,
    /// Whether the node is a bootstrap node (an elder), which other nodes dial first.
    pub bootstrap: bool,
    /// The services that the node runs. For each service, at least one node should be up at
    /// any time.
    pub serves: BTreeSet<String>,
    /// How to determine that the node is healthy.
    pub health: Health,
}

/// Whether a unit runs, or should run.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    /// Running, started with these inputs. A desired unit is always in this state.
    Running(Started),
    /// Running, but not healthy yet; it may still become healthy.
    Starting(Started),
    /// The process keeps exiting and being restarted by the service manager, or it runs
    /// without becoming healthy.
    Failing {
        /// The symptom.
        trouble: Trouble,
        /// Whether only a restart can fix it.
        lasts: bool,
        /// The last start.
        started: Started,
    },
    /// Not running.
    Stopped,
    /// Masked by the host's administrator, so that it can't be started.
    Masked,
}

impl Activity {
    /// The last start, unless the unit is known to be stopped.
    pub fn started(&self) -> Option<&Started> {
        match self {
            Self::Running(started) | Self::Starting(started) | Self::Failing { started, .. } => Some(started),
            Self::Stopped | Self::Masked => None,
        }
    }

    /// Whether the unit has a process that has come up. Others may be using it, however
    /// badly it works, so stopping it takes something down.
    pub fn is_up(&self) -> bool {
        match self {
            Self::Running(_) => true,
            Self::Failing { trouble, .. } => !matches!(trouble, Trouble::Exited(_)),
            Self::Starting(_) | Self::Stopped | Self::Masked => false,
        }
    }
}

/// What is wrong with a unit that should be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process has exited; how, as the service manager reports it: `exit-code 1`.
    Exited(Printable),
    /// The service manager restarted the unit this many times, and the current process
    /// hasn't run long enough to count as stable.
    Restarted(u32),
    /// The process runs, but doesn't listen on this TCP port.
    Deaf(u16),
    /// The process runs and its TCP port accepts connections, but the node says nothing there:
    /// it is stopped or stuck.
    Silent(u16),
    /// The process runs, but a switch of its files was interrupted before the unit was seen
    /// healthy.
    Unfinished,
}

/// Why it is unknown which inputs a process was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There is no process to inspect.
    NoProcess,
    /// The start wasn't recorded, and this file has changed since.
    Changed(String),
}

/// One start of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// systemd's `InvocationID` of this start; `None` in a desired state.
    pub invocation: Option<String>,
    /// The files that the process read when it started.
    pub inputs: Inputs,
    /// Whether the host has a record of the inputs, so that they remain known after
    /// the files have changed.
    pub recorded: bool,
}

impl Started {
    /// Any start with the desired files.
    pub const WANTED: Self =
        Self { invocation: None, inputs: Inputs::Known(BTreeMap::new()), recorded: false };
}

/// The files that a process read when it started.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// The files, by path. In a desired state the map is empty; the files are those with
    /// an [`Edge::Reads`] to the unit.
    Known(BTreeMap<String, Input>),
    /// The files can't be determined any more; this is the reason.
    Unknown(Untold),
}

/// A file as it was when a process read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The content of the file when the process read it.
    pub content: Content,
    /// The digest of its bytes, if it was recorded.
    pub sha256: Option<Sha256>,
}

/// How to determine that a unit has started successfully.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// A line in the journal of this start must contain this text.
    pub says: String,
    /// The process must listen on these TCP ports.
    pub listens: Vec<u16>,
    /// The time within which it must become healthy.
    pub within: Duration,
    /// The handshake that the controller then completes with it.
    pub handshake: Option<Handshake>,
}
