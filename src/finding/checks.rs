//! The findings of `check`, with one family for each of its files.

use super::{Excerpt, InGit};
use crate::artifact::{Architecture, FetchError};
use crate::identity::{AppKeyError, SshKeyKind};
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) enum Addresses {
    /// A host has nodes, but no address.
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
    /// One host lists the address twice.
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
    /// The binary is missing in a folder whose secrets may be missing.
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
    /// tau would interpret the name as a regular expression.
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
    /// The service is written by a name that it no longer has.
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
    /// The host has no node of the elder's shape.
    NoSuchNode {
        host: Excerpt,
        shape: Excerpt,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Git {
    /// The first files are shown; `all` is the number of files.
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
    /// The greatest absolute value, in degrees.
    pub(crate) fn most(self) -> f64 {
        match self {
            Self::Latitude => 90.0,
            Self::Longitude => 180.0,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Logins {
    /// Users other than the owner have permissions on the key's file.
    Open,
    Unusable {
        file: Excerpt,
        kind: SshKeyKind,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Ports {
    /// The port is one that tau itself listens on.
    Sensors {
        name: PortName,
        shape: Excerpt,
        port: u16,
    },
    /// Two ports of one shape are the same.
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
    /// Several nodes are on one host, but only one of them starts, because each listens on
    /// this port. `second` is another such host, and `others` is the number of such hosts
    /// after the first.
    Crowded {
        first: Excerpt,
        second: Option<Excerpt>,
        others: usize,
        nodes: usize,
        port: u16,
    },
    /// Several shapes on one host have a service that needs HTTPS.
    Https {
        first: Excerpt,
        second: Excerpt,
        others: usize,
    },
    /// Several shapes on one host have the same port.
    Clash {
        port: u16,
        first: (PortName, Excerpt),
        second: (PortName, Excerpt),
        others: usize,
    },
}

/// A port by its name in the folder, or by the protocol of the services that listen on it.
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
    /// Only the enterprise build of tau has the service.
    Accounts,
    NoTenancy,
    /// The tenancy lacks something that `auth` needs.
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
    /// No host has a node of the shape.
    Unused(Excerpt),
    PluginMissing(Excerpt),
}
