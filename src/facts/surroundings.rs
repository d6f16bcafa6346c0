//! What a host has besides the network's resources: memory, addresses, and who holds the ports
//! that its nodes need.

use crate::resource::{Port, Printable};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a host has besides the network's resources. A value is missing if the host didn't tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The memory.
    pub memory: Option<Memory>,
    /// The number of processors.
    pub processors: Option<u32>,
    /// The addresses of the host's interfaces.
    pub addresses: BTreeSet<IpAddr>,
    /// The processes that listen on ports that the host's nodes need.
    pub owners: Vec<PortOwner>,
    /// Whether the owner of every such port was looked for among all processes. Otherwise an
    /// unknown owner means nothing.
    pub searched: bool,
    /// When the answer arrived, in seconds since 1970 by the controller's clock.
    pub received: Option<u64>,
    /// By unit, the port at which the controller has looked for its node, and what it found.
    pub alive: BTreeMap<String, (u16, Alive)>,
}

/// The memory of a host, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What is available to new processes.
    pub available: u64,
}

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOwner {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Port,
    /// The process id.
    pub pid: u32,
    /// The process's name.
    pub name: Printable,
    /// The unit that the process belongs to.
    pub unit: Printable,
}

/// What a node did when the controller opened a connection to its port for other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alive {
    /// It spoke first, as a node does.
    Spoke,
    /// The connection was accepted, but the node said nothing. The kernel accepts connections
    /// for a process that is stopped.
    Silent,
    /// The host's SSH server forbids forwarding, so nothing is known.
    Forbidden,
    /// The connection couldn't be opened, so nothing is known.
    Unknown,
}

impl Alive {
    /// The word for it in an answer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Spoke => "spoke",
            Self::Silent => "silent",
            Self::Forbidden => "forbidden",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Spoke, Self::Silent, Self::Forbidden, Self::Unknown]
            .into_iter()
            .find(|known| known.word() == word)
    }
}
