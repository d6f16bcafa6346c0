//! What a host is: one [`Request`] asks it everything at once, [`parse`] reads
//! its answer into [`Facts`].
//!
//! A resource is known, absent, [unreadable](PathFact::Unreadable), or was
//! [never asked](Asked) about, and neither of the last two is ever taken for absent. Nothing secret is in an answer: the host cuts it out before it
//! sends (`texts.awk`), and sends nothing from a file that it can't parse. Sending the
//! request is left to other modules.

mod answer;
mod asked;
mod conditions;
mod configs;
mod current;
mod firewall;
mod interpret;
mod probe;
mod units;

pub use answer::{Amount, AnswerError, Reported, parse};
pub use asked::{Asked, PROBE_VERSION};
pub use conditions::{Conditions, Engine, Foreign, Overridden, Resolver};
pub use current::{Current, Unwanted};
pub use firewall::{Firewall, Verdict};
pub use interpret::interpret;
pub use probe::Request;

use crate::resource::{Access, HostText, Port, Printable, Redactor, Sha256, Unreadable, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Everything that was asked of one host. Paths are absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What was asked.
    pub asked: Asked,
    /// As `uname -m` says it.
    pub architecture: Printable,
    /// What the distribution calls itself.
    pub os: Printable,
    /// Whether the probe ran as root. As anyone else it sees too little to plan on.
    pub root: bool,
    /// Whether systemd is process 1.
    pub systemd: bool,
    /// The digest of its machine-id, with a key that all hosts of a network share
    /// ([`crate::resource::DigestKey::for_machines`]); `None` where it has none.
    pub machine: Option<Sha256>,
    /// Whether packages can be installed with apt.
    pub apt: bool,
    /// Packages of container engines whose installation was started, but hasn't finished.
    pub unfinished: BTreeSet<String>,
    /// Free space where `/tb/bin` is or would be.
    pub free_bytes: u64,
    /// What was looked at and is there.
    pub paths: BTreeMap<String, PathFact>,
    /// Public text files that were read, and configurations without their
    /// secrets, as [`crate::daemon::Daemon::config`] takes them. Settings (`.conf`, and
    /// ufw's) are without their comments; of ufw's rules there are only the tuples.
    /// Unit files are reduced to directives, drop-ins to those that our template
    /// sets, too; of environment variables there are only the names.
    pub texts: BTreeMap<String, HostText>,
    /// Configurations in a style that can't be followed well enough to cut the
    /// secrets out, so that nothing of them is known but the digest.
    pub opaque: BTreeSet<String>,
    /// Units of tau that are wanted, configured, enabled or loaded, also where the
    /// service manager knows none of that name; and those of others that matter,
    /// where they are installed.
    pub units: BTreeMap<String, UnitFact>,
    /// Versions of tau that applies have noted, by the binary's digest.
    pub versions: BTreeMap<Sha256, Version>,
    /// Where something listens.
    pub listening: BTreeSet<(IpAddr, Port)>,
    /// While an apply holds the host's lock: what it wrote about itself.
    pub holder: Option<HostText>,
    /// Masks the folder's secrets in what is shown of all this.
    pub redactor: Redactor,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq)]
pub enum PathFact {
    /// A directory.
    Directory {
        /// Its own, at the end of a link.
        access: Access,
        /// The link it is reached through: where that points. Only for those of
        /// [`crate::daemon::Daemon::directories`], which may be on a disk of their own.
        through: Option<Printable>,
        /// `device:inode` of the directory itself, in decimal.
        device_inode: String,
    },
    /// A regular file.
    File(FileFact),
    /// A symbolic link; to what, isn't looked at.
    Link {
        /// As written in the link.
        target: Printable,
    },
    /// Something else: a socket, a fifo, a device.
    Other(&'static str),
    /// Something may be there, but it can't be determined what; and the reason.
    Unreadable(Unreadable),
}

/// A regular file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileFact {
    /// Its owner and permissions.
    pub access: Access,
    /// Bytes.
    pub size: u64,
    /// `device:inode`, in decimal.
    pub device_inode: String,
    /// When its content last changed, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When anything of it last changed.
    pub ctime_ns: i64,
    /// The digest of its bytes; `None` where it is too big for what it should
    /// be, or isn't asked for.
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
    /// How its process last failed: `exit-code 1`; empty where it didn't.
    pub result: String,
    /// `UnitFileState`: `enabled`, `disabled`, ...; empty where it has no file.
    pub enabled: String,
    /// The id of its last start.
    pub invocation: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// How often the service manager has restarted it since it was last started
    /// on request.
    pub restarts: u32,
    /// The unit's file.
    pub fragment: String,
    /// Files that add to it, in the order in which they are read.
    pub drop_ins: Vec<String>,
    /// Whether its files have changed since the service manager read them.
    pub need_reload: bool,
    /// The directives that a process is started with, drop-ins included, as the
    /// service manager has them: `User`, `Group`, `LimitNOFILE`, ..., and
    /// `ExecStart` with its arguments.
    pub directives: BTreeMap<String, String>,
    /// When its main process was started, in nanoseconds since 1970 by the
    /// host's clock; exact to a microsecond, rounded down. Where the clock was
    /// ahead at the start and has been set back since, by today's.
    pub started_ns: Option<i64>,
    /// How long ago that was.
    pub age: Option<Duration>,
    /// Its main process; `None` if there is none, or it has just exited.
    pub process: Option<Process>,
    /// What that start read, where there is a record.
    pub record: Option<Record>,
    /// The line of its journal that says it started, of this very start.
    /// Looked for only where it matters: while it is young, active and not
    /// yet marked healthy.
    pub said: Option<String>,
    /// The journal was asked for that line and doesn't reach back to this start,
    /// or keeps nothing at all, so that its absence is no evidence.
    pub silent: bool,
    /// Whether an apply has seen this start healthy.
    pub healthy: bool,
}

/// A running process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// The digest of the program that it runs, which may be on the disk no more.
    pub exe: Option<Sha256>,
    /// Its arguments, with spaces between them.
    pub arguments: String,
    /// By directive, in systemd's terms: `LimitNOFILE` → `65536`, `infinity`,
    /// or `soft:hard` where these differ.
    pub limits: BTreeMap<String, String>,
    /// The limits that are the most the host can grant, so that the unit may have asked
    /// for more.
    pub scant: BTreeSet<String>,
    /// Names of the environment variables it was started with, without those
    /// that systemd sets itself or the host sets for every service.
    pub environment: BTreeSet<String>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// What a start's record says of what it read. Our unit writes it before each
/// start, complete or not at all; an apply writes it for other tools' starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The configuration, as in [`Facts::texts`]; `None` where it can't be followed.
    pub config: Option<HostText>,
    /// Digests of the configuration and the keys, by absolute path.
    pub digests: BTreeMap<String, Sha256>,
    /// Digests of all plugins there were, by absolute path; `None` in the record
    /// of an older unit, which didn't note them.
    pub plugins: Option<BTreeMap<String, Sha256>>,
    /// The unit's directives in force at that start, as in
    /// [`UnitFact::directives`]; empty where they weren't noted.
    pub directives: BTreeMap<String, String>,
}
