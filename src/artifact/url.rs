//! The URLs from which files are downloaded.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

use crate::resource::is_hidden;

/// An `http` or `https` URL without a user name or password.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url(String);

/// The URL without its query, which may contain a token.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())?;
        f.write_str(if self.query().is_some() { "?…" } else { "" })
    }
}

impl Url {
    /// The text of the URL, which may contain a token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the connection is encrypted, and the server authenticated.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
    }

    /// The URL without its query and fragment.
    pub(super) fn path(&self) -> &str {
        self.0.split(['?', '#']).next().unwrap_or_default()
    }

    /// What follows the `?`, which may contain a token.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        let (_, query) = self.without_fragment().split_once('?')?;
        (!query.is_empty()).then_some(query)
    }

    /// The URL in a form that needs no quotes in the input of `curl` and `wget`: without its
    /// fragment, which no server gets, and with every character encoded that isn't allowed in
    /// a URL.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut encoded = String::new();
        for byte in self.without_fragment().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte) {
                encoded.push(byte.into());
            } else {
                encoded += &format!("%{byte:02X}");
            }
        }
        encoded
    }

    fn without_fragment(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }
}

/// Why a text isn't a valid path or download URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The URL can't be parsed.
    #[error("not a URL")]
    Malformed,
    /// The scheme is neither `http` nor `https`.
    #[error("only http and https URLs can be downloaded")]
    Scheme,
    /// The path or URL contains characters that control a terminal or can't be seen.
    #[error("the path or URL contains control characters or invisible characters")]
    Hidden,
    /// The URL has a user name or a password before the host.
    #[error("the URL contains a user name or password")]
    Credentials,
}

impl UrlError {
    /// What the user can do about the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Malformed => return None,
            Self::Hidden => "rename the file".to_owned(),
            Self::Scheme => "download the file and use its path".to_owned(),
            Self::Credentials => {
                "it would be stored in plain text in tau.yaml: download the file and pin its path".to_owned()
            }
        })
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.contains(is_hidden) {
            return Err(UrlError::Hidden);
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::Malformed),
        }
        let authority = uri.authority().ok_or(UrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        if authority.host().is_empty() {
            return Err(UrlError::Malformed);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_neither_shown_nor_lost() {
        let url: Url = "https://example.org/a\"b/tau?key={x}&y=1#part".parse().unwrap();
        assert_eq!(url.to_string(), "https://example.org/a\"b/tau?…");
        assert_eq!(url.query(), Some("key={x}&y=1"));
        assert_eq!(url.encoded(), "https://example.org/a%22b/tau?key=%7Bx%7D&y=1");
        let url: Url = "http://[fd77::1]:80/tau%20linux?".parse().unwrap();
        assert_eq!((url.to_string().as_str(), url.query()), ("http://[fd77::1]:80/tau%20linux", None));
        assert_eq!(url.encoded(), "http://[fd77::1]:80/tau%20linux?");
    }
}
