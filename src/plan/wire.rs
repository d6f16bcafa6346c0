//! The form in which actions and their outcomes cross the wire.
//!
//! [`call`] turns an [`Action`] into the call of a shell function. [`request`] turns calls
//! into the text of a script: the definitions that the calls need, and the calls. The host
//! answers with lines that [`Exchange::hear`] reads and checks.
//!
//! A call never contains a secret: the bytes of a file follow the script on standard input.
//! Nothing here sends or waits; `remote` does.

use super::action::{Action, Fallback, LinkBefore, Replaced, Running, Staged};
use super::scheduler::Seen;
use crate::artifact::{Codec, HostDownload, Url};
use crate::daemon::Daemon;
use crate::facts::file::to_bytes;
use crate::facts::receipt::Receipt;
use crate::facts::roster::Roster;
use crate::resource::{
    Access, Contact, FileSource, Health, Port, Printable, Sha256, Transport, Unproved, Untrusted, kept_path,
    part_path, staged_path,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

mod differs;
mod exchange;

pub use differs::{Differs, Expected, Found, Thing};
use exchange::CallKind;
pub use exchange::{Exchange, Unfit};

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action was done now.
    Done,
    /// The action had been done before. Nothing that a process reads was changed.
    Already,
    /// The host has neither the state before the action nor the state after it. Nothing
    /// that a process reads was changed.
    Differs(Differs<Printable>),
    /// The action writes a file of which spore doesn't have the content. Nothing was changed.
    NoContent {
        /// The path of the file.
        path: String,
    },
    /// The action was attempted, but failed.
    Failed {
        /// What failed, including the output of the program that reported it.
        text: Printable,
    },
}

impl Outcome {
    /// Whether the next action may run.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }
}

/// The progress of a host's list of actions. `index` is an action's place in that list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionReport {
    /// The host has begun an action.
    Began {
        /// The action's place in the list.
        index: usize,
    },
    /// Part of a file has been sent. The bytes of the file are counted, although fewer may have
    /// been sent, compressed.
    Sent {
        /// The action's place in the list.
        index: usize,
        /// The number of bytes sent so far.
        sent: u64,
        /// The size of the file, in bytes.
        total: u64,
    },
    /// Part of a file has been downloaded by the host.
    Got {
        /// The action's place in the list.
        index: usize,
        /// The number of bytes so far.
        bytes: u64,
    },
    /// The host can't download a file, so it is sent.
    NotFetched {
        /// The action's place in the list.
        index: usize,
        /// Why not, for each URL.
        why: Printable,
    },
    /// A unit is healthy in this start.
    Runs {
        /// The action's place in the list.
        index: usize,
        /// The service manager's id of that start.
        invocation: String,
    },
    /// The action has done everything but to see whether its unit stays healthy.
    Settles {
        /// The action's place in the list.
        index: usize,
    },
    /// The host's SSH server opened no connection to the node, so its handshake is left out. If
    /// the server forbids such connections, the plan has said so.
    NotReached {
        /// The action's place in the list.
        index: usize,
    },
    /// An action has ended.
    Ended {
        /// The action's place in the list.
        index: usize,
        /// The action's outcome.
        outcome: Outcome,
    },
}

impl ActionReport {
    /// The action's place in the list.
    pub fn index(&self) -> usize {
        match self {
            Self::Began { index }
            | Self::Sent { index, .. }
            | Self::Got { index, .. }
            | Self::NotFetched { index, .. }
            | Self::Runs { index, .. }
            | Self::Settles { index }
            | Self::NotReached { index }
            | Self::Ended { index, .. } => *index,
        }
    }
}

/// The time-outs of the scripts on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long a script waits for an answer of the service manager.
    pub manager: Duration,
    /// How long a script waits for the service manager to start or stop a unit.
    pub stop: Duration,
    /// How long a script waits for a unit to become active, if that is the only sign of
    /// health.
    pub start: Duration,
    /// How long a unit has to stay healthy before it counts as healthy.
    pub settle: Duration,
    /// How long a script waits for a program to validate a configuration.
    pub verify: Duration,
    /// How long a script waits for another process to release the package lock.
    pub packages: Duration,
    /// How long a host may take to download a file.
    pub fetch: Duration,
    /// How long a server may send nothing to a host.
    pub stall: Duration,
}

