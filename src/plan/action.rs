//! What can be done to a host: few things, and none of them knows of tau.
//!
//! Each says the state it expects before and the state it leaves. On the host
//! it checks in the same breath as it acts: the state before → it acts; the
//! state after → it has been done already; anything else → it stops there and
//! says what differs. `scripts/` holds what each runs there.

use crate::resource::{Access, Health, Port, Sha256};
use std::collections::BTreeMap;

/// One step on one host.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Installs packages of the distribution.
    Install {
        /// Their names.
        packages: Vec<String>,
    },
    /// Makes a directory; its parent is there.
    MakeDirectory {
        /// Where.
        path: String,
        /// Whose, and who may enter.
        access: Access,
    },
    /// Changes who may do what with a file or directory.
    SetAccess {
        /// Which.
        path: String,
        /// As it was found.
        before: Access,
        /// As it will be.
        after: Access,
    },
    /// Writes a file beside its place, under a name that holds its digest, and
    /// checks and syncs it there. Nobody reads it yet.
    Stage(Staged),
    /// Has a program validate a configuration, both as they will be once staged
    /// files are in place. Nothing is switched on a host where it fails.
    Verify {
        /// The program and its arguments, naming files by their places.
        command: Vec<String>,
        /// By its place, each new file that this is about: where it is staged.
        /// Once none of them is staged any more, there is nothing to do.
        staged: BTreeMap<String, String>,
    },
    /// Renames a staged file into its place.
    Place {
        /// What is staged.
        file: Staged,
        /// The digest of what it replaces; `None` where nothing is there.
        before: Option<Sha256>,
    },
    /// Makes a symbolic link, in place of what is there.
    Link {
        /// Where.
        path: String,
        /// What is there now.
        before: LinkBefore,
        /// Where it will point.
        target: String,
    },
    /// Removes a file.
    Remove {
        /// Which.
        path: String,
        /// The digest of what it holds.
        before: Sha256,
    },
    /// Removes a directory with all it holds. Not to be undone.
    Purge {
        /// Which.
        path: String,
    },
    /// Lets a port in.
    Allow(Port),
    /// Lets it in no more.
    Disallow(Port),
    /// Has the service manager read its units again.
    Reload,
    /// Has a unit started at boot.
    Enable {
        /// Which.
        unit: String,
    },
    /// Has it started at boot no more.
    Disable {
        /// Which.
        unit: String,
    },
    /// Notes what a running unit was started with, where its own unit file
    /// doesn't do that, before one of these inputs is changed.
    Record {
        /// Which.
        unit: String,
        /// The start it is about.
        invocation: String,
        /// Every file it read at that start; all unchanged since.
        inputs: Vec<String>,
    },
    /// Starts or restarts a unit, so that it runs with what is on the disk now.
    Start {
        /// Which.
        unit: String,
        /// The start to replace.
        before: Running,
        /// How to tell that it has succeeded; `None`: the service manager's word.
        health: Option<Health>,
    },
    /// Waits until a unit that is on its way is healthy.
    Await {
        /// Which.
        unit: String,
        /// How to tell.
        health: Health,
    },
    /// Stops a unit.
    Stop {
        /// Which.
        unit: String,
    },
}

/// A file on its way to its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its place.
    pub path: String,
    /// What it will hold.
    pub sha256: Sha256,
    /// Owner and mode.
    pub access: Access,
}

/// What stands where a link goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkBefore {
    /// Nothing.
    Absent,
    /// A link that points elsewhere.
    Link(String),
    /// A file, which is kept beside it as `<name>.before-spore`.
    File(Sha256),
}

/// What a unit was seen doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// Nothing.
    Stopped,
    /// The start of this id.
    Invocation(String),
    /// Starting, or dying and being restarted, so that its start's id says
    /// nothing.
    Failing,
}

/// Where a file is staged: beside its place, under a name that holds the digest
/// of what it will say.
pub fn staged_path(path: &str, sha256: &Sha256) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let digest = sha256.to_string();
    format!("{directory}/.spore-{name}-{}", &digest[..16])
}

impl Staged {
    /// See [`staged_path`].
    pub fn staged_path(&self) -> String {
        staged_path(&self.path, &self.sha256)
    }
}
