//! Restricts where a download may be redirected.
//!
//! The author of the URL chose its scheme and the network that it leads to. A server that
//! redirects must stay within that choice: the redirect must have the same scheme, and lead
//! to an address that is public or has the same [`Reach`] as the URL's own. Otherwise a
//! server elsewhere could make spore send requests to addresses that only this machine can
//! reach: its own services, its neighbours, or a cloud's metadata.
//!
//! Every new connection passes through [`Guard`] after its name has been resolved, so the
//! rule also holds for names that resolve to internal addresses. Through a proxy, only an
//! address that is written in the redirect can be checked, because the proxy resolves names
//! itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, Transport};

use super::DownloadError;

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From everywhere.
    Public,
    /// Only from a private network.
    Private,
    /// Only from the same link. Clouds have their metadata service there.
    LinkLocal,
    /// Only from this machine.
    Loopback,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Private => "an address in a private network",
            Self::LinkLocal => "a link-local address",
            Self::Loopback => "an address of this machine",
        })
    }
}

impl Reach {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // On Linux, a connection to 0.0.0.0 leads to the machine itself.
            [0 | 127, ..] => Self::Loopback,
            [169, 254, ..] | [224..=255, ..] => Self::LinkLocal,
            // 100.64.0.0/10 is for carriers, 198.18.0.0/15 for benchmarks.
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] => {
                Self::Private
            }
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Self::Loopback,
            // IPv4 in IPv6: compatible, mapped, translated (two forms), 6to4.
            [0, 0, 0, 0, 0, 0, a, b]
            | [0, 0, 0, 0, 0, 0xffff, a, b]
            | [0, 0, 0, 0, 0xffff, 0, a, b]
            | [0x64, 0xff9b, 0, 0, 0, 0, a, b]
            | [0x2002, a, b, ..] => Self::of_v4(Ipv4Addr::from((u32::from(a) << 16) | u32::from(b))),
            [0xfe80..=0xfebf | 0xff00..=0xffff, ..] => Self::LinkLocal,
            // Unique local addresses, the older site-local ones, and local IPv4
            // translation.
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    /// The reach of a URI's host as far as the text shows it, without resolving a name.
    pub(super) fn written(uri: &Uri) -> Option<Self> {
        let host = uri.host()?.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        if host == "localhost" || host.ends_with(".localhost") {
            return Some(Self::Loopback);
        }
        host.parse().ok().map(Self::of)
    }
}

/// The scheme and the reaches that the first request of a download establishes.
#[derive(Debug)]
struct Chosen {
    scheme: String,
    reaches: Vec<Reach>,
}

impl Chosen {
    fn by(uri: &Uri, addresses: &[SocketAddr]) -> Self {
        let resolved = addresses.iter().map(|address| Reach::of(address.ip()));
        Self {
            scheme: uri.scheme_str().unwrap_or_default().to_owned(),
            reaches: resolved.chain(Reach::written(uri)).collect(),
        }
    }

    fn permits(&self, uri: &Uri, addresses: &[SocketAddr]) -> Result<(), DownloadError> {
        let scheme = uri.scheme_str().unwrap_or_default();
        if scheme != self.scheme {
            return Err(DownloadError::OtherScheme { from: self.scheme.clone(), to: scheme.to_owned() });
        }
        let host = uri.host().unwrap_or_default();
        let written = Reach::written(uri).map(|reach| (reach, host.to_owned()));
        let resolved = addresses.iter().map(|address| {
            let ip = address.ip().to_string();
            let shown = if ip == host.trim_matches(['[', ']']) { ip } else { format!("{host} ({ip})") };
            (Reach::of(address.ip()), shown)
        });
        // One internal address is enough to refuse, because any of the addresses may be
        // used.
        let inward = |reach: Reach| reach != Reach::Public && !self.reaches.contains(&reach);
        match resolved.chain(written).find(|(reach, _)| inward(*reach)) {
            Some((reach, host)) => Err(DownloadError::Inward { host, reach }),
            None => Ok(()),
        }
    }
}

/// Opens the connections of one download, if they are permitted.
#[derive(Debug, Default)]
pub(super) struct Guard {
    chosen: Mutex<Option<Chosen>>,
    /// The user's proxy, whose own address isn't checked.
    proxy: Option<Uri>,
    inner: DefaultConnector,
}

impl Guard {
    pub(super) fn new(proxy: Option<&Uri>) -> Self {
        Self { proxy: proxy.cloned(), ..Self::default() }
    }

