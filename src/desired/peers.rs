//! The bootstrap nodes: their addresses, and that they start before the others.

use super::Goal;
use super::node::multiaddr;
use crate::network::Network;
use crate::resource::{Edge, Graph, HostName, Key, ResourceId};
use crate::tau;

/// A node that the others dial when they start.
pub(super) struct BootstrapNode {
    /// Its host.
    pub(super) host: HostName,
    /// One for each address of the host: `/ip4/10.0.0.1/tcp/4242/p2p/12D3…`.
    pub(super) multiaddrs: Vec<String>,
}

/// The bootstrap nodes, ordered by shape and then as in the folder.
pub(super) fn bootstrap(network: &Network) -> Vec<BootstrapNode> {
    let mut nodes = Vec::new();
    for (shape, hosts) in &network.bootstrap {
        let Some(main) = network.shapes.get(shape).map(|shape| *shape.ports.main) else { continue };
        for name in hosts {
            let Some(host) = network.hosts.get(&**name) else { continue };
            let Some(identity) = host.nodes.get(shape) else { continue };
            let multiaddrs = host
                .addresses
                .iter()
                .map(|address| format!("{}/p2p/{}", multiaddr(address.ip, main), *identity.id))
                .collect();
            nodes.push(BootstrapNode { host: (**name).clone(), multiaddrs });
        }
    }
    nodes
}

/// Orders the unit of every other node after those of all bootstrap nodes. The bootstrap
/// nodes dial each other, so edges among them would form a cycle.
pub(super) fn connect(network: &Network, goals: &mut Graph<Goal>) {
    let mut bootstrap = Vec::new();
    let mut others = Vec::new();
    for host in network.hosts.values() {
        for shape in host.nodes.keys() {
            let id = ResourceId { host: (*host.name).clone(), key: Key::Service(tau::unit_name(shape)) };
            let dialled = network
                .bootstrap
                .get(shape)
                .is_some_and(|hosts| hosts.iter().any(|name| **name == *host.name));
            if dialled { bootstrap.push(id) } else { others.push(id) }
        }
    }
    for earlier in &bootstrap {
        for later in &others {
            goals.connect(earlier, later, Edge::Dials);
        }
    }
}
