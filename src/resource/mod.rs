//! The vocabulary both graphs speak: what a host can have, told apart by
//! [`ResourceId`], and the [`Graph`] that says what comes before what.
//!
//! The desired state and the current state are both `Graph<Resource>`. Nothing
//! here knows how a resource is read or written, nor what tau is.

mod content;
mod document;
mod graph;
mod name;
mod secret;

pub use content::{Content, DigestKey, ParseDigestError, Sha256, Size};
pub use document::{Document, Effect, Field, FieldPath, Value};
pub use graph::{Cycle, Edge, Graph};
pub use name::{HostName, InvalidName, NodeName, ShapeName};
pub use secret::Secret;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// One thing on one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The host that has it.
    pub host: HostName,
    /// What it is there.
    pub key: Key,
}

/// What tells a resource apart from the others of its host.
///
/// The order of the variants is the order in which a plan lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A package of the host's distribution, by name.
    Package(String),
    /// A directory, by absolute path.
    Directory(String),
    /// A regular file, by absolute path.
    File(String),
    /// A symbolic link, by absolute path.
    Link(String),
    /// A port that the host's firewall lets in.
    Rule(Port),
    /// What the service manager knows of its units' files.
    Units,
    /// Data that a node has left behind, by absolute path.
    Storage(String),
    /// A unit of the host's service manager.
    Service(String),
}

impl Key {
    /// The path, of what has one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Directory(path) | Self::File(path) | Self::Link(path) | Self::Storage(path) => Some(path),
            Self::Package(_) | Self::Rule(_) | Self::Units | Self::Service(_) => None,
        }
    }
}

impl fmt::Display for Key {
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

/// A resource's state, wanted or found. What is absent is in no graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// Installed.
    Package,
    /// A directory.
    Directory(Access),
    /// A regular file.
    File(File),
    /// A symbolic link.
    Link(Link),
    /// A port let in.
    Rule,
    /// What the service manager knows of its units' files.
    Units {
        /// Whether it has read them as they are now. Desired states always say so.
        fresh: bool,
    },
    /// Data that is to go. Only in a current graph.
    Storage,
    /// A unit.
    Service(Service),
    /// Found, but not to be read or not what its name says: never taken for
    /// absent. Only in a current graph.
    Unreadable {
        /// What was found, or why it couldn't be read.
        why: String,
    },
}

/// Who may do what with a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, as `0o600`.
    pub mode: u32,
    /// `user:group`.
    pub owner: String,
}

impl Access {
    /// Root's, with the given permission bits.
    pub fn root(mode: u32) -> Self {
        Self { mode, owner: "root:root".to_owned() }
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
    /// What it says, as far as it may be known here.
    pub content: Content,
    /// The digest of its bytes, by which the host tells them apart too.
    pub sha256: Sha256,
    /// A program that judges it before it is put in its place: the program and
    /// its arguments, this file's path among them. Only in a desired state.
    pub judge: Vec<String>,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it points, as written in the link.
    pub target: String,
}

/// Which transport a port is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

/// A port of a transport: `53/udp`.
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
    /// Whether it starts at boot.
    pub enabled: bool,
    /// What it does.
    pub activity: Activity,
    /// The node it runs, where it runs one.
    pub node: Option<Node>,
}

/// What plan and apply need to know of the node that a unit runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// `shape@host`.
    pub name: NodeName,
    /// Whether the others dial it first.
    pub bootstrap: bool,
    /// What it serves: of each, some node should be up at any time.
    pub serves: BTreeSet<String>,
    /// What it looks like once it has started.
    pub health: Health,
}

/// What a unit does, or should do.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    /// Up, started with these inputs. Desired states always say this.
    Running(Started),
    /// Up, but not yet seen healthy; not yet in trouble either.
    Starting(Started),
    /// Exits and is restarted by the service manager, or is up without doing
    /// what it is there for.
    Failing {
        /// What was seen of that.
        trouble: Trouble,
        /// Whether it stays so until it is restarted.
        lasts: bool,
        /// What it was last started with.
        started: Started,
    },
    /// Down.
    Stopped,
    /// Kept from starting by the host's owner.
    Masked,
}

/// What is wrong with a unit that should be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its process has exited; how, in the service manager's words: `exit-code 1`.
    Exited(String),
    /// The service manager had to restart it so many times, and its process is
    /// too young to be trusted.
    Restarted(u32),
    /// It runs, but doesn't listen on this TCP port.
    Deaf(u16),
}

/// Why nobody can tell what a process was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There is no process to ask.
    NoProcess,
    /// There is no record, and this file has changed since the start.
    Changed(String),
}

/// One start of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// The service manager's id of this start; `None` in a desired state.
    pub invocation: Option<String>,
    /// What it read at its start.
    pub inputs: Inputs,
    /// Whether the host has a note of that, so that it will still be known
    /// when these files have changed.
    pub recorded: bool,
}

impl Started {
    /// Any start, with the files that are wanted.
    pub const WANTED: Self =
        Self { invocation: None, inputs: Inputs::Known(BTreeMap::new()), recorded: false };
}

/// What a process read when it started.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// By path. In a desired state these are the files that the unit has an
    /// [`Edge::Reads`] from, and the map is left empty.
    Known(BTreeMap<String, Input>),
    /// There is no evidence left, and why.
    Unknown(Untold),
}

/// A file as a process read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What it said.
    pub content: Content,
    /// The digest of its bytes, where there is a record of it.
    pub sha256: Option<Sha256>,
}

/// How to tell that a unit's start has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// A line of its journal, from this very start, contains this.
    pub says: String,
    /// It listens on these TCP ports.
    pub listens: Vec<u16>,
    /// How long that may take.
    pub within: Duration,
}
