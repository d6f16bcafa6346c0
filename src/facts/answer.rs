//! Parses a host's answer to a probe; [`parse`] is the entry point.
//!
//! An answer consists of lines. The probe's own lines begin with a tag, and their fields
//! are separated by tabs; the lines of `stat`, `sha256sum` and `systemctl show` are as
//! these programs print them. A text is sent as `text` with its path, followed by its
//! lines. Each of these lines is preceded by `|`, or, if a secret's digest belongs at its
//! end, by `=`, the number of the secret, and a tab. The last line of an answer is `end`.
//!
//! **A host may send anything.** The answer is opened by a [`Redactor`], and every line
//! passes through [`Printable`] before its fields are parsed, except the lines of texts,
//! which stay [`HostText`]. Nothing else of the answer gets into the facts. The amount that
//! a host may report is limited, far above what real hosts report, so that no answer costs
//! more than a moment or more than a little memory: a host that exceeds a limit isn't
//! planned, and the other hosts are.

mod unit;

use super::{
    Alive, Asked, Facts, FileFact, KeyedFact, Memory, PROBE_VERSION, PathFact, PortOwner, Surroundings,
};
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

/// An answer from which nothing can be concluded about the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// The last line is missing; the number of complete lines that arrived.
    Truncated(usize),
    /// A command of the probe failed on the host.
    Failed {
        /// The command.
        what: Printable,
        /// The command's message.
        message: Printable,
    },
    /// The answer is longer than that of any real host.
    TooMuch {
        /// The kind of item that exceeds its limit.
        what: Amount,
        /// The limit.
        most: usize,
    },
    /// The answer is to the probe of another version.
    Version {
        /// The version of the probe that was answered.
        found: u32,
    },
    /// The number of a line that no probe prints.
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

/// The maximum number of lines, not counting those of texts. Real hosts send hundreds.
const MOST_LINES: usize = 20_000;
/// The maximum number of paths in an answer. Most of them could lead to a change.
const MOST_PATHS: usize = 5_000;
/// The maximum number of units.
const MOST_UNITS: usize = 250;
/// The maximum size of all texts together, in bytes. A configuration has a few thousand
/// bytes.
const MOST_TEXT: usize = 2 << 20;

/// The maximum number of addresses that are kept. Real hosts have a few, and more with
/// containers.
const MOST_ADDRESSES: usize = 1_000;
/// The maximum number of owners of ports that are kept.
const MOST_OWNERS: usize = 1_000;

/// Parses a host's answer to [`Request::script`](super::Request::script).
///
/// # Errors
/// The text isn't such an answer, is truncated, or exceeds a limit.
pub fn parse(answer: &Untrusted, redactor: &Redactor) -> Result<Facts, AnswerError> {
    let answer = redactor.open(answer);
    let answer = answer.expose();
    let mut raw = Raw { redactor: redactor.clone(), ..Raw::default() };
    // The controller's own lines, which come first, aren't counted.
    let is_own = |line: &&str| line.starts_with("received\t") || line.starts_with("alive\t");
    let own = answer.split('\n').take_while(is_own).count();
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
            return Err(AnswerError::Malformed((i + 1).saturating_sub(own)));
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
            // The end of a truncated answer may be malformed, too.
            let broken = !answer.ends_with("end\n") && lines.next().is_none();
            return Err(match broken {
                true => AnswerError::Truncated(i.saturating_sub(own)),
                false => AnswerError::Malformed((i + 1).saturating_sub(own)),
            });
        }
    }
    Err(AnswerError::Truncated(last.saturating_sub(own)))
}

/// A line whose fields are safe to show. `None` if it is longer than any real line.
fn fields(line: &str) -> Option<String> {
    let fields = || line.split('\t').map(Printable::line);
    (line.len() <= LONGEST).then(|| fields().map(String::from).collect::<Vec<_>>().join("\t"))
}

/// The answer's lines, sorted by subject.
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
    /// Every path that occurs in the answer.
    mentioned: BTreeSet<String>,
    /// The output of `stat`, by path. Each link has its target.
    stats: BTreeMap<String, Stat>,
    /// Why a path couldn't be read; `None` if nothing exists there.
    unreadable: BTreeMap<String, Option<Unreadable>>,
    digests: BTreeMap<String, Sha256>,
    texts: BTreeMap<String, Vec<Line>>,
    opaque: BTreeSet<String>,
    unfinished: BTreeSet<String>,
    /// The path of the text whose lines follow.
    text: Option<String>,
    /// The keyed digests of secrets, in the order of their numbers.
    keyed: Vec<Sha256>,
    listening: BTreeSet<(IpAddr, Port)>,
    surroundings: Surroundings,
    holder: Option<Untrusted>,
    versions: BTreeMap<Sha256, Version>,
    keyed_files: BTreeMap<String, KeyedFact>,
    units: Units,
}

/// A line of a text.
enum Line {
    Plain(String),
    /// The part of the line before the digest of a secret, and the index of the secret.
    Cut(String, usize),
}

/// A line of `stat`.
struct Stat {
    /// The type and permission bits.
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