impl Patience {
    /// How long after a time-out a program that hasn't ended is killed: the `-k` of every
    /// `timeout` in the scripts.
    const KILL: Duration = Duration::from_secs(5);

    /// The longest time for which an action's script waits for other programs, according to
    /// the time-outs that [`request`] gives it. The caller has to allow more for the work
    /// of the script itself, and for programs without a time-out.
    pub fn longest(&self, action: &Action) -> Duration {
        // A script fails as soon as the service manager doesn't answer, so it waits for
        // such an answer only once.
        let manager = self.manager + Self::KILL;
        let stop = self.stop + Self::KILL;
        match action {
            // The program is run on the configuration, and on an empty file.
            Action::Verify { .. } => (self.verify + Self::KILL) * 2,
            Action::Record { .. } => manager,
            Action::Fetch { .. } => self.fetch + Self::KILL,
            // The script asks for the units of each file, and continues without an answer.
            Action::Reload { files } => manager * u32::try_from(files.len() + 1).unwrap_or(u32::MAX),
            // These two scripts ask whether the unit is enabled, and continue without an
            // answer.
            Action::Enable { .. } => manager * 3,
            Action::Disable { .. } => manager * 2,
            Action::Stop { .. } => stop + manager,
            Action::Start { health, fallback, .. } => {
                let within = health.as_ref().map_or(self.start, |health| health.within);
                stop + self.watching(within) + self.falling_back(fallback) + manager
            }
            Action::Await { health, fallback, .. } => {
                self.watching(health.within) + self.falling_back(fallback) + manager
            }
            Action::Install { .. }
            | Action::MakeDirectory { .. }
            | Action::SetAccess { .. }
            | Action::Stage(_)
            | Action::Place { .. }
            | Action::Link { .. }
            | Action::Remove { .. }
            | Action::Purge { .. }
            | Action::Allow(_)
            | Action::Disallow(_) => Duration::ZERO,
        }
    }

    /// How long a unit may be watched that has to be healthy within this time. A unit that the
    /// service manager had to restart has to stay healthy twelve times as long, and may die
    /// once before that (`start.sh`).
    fn watching(&self, within: Duration) -> Duration {
        within + self.settle * 25
    }

    fn falling_back(&self, fallback: &Fallback) -> Duration {
        let stop = self.stop + Self::KILL;
        match fallback {
            Fallback::Leave => Duration::ZERO,
            Fallback::Stop => stop,
            Fallback::Revert { files: _, health } => stop + self.watching(health.within),
        }
    }
}

/// A call of a script's function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    index: usize,
    kind: CallKind,
    scripts: &'static [&'static str],
    /// The daemon whose files the script has to know about.
    daemon: Option<Daemon>,
    /// Whether the script reads a [`verdict`] from standard input.
    is_judged: bool,
    /// The function and its arguments, quoted.
    line: String,
}

impl Call {
    /// The index of its action.
    pub fn index(&self) -> usize {
        self.index
    }
}

macro_rules! scripts {
    ($($name:literal),*) => { &[$(include_str!(concat!("scripts/", $name, ".sh"))),*] };
}

const LIB: &str = include_str!("scripts/lib.sh");

