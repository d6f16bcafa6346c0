//! Facts in a file: a versioned JSON file with the answers of the hosts, from which a plan can
//! be made without contacting them. A saved plan contains the same answers.
//!
//! An answer is stored as the host gave it, line by line, and parsed again by
//! [`parse`](super::parse), so that a plan from the file is the plan that was made then. Secrets
//! were cut out or digested on the host; what a host has said all the same is masked in the
//! file ([`stored`]).

use super::receipt::Receipt;
use super::roster::Roster;
use super::{Asked, Conditions, Current, RemovalRule, interpret, parse as parse_answer};
use crate::resource::{
    HostName, HostText, Printable, Redactor, Resource, ResourceId, ResourceKey, Untrusted,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The version of the file's format, `major.minor`.
pub const FORMAT: &str = "1.0";

/// The maximum size of a file with facts or a plan, in bytes. The facts of a host take some
/// 20 kB.
pub const MOST_BYTES: u64 = 64 << 20;

/// The maximum number of lines of such a file. A host's part of a plan takes some hundreds.
pub const MOST_LINES: usize = 1_000_000;

/// A file with facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Facts saved by `spore facts -o`")]
pub struct FactsFile {
    /// The version of this file's format. A reader accepts every minor version of the major
    /// versions that it knows.
    pub spore_facts: String,
    /// The network's root domain.
    pub network: Printable,
    /// The facts.
    pub facts: Gathered,
}

/// The facts of several hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gathered {
    /// When the last host had answered, in UTC (RFC 3339).
    pub at: Printable,
    /// The roster that was known when the hosts were asked, so that they didn't send it.
    pub roster: Roster,
    /// The hosts that were asked.
    pub hosts: BTreeMap<String, HostAnswer>,
}

/// What a host has answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostAnswer {
    /// The lines of its answer to the probe.
    Answer(Vec<String>),
    /// It gave no answer that can be used.
    Nothing {
        /// Why.
        why: Printable,
        /// What to do about it.
        help: Printable,
    },
}

impl HostAnswer {
    /// The answer as the host gave it.
    pub fn untrusted(lines: &[String]) -> Untrusted {
        Untrusted::new(lines.iter().flat_map(|line| [line, "\n"]).collect::<String>())
    }
}

impl FactsFile {
    /// The file's bytes. The same facts have the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads a file with facts.
    ///
    /// # Errors
    /// The bytes aren't such a file of this major version.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        parse(bytes, "spore_facts", FORMAT)
    }
}

/// Why a file can't be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum FileError {
    /// It is larger than any real one.
    #[error("it is larger than {} MiB", MOST_BYTES >> 20)]
    TooBig,
    /// It has more lines than any real one.
    #[error("it has {MOST_LINES} lines or more")]
    TooLong,
    /// It isn't JSON, or ends too early.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What is wrong there.
        what: Printable,
    },
    /// It is JSON, but something else.
    #[error("it has no `{0}`, so spore didn't write it")]
    Foreign(&'static str),
    /// It is the other of the two kinds of files.
    #[error("it is a file with {0}")]
    Other(&'static str),
    /// It has another major version.
    #[error("`{field}`: its format has version {found}, but this spore reads version {known}")]
    Version {
        /// The field with the version.
        field: &'static str,
        /// The version in the file.
        found: Printable,
        /// The version that this spore writes.
        known: &'static str,
    },
}

/// The only part of a file that is read whatever its version is.
#[derive(Deserialize)]
struct Head {
    spore_plan: Option<String>,
    spore_facts: Option<String>,
}

/// Reads a file whose first field, `field`, is its version.
pub(crate) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    field: &'static str,
    known: &'static str,
) -> Result<T, FileError> {
    check_size(bytes)?;
    let json = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        FileError::Json { line, column, what: Printable::line(what) }
    };
    let head: Head = serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
        true => FileError::Foreign(field),
        false => json(error),
    })?;
    let (found, other) = match field {
        "spore_plan" => (head.spore_plan, head.spore_facts.map(|_| "facts")),
        _ => (head.spore_facts, head.spore_plan.map(|_| "a plan")),
    };
    let Some(found) = found else {
        return Err(other.map_or(FileError::Foreign(field), FileError::Other));
    };
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&found) != major(known) {
        return Err(FileError::Version { field, found: Printable::line(&found), known });
    }
    serde_json::from_slice(bytes).map_err(json)
}

