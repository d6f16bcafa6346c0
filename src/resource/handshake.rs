//! How a node proves to whoever connects to it that it is the expected one.

/// What is to be expected of a node on a connection to its port for other nodes.
///
/// That some process listens there, and that the node's journal reports a start, doesn't prove
/// that other nodes can talk to it: it may be stuck, use another key than the file on the disk,
/// or not be the process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The handshake of libp2p in a private network. Both sides encrypt with the network's
    /// swarm key; then the node proves by TLS that it has the private key of its peer id.
    Libp2p {
        /// The TCP port.
        port: u16,
        /// The node's peer id.
        peer: String,
    },
}

impl Handshake {
    /// The TCP port on which the node is expected.
    pub fn port(&self) -> u16 {
        match self {
            Self::Libp2p { port, .. } => *port,
        }
    }
}

/// What a handshake with a node has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The node is the expected one.
    Proved,
    /// It isn't, or it doesn't answer.
    Failed(Unproved),
    /// The host's SSH server forbids forwarding, so nothing is known.
    Forbidden,
    /// The host's SSH server couldn't open a connection to the node for another reason, so
    /// nothing is known.
    Unknown,
}

/// How a node has failed a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// Nothing accepts connections.
    Refused,
    /// It accepts connections, but closes them at once.
    Closed,
    /// It accepts connections, but doesn't answer, or stops answering.
    Silent,
    /// It can't read what was encrypted with the swarm key.
    OtherSwarm,
    /// It has the swarm key, but doesn't complete the TLS handshake.
    NoTls,
    /// It is the node with this peer id.
    OtherNode(String),
}

impl Unproved {
    /// Whether a node that is still starting may fail in this way, and then prove itself.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Refused | Self::Closed | Self::Silent)
    }
}
