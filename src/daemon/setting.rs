//! What the fields of a node's configuration are written from.

/// A setting of the network folder from which a field of a node's configuration is written.
/// `desired` knows where the folder has each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting<'f> {
    /// The node's identity.
    Identity,
    /// The services of the shape.
    Services,
    /// The plugins of the shape.
    Plugins,
    /// The port that other nodes dial.
    MainPort,
    /// The port of the node's own client.
    LitePort,
    /// The port of the node's IPFS client.
    IpfsPort,
    /// The addresses of the host.
    Addresses,
    /// The location of the host.
    Location,
    /// The elders.
    Elders,
    /// The swarm key.
    SwarmKey,
    /// The network's root domain.
    RootDomain,
    /// The parent of generated domain names.
    GeneratedDomain,
    /// The custom domain with this name.
    CustomDomain(&'f str),
    /// The private half of the pair of keys that validates domains.
    ValidationPrivate,
    /// Its public half.
    ValidationPublic,
    /// The provider of the repositories.
    Provider,
    /// Their owner.
    Owner,
    /// The client id of the owner's application.
    ClientId,
    /// The private key of the owner's application.
    AppKey,
    /// The configuration of a service that the folder has as a document of its own.
    Accounts,
}
