//! Reads what a host answers to a probe.
//!
//! An answer is lines. Those of the probe's own begin with a tag and have tabs
//! between their fields; those of `stat`, `sha256sum` and `systemctl show` are as
//! these programs write them. A text comes as `text` and its path, then its lines,
//! each behind `|`, or behind `=`, the number of a secret, and a tab, where that
//! secret's digest belongs at the end. The last line is `end`.
//!
//! **A host may say anything.** The answer is opened by a [`Redactor`], and every line passes
//! through [`Printable`] before its fields are looked at, except those of texts, which stay
//! [`HostText`]; nothing else of the answer gets into the facts. What a host may report is limited, far above what real hosts do, so
//! that no answer takes more than a moment or more than a little memory, whoever made it:
//! a host that exceeds a limit isn't planned, and the others are.

mod unit;

use super::{Asked, Facts, FileFact, PROBE_VERSION, PathFact};
use crate::daemon::Daemon;
use crate::resource::{
    Access, HostText, LONGEST, MASK, Port, Printable, Redactor, Sha256, Transport, Unreadable, Untrusted,
    Version,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use unit::Units;

/// An answer that says nothing about the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// The last line is missing.
    Truncated(usize),
    /// The host couldn't be asked about something.
    Failed {
        /// What was run.
        what: Printable,
        /// What it said.
        message: Printable,
    },
    /// No real host has that much to say.
    TooMuch {
        /// What there is too much of.
        what: Amount,
        /// The limit.
        most: usize,
    },
    /// It is an answer to another version's probe.
    Version {
        /// The version of the probe that was answered.
        found: u32,
    },
    /// Not what a probe prints.
    Malformed(usize),
    /// Something that every host reports is missing.
    Incomplete(Reported),
}

/// What an answer has a limited amount of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Lines that aren't lines of texts.
    Lines,
    /// Bytes of all texts together.
    Text,
    /// Paths that something is said about.
    Paths,
    /// Units.
    Units,
}

/// What every host reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// What it was asked.
    Asked,
    /// Its free space.
    Space,
    /// Its architecture.
    Architecture,
    /// The digest of each secret that was cut out of a text.
    Digest,
}

/// The maximum number of lines that aren't lines of texts. Real hosts send hundreds.
const MOST_LINES: usize = 20_000;
/// The maximum number of paths that something is said about; most could be a change each.
const MOST_PATHS: usize = 5_000;
/// The maximum number of units.
const MOST_UNITS: usize = 250;
/// The maximum size of all texts together, in bytes. A configuration has a few thousand.
const MOST_TEXT: usize = 2 << 20;

/// What the host answered to [`Request::script`](super::Request::script).
///
/// # Errors
/// Where it isn't such an answer, not all of one, or has more than any real host's.
pub fn parse(answer: &Untrusted, redactor: &Redactor) -> Result<Facts, AnswerError> {
    let answer = redactor.open(answer);
    let answer = answer.expose();
    let mut raw = Raw { redactor: redactor.clone(), ..Raw::default() };
    let mut lines = answer.split('\n').enumerate();
    let (mut last, mut count, mut text, mut in_units) = (0, 0, 0, false);
    while let Some((i, line)) = lines.next() {
        last = i;
        let is_text = !in_units && line.starts_with(['|', '=']);
        if is_text {
            text += line.len();
        } else {
            count += 1;
        }
        let amounts = [
            (Amount::Lines, count, MOST_LINES),
            (Amount::Text, text, MOST_TEXT),
            (Amount::Paths, raw.mentioned.len(), MOST_PATHS),
            (Amount::Units, raw.units.len(), MOST_UNITS),
        ];
        if let Some((what, _, most)) = amounts.into_iter().find(|(_, found, most)| found > most) {
            return Err(AnswerError::TooMuch { what, most });
        }
        let Some(line) = (if is_text { Some(line.to_owned()) } else { fields(line) }) else {
            return Err(AnswerError::Malformed(i + 1));
        };
        if let Some(found) = raw.version.filter(|found| *found != PROBE_VERSION) {
            return Err(AnswerError::Version { found });
        }
        if in_units {
            in_units = line != ".";
            raw.units.property(if in_units { &line } else { "" });
        } else if line == "end" {
            return raw.assemble();
        } else if line == "units" {
            in_units = true;
        } else if let Some(failed) = line.strip_prefix("failed\t") {
            let (what, message) = failed.split_once('\t').unwrap_or((failed, ""));
            return Err(AnswerError::Failed { what: redactor.line(what), message: redactor.line(message) });
        } else if (if is_text { raw.text_line(&line) } else { raw.line(&line) }).is_none() {
            // A truncated answer says nothing about the rest.
            let broken = !answer.ends_with("end\n") && lines.next().is_none();
            return Err(if broken { AnswerError::Truncated(i) } else { AnswerError::Malformed(i + 1) });
        }
    }
    Err(AnswerError::Truncated(last))
}