    fn check(&self, uri: &Uri, addresses: &[SocketAddr]) -> Result<(), DownloadError> {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        match &*chosen {
            Some(chosen) => chosen.permits(uri, addresses),
            None => {
                *chosen = Some(Chosen::by(uri, addresses));
                Ok(())
            }
        }
    }
}

impl Connector for Guard {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        // A connection to the proxy itself is opened without a proxy.
        let to_proxy = details.config.proxy().is_none() && self.proxy.as_ref() == Some(details.uri);
        if !to_proxy {
            self.check(details.uri, &details.addrs).map_err(|error| Error::Other(error.into()))?;
        }
        self.inner.connect(details, chained)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Describes whether a redirect is permitted. Each place is a URL, followed by a space
    /// and the addresses to which its host resolves.
    fn said(from: &str, to: &str) -> String {
        let parse = |text: &str| {
            let (uri, resolved) = text.split_once(' ').unwrap_or((text, ""));
            let resolved = resolved.split_whitespace().map(|ip| SocketAddr::new(ip.parse().unwrap(), 80));
            (uri.parse::<Uri>().unwrap(), resolved.collect::<Vec<_>>())
        };
        let ((from, resolved_from), (to, resolved_to)) = (parse(from), parse(to));
        match Chosen::by(&from, &resolved_from).permits(&to, &resolved_to) {
            Ok(()) => "permitted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_redirect_stays_within_the_scheme_and_the_network_of_the_url() {
        let (public, loopback) = ("https://a.example/tau 192.0.2.1", "http://127.0.0.1:1/tau 127.0.0.1");
        for (from, to, expected) in [
            (public, "https://cdn.example/x 203.0.113.7", "permitted"),
            (public, "https://cdn.example/x 2001:db8::1", "permitted"),
            (public, "http://a.example/tau 192.0.2.1", "the server redirected from https to http"),
            ("http://a.example/tau", "https://a.example/tau", "the server redirected from http to https"),
            (
                public,
                "https://127.0.0.1/x 127.0.0.1",
                "the server redirected to 127.0.0.1, an address of this machine",
            ),
            (public, "https://0.0.0.0/", "the server redirected to 0.0.0.0, an address of this machine"),
            (public, "https://[::1]/", "the server redirected to [::1], an address of this machine"),
            (
                public,
                "https://[::ffff:127.0.0.1]/",
                "the server redirected to [::ffff:127.0.0.1], an address of this machine",
            ),
            (
                public,
                "https://[::ffff:0:10.0.0.1]/",
                "the server redirected to [::ffff:0:10.0.0.1], an address in a private network",
            ),
            (
                public,
                "https://[::ffff:169.254.169.254]/",
                "the server redirected to [::ffff:169.254.169.254], a link-local address",
            ),
            (
                public,
                "https://[64:ff9b::a9fe:a9fe]/",
                "the server redirected to [64:ff9b::a9fe:a9fe], a link-local address",
            ),
            (public, "https://localhost/", "the server redirected to localhost, an address of this machine"),
            (
                public,
                "https://169.254.169.254/meta",
                "the server redirected to 169.254.169.254, a link-local address",
            ),
            (public, "https://[fe80::1]/", "the server redirected to [fe80::1], a link-local address"),
            (
                public,
                "https://192.168.1.1/",
                "the server redirected to 192.168.1.1, an address in a private network",
            ),
            (
                public,
                "https://[fd00::1]/",
                "the server redirected to [fd00::1], an address in a private network",
            ),
            // A name that resolves to an internal address.
            (
                public,
                "https://in.example/ 192.0.2.1 10.0.0.5",
                "the server redirected to in.example (10.0.0.5), an address in a private network",
            ),
            // The URL's own name, which now resolves to an internal address.
            (
                public,
                "https://a.example/ 127.0.0.1",
                "the server redirected to a.example (127.0.0.1), an address of this machine",
            ),
            // A URL on this machine may redirect to this machine or to a public address.
            (loopback, "http://localhost:2/x 127.0.0.1 ::1", "permitted"),
            (loopback, "http://a.example/x 192.0.2.1", "permitted"),
            (
                loopback,
                "http://10.0.0.5/x",
                "the server redirected to 10.0.0.5, an address in a private network",
            ),
            ("https://in.example/ 10.0.0.5", "https://10.9.9.9/", "permitted"),
        ] {
            assert_eq!(said(from, to), expected, "{from} → {to}");
        }
    }
}
