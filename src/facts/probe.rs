//! What is asked of a host.

use super::PROBE_VERSION;
use crate::resource::{DigestKey, SecretBytes, ShapeName};
use crate::tau;
use std::collections::BTreeSet;

/// The probe of one host.
pub struct Request<'a> {
    /// Keys the digests that come back in the place of secrets.
    pub key: &'a DigestKey,
    /// Keys the digest of the machine-id; the same for all hosts.
    pub machines: &'a DigestKey,
    /// The shapes that are wanted there; those that are there are found.
    pub shapes: &'a BTreeSet<ShapeName>,
    /// Whether to digest what is big although the host remembers its digest.
    pub rehash: bool,
}

/// Reads text files and cuts the secrets out of them.
const TEXTS: &str = include_str!("texts.awk");

/// Everything else.
const PROBE: &str = include_str!("probe.sh");

impl Request<'_> {
    /// The shell script that answers. It changes nothing on the host, reads no
    /// standard input, and holds the key: it is for standard input only.
    pub fn script(&self) -> SecretBytes {
        // Unset on a real host; on a simulated one, all its files are below it.
        self.below(b"${SPORE_ROOT-}")
    }

    /// The same, of a host whose files are all below `root`, a word for the shell.
    fn below(&self, root: &[u8]) -> SecretBytes {
        let directories: Vec<&str> = tau::DIRECTORIES.iter().map(|&(path, _)| path).collect();
        let shapes: Vec<&str> = self.shapes.iter().map(ShapeName::as_str).collect();
        // In a subshell, so that the shell that reads requests keeps none of this.
        let mut script = [b"(\nroot=", root, b"\n"].concat();
        let version = PROBE_VERSION.to_string();
        for (name, value) in [
            ("version", version.as_bytes()),
            ("key", self.key.expose().expose()),
            ("machines", self.machines.expose().expose()),
            ("shapes", shapes.join(" ").as_bytes()),
            ("directories", directories.join(" ").as_bytes()),
            ("rehash", if self.rehash { b"yes" } else { b"" }),
            ("directives", tau::unit::directives().join(" ").as_bytes()),
            ("texts", lean(TEXTS).as_bytes()),
        ] {
            script.extend_from_slice(name.as_bytes());
            script.push(b'=');
            script.extend_from_slice(&shlex::bytes::Quoter::new().quote(value).unwrap_or_default());
            script.push(b'\n');
        }
        script.extend_from_slice(lean(PROBE).as_bytes());
        script.extend_from_slice(b") </dev/null\n");
        SecretBytes::new(script)
    }
}

/// A program as it travels, without comments and indentation: a request should
/// fit into what TCP sends before it waits for the first acknowledgement.
fn lean(program: &str) -> String {
    let mut lean = String::with_capacity(program.len());
    for line in program.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        lean.push_str(line);
        lean.push('\n');
    }
    lean
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
mod fake_root;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod cutting;
