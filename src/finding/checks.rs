//! What `check` finds: one family for each of its files.

use super::{Excerpt, InGit};
use crate::artifact::{Architecture, FetchError};
use crate::identity::{AppKeyError, SshKeyKind};
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) enum Addresses {
    /// A host with nodes and without an address.
    None(Excerpt),
    Ipv6First {
        host: Excerpt,
        ipv4: Option<IpAddr>,
    },
    Unreachable {
        ip: IpAddr,
        why: Unreachable,
    },
    SameMachine {
        first: Excerpt,
        second: Excerpt,
    },
    /// Listed twice by one host.
    Twice(IpAddr),
    Shared {
        first: Excerpt,
        second: Excerpt,
        ip: IpAddr,
    },
}

/// Why no other host can dial an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    Unspecified,
    Loopback,
    Multicast,
    Broadcast,
    LinkLocal,
    OfANetwork,
    BroadcastOfItsNetwork,
}

#[derive(Clone, Debug)]
pub(crate) enum Binaries {
    /// Missing where secrets may be.
    Missing(Architecture),
    Unusable {
        architecture: Architecture,
        error: Arc<FetchError>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum DomainNames {
    NotInDns {
        name: Excerpt,
        why: NameFlaw,
    },
    /// A name that tau would interpret as a regular expression.
    Pattern(Excerpt),
    /// The network's own names are among the generated ones.
    Shadowed {
        is_same: bool,
        root: Excerpt,
    },
    NoService {
        service: Excerpt,
        near: Option<&'static str>,
    },
    /// A service by a name that it no longer has.
    OldService {
        service: Excerpt,
        name: &'static str,
    },
}

/// Why a text isn't a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFlaw {
    TooLong,
    UrlOrPath,
    IpAddress,
    FinalDot,
    EmptyPart,
    PartTooLong,
    Characters,
    Hyphen,
}

#[derive(Clone, Debug)]
pub(crate) enum Elders {
    None,
    One,
    OneHost,
    /// An elder that no host runs.
    NoSuchNode {
        host: Excerpt,
        shape: Excerpt,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Git {
    /// The first ones are shown, all are counted.
    Unignored { shown: Vec<InGit>, all: usize, is_any_tracked: bool },
}

#[derive(Clone, Debug)]
pub(crate) enum Identities {
    Shared { first: Excerpt, second: Excerpt },
}

#[derive(Clone, Debug)]
pub(crate) enum Locations {
    Swapped { lat: f64, long: f64 },
    OutOfRange { value: f64, axis: Axis },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    Latitude,
    Longitude,
}

impl Axis {
    /// The greatest value, in degrees.
    pub(crate) fn most(self) -> f64 {
        match self {
            Self::Latitude => 90.0,
            Self::Longitude => 180.0,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Logins {
    /// Other users can read the key.
    Open,
    Unusable {
        file: Excerpt,
        kind: SshKeyKind,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Ports {
    /// A port that tau itself listens on.
    Sensors {
        name: PortName,
        shape: Excerpt,
        port: u16,
    },
    /// Two ports of one shape.
    Same {
        names: [PortName; 2],
        shape: Excerpt,
        port: u16,
    },
    Sshd {
        name: PortName,
        shape: Excerpt,
        host: Excerpt,
        port: u16,
    },
    /// sshd is reached at another address, so its port may be forwarded.
    MayBeSshd {
        name: PortName,
        shape: Excerpt,
        host: Excerpt,
        port: u16,
    },
    /// Several nodes on one host, of which only one starts, because each listens on this
    /// port. `second` is another such host, and `others` are all but the first.
    Crowded {
        first: Excerpt,
        second: Option<Excerpt>,
        others: usize,
        nodes: usize,
        port: u16,
    },
    /// Several shapes on one host with a service that needs HTTPS.
    Https {
        first: Excerpt,
        second: Excerpt,
        others: usize,
    },
    /// Several shapes on one host with the same port.
    Clash {
        port: u16,
        first: (PortName, Excerpt),
        second: (PortName, Excerpt),
        others: usize,
    },
}

/// A port by its name in the folder, or the protocol of the services that listen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortName {
    Main,
    Lite,
    Ipfs,
    Http,
    Https,
    Dns,
}

#[derive(Clone, Debug)]
pub(crate) enum Services {
    Unknown {
        service: Excerpt,
        near: Option<&'static str>,
        known: Vec<&'static str>,
    },
    GatewayAndSubstrate(Excerpt),
    /// A service of the enterprise build.
    Accounts,
    NoTenancy,
    /// What the tenancy lacks.
    Tenancy(Missing),
    AppKey(AppKeyError),
    NoPrivateValidationKey,
}

/// What `auth` needs of the tenancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    ClientId,
    AppKey,
}

#[derive(Clone, Debug)]
pub(crate) enum Shapes {
    /// No host has a node of it.
    Unused(Excerpt),
    PluginMissing(Excerpt),
}