/// The call that carries out an action. For [`Action::Stage`], it only asks whether the
/// file has to be sent, and for [`Action::Fetch`], it may end with that question, too;
/// [`receive`] is the call that stages the file.
pub fn call(index: usize, action: &Action) -> Call {
    let (scripts, words): (&'static [&'static str], Vec<String>) = match action {
        Action::Install { package, unfinished } => {
            let before = if *unfinished { "unfinished" } else { "absent" };
            (scripts!("install"), words("install_package", [package.as_str(), before]))
        }
        Action::MakeDirectory { path, access } => (
            scripts!("make_directory"),
            words("make_directory", [path, mode(access).as_str(), &access.owner]),
        ),
        Action::SetAccess { path, before, after } => (
            scripts!("set_access"),
            words("change_access", [path, mode(before).as_str(), &before.owner, &mode(after), &after.owner]),
        ),
        Action::Stage(file) => (scripts!("stage"), file_words("is_staged", file)),
        Action::Fetch { file, download } => (scripts!("stage", "fetch"), fetch_words(file, download)),
        Action::Verify { command, staged, version } => {
            let mut words =
                words("verify", [version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)]);
            words.extend(staged.iter().flat_map(|(place, staged)| [place.clone(), staged.clone()]));
            words.push("--".to_owned());
            words.extend_from_slice(command);
            (scripts!("verify"), words)
        }
        Action::Place { file, before, keep } => {
            let mut words = file_words("place", file);
            words.push(before.map_or_else(|| "-".to_owned(), |digest| digest.to_string()));
            let kept = before.filter(|_| *keep).map(|digest| kept_path(&file.path, &digest));
            words.push(kept.unwrap_or_else(|| "-".to_owned()));
            (scripts!("place"), words)
        }
        Action::Link { path, before, target } => {
            let (kind, value) = match before {
                LinkBefore::Absent => ("absent", String::new()),
                LinkBefore::Link(target) => ("link", target.clone()),
                LinkBefore::File(digest) => ("file", digest.to_string()),
            };
            (scripts!("link"), words("link", [path.as_str(), target.as_str(), kind, value.as_str()]))
        }
        Action::Remove { path, before } => {
            let shape =
                Daemon::of_config(path).map_or_else(|| "-".to_owned(), |(_, shape)| shape.to_string());
            (scripts!("remove"), words("remove", [path, &before.to_string(), &shape]))
        }
        Action::Purge { path, before } => (scripts!("purge"), words("purge", [path, before])),
        Action::Allow(port) => (scripts!("firewall"), port_words("allow", *port)),
        Action::Disallow(port) => (scripts!("firewall"), port_words("disallow", *port)),
        Action::Reload { files } => {
            let digest = |sha256: &Option<Sha256>| sha256.map_or_else(|| "-".to_owned(), |it| it.to_string());
            let files = files.iter().flat_map(|(path, sha256)| [path.clone(), digest(sha256)]);
            (scripts!("unit", "units"), words("reload_units", files))
        }
        Action::Enable { unit } => (scripts!("unit", "units"), words("enable", [unit])),
        Action::Disable { unit, enabled } => {
            let before = if *enabled { "enabled" } else { "disabled" };
            (scripts!("unit", "units"), words("disable", [unit.as_str(), before]))
        }
        Action::Stop { unit, before } => {
            (scripts!("unit", "units"), words("stop", [unit.as_str(), running(before)]))
        }
        Action::Record { unit, invocation, inputs } => {
            (scripts!("unit", "record"), words("record", [unit, invocation].into_iter().chain(inputs)))
        }
        Action::Start { unit, before, health, fallback } => {
            let mut words = words("start", [unit.as_str(), running(before)]);
            words.extend(health_words(health.as_ref()));
            words.push(handshake_word(health.as_ref()));
            words.extend(fallback_words(fallback));
            (scripts!("unit", "start", "fallback"), words)
        }
        Action::Await { unit, health, fallback } => {
            let mut words = words("await", [unit]);
            words.extend(health_words(Some(health)));
            words.push(handshake_word(Some(health)));
            words.extend(fallback_words(fallback));
            (scripts!("unit", "start", "fallback"), words)
        }
    };
    let kind = match action {
        Action::Stage(_) => CallKind::Ask,
        Action::Fetch { .. } => CallKind::Fetch,
        Action::Start { .. } | Action::Await { .. } => CallKind::Unit,
        _ => CallKind::Other,
    };
    let is_judged = action.handshake().is_some();
    Call { index, kind, scripts, daemon: daemon(action), is_judged, line: line(index, &words) }
}

/// What the script of [`Action::Start`] and [`Action::Await`] is told about the handshake of its
/// node, after it has reported that the node is healthy. Without a conclusion, the node counts as
/// healthy.
pub fn verdict(contact: &Contact) -> String {
    let word = match contact {
        Contact::Proved => "proved",
        Contact::Forbidden | Contact::Unknown => "unknown",
        Contact::Failed(Unproved::Refused) => "refused",
        Contact::Failed(Unproved::Closed) => "closed",
        Contact::Failed(Unproved::Silent) => "silent",
        Contact::Failed(Unproved::OtherSwarm) => "other-swarm",
        Contact::Failed(Unproved::NoTls) => "no-tls",
        Contact::Failed(Unproved::OtherNode(id)) => return format!("other-node {id}\n"),
    };
    format!("{word}\n")
}

