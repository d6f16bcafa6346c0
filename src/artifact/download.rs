//! Downloads one file over HTTP into memory.
//!
//! Nothing is written to disk here, so no partial file is left behind, and a full disk
//! doesn't matter.

use std::io::{self, Read as _};
use std::time::Duration;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Error, Timeout};

use super::Url;
use super::redirect::{Guard, Reach};

/// The maximum size of a file that is sent to hosts, in bytes.
pub(super) const SIZE_LIMIT: u64 = 1 << 30;

/// The maximum size of what an archive unpacks to, in bytes. The unpacked file is held in
/// memory, and a small archive can unpack to any size. A tau has about 100 MB.
pub(super) const UNPACKED_LIMIT: u64 = 512 << 20;

const CHUNK: usize = 256 << 10;

/// The limits of a download.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) size: u64,
    /// The maximum number of bytes after unpacking.
    pub(super) unpacked: u64,
    /// How long a server may send nothing, before its answer and between two reads.
    pub(super) silence: Duration,
    /// The maximum time for the whole download, because a server that sends a byte now and
    /// then is never silent.
    pub(super) total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // An hour is enough for a tau of 100 MB at 30 kB/s.
        Self {
            size: SIZE_LIMIT,
            unpacked: UNPACKED_LIMIT,
            silence: Duration::from_secs(30),
            total: Duration::from_secs(3600),
        }
    }
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server answered with an error.
    #[error("the server answered {0}")]
    Status(u16),
    /// The server sent nothing for too long.
    #[error("the server sent nothing for {} s", .0.as_secs())]
    Silence(Duration),
    /// The download didn't finish in time.
    #[error("the download took longer than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The file is larger than the limit, in bytes.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// The connection ended before the file did.
    #[error("the connection ended after {received} of {expected} bytes")]
    CutShort {
        /// The number of bytes that arrived.
        received: u64,
        /// The number of bytes that the server announced.
        expected: u64,
    },
    /// A redirect to a scheme other than the URL's.
    #[error("the server redirected from {from} to {to}")]
    OtherScheme {
        /// The URL's scheme.
        from: String,
        /// The redirect's scheme.
        to: String,
    },
    /// A redirect to an address that only this machine or its network can reach.
    #[error("the server redirected to {host}, {reach}")]
    Inward {
        /// The host as the redirect names it, with the address that it resolves to.
        host: String,
        /// From where the address can be reached.
        reach: Reach,
    },
    /// There is no connection, no such host, or no valid certificate.
    #[error("the connection failed")]
    Connection(#[source] io::Error),
}

impl DownloadError {
    /// What the user can do about the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Status(401 | 403) => "it isn't public: download it yourself and pin the file".to_owned(),
            Self::Status(404 | 410) => {
                "check that the release still exists and that the URL is right".to_owned()
            }
            Self::Status(500..) | Self::Silence(_) | Self::CutShort { .. } => "try again".to_owned(),
            Self::TooSlow(_) => "download the file yourself and pin that".to_owned(),
            Self::OtherScheme { .. } | Self::Inward { .. } => {
                "if you trust its destination, use that URL instead, or download the file and pin that"
                    .to_owned()
            }
            // A certificate that rustls rejects is reported with this kind.
            Self::Connection(e) if e.kind() == io::ErrorKind::InvalidData => {
                "set SSL_CERT_FILE to a file with your own certificate authorities, \
                 or download the file yourself and pin that"
                    .to_owned()
            }
            Self::Connection(_) => "try again, check HTTPS_PROXY if you use a proxy, \
                 or download the file yourself and pin that"
                .to_owned(),
            Self::Status(_) | Self::TooLarge(_) => return None,
        })
    }
}

/// Returns the bytes at `url`. `progress` is called with the number of bytes that have
/// arrived, and with the total if the server announced it.
pub(super) fn download(
    url: &Url,
    limits: &Limits,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Vec<u8>, DownloadError> {
    let response = agent(url, limits).get(url.as_str()).call().map_err(|e| failed(e, limits))?;
    let expected = response.body().content_length();
    if expected.is_some_and(|expected| expected > limits.size) {
        return Err(DownloadError::TooLarge(limits.size));
    }
    // An announced size can't reserve more memory than the limit that was checked above.
    let mut bytes = Vec::with_capacity(usize::try_from(expected.unwrap_or(0)).unwrap_or(0));
    let mut body = response.into_body().into_reader();
    loop {
        let before = bytes.len();
        let outcome = body.by_ref().take(CHUNK as u64).read_to_end(&mut bytes);
        let received = bytes.len() as u64;
        if received > limits.size {
            return Err(DownloadError::TooLarge(limits.size));
        }
        match (outcome, expected) {
            (Err(e), Some(expected)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(DownloadError::CutShort { received, expected });
            }
            (Err(e), _) => return Err(failed(e.into(), limits)),
            (Ok(_), _) if bytes.len() == before => break,
            (Ok(_), _) => progress(received, expected),
        }
    }
    match expected {
        Some(expected) if expected != bytes.len() as u64 => {
            Err(DownloadError::CutShort { received: bytes.len() as u64, expected })
        }
        _ => Ok(bytes),
    }
}

fn agent(url: &Url, limits: &Limits) -> Agent {
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(authorities()).build())
        .max_redirects(10)
        .timeout_global(Some(limits.total))
        .timeout_resolve(Some(limits.silence))
        .timeout_connect(Some(limits.silence))
        .timeout_recv_response(Some(limits.silence))
        .timeout_per_read(Some(limits.silence))
        .user_agent(concat!("spore/", env!("CARGO_PKG_VERSION")));
    // To a proxy, a loopback address is the proxy's own machine.
    let config = if is_loopback(url) { config.proxy(None) } else { config };
    let config = config.build();
    let guard = Guard::new(config.proxy().map(ureq::Proxy::uri));
    Agent::with_parts(config, guard, DefaultResolver::default())
}

/// Mozilla's certificate authorities, or the ones in `SSL_CERT_FILE`, where other tools
/// look for a company's own authorities, too.
fn authorities() -> RootCerts {
    let Some(text) = std::env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok()) else {
        return RootCerts::WebPki;
    };
    let mut certificates = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .peekable();
    match certificates.peek() {
        Some(_) => RootCerts::from(certificates),
        None => RootCerts::WebPki,
    }
}

fn is_loopback(url: &Url) -> bool {
    url.as_str().parse().is_ok_and(|uri| Reach::written(&uri) == Some(Reach::Loopback))
}

fn failed(error: Error, limits: &Limits) -> DownloadError {
    match error {
        Error::StatusCode(status) => DownloadError::Status(status),
        Error::Timeout(Timeout::Global) => DownloadError::TooSlow(limits.total),
        Error::Timeout(_) => DownloadError::Silence(limits.silence),
        Error::Other(other) => match other.downcast() {
            Ok(refused) => *refused,
            Err(other) => DownloadError::Connection(io::Error::other(other)),
        },
        other => DownloadError::Connection(other.into_io()),
    }
}