    /// Parses a line that [`fields`] has returned.
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
                // A package that was removed may have left its settings (`config-files`).
                if !matches!(status, "installed" | "config-files" | "not-installed") {
                    self.unfinished.insert(name.to_owned());
                }
            }
            "held" => {
                let text = BASE64_STANDARD.decode(rest).ok()?;
                self.holder = Some(Untrusted::of_bytes(&text));
            }
            "version" => {
                // A version is only a note, so a damaged one is ignored.
                let words: Vec<&str> = rest.split_whitespace().collect();
                if let [sum, _, version] = words[..]
                    && let (Ok(sum), Ok(version)) = (sum.parse(), version.parse())
                {
                    self.versions.insert(sum, version);
                }
            }
            "keyed" => {
                let (path, digests) = rest.split_once('\t')?;
                let (rest, whole) = digests.split_once('\t')?;
                let sha256 = if whole.is_empty() { None } else { Some(whole.parse().ok()?) };
                let path = self.path(path)?;
                self.keyed_files.insert(path, KeyedFact { rest: rest.parse().ok()?, sha256 });
            }
            "opaque" => {
                let path = self.path(rest)?;
                self.opaque.insert(path);
            }
            "listen" => {
                let (address, port) = listener(rest)?;
                self.listening.insert((address, port));
            }
            "owner" => {
                let mut fields = rest.rsplitn(4, '\t');
                let (unit, name, pid) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
                let (address, port) = listener(fields.next()?)?;
                let (name, unit) = (self.redactor.line(name), self.redactor.line(unit));
                if self.surroundings.owners.len() < MOST_OWNERS {
                    self.surroundings.owners.push(PortOwner { address, port, pid, name, unit });
                }
            }
            "owners" => self.surroundings.searched = true,
            "address" => {
                let address = rest.parse().ok().or_else(|| Some(IpAddr::V6(whole(rest)?)))?;
                if self.surroundings.addresses.len() < MOST_ADDRESSES {
                    self.surroundings.addresses.insert(address);
                }
            }
            "memory" => {
                let (total, available) = rest.split_once('\t')?;
                let bytes = |kib: &str| Some(kib.parse::<u64>().ok()?.saturating_mul(1024));
                self.surroundings.memory =
                    Some(Memory { total: bytes(total)?, available: bytes(available)? });
            }
            "processors" => self.surroundings.processors = Some(rest.parse().ok()?),
            // The controller adds these before the host's lines, so the first ones count.
            "received" => {
                self.surroundings.received = self.surroundings.received.or(Some(rest.parse().ok()?));
            }
            "alive" => {
                let mut fields = rest.rsplitn(3, '\t');
                let (word, port, unit) = (fields.next()?, fields.next()?, fields.next()?);
                let found = (port.parse().ok()?, Alive::parse(word)?);
                if self.surroundings.alive.len() < MOST_UNITS {
                    self.surroundings.alive.entry(unit.to_owned()).or_insert(found);
                }
            }
            _ => self.units.line(tag, rest)?,
        }
        Some(())
    }

    /// A path in the answer, without the prefix of a simulated host. Every path passes
    /// through this function, which counts it.
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
        // `stat` has recognized a link, but could no longer read its target.
        if mode & TYPE == LINK && target.is_none() {
            self.unreadable.entry(path).or_insert(Some(Unreadable::Replaced));
            return Some(());
        }
        // Names are escaped and masked. Names that contain an escape or a secret, and links
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

    /// Notes why a program couldn't read a path, in the program's words. A file that
    /// disappeared during the probe counts as absent: an apply that was killed a moment ago
    /// may still be cleaning up.
    fn cannot_read(&mut self, path: String, why: &str) {
        let is_there = why != "No such file or directory";
        let why = is_there.then(|| Unreadable::Failed(self.redactor.line(why)));
        self.unreadable.insert(path, why);
    }

    fn assemble(mut self) -> Result<Facts, AnswerError> {
        // The first version of the probe didn't report its version.
        self.version.ok_or(AnswerError::Version { found: 0 })?;
        let mut asked = self.asked.take().ok_or(AnswerError::Incomplete(Reported::Asked))?;
        let space = self.space.ok_or(AnswerError::Incomplete(Reported::Space))?;
        let [blocks, block_size] = space;
        if self.architecture.is_empty() {
            return Err(AnswerError::Incomplete(Reported::Architecture));
        }
        // The directory of a process that has just started. Its owner is the user that the
        // probe runs as, and its time is the current time.
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
            keyed: self.keyed_files,
            units,
            listening: self.listening,
            surroundings: self.surroundings,
            holder: self.holder.map(|text| self.redactor.open(&text)),
            redactor: self.redactor,
        })
    }

    /// The texts, with the digests of secrets in place.
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
            // The probe asks about `/.` only if the directory is reached through a link.
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
    // Before 1970, the fraction counts in the same direction as the seconds, which are
    // negative.
    whole.checked_add(if seconds.starts_with('-') { -below } else { below })
}

/// An address and a port, as `tcp`, a tab, and what the kernel prints.
fn listener(text: &str) -> Option<(IpAddr, Port)> {
    let (transport, address) = text.split_once('\t')?;
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return None,
    };
    let (address, number) = socket(address)?;
    Some((address, Port { number, transport }))
}

/// An address as 32 hexadecimal digits.
fn whole(digits: &str) -> Option<Ipv6Addr> {
    let is_whole = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_whole.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(Ipv6Addr::from_bits)
}

/// Parses an address of `/proc/net`: groups of four bytes in the machine's byte order,
/// which is little-endian on every supported host.
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