/// The daemon whose files an action's script has to know about.
fn daemon(action: &Action) -> Option<Daemon> {
    let of_config = |path: &str| Daemon::of_config(path).map(|(daemon, _)| daemon);
    let of_unit = |unit: &str| Daemon::of_unit(unit).map(|(daemon, _)| daemon);
    match action {
        Action::Verify { command, .. } => command.iter().find_map(|word| of_config(word)),
        Action::Remove { path, .. } => of_config(path),
        Action::Purge { path, .. } => Daemon::of_data(path),
        Action::Record { unit, .. }
        | Action::Start { unit, .. }
        | Action::Await { unit, .. }
        | Action::Enable { unit }
        | Action::Disable { unit, .. }
        | Action::Stop { unit, .. } => of_unit(unit),
        Action::Install { .. }
        | Action::MakeDirectory { .. }
        | Action::SetAccess { .. }
        | Action::Stage(_)
        | Action::Fetch { .. }
        | Action::Place { .. }
        | Action::Link { .. }
        | Action::Allow(_)
        | Action::Disallow(_)
        | Action::Reload { .. } => None,
    }
}

/// In place of a codec: the file is sent as it is.
const AS_IT_IS: &str = "raw";

/// The codec that a host has named, if any.
fn codec(word: &str) -> Option<Option<Codec>> {
    let known = [Codec::Gzip, Codec::Zstd].into_iter().find(|codec| codec.name() == word);
    (known.is_some() || word == AS_IT_IS).then_some(known)
}

/// The call that stages a file from standard input, where it is in [`part`]s.
pub fn receive(index: usize, file: &Staged, codec: Option<Codec>) -> Call {
    let mut words = file_words("stage", file);
    words.push(codec.map_or(AS_IT_IS, Codec::name).to_owned());
    // Only a daemon's configuration has a key.
    let keyed = match &file.source {
        FileSource::Keyed(keyed) => Daemon::of_config(&file.path).map(|(daemon, _)| (daemon, &keyed.public)),
        _ => None,
    };
    words.extend(keyed.map(|(_, public)| public.clone()));
    let kind = CallKind::Receive { sent: false };
    let line = line(index, &words);
    let daemon = keyed.map(|(daemon, _)| daemon);
    Call { index, kind, scripts: scripts!("stage"), daemon, is_judged: false, line }
}

/// What precedes so many bytes of a file on standard input.
pub fn part(bytes: usize, is_last: bool) -> String {
    format!("{bytes} {}\n", if is_last { "last" } else { "more" })
}

/// What follows the files on standard input, if there are any.
pub const NO_MORE_FILES: &str = "none\n";

/// A script that makes these calls, until one doesn't succeed. If some of them [`receive`] files,
/// the files follow the script on standard input. The script always consumes all of them,
/// so that the next request is read from its beginning.
pub fn request(calls: &[Call], patience: &Patience) -> String {
    let mut text = String::from(LIB);
    for (name, time) in [
        ("patience", patience.manager),
        ("stopping", patience.stop),
        ("judging", patience.verify),
        ("package_lock", patience.packages),
        ("fetching", patience.fetch),
        ("stalling", patience.stall),
    ] {
        // At least one second, because `timeout` takes zero for no limit.
        let _ = writeln!(text, "{name}={}", time.as_secs().max(1));
    }
    let _ = writeln!(text, "settle={} starting={}", hundredths(patience.settle), hundredths(patience.start));
    let mut defined = BTreeSet::new();
    for script in calls.iter().flat_map(|call| call.scripts) {
        if defined.insert(*script) {
            text.push_str(script);
        }
    }
    let is_judged = calls.iter().any(|call| call.is_judged);
    let receives = calls.iter().any(|call| matches!(call.kind, CallKind::Receive { .. }));
    let calls = lines(calls);
    if !receives {
        // Only the scripts that read a verdict keep standard input.
        let keep = if is_judged { "4<&0 " } else { "" };
        let _ = write!(text, "exec {keep}</dev/null\n{calls}");
    } else {
        let _ = write!(text, "(\n{calls})\nskip_files\n");
    }
    text
}

