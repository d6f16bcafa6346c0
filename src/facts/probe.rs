//! Builds the script that probes a host; [`Request::script`] is the entry point.

use super::PROBE_VERSION;
use crate::daemon::{Daemon, engine, resolver};
use crate::resource::{DigestKey, KeyedFile, Port, SecretBytes, ShapeName};
use std::collections::BTreeSet;

/// The probe of one host.
pub struct Request<'a> {
    /// The key for the digests that replace secrets.
    pub key: &'a DigestKey,
    /// The key for the digest of the machine-id, which is the same for all hosts.
    pub machines: &'a DigestKey,
    /// The shapes that the folder wants on the host. The probe finds other shapes that
    /// exist there by itself.
    pub shapes: &'a BTreeSet<ShapeName>,
    /// The ports that the wanted nodes bind. The host tells who listens on them.
    pub ports: &'a BTreeSet<Port>,
    /// The name of the roster that the controller knows, so that the host needn't send it.
    pub roster: &'a str,
    /// The configurations to which the host is to add the private keys of its nodes: their paths,
    /// where they come from, and what is sent of them.
    pub keyed: &'a [(&'a str, &'a KeyedFile, &'a SecretBytes)],
    /// Whether to digest large files even if the host remembers their digests.
    pub rehash: bool,
}

/// Prints text files. The function that cuts the secrets out of a configuration belongs to
/// the daemon.
const TEXTS: &str = include_str!("texts.awk");

/// The directory in which spore keeps its notes on a host.
const SPORE: &str = "/var/lib/spore";

/// The rest of the probe.
const PROBE: &str = include_str!("probe.sh");

impl Request<'_> {
    /// The shell script that prints the answer. It changes nothing on the host and reads no
    /// standard input. It contains the key, so it must be sent on standard input only.
    pub fn script(&self) -> SecretBytes {
        // The variable is unset on a real host; the files of a simulated host are below it.
        self.below(b"${SPORE_ROOT-}")
    }

    /// The script for a host whose files are all below `root`, which is a shell word.
    fn below(&self, root: &[u8]) -> SecretBytes {
        let shapes: Vec<&str> = self.shapes.iter().map(ShapeName::as_str).collect();
        // A subshell, so that the shell that reads requests keeps none of these variables.
        let mut script = [b"(\nroot=", root, b"\n"].concat();
        let version = PROBE_VERSION.to_string();
        let keyed = self.keyed();
        for (name, value) in [
            ("version", version.as_bytes()),
            ("key", self.key.expose().expose()),
            ("fingerprint", self.key.fingerprint().to_string().as_bytes()),
            ("machines", self.machines.expose().expose()),
            ("shapes", shapes.join(" ").as_bytes()),
            ("directories", directories().join(" ").as_bytes()),
            ("roster", self.roster.as_bytes()),
            ("rehash", if self.rehash { b"yes" } else { b"" }),
            ("questions", questions().join("\n").as_bytes()),
            ("configs", self.configs().join("\n").as_bytes()),
            ("staging", staging().join("\n").as_bytes()),
            ("daemons", daemons().join("\n").as_bytes()),
            ("services", services().join("\n").as_bytes()),
            ("packages", packages().join("\n").as_bytes()),
            ("directives", directives().join(" ").as_bytes()),
            ("ports", self.ports().join(" ").as_bytes()),
            ("texts", texts().as_bytes()),
            ("keyed", keyed.expose()),
        ] {
            script.extend_from_slice(name.as_bytes());
            script.push(b'=');
            script.extend_from_slice(&shlex::bytes::Quoter::new().quote(value).unwrap_or_default());
            script.push(b'\n');
        }
        for daemon in Daemon::ALL.iter().filter(|_| !self.keyed.is_empty()) {
            script.extend_from_slice(lean(daemon.finding_keys()).as_bytes());
        }
        script.extend_from_slice(lean(PROBE).as_bytes());
        script.extend_from_slice(b") </dev/null\n");
        SecretBytes::new(script)
    }

    /// The port numbers, as the kernel prints them.
    fn ports(&self) -> Vec<String> {
        let numbers: BTreeSet<u16> = self.ports.iter().map(|port| port.number).collect();
        numbers.into_iter().map(|number| format!("{number:04X}")).collect()
    }

    /// The calls of `keyed` in `probe.sh`.
    fn keyed(&self) -> SecretBytes {
        let mut calls = Vec::new();
        for (path, KeyedFile { node: _, public, rest }, text) in self.keyed {
            let rest = rest.to_string();
            for word in
                ["keyed".as_bytes(), path.as_bytes(), public.as_bytes(), rest.as_bytes(), text.expose()]
            {
                calls.extend_from_slice(&shlex::bytes::Quoter::new().quote(word).unwrap_or_default());
                calls.push(b' ');
            }
            calls.push(b'\n');
        }
        SecretBytes::new(calls)
    }

    /// The configurations of the wanted nodes.
    fn configs(&self) -> Vec<String> {
        let daemons = Daemon::ALL.iter();
        daemons.flat_map(|daemon| self.shapes.iter().map(|shape| daemon.config_path(shape))).collect()
    }
}

/// The directories that the probe looks for by name.
fn directories() -> Vec<&'static str> {
    let directories = Daemon::ALL.iter().flat_map(|daemon| daemon.directories());
    directories.map(|(path, _)| *path).collect()
}

/// The value of `questions` in `probe.sh`.
fn questions() -> Vec<String> {
    let all = Daemon::ALL.iter().flat_map(|daemon| daemon.questions()).chain(resolver::QUESTIONS);
    all.map(|(pattern, reader)| format!("{}:{pattern}", reader.name())).collect()
}

/// Every directory in which an apply stages files.
fn staging() -> Vec<&'static str> {
    let theirs = Daemon::ALL.iter().flat_map(|daemon| daemon.written_directories());
    theirs.copied().chain([resolver::DROP_INS, SPORE]).collect()
}

/// The value of `daemons` in `probe.sh`.
fn daemons() -> Vec<String> {
    let of = |daemon: &Daemon| [daemon.unit_prefix(), daemon.program(), daemon.start_sign()].join("\t");
    Daemon::ALL.iter().map(of).collect()
}

/// The units to query that don't run nodes.
fn services() -> Vec<&'static str> {
    [resolver::UNIT].into_iter().chain(engine::ENGINES.iter().map(|engine| engine.unit)).collect()
}

fn packages() -> Vec<&'static str> {
    engine::ENGINES.iter().map(|engine| engine.package).collect()
}

/// The directives that our unit templates set and a drop-in can override.
fn directives() -> Vec<&'static str> {
    let all = Daemon::ALL.iter().flat_map(|daemon| daemon.template().directives());
    all.map(|path| path.as_str()).collect()
}

/// The awk program that prints texts, with the cutting functions of the daemons.
fn texts() -> String {
    Daemon::ALL.iter().fold(lean(TEXTS), |text, daemon| text + &lean(daemon.cutting()))
}

/// A program without its comments and indentation. A request should fit into the data that
/// TCP sends before it waits for the first acknowledgement.
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
