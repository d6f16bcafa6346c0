//! The bootstrap nodes and their addresses.

use super::node::multiaddr;
use crate::network::Network;
use crate::resource::HostName;

/// A node that other nodes dial when they start.
pub(super) struct BootstrapNode {
    /// The host on which the node runs.
    pub(super) host: HostName,
    /// A multiaddress for each address of the host: `/ip4/10.0.0.1/tcp/4242/p2p/12D3…`; `None`
    /// if the node's id isn't available.
    pub(super) multiaddrs: Option<Vec<String>>,
}

/// The bootstrap nodes, ordered by shape and then as in the folder.
pub(super) fn bootstrap(network: &Network) -> Vec<BootstrapNode> {
    let mut nodes = Vec::new();
    for (shape, hosts) in &*network.bootstrap {
        let Some(main) = network.shapes.get(shape).map(|shape| *shape.ports.main) else { continue };
        for name in hosts {
            let Some(host) = network.hosts.get(&**name) else { continue };
            let Some(identity) = host.nodes.get(shape) else { continue };
            let multiaddrs = identity.id.as_ref().map(|id| {
                let addresses = host.addresses.iter();
                addresses.map(|address| format!("{}/p2p/{}", multiaddr(address.ip, main), **id)).collect()
            });
            nodes.push(BootstrapNode { host: (**name).clone(), multiaddrs });
        }
    }
    nodes
}