/// Refuses a file that is larger than any real one, before it is read or written.
///
/// # Errors
/// If it is too large.
pub fn check_size(bytes: &[u8]) -> Result<(), FileError> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(FileError::TooBig);
    }
    match memchr::memchr_iter(b'\n', bytes).count() >= MOST_LINES {
        true => Err(FileError::TooLong),
        false => Ok(()),
    }
}

/// The bytes of a file, with one field on each line.
pub(crate) fn to_bytes(file: &impl Serialize) -> Vec<u8> {
    // Serializing structs of strings and numbers doesn't fail.
    let mut bytes = serde_json::to_vec_pretty(file).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The lines of a host's answer as they are stored, with the folder's secrets masked.
///
/// A short secret, such as a password, is masked wherever that doesn't change the plan. Where
/// it would, the host has that word for a reason of its own: `root`, say, is the owner of a
/// file.
///
/// `None` if the answer has secrets and can't be parsed, or if it would take too long to find
/// out where they may be masked. Only a malicious host repeats them that often.
pub fn stored(host: &HostName, answer: &Untrusted, redactor: &Redactor) -> Option<Vec<String>> {
    let opened = redactor.open(answer);
    let lines: Vec<String> = opened.expose().split_terminator('\n').map(str::to_owned).collect();
    let masked = lines.iter().map(|line| redactor.masked(line)).enumerate();
    let mut masked: Vec<_> = masked.filter(|(at, masked)| *masked != lines[*at]).collect();
    if masked.is_empty() {
        return Some(lines);
    }
    let mut masking = Masking { host, redactor, wanted: State::of(host, &lines, redactor)?, lines, work: 0 };
    masking.mask(&mut masked)?;
    Some(masking.lines)
}

/// The number of bytes that may be parsed to find out where an answer's secrets may be masked.
/// An answer has some 20 kB.
const MOST_WORK: usize = 64 << 20;

/// An answer whose secrets are being masked.
struct Masking<'a> {
    host: &'a HostName,
    redactor: &'a Redactor,
    wanted: State,
    lines: Vec<String>,
    /// The number of bytes that were parsed.
    work: usize,
}

impl Masking<'_> {
    /// Masks these lines, except those where that would change the state. Lines that mean
    /// something are few and are next to each other, so halves are tried until they are found.
    fn mask(&mut self, masked: &mut [(usize, String)]) -> Option<()> {
        self.swap(masked);
        self.work += self.lines.iter().map(|line| line.len() + 1).sum::<usize>();
        if self.work > MOST_WORK {
            return None;
        }
        if State::of(self.host, &self.lines, self.redactor).as_ref() == Some(&self.wanted) {
            return Some(());
        }
        self.swap(masked);
        if masked.len() > 1 {
            let (first, second) = masked.split_at_mut(masked.len() / 2);
            self.mask(first)?;
            self.mask(second)?;
        }
        Some(())
    }

    fn swap(&mut self, masked: &mut [(usize, String)]) {
        masked.iter_mut().for_each(|(at, line)| std::mem::swap(line, &mut self.lines[*at]));
    }
}

/// Everything about a host that a plan depends on.
#[derive(PartialEq)]
struct State {
    conditions: Conditions,
    graph: BTreeMap<ResourceId, Resource>,
    unwanted: BTreeMap<ResourceKey, RemovalRule>,
    receipt: Option<Receipt>,
    roster: Option<Roster>,
    asked: Asked,
    holder: Option<HostText>,
}

impl State {
    fn of(host: &HostName, lines: &[String], redactor: &Redactor) -> Option<Self> {
        let facts = parse_answer(&HostAnswer::untrusted(lines), redactor).ok()?;
        let Current { conditions, graph, unwanted, receipt, asked } = interpret(host, &facts);
        let roster = receipt.as_ref().and_then(|receipt| facts.roster(&receipt.roster));
        let graph = graph.iter().map(|(id, found)| (id.clone(), found.clone())).collect();
        Some(Self { conditions, graph, unwanted, receipt, roster, asked, holder: facts.holder })
    }
}
