//! Whom a node dials first, and that these are up before it.

use super::Goal;
use super::node::multiaddr;
use crate::network::Network;
use crate::resource::{Edge, Graph, HostName, Key, ResourceId};
use crate::tau;

/// A node that the others dial.
pub(super) struct BootstrapNode {
    /// Where it is.
    pub(super) host: HostName,
    /// One for each address of its host: `/ip4/10.0.0.1/tcp/4242/p2p/12D3…`.
    pub(super) multiaddrs: Vec<String>,
}

/// The bootstrap nodes, in the order of shapes and then of the folder.
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

/// Every other node's unit comes after every bootstrap node's. The bootstrap
/// nodes dial each other, so among them there is no edge: they are one rank.
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
