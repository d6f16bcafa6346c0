//! Where the bytes of a file come from.

use super::{NodeName, Sha256};

/// Where the bytes of a file come from, so that whoever has the folder can find or make them
/// again, in another process as well. The file's digest tells whether they are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The host itself: nothing else is known to have them. Every file of a current state,
    /// and a desired file that stays as it was found.
    Host,
    /// Rendered from the folder for this node.
    Rendered(NodeName),
    /// A key of the network, which is in the folder.
    Folder(FolderKey),
    /// The program that the folder pins with this digest.
    Program(Sha256),
    /// The file of the plugin with this name.
    Plugin(String),
    /// A text that spore brings along.
    Fixed(FixedText),
}

/// A key of the network that is in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderKey {
    /// The pre-shared key of the swarm.
    Swarm,
    /// The private half of the domain-validation pair.
    ValidationPrivate,
    /// Its public half.
    ValidationPublic,
}

/// A text that is the same on every host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixedText {
    /// The unit template of the nodes.
    UnitTemplate,
    /// The drop-in that makes the host's resolver leave port 53.
    ResolverDropIn,
}
