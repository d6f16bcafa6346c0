//! The contents of `tau.yaml`: for each architecture, where its binary is and which bytes
//! it has. `network` reads the file; this module writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{Architecture, HostDownload, Sha256, Url, UrlError};
use crate::resource::{Version, is_hidden};

/// The binary of each architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins(pub BTreeMap<Architecture, Pin>);

/// A file, and the digest that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Where the file is.
    pub source: Source,
    /// Other URLs of the same file. Only its digest is trusted.
    pub mirrors: Vec<Url>,
    /// Who downloads the file for a host.
    pub fetch: Fetch,
    /// The digest of the file at its source, which is the digest that a release page
    /// publishes.
    pub sha256: Sha256,
    /// For an archive, the digest of the `tau` inside, which is the digest that a host
    /// reports. `spore tau pin` always writes it; in a pin written by hand it is optional.
    pub binary: Option<Sha256>,
    /// The version in the binary's build information, so that a plan can show it without
    /// fetching the file. `spore tau pin` writes it if the binary has one.
    pub version: Option<Version>,
    /// The size of the binary in bytes, so that a plan can show it, and limit a download to
    /// it. `spore tau pin` always writes it.
    pub size: Option<u64>,
}

/// Who downloads a pinned file for a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fetch {
    /// The machine that runs spore, which sends it to the host.
    #[default]
    Send,
    /// The host itself. If it can't, the file is sent.
    Hosts,
}

impl Fetch {
    /// Both values.
    pub const ALL: [Self; 2] = [Self::Send, Self::Hosts];

    /// The name of the value in `tau.yaml` and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Hosts => "hosts",
        }
    }
}

/// A text that isn't the name of a [`Fetch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is neither `send` nor `hosts`")]
pub struct UnknownFetch;

impl FromStr for Fetch {
    type Err = UnknownFetch;

    fn from_str(text: &str) -> Result<Self, UnknownFetch> {
        Self::ALL.into_iter().find(|fetch| fetch.name() == text).ok_or(UnknownFetch)
    }
}

impl Pin {
    /// A pin of a file, about which nothing else is known.
    #[must_use]
    pub fn new(source: Source, sha256: Sha256) -> Self {
        let fetch = Fetch::default();
        Self { source, mirrors: Vec::new(), fetch, sha256, binary: None, version: None, size: None }
    }

    /// The URLs of the file.
    pub fn urls(&self) -> impl Iterator<Item = &Url> {
        let url = match &self.source {
            Source::Url(url) => Some(url),
            Source::Path(_) => None,
        };
        url.into_iter().chain(&self.mirrors)
    }

    /// How a host can download the file and get the binary with the digest `binary` from it.
    /// `None` if the file has no URL.
    #[must_use]
    pub fn host_download(&self, binary: Sha256) -> Option<HostDownload> {
        let urls: Vec<Url> = self.urls().cloned().collect();
        let packed = binary != self.sha256;
        (!urls.is_empty()).then_some(HostDownload { urls, sha256: self.sha256, packed, size: self.size })
    }

    /// The digest of the binary itself, as far as it is known without reading the file. It
    /// is `None` if the file is an archive and the pin doesn't say what is inside; then
    /// only [`fetch()`](fn@super::fetch) can determine it.
    #[must_use]
    pub fn binary(&self) -> Option<Sha256> {
        self.binary.or_else(|| (!self.source.is_packed()).then_some(self.sha256))
    }
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A local path as it is written: absolute, or relative to the folder of the network.
    Path(String),
    /// A URL to download the file from.
    Url(Url),
}

impl Source {
    /// A local path. Reports quote the path, so it must not contain anything that can't be
    /// seen.
    ///
    /// # Errors
    /// The path contains a [hidden](is_hidden) character.
    pub fn path(text: &str) -> Result<Self, UrlError> {
        if text.contains(is_hidden) { Err(UrlError::Hidden) } else { Ok(Self::Path(text.to_owned())) }
    }

    /// Whether the file's name says that it is compressed.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        let path = match self {
            Self::Path(path) => path.as_str(),
            Self::Url(url) => url.path(),
        };
        let path = path.to_ascii_lowercase();
        path.ends_with(".gz") || path.ends_with(".tgz")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl FromStr for Source {
    type Err = UrlError;

    /// Text that contains `://` is a URL; any other text is a path.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.contains("://") { text.parse().map(Self::Url) } else { Self::path(text) }
    }
}

const HEADER: &str = "\
# The tau that runs on this network's hosts, by architecture.
# Written by `spore tau pin URL|FILE…`. `sha256` is the digest of the file named here;
# `binary` is the digest of the tau in it, if it is an archive.
";

impl Pins {
    /// The text of `tau.yaml`. The same pins always give the same bytes.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = HEADER.to_owned();
        for (architecture, Pin { source, mirrors, fetch, sha256, binary, version, size }) in &self.0 {
            let (key, place) = match source {
                Source::Path(path) => ("path", path.as_str()),
                Source::Url(url) => ("url", url.as_str()),
            };
            text += &format!("\n{}:\n", scalar(architecture.name()));
            text += &format!("  {key}: {}\n", scalar(place));
            if !mirrors.is_empty() {
                text += "  mirrors:\n";
                text += &mirrors
                    .iter()
                    .map(|url| format!("    - {}\n", scalar(url.as_str())))
                    .collect::<String>();
            }
            if *fetch != Fetch::default() {
                text += &format!("  fetch: {}\n", fetch.name());
            }
            text += &format!("  sha256: {}\n", scalar(&sha256.to_string()));
            if let Some(binary) = binary {
                text += &format!("  binary: {}\n", scalar(&binary.to_string()));
            }
            if let Some(version) = version {
                text += &format!("  version: {}\n", scalar(&version.to_string()));
            }
            if let Some(size) = size {
                text += &format!("  size: {size}\n");
            }
        }
        text
    }
}

