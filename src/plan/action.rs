//! What can be done to a host: a handful of actions. (Some of their scripts know where tau
//! keeps its keys and storage.)
//!
//! Each states what it expects to find (*before*) and what it leaves behind (*after*),
//! and the host checks both in the step that acts: before-state → it acts; after-state
//! → it was done already; anything else → it stops there and reports what differs.
//! A later action of the same plan expects what an earlier one leaves. `scripts/`
//! holds what each one runs.
//!
//! A switch can be undone: [`Action::Place`] keeps the file that it replaces, and
//! the [`Action::Start`] that follows either removes what was kept, once the node
//! is healthy with the new files, or puts it back (see [`Fallback`]). Both happen
//! in the request that starts the node, so that neither needs the controller.

use crate::resource::{Access, Health, Port, Sha256, Source, Version, staged_path};
use std::collections::BTreeMap;

/// One step on one host.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Installs a package from the distribution. Other packages may come with it, but
    /// none is removed.
    ///
    /// Before: it isn't there, or its installation was cut off. After: it is installed.
    Install {
        /// Its name.
        package: String,
        /// Whether an earlier installation was cut off.
        unfinished: bool,
    },
    /// Creates a directory in one that exists.
    ///
    /// Before: nothing. After: a directory, or a link to one, with this owner and mode.
    MakeDirectory {
        /// Its absolute path.
        path: String,
        /// Owner and mode.
        access: Access,
    },
    /// Changes owner and mode of a file or directory, or of the directory that a link
    /// leads to.
    SetAccess {
        /// Its absolute path.
        path: String,
        /// Owner and mode that were found.
        before: Access,
        /// Owner and mode to set.
        after: Access,
    },
    /// Writes a file next to its destination, under a name that contains its
    /// digest, and checks and syncs it there. No process reads it yet.
    ///
    /// Before: anything, because such names are used for nothing else. After: the file
    /// is there, or in its destination.
    Stage(Staged),
    /// Has a program validate a configuration, both as they will be once staged
    /// files are in place. Nothing is switched on a host where it fails.
    ///
    /// Before: one of the files is staged. After: none is any more. It leaves the host as
    /// it is.
    Verify {
        /// The program and its arguments, naming files by their places.
        command: Vec<String>,
        /// By its place, each new file that this is about: where it is staged.
        /// Once none of them is staged any more, there is nothing to do.
        staged: BTreeMap<String, String>,
        /// The program's version, where it is known: noted on the host, so that
        /// later plans can show it.
        version: Option<Version>,
    },
    /// Renames a staged file to its destination.
    ///
    /// Before: the file is staged, and in its destination is the file that it replaces.
    /// After: it is in its destination, with its owner and mode.
    Place {
        /// The staged file.
        file: Staged,
        /// The digest of the file that it replaces; `None` if there is none.
        before: Option<Sha256>,
        /// Whether the replaced file is kept as [`kept_path`].
        keep: bool,
    },
    /// Creates a symbolic link in place of what is there.
    ///
    /// After: a link to this target.
    Link {
        /// The link's absolute path.
        path: String,
        /// What is there now.
        before: LinkBefore,
        /// Where it will point.
        target: String,
    },
    /// Removes a file.
    ///
    /// After: nothing. In `/tmp` any other file counts as that, too.
    Remove {
        /// Its absolute path.
        path: String,
        /// The digest of its bytes.
        before: Sha256,
    },
    /// Removes a directory and everything in it, irrevocably.
    ///
    /// Before: the directory that was planned on, whatever is in it by now. After: nothing.
    Purge {
        /// Its absolute path.
        path: String,
        /// The directory's `device:inode`.
        before: String,
    },
    /// Opens a port in the firewall.
    ///
    /// Before: no rule of the owner's for it; ours may have been added by half, for one
    /// version of IP. After: our rule, or a rule of the owner's that opens it.
    Allow(Port),
    /// Closes a port that we opened.
    ///
    /// Before: our rule, or half of it. After: no rule of ours.
    Disallow(Port),
    /// Has the service manager reload its unit files.
    ///
    /// Before: these files are on the disk, and it has loaded other versions of them, or
    /// none. After: it has loaded these, as far as it has loaded any.
    Reload {
        /// By path, the digest of each unit file; `None` if there is no such file.
        files: BTreeMap<String, Option<Sha256>>,
    },
    /// Enables a unit at boot.
    ///
    /// Before: it isn't enabled, but could be: it isn't masked. After: it is enabled.
    Enable {
        /// Its name.
        unit: String,
    },
    /// Disables a unit at boot, and removes the records of its starts.
    ///
    /// Before: it is enabled, if the plan found it so. After: it isn't.
    Disable {
        /// Its name.
        unit: String,
        /// Whether it was found enabled.
        enabled: bool,
    },
    /// Records what a running unit was started with, if its own unit file doesn't,
    /// before one of these inputs is changed.
    ///
    /// Before: the unit is in that start, and none of the inputs has changed since. After:
    /// that start is recorded.
    Record {
        /// The unit's name.
        unit: String,
        /// The start to record.
        invocation: String,
        /// Every file that it read at that start; all unchanged since.
        inputs: Vec<String>,
    },
    /// Starts or restarts a unit, so that it runs with what is on the disk now.
    ///
    /// After: it is healthy in another start, with what is on the disk.
    Start {
        /// Its name.
        unit: String,
        /// The start to replace.
        before: Running,
        /// When it counts as healthy; `None`: when the service manager says that
        /// it is active.
        health: Option<Health>,
        /// What happens if it doesn't become healthy.
        fallback: Fallback,
    },
    /// Waits for a unit that is starting to become healthy.
    ///
    /// Before: it is in any start, and hasn't been stopped. After: it is healthy.
    Await {
        /// Its name.
        unit: String,
        /// When it counts as healthy.
        health: Health,
        /// What happens if it doesn't become healthy.
        fallback: Fallback,
    },
    /// Stops a unit.
    ///
    /// Before: it is in the start that the plan has seen; in any start, if it was failing or
    /// masked then. After: it is down, for whatever reason. If the service manager has
    /// restarted it since the plan, that is another start, and the next plan stops it.
    Stop {
        /// Its name.
        unit: String,
        /// The start to end.
        before: Running,
    },
}