/// A line whose fields can be shown. `None` if it is longer than any real one.
fn fields(line: &str) -> Option<String> {
    let fields = || line.split('\t').map(Printable::line);
    (line.len() <= LONGEST).then(|| fields().map(String::from).collect::<Vec<_>>().join("\t"))
}

/// The answer's lines, sorted by what they are about.
#[derive(Default)]
struct Raw {
    redactor: Redactor,
    version: Option<u32>,
    asked: Option<Asked>,
    key: Option<Sha256>,
    root: String,
    architecture: String,
    os: String,
    systemd: bool,
    machine: Option<Sha256>,
    space: Option<[u64; 2]>,
    /// Every path that something is said about.
    mentioned: BTreeSet<String>,
    /// By path; every link among them also tells its target.
    stats: BTreeMap<String, Stat>,
    /// By path, why it couldn't be read; `None` where nothing is there.
    unreadable: BTreeMap<String, Option<Unreadable>>,
    digests: BTreeMap<String, Sha256>,
    texts: BTreeMap<String, Vec<Line>>,
    opaque: BTreeSet<String>,
    unfinished: BTreeSet<String>,
    /// The text whose lines follow.
    text: Option<String>,
    /// The keyed digests of secrets, in the order of their numbers.
    keyed: Vec<Sha256>,
    listening: BTreeSet<(IpAddr, Port)>,
    holder: Option<Untrusted>,
    versions: BTreeMap<Sha256, Version>,
    units: Units,
}

/// A line of a text.
enum Line {
    Plain(String),
    /// What comes before the digest of a secret, and the secret's number.
    Cut(String, usize),
}

/// A line of `stat`.
struct Stat {
    /// The type's bits and the others.
    mode: u32,
    file: FileFact,
    target: Option<Printable>,
}

impl Raw {
    fn text_line(&mut self, line: &str) -> Option<()> {
        let text = self.texts.get_mut(self.text.as_ref()?)?;
        if let Some(line) = line.strip_prefix('|') {
            text.push(Line::Plain(line.to_owned()));
        } else {
            let (number, before) = line.strip_prefix('=')?.split_once('\t')?;
            text.push(Line::Cut(before.to_owned(), number.parse::<usize>().ok()?.checked_sub(1)?));
        }
        Some(())
    }