/// Writes a text unquoted if every YAML parser reads that as the same text, and in double
/// quotes otherwise.
fn scalar(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-._/+=%~?&@,:".contains(c);
    // Parsers may read `386` and `12e4` as numbers, `true` as a boolean, and `key:` as a
    // mapping.
    let a_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '.')
        && (text.contains(['/', '-']) || text.ends_with("64"));
    let a_digest = text.len() == 64 && text.contains(['a', 'c', 'd', 'f']);
    if (a_word || a_digest) && text.chars().all(harmless) && !text.ends_with(':') {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn pin(source: &str, binary: Option<Sha256>) -> Pin {
        Pin { binary, ..Pin::new(source.parse().unwrap(), Sha256::of(b"file")) }
    }

    #[test]
    fn what_hosts_may_download_is_written_and_found() {
        let mirrors = ["http://10.0.0.1/tau", "https://example.net/tau?x"];
        let mirrors: Vec<Url> = mirrors.iter().map(|url| url.parse().unwrap()).collect();
        let tau = Sha256::of(b"tau");
        let pin = Pin {
            mirrors: mirrors.clone(),
            fetch: Fetch::Hosts,
            size: Some(99),
            ..pin("bin/tau.tgz", Some(tau))
        };
        let text = Pins(BTreeMap::from([(Architecture::Amd64, pin.clone())])).to_yaml();
        let fetched =
            "  mirrors:\n    - http://10.0.0.1/tau\n    - https://example.net/tau?x\n  fetch: hosts\n";
        assert!(text.contains(fetched) && text.ends_with("\n  size: 99\n"), "{text}");
        let download = pin.host_download(tau).unwrap();
        assert_eq!((download.urls, download.packed), (mirrors, true));
        assert!(!pin.host_download(pin.sha256).unwrap().packed);
        assert_eq!(self::pin("bin/tau", None).host_download(tau), None);
    }

    #[test]
    fn the_text_is_stable_and_quotes_what_must_be() {
        let release = "https://example.org/v1/tau_linux_amd64.tar.gz?x=1";
        let pins = Pins(BTreeMap::from([
            (Architecture::I386, pin("my files/tau \"x\"", None)),
            (Architecture::Amd64, pin(release, Some(Sha256::of(b"tau")))),
        ]));
        let file = Sha256::of(b"file");
        let tau = Sha256::of(b"tau");
        let expected = format!(
            "{HEADER}\namd64:\n  url: {release}\n  sha256: {file}\n  binary: {tau}\n\n\"386\":\n  path: \"my files/tau \\\"x\\\"\"\n  sha256: {file}\n"
        );
        assert_eq!(pins.to_yaml(), expected);
    }

    #[test]
    fn any_scalar_is_read_back_as_the_text_it_was() {
        let digits = "1".repeat(62) + "e1";
        for text in [
            "tau",
            "386",
            "amd64",
            "true",
            "1.5",
            "null",
            "~",
            "a: b",
            "a/b:",
            "- a",
            "a/ #b",
            "/tb/tau",
            "./tau",
            "../x",
            "x-y",
            "é/ü",
            "a\tb\n",
            "'",
            "\"\\",
            "",
            "{a}",
            "&a/b",
            "*a",
            "\u{85}\u{7f}",
            &digits,
            "https://example.org/a?b=c&d=e",
        ] {
            let line = format!("key: {}\n", scalar(text));
            let read: BTreeMap<String, serde_yaml::Value> = serde_yaml::from_str(&line).unwrap();
            assert_eq!(read["key"], serde_yaml::Value::String(text.to_owned()), "{line}");
        }
    }

    #[test]
    fn when_the_binary_is_known_without_looking() {
        let file = Some(Sha256::of(b"file"));
        let tau = Some(Sha256::of(b"tau"));
        assert_eq!(pin("bin/tau", None).binary(), file);
        assert_eq!(pin("https://example.org/tau.gz/tau", None).binary(), file);
        assert_eq!(pin("https://example.org/tau.tar.gz?download=1", None).binary(), None);
        assert_eq!(pin("tau.TGZ", None).binary(), None);
        assert_eq!(pin("tau.tgz", tau).binary(), tau);
    }

    #[test]
    fn paths_and_addresses() {
        assert!(matches!("./a:b/tau".parse(), Ok(Source::Path(_))));
        assert!(matches!("http://127.0.0.1:80/tau".parse(), Ok(Source::Url(_))));
        assert_eq!("ftp://example.org/tau".parse::<Source>(), Err(UrlError::Scheme));
        assert_eq!("https://me:secret@example.org/tau".parse::<Source>(), Err(UrlError::Credentials));
        for malformed in ["https://", "https:///tau", "https://a b/tau"] {
            assert_eq!(malformed.parse::<Source>(), Err(UrlError::Malformed), "{malformed}");
        }
        for hidden in
            ["https://example.org/\u{7}", "http://a.example/\u{202e}a.tgz", "x\u{1b}]52;c;YQ==\u{7}", "a\nb"]
        {
            assert_eq!(hidden.parse::<Source>(), Err(UrlError::Hidden), "{hidden:?}");
        }
    }
}
