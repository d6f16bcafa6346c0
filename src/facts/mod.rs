//! The facts about a host: one [`Request`] asks for everything at once, [`parse`] parses
//! the answer into [`Facts`], and [`interpret()`] derives the host's current state from
//! them.
//!
//! A resource is known, absent, [unreadable](PathFact::Unreadable), or was [never
//! asked](Asked) about; the last two are never taken for absent. An answer contains no
//! secret: the host cuts secrets out before it sends the answer (`texts.awk`), and sends
//! nothing from a configuration that it can't parse. Sending the request is left to other
//! rooms.

mod answer;
mod asked;
mod conditions;
mod configs;
mod current;
pub mod file;
mod firewall;
mod interpret;
mod probe;
pub mod receipt;
pub mod roster;
mod surroundings;
mod units;

pub use answer::{Amount, AnswerError, Reported, parse};
pub use asked::{Asked, PROBE_VERSION};
pub use conditions::{Conditions, Engine, Foreign, ForeignPart, Resolver};
pub use current::{Current, RemovalRule};
pub use firewall::{Firewall, Verdict};
pub use interpret::interpret;
pub use probe::Request;
pub use surroundings::{Alive, Memory, PortOwner, Surroundings};

use crate::daemon::Daemon;
use crate::resource::{Access, HostText, Port, Printable, Redactor, Sha256, Unreadable, Version};
use receipt::Receipt;
use roster::Roster;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// The facts about one host. Paths are absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What was asked.
    pub asked: Asked,
    /// The output of `uname -m`.
    pub architecture: Printable,
    /// The distribution's name for itself.
    pub os: Printable,
    /// Whether the probe ran as root. Without root, it sees too little for a plan.
    pub root: bool,
    /// Whether systemd is process 1.
    pub systemd: bool,
    /// The digest of the host's machine-id, with a key that all hosts of a network share
    /// ([`crate::resource::DigestKey::for_machines`]); `None` if the host has no
    /// machine-id.
    pub machine: Option<Sha256>,
    /// Whether packages can be installed with apt.
    pub apt: bool,
    /// Packages of container engines whose installation was started, but hasn't finished.
    pub unfinished: BTreeSet<String>,
    /// The number of bytes that are free where the daemon's program is or would be.
    pub free_bytes: u64,
    /// The paths that were asked about and exist.
    pub paths: BTreeMap<String, PathFact>,
    /// Text files that were read: public ones, and configurations without their secrets, as
    /// [`crate::daemon::Daemon::config`] expects them. Settings (`.conf`, and ufw's) are
    /// without their comments, and ufw's rules are reduced to the tuples. Unit files are
    /// reduced to directives, and drop-ins to the directives that our template sets, too.
    /// Of environment variables only the names are included.
    pub texts: BTreeMap<String, HostText>,
    /// Configurations whose style the probe can't follow well enough to cut the secrets
    /// out, so that only their digests are known.
    pub opaque: BTreeSet<String>,
    /// Units of nodes that are wanted, configured, enabled or loaded, even if the service
    /// manager has no unit of that name; and other units that matter, if they are
    /// installed.
    pub units: BTreeMap<String, UnitFact>,
    /// The versions of the nodes' program that applies have noted on the host, by the binary's digest.
    pub versions: BTreeMap<Sha256, Version>,
    /// For each configuration to which the host adds the private key of its node, by path, what
    /// it would be.
    pub keyed: BTreeMap<String, KeyedFact>,
    /// The addresses and ports on which a process listens.
    pub listening: BTreeSet<(IpAddr, Port)>,
    /// What the host has besides the network's resources.
    pub surroundings: Surroundings,
    /// While an apply holds the host's lock, what that apply has written about itself.
    pub holder: Option<HostText>,
    /// Masks the folder's secrets in parts of these facts that are shown.
    pub redactor: Redactor,
}

impl Facts {
    /// What the last apply has left, as far as the host says so.
    pub fn receipt(&self) -> Option<Receipt> {
        let at = |path: &str| Receipt::parse(self.texts.get(path)?.expose(), &self.redactor);
        let superseded = |daemon: &Daemon| {
            at(daemon.superseded_receipt()).map(|receipt| Receipt { superseded: true, ..receipt })
        };
        // If both are there, the receipt was written later, and the other not removed any more.
        Daemon::ALL.iter().find_map(|daemon| at(daemon.receipt()).or_else(|| superseded(daemon)))
    }

    /// The roster with this name, if the host has sent it.
    pub fn roster(&self, file_name: &str) -> Option<Roster> {
        let path = |daemon: &Daemon| format!("{}/{file_name}", daemon.receipt_directory());
        let texts = Daemon::ALL.iter().filter_map(|daemon| self.texts.get(&path(daemon)));
        texts.filter_map(|text| Roster::parse(text.expose(), &self.redactor)).next()
    }
}

