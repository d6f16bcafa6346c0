//! The hosts and which nodes they carry: `hosts.yaml`.

use super::{At, Login};
use crate::identity::{NodeKey, PeerId};
use crate::resource::{HostName, ShapeName};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// A machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// What the folder calls it.
    pub name: At<HostName>,
    /// Where other nodes reach it, in the order of the folder.
    pub addresses: Vec<At<Address>>,
    /// How to get in.
    pub ssh: Ssh,
    /// Where on earth it is.
    pub location: Option<Location>,
    /// Its nodes, by shape. None at all is a host to be cleared.
    pub nodes: BTreeMap<ShapeName, Identity>,
}

/// An IP address, which is what it derefs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address itself.
    pub ip: IpAddr,
    /// How many bits of it are the network's, where it was written as a CIDR.
    /// A configuration doesn't have it.
    pub prefix: Option<u8>,
}

impl Deref for Address {
    type Target = IpAddr;
    fn deref(&self) -> &IpAddr {
        &self.ip
    }
}

/// How to get into a host.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// An address or a name.
    pub address: At<String>,
    /// 22, if not said otherwise.
    pub port: u16,
    /// Whom to log in as, in the order of the folder; never empty.
    pub logins: Vec<Arc<Login>>,
}

/// A point on the globe, in degrees.
#[derive(Clone, Debug)]
pub struct Location {
    /// North of the equator.
    pub lat: At<f64>,
    /// East of Greenwich.
    pub long: At<f64>,
}

/// Who a node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What it runs.
    pub shape: At<ShapeName>,
    /// Its private key. [`Network::read`](super::Network::read) refuses a node
    /// without one, as yet; keys that stay on their host leave it `None`.
    pub key: Option<At<NodeKey>>,
    /// Its peer id, as written or else as the key makes it: they agree.
    pub id: At<PeerId>,
}