/// A script that reports the current states of units, and changes nothing. [`watched`]
/// reads the answer.
pub fn watch(units: &[String], patience: &Patience) -> String {
    let calls = words("watch", units).iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let patience = patience.manager.as_secs().max(1);
    format!("patience={patience}\n{}{calls}\n", include_str!("scripts/watch.sh"))
}

/// A script that writes a receipt for this daemon, and the roster next to it. [`is_written`] reads
/// the answer.
pub fn receipt(daemon: Daemon, receipt: &Receipt, roster: &Roster) -> String {
    let text = String::from_utf8(to_bytes(receipt)).unwrap_or_default();
    let (name, roster) = (roster.file_name(), roster.text());
    let words = [daemon.receipt(), text.trim_end(), &name, &roster, daemon.superseded_receipt()];
    format!("{RECEIPT}receipt {} 2>&1\n", words.map(quote).join(" "))
}

/// Whether the script of [`receipt`] has succeeded. Otherwise the answer says what has failed.
pub fn is_written(answer: &str) -> bool {
    answer.trim_end() == "written"
}

/// What precedes the first [`request`] of an apply on a host: it marks the receipts of the last
/// apply as superseded, or removes them if the host isn't going to get new ones. If that fails,
/// so does the first action.
pub fn supersede(gets_new: bool) -> String {
    let of = |daemon: &Daemon| {
        let words = [daemon.receipt(), if gets_new { daemon.superseded_receipt() } else { "" }];
        format!("supersede {}\n", words.map(quote).join(" "))
    };
    RECEIPT.to_owned() + &Daemon::ALL.iter().map(of).collect::<String>()
}

const RECEIPT: &str = include_str!("scripts/receipt.sh");

/// The answer to the script of [`watch`], by unit.
pub fn watched(answer: &str) -> BTreeMap<String, Seen> {
    let mut units = BTreeMap::new();
    for about in answer.split("\n\n") {
        let value = |name: &str| {
            about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        let is_up = matches!(value("ActiveState"), "active" | "reloading");
        let seen = Seen { is_up, invocation: value("InvocationID").to_owned() };
        units.insert(value("Id").to_owned(), seen);
    }
    units
}

/// The lines of calls, each preceded by the definitions of its daemon.
fn lines(calls: &[Call]) -> String {
    let mut text = String::new();
    let mut known = None;
    for call in calls {
        if call.daemon.is_some() && call.daemon != known {
            known = call.daemon;
            if let Some(daemon) = known {
                text.push_str(daemon.script());
                text.push_str(daemon.finding_keys());
                let _ = writeln!(text, "cutting={}", quote(daemon.cutting_for_records()));
            }
        }
        text.push_str(&call.line);
    }
    text
}

fn line(index: usize, words: &[String]) -> String {
    let words = words.iter().map(|word| quote(word)).collect::<Vec<_>>();
    format!("step {index} {}\n", words.join(" "))
}

/// Quotes a word for the shell. A text that can't be quoted becomes an empty word, which no
/// script accepts as a name.
pub fn quote(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| "''".to_owned(), Into::into)
}

fn words<T: AsRef<str>>(function: &str, words: impl IntoIterator<Item = T>) -> Vec<String> {
    let words = words.into_iter().map(|word| word.as_ref().to_owned());
    std::iter::once(function.to_owned()).chain(words).collect()
}

fn file_words(function: &str, file: &Staged) -> Vec<String> {
    let digest = file.sha256.to_string();
    words(
        function,
        [&file.path, &file.staged_path(), &digest, mode(&file.access).as_str(), &file.access.owner],
    )
}

/// The words for `fetch`, as described in fetch.sh.
fn fetch_words(file: &Staged, download: &HostDownload) -> Vec<String> {
    let HostDownload { urls, sha256, packed, size: _ } = download;
    let mut words = file_words("fetch", file);
    words.extend([part_path(&file.path, sha256), sha256.to_string()]);
    words.push(if *packed { download.member() } else { "-" }.to_owned());
    words.extend([download.limit(), download.unpacked_limit()].map(|limit| limit.to_string()));
    words.extend(urls.iter().map(Url::encoded));
    words
}

fn running(before: &Running) -> &str {
    match before {
        Running::Stopped => "stopped",
        Running::Failing => "failing",
        Running::Invocation(id) => id,
    }
}

fn port_words(function: &str, port: Port) -> Vec<String> {
    let transport = match port.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    words(function, [port.number.to_string().as_str(), transport])
}

