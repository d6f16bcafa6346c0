//! Where the bytes of a file come from.

use super::{NodeName, Sha256};

/// Where the bytes of a file come from, so that another process with the same folder can
/// find or make them again. The file's digest tells whether they are the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileSource {
    /// The host itself; no other source is known. Every file of a current state has this
    /// source, and so has a desired file that stays as it was found.
    Host,
    /// Rendered from the folder for this node.
    Rendered(NodeName),
    /// Rendered from the folder except for the node's private key, which only the host has. The
    /// host adds it.
    Keyed(KeyedFile),
    /// A key of the network, which is in the folder.
    Folder(FolderKey),
    /// The program that the folder pins with this digest.
    Program(Sha256),
    /// The file of the plugin with this file name.
    Plugin(String),
    /// A text that is built into spore.
    Fixed(FixedText),
}

/// The configuration of a node whose private key only the host has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyedFile {
    /// The node.
    pub node: NodeName,
    /// The public half of its key, in base64.
    pub public: String,
    /// Identifies everything else in the file: a digest with the key of the host's secrets.
    pub rest: Sha256,
}

/// A key of the network that is stored in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderKey {
    /// The pre-shared key of the swarm.
    Swarm,
    /// The private half of the domain-validation pair.
    ValidationPrivate,
    /// The public half of the domain-validation pair.
    ValidationPublic,
}

/// A text that is the same on every host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixedText {
    /// The unit template of the nodes.
    UnitTemplate,
    /// The drop-in that makes the host's resolver release port 53.
    ResolverDropIn,
}