/// What happens to a unit that doesn't become healthy. The action has failed in
/// any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It is left as it failed.
    Leave,
    /// It was down before, so it is stopped rather than left crash-looping.
    Stop,
    /// It ran before, with other files: they are put back, and it is started with
    /// them. The new ones stay next to them, staged for the next apply.
    Revert {
        /// The files to put back, of which there is at least one. Once the unit is
        /// healthy with the new ones, those that were kept are removed.
        files: Vec<Replaced>,
        /// When the unit counts as healthy with the old files.
        health: Health,
    },
}

/// A file that a switch replaces, and that can be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its absolute path.
    pub path: String,
    /// The digest of the file that is kept, as [`kept_path`].
    pub old: Sha256,
    /// The digest of the file that replaced it.
    pub new: Sha256,
}

/// A file on its way to its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its destination.
    pub path: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Owner and mode.
    pub access: Access,
    /// Where its bytes come from.
    pub source: Source,
}

/// What is there in place of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkBefore {
    /// Nothing.
    Absent,
    /// A link that points elsewhere.
    Link(String),
    /// A file, which is kept next to it as `<name>.before-spore`.
    File(Sha256),
}

/// What a unit was doing when it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// It was down.
    Stopped,
    /// It was up since the start with this id.
    Invocation(String),
    /// It was starting, or crash-looping: by now it may be at its next start, so
    /// an id would mean nothing. Or it wasn't known what it was doing.
    Failing,
}

impl Staged {
    /// See [`staged_path`].
    pub fn staged_path(&self) -> String {
        staged_path(&self.path, &self.sha256)
    }
}
