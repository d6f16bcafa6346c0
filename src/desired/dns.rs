//! What the DNS records of a network depend on.

use crate::daemon::tau::dns::Names;
use crate::daemon::tau::{self, needs};
use crate::network::{Host, Network};
use crate::resource::ShapeName;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The network's names, and the addresses of the hosts that answer DNS.
pub fn names(network: &Network) -> Names<'_> {
    let services =
        |shape: &ShapeName| network.shapes.get(shape).into_iter().flat_map(|shape| &shape.services);
    let answers =
        |host: &&Host| host.nodes.keys().any(|shape| needs(services(shape).map(|name| name.as_str())).dns);
    let servers = network.hosts.values().filter(answers).flat_map(|host| &host.addresses);
    let custom = network.domain.custom.values();
    Names {
        root: &network.domain.root,
        generated: &network.domain.generated,
        custom: custom.map(|domain| (domain.name.as_str(), domain.service.as_str())).collect(),
        servers: servers.map(|address| address.ip).collect(),
    }
}

/// The services that records lead to, and that no host runs.
pub fn absent(network: &Network) -> BTreeSet<&str> {
    let used = network.hosts.values().flat_map(|host| host.nodes.keys());
    let run: BTreeSet<&str> = used
        .filter_map(|shape| network.shapes.get(shape))
        .flat_map(|shape| shape.services.iter().map(|name| name.as_str()))
        .collect();
    let custom = network.domain.custom.values().map(|domain| domain.service.as_str());
    custom.chain([tau::dns::APPS]).filter(|service| !run.contains(service)).collect()
}

/// The addresses that the internet can't reach.
pub fn private(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let is_private = |address: &&IpAddr| match address {
        IpAddr::V4(address) => {
            let shared = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || (shared[0] == 100 && shared[1] & 0xc0 == 64)
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
        }
    };
    addresses.iter().filter(is_private).copied().collect()
}