fn health_words(health: Option<&Health>) -> [String; 3] {
    match health {
        Some(health) => {
            let ports: Vec<String> = health.listens.iter().map(ToString::to_string).collect();
            [ports.join(" "), health.says.clone(), hundredths(health.within).to_string()]
        }
        None => ["-", "", ""].map(ToOwned::to_owned),
    }
}

/// The port at which the controller completes the handshake with the node, or `-`.
fn handshake_word(health: Option<&Health>) -> String {
    let handshake = health.and_then(|health| health.handshake.as_ref());
    handshake.map_or_else(|| "-".to_owned(), |handshake| handshake.port().to_string())
}

/// The words for a fallback, as described in fallback.sh.
fn fallback_words(fallback: &Fallback) -> Vec<String> {
    match fallback {
        Fallback::Leave => vec!["leave".to_owned()],
        Fallback::Stop => vec!["stop".to_owned()],
        Fallback::Revert { files, health } => {
            let file = |Replaced { path, old, new }: &Replaced| {
                let (kept, staged) = (kept_path(path, old), staged_path(path, new));
                [path.clone(), old.to_string(), kept, new.to_string(), staged]
            };
            let health = health_words(Some(health));
            std::iter::once("revert".to_owned()).chain(health).chain(files.iter().flat_map(file)).collect()
        }
    }
}

/// A mode in the form of `stat -c %a`.
fn mode(access: &Access) -> String {
    format!("{:o}", access.mode)
}

fn hundredths(time: Duration) -> u128 {
    time.as_millis() / 10
}

/// A line of a host's answer to a request. [`Exchange`] decides which lines are allowed
/// when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call with this index has begun.
    Began(usize),
    /// The call with this index asks for its file.
    Need(usize, Need),
    /// The host has downloaded this many bytes of the file of the call with this index.
    Got(usize, u64),
    /// The unit of the call with this index is healthy in this start.
    Runs(usize, String),
    /// The unit of the call with this index has to stay healthy now; nothing else is left to do.
    Settles(usize),
    /// The call with this index has ended.
    Ended(usize, Ending),
    /// The request has ended with this exit status.
    End(u8),
}

/// How a host needs a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The best of the host's programs that decompress; `None` if it has none.
    pub best: Option<Codec>,
    /// Why the host couldn't download it; `None` if it wasn't to.
    pub why: Option<Untrusted>,
}

/// How a call ended, with the text of the host as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// See [`Outcome::Done`].
    Done,
    /// See [`Outcome::Already`].
    Already,
    /// See [`Outcome::Differs`].
    Differs(Differs<Untrusted>),
    /// See [`Outcome::Failed`].
    Failed(Untrusted),
}

impl Ending {
    /// Whether the next call may begin.
    fn is_good(&self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }
}

impl Answer {
    /// Parses what follows the marker in a line.
    pub fn parse(line: &str) -> Option<Self> {
        if let Some(status) = line.strip_prefix("end ") {
            return status.parse().ok().map(Self::End);
        }
        let mut words = line.split(' ');
        let index = words.next()?.parse().ok()?;
        let answer = match words.next()? {
            "began" => Self::Began(index),
            "need" => {
                let best = codec(words.next()?)?;
                let why = words.next().map(said);
                Self::Need(index, Need { best, why: why.map_or(Some(None), |why| why.map(Some))? })
            }
            "got" => Self::Got(index, words.next()?.parse().ok()?),
            "runs" => Self::Runs(index, words.next()?.to_owned()),
            "settles" => Self::Settles(index),
            "done" => Self::Ended(index, Ending::Done),
            "already" => Self::Ended(index, Ending::Already),
            "differs" => {
                let differs = Differs::parse(words.next()?, words.next()?, words.next()?)?;
                Self::Ended(index, Ending::Differs(differs))
            }
            "failed" => Self::Ended(index, Ending::Failed(said(words.next()?)?)),
            _ => return None,
        };
        words.next().is_none().then_some(answer)
    }
}

/// Decodes a text in base64.
fn said(encoded: &str) -> Option<Untrusted> {
    BASE64_STANDARD.decode(encoded).ok().map(|words| Untrusted::of_bytes(&words))
}

#[cfg(test)]
mod tests;