    /// Reads a line that [`fields`] has returned.
    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(complaint) = line.strip_prefix("stat: ") {
            return self.stat_complaint(complaint);
        }
        if let Some(complaint) = line.strip_prefix("sha256sum: ") {
            let (path, why) = complaint.rsplit_once(": ")?;
            let path = self.path(path)?;
            self.cannot_read(path, why);
            return Some(());
        }
        if let Some((sum, path)) = line.split_once("  ").filter(|(sum, _)| sum.len() == 64) {
            let sum = sum.parse().ok()?;
            if path == "-" {
                self.keyed.push(sum);
            } else {
                let path = self.path(path)?;
                self.digests.insert(path, sum);
            }
            return Some(());
        }
        let (tag, rest) = line.split_once('\t').unwrap_or((line, ""));
        match tag {
            "probe" => self.version = Some(rest.parse().ok()?),
            "key" => self.key = Some(rest.parse().ok()?),
            "asked" => {
                let (shapes, directories) = rest.split_once('\t')?;
                let shapes: Result<_, _> = shapes.split_whitespace().map(str::parse).collect();
                let directories = directories.split_whitespace().map(str::to_owned).collect();
                self.asked = Some(Asked { shapes: shapes.ok()?, directories, key: None, at_ns: None });
            }
            "root" => rest.clone_into(&mut self.root),
            "architecture" => rest.clone_into(&mut self.architecture),
            "os" => self.os = unquoted(rest),
            "systemd" => self.systemd = true,
            "machine" => self.machine = Some(rest.strip_suffix("  -")?.parse().ok()?),
            "space" => {
                let numbers: Result<Vec<u64>, _> = rest.split(' ').map(str::parse).collect();
                self.space = Some(numbers.ok()?.try_into().ok()?);
            }
            "path" => self.stat(rest)?,
            "text" => {
                let path = self.path(rest)?;
                self.texts.insert(path.clone(), Vec::new());
                self.text = Some(path);
            }
            "package" => {
                let (name, status) = rest.split_once('\t')?;
                // What was removed may have left its settings.
                if !matches!(status, "installed" | "config-files" | "not-installed") {
                    self.unfinished.insert(name.to_owned());
                }
            }
            "held" => {
                let text = BASE64_STANDARD.decode(rest).ok()?;
                self.holder = Some(Untrusted::of_bytes(&text));
            }
            "version" => {
                // It is only a note; a damaged one is ignored.
                let words: Vec<&str> = rest.split_whitespace().collect();
                if let [sum, _, version] = words[..]
                    && let (Ok(sum), Ok(version)) = (sum.parse(), version.parse())
                {
                    self.versions.insert(sum, version);
                }
            }
            "opaque" => {
                let path = self.path(rest)?;
                self.opaque.insert(path);
            }
            "listen" => {
                let (transport, address) = rest.split_once('\t')?;
                let transport = match transport {
                    "tcp" => Transport::Tcp,
                    "udp" => Transport::Udp,
                    _ => return None,
                };
                let (address, number) = socket(address)?;
                self.listening.insert((address, Port { number, transport }));
            }
            _ => self.units.line(tag, rest)?,
        }
        Some(())
    }

    /// A path of the answer as the host knows it. Whatever is said about a path, it passes
    /// through here and is counted.
    fn path(&mut self, path: &str) -> Option<String> {
        let path = path.strip_prefix(&self.root).filter(|path| path.starts_with('/'))?;
        if !self.mentioned.contains(path) {
            self.mentioned.insert(path.to_owned());
        }
        Some(path.to_owned())
    }

    fn stat(&mut self, fields: &str) -> Option<()> {
        let fields: Vec<&str> = fields.split('\t').collect();
        let [mode, permissions, owner, size, device_inode, mtime, ctime, name] = fields[..] else {
            return None;
        };
        let mode = u32::from_str_radix(mode, 16).ok()?;
        let (name, target) = match name.split_once(" -> ") {
            Some((name, target)) if mode & TYPE == LINK => (name, Some(Printable::line(target))),
            _ => (name, None),
        };
        let path = self.path(name)?;
        // `stat` recognized a link and could no longer read it.
        if mode & TYPE == LINK && target.is_none() {
            self.unreadable.entry(path).or_insert(Some(Unreadable::Replaced));
            return Some(());
        }
        // Names are escaped and masked. Those that contain an escape or a secret, and links
        // whose target is ambiguous, aren't supported.
        let odd = path.contains('\\')
            || path.contains(MASK)
            || target.as_ref().is_some_and(|target| target.contains(" -> "));
        if odd {
            self.unreadable.insert(path, Some(Unreadable::UnusualName));
            return Some(());
        }
        let access =
            Access { mode: u32::from_str_radix(permissions, 8).ok()?, owner: Printable::line(owner) };
        let file = FileFact {
            access,
            size: size.parse().ok()?,
            device_inode: device_inode.to_owned(),
            mtime_ns: nanoseconds(mtime)?,
            ctime_ns: nanoseconds(ctime)?,
            sha256: None,
        };
        self.stats.insert(path, Stat { mode, file, target });
        Some(())
    }

    fn stat_complaint(&mut self, complaint: &str) -> Option<()> {
        let (name, why) = complaint.rsplit_once("': ")?;
        let (_, name) = name.split_once('\'')?;
        let path = self.path(name)?;
        if !path.ends_with("/.") {
            self.cannot_read(path, why);
        }
        Some(())
    }

    /// Notes why a program can't read a path, in its words. A file that disappeared during
    /// the probe isn't there: an apply that was killed a moment ago may still be cleaning up.
    fn cannot_read(&mut self, path: String, why: &str) {
        let is_there = why != "No such file or directory";
        let why = is_there.then(|| Unreadable::Failed(self.redactor.line(why)));
        self.unreadable.insert(path, why);
    }

    fn assemble(mut self) -> Result<Facts, AnswerError> {
        // The first version didn't say which it was.
        self.version.ok_or(AnswerError::Version { found: 0 })?;
        let mut asked = self.asked.take().ok_or(AnswerError::Incomplete(Reported::Asked))?;
        let space = self.space.ok_or(AnswerError::Incomplete(Reported::Space))?;
        let [blocks, block_size] = space;
        if self.architecture.is_empty() {
            return Err(AnswerError::Incomplete(Reported::Architecture));
        }
        // A process that has just started: it shows the user that the probe runs as, and
        // the current time.
        let now = self.stats.remove("/proc/self/.");
        let texts = self.texts().ok_or(AnswerError::Incomplete(Reported::Digest))?;
        let paths = self.paths();
        let now_ns = now.as_ref().map(|now| now.file.ctime_ns);
        let program = |daemon: Daemon| match paths.get(daemon.program()) {
            Some(PathFact::File(file)) => file.sha256,
            _ => None,
        };
        let (units, texts) = self.units.assemble(now_ns, program, &self.digests, texts);
        asked.at_ns = now_ns;
        asked.key = self.key;
        Ok(Facts {
            asked,
            architecture: Printable::line(&self.architecture),
            os: Printable::line(&self.os),
            root: now.is_some_and(|now| now.file.access.owner.starts_with("root:")),
            systemd: self.systemd,
            machine: self.machine,
            apt: paths.contains_key("/usr/bin/apt-get"),
            unfinished: self.unfinished,
            free_bytes: blocks.saturating_mul(block_size),
            paths,
            texts,
            opaque: self.opaque,
            versions: self.versions,
            units,
            listening: self.listening,
            holder: self.holder.map(|text| self.redactor.open(&text)),
            redactor: self.redactor,
        })
    }

    /// The texts, digests in place.
    fn texts(&mut self) -> Option<BTreeMap<String, HostText>> {
        let texts = std::mem::take(&mut self.texts).into_iter();
        texts
            .map(|(path, lines)| {
                let mut text = String::new();
                for line in lines {
                    match line {
                        Line::Plain(line) => text.push_str(&line),
                        Line::Cut(before, number) => {
                            let digest = self.keyed.get(number)?;
                            text.push_str(&format!("{before}!keyed \"{digest}\""));
                        }
                    }
                    text.push('\n');
                }
                Some((path, HostText::new(text)))
            })
            .collect()
    }

    fn paths(&mut self) -> BTreeMap<String, PathFact> {
        let mut paths = BTreeMap::new();
        let mut stats = std::mem::take(&mut self.stats);
        for (directory, _) in Daemon::ALL.iter().flat_map(|daemon| daemon.directories()) {
            // Looked at only where the first is a link.
            let Some(end) = stats.remove(&format!("{directory}/.")) else { continue };
            let through = stats.remove(*directory).and_then(|stat| stat.target);
            let FileFact { access, device_inode, .. } = end.file;
            let fact = PathFact::Directory { access, through, device_inode };
            paths.insert((*directory).to_owned(), fact);
        }
        for (path, Stat { mode, mut file, target }) in stats {
            let fact = match (mode & TYPE, target) {
                (LINK, Some(target)) => PathFact::Link { target },
                (DIRECTORY, _) => {
                    let FileFact { access, device_inode, .. } = file;
                    PathFact::Directory { access, through: None, device_inode }
                }
                (REGULAR, _) => {
                    file.sha256 = self.digests.get(&path).copied();
                    PathFact::File(file)
                }
                (0o010_000, _) => PathFact::Other("a fifo"),
                (0o140_000, _) => PathFact::Other("a socket"),
                (0o020_000 | 0o060_000, _) => PathFact::Other("a device"),
                _ => PathFact::Other("something unknown"),
            };
            paths.insert(path, fact);
        }
        for (path, why) in std::mem::take(&mut self.unreadable) {
            if path.starts_with("/proc/") {
                continue;
            }
            match why {
                None => drop(paths.remove(&path)),
                Some(why) => drop(paths.insert(path, PathFact::Unreadable(why))),
            }
        }
        paths
    }
}

const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// The value of a shell assignment, as in `/etc/os-release`.
fn unquoted(value: &str) -> String {
    shlex::split(value).map_or_else(|| value.to_owned(), |words| words.join(" "))
}

/// Seconds with nine decimals, as `stat` prints them.
fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.')?;
    let below = fraction.parse::<i64>().ok().filter(|_| fraction.len() == 9)?;
    let whole = seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
    // Before 1970, `stat` counts the fraction away from zero.
    whole.checked_add(if seconds.starts_with('-') { -below } else { below })
}

/// An address of `/proc/net`: groups of four bytes in the machine's order, which
/// is little-endian on every host that is supported.
fn socket(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |i: usize| {
        let digits = address.get(8 * i..8 * i + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.swap_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from_bits(group(0)?)),
        32 => {
            let bits = (0..4).try_fold(0u128, |bits, i| Some(bits << 32 | u128::from(group(i)?)))?;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        _ => return None,
    };
    Some((address, port))
}