/// A configuration to which a host adds the private key of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedFact {
    /// Identifies what the host was sent of it: see [`KeyedFile::rest`](crate::resource::KeyedFile::rest).
    pub rest: Sha256,
    /// The digest of the whole; `None` if the host doesn't have the key.
    pub sha256: Option<Sha256>,
}

/// What exists at a path.
#[derive(Clone, Debug, PartialEq)]
pub enum PathFact {
    /// A directory.
    Directory {
        /// Owner and mode of the directory itself, even if it is reached through a link.
        access: Access,
        /// The target of the link through which the directory is reached. Only set for
        /// [`crate::daemon::Daemon::directories`], which may be on another disk.
        through: Option<Printable>,
        /// `device:inode` of the directory itself, in decimal.
        device_inode: String,
    },
    /// A regular file.
    File(FileFact),
    /// A symbolic link. What it points to isn't examined.
    Link {
        /// The target, as written in the link.
        target: Printable,
    },
    /// Something else, such as a socket, a fifo or a device.
    Other(&'static str),
    /// Something may exist there, but it is unknown what; the reason.
    Unreadable(Unreadable),
}

/// A regular file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileFact {
    /// The file's owner and permissions.
    pub access: Access,
    /// The file's size in bytes.
    pub size: u64,
    /// `device:inode`, in decimal.
    pub device_inode: String,
    /// When the content last changed, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When the content or the metadata last changed, in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// The digest of the file's bytes; `None` if the file is larger than any real one of
    /// its kind, or wasn't to be digested.
    pub sha256: Option<Sha256>,
}

/// A unit, as the service manager describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitFact {
    /// `LoadState`: `loaded`, `not-found`, `masked`, ...
    pub load: String,
    /// `ActiveState`
    pub active: String,
    /// `SubState`
    pub sub: String,
    /// How the unit's process last failed: `exit-code 1`; empty if it didn't fail.
    pub result: String,
    /// `UnitFileState`: `enabled`, `disabled`, ...; empty if the unit has no file.
    pub enabled: String,
    /// The id of the unit's last start.
    pub invocation: Option<String>,
    /// The process id of the unit's main process.
    pub pid: Option<u32>,
    /// How often the service manager has restarted the unit since it was last started on
    /// request.
    pub restarts: u32,
    /// The unit's file.
    pub fragment: String,
    /// The unit's drop-ins, in the order in which systemd reads them.
    pub drop_ins: Vec<String>,
    /// Whether the unit's files have changed since the service manager loaded them.
    pub need_reload: bool,
    /// The directives with which a process is started, as the service manager has loaded
    /// them, drop-ins included: `User`, `Group`, `LimitNOFILE`, ..., and `ExecStart` with
    /// its arguments.
    pub directives: BTreeMap<String, String>,
    /// When the main process was started, in nanoseconds since 1970 by the host's clock;
    /// exact to a microsecond, rounded down. If the clock was ahead at the start and has
    /// been set back since, the time is converted to the current clock.
    pub started_ns: Option<i64>,
    /// How long ago the main process was started.
    pub age: Option<Duration>,
    /// The main process; `None` if there is none, or if it has just exited.
    pub process: Option<Process>,
    /// What the last start read, if it was recorded.
    pub record: Option<Record>,
    /// The line in the journal of the last start that reports success. It is looked for
    /// only where it matters: while the start is recent and the unit is active and not yet
    /// marked healthy.
    pub said: Option<String>,
    /// Whether the journal doesn't reach back to the last start, or stores nothing at all,
    /// so that the absence of the line proves nothing.
    pub silent: bool,
    /// Whether an apply has seen the unit healthy since its last start.
    pub healthy: bool,
}

/// A running process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// The digest of the process's program, which may no longer exist on the disk.
    pub exe: Option<Sha256>,
    /// The process's arguments, separated by spaces.
    pub arguments: String,
    /// The limits in force, by systemd's directive: `LimitNOFILE` → `65536`, `infinity`, or
    /// `soft:hard` if these differ.
    pub limits: BTreeMap<String, String>,
    /// The limits that are already the maximum that the host can grant, so that the unit
    /// may have asked for more.
    pub scant: BTreeSet<String>,
    /// The names of the environment variables that the process was started with, except
    /// those that systemd sets for every service.
    pub environment: BTreeSet<String>,
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
}

/// The record of what a start read. Our unit writes it before each start, completely or not
/// at all; an apply writes it for a start of another tool's unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The configuration, as in [`Facts::texts`]; `None` if its style can't be followed.
    pub config: Option<HostText>,
    /// Digests of the configuration and the keys, by absolute path.
    pub digests: BTreeMap<String, Sha256>,
    /// The digests of all plugins at that time, by absolute path; `None` if the record was
    /// written by an older unit, which didn't note them.
    pub plugins: Option<BTreeMap<String, Sha256>>,
    /// The unit's directives in force at that start, as in [`UnitFact::directives`]; empty
    /// if they weren't noted.
    pub directives: BTreeMap<String, String>,
}
