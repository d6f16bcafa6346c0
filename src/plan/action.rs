//! The actions: everything that an apply can do to a host.
//!
//! Each action has a state that it expects to find (*before*) and a state that it leaves
//! (*after*). The host checks both in the step in which it acts. If it finds the
//! before-state, it acts. If it finds the after-state, the action has been done already, so
//! a request whose answer was lost can be repeated. If it finds anything else, it stops and
//! reports what differs, so a stale plan can't overwrite anything. A later action of a plan
//! expects the state that an earlier one leaves. The scripts in `scripts/` carry the
//! actions out; `wire` turns an action into a call of its script.
//!
//! A switch can be undone. [`Action::Place`] keeps the file that it replaces, and the
//! [`Action::Start`] that follows either removes the kept file, once the node is healthy
//! with the new one, or puts it back (see [`Fallback`]). Both happen in the request that
//! starts the node, so that neither needs another request. In between, the host waits until
//! the controller has completed the node's handshake ([`Action::handshake`]). If the controller
//! is gone, the kept file stays, and the next plan waits for the node again.

use crate::artifact::HostDownload;
use crate::resource::{Access, FileSource, Handshake, Health, Port, Sha256, Version, staged_path};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One step on one host. "Ours" are things that spore has put on the host, and "the owner"
/// is whoever administers the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Installs a package from the distribution. Packages that it depends on may be
    /// installed as well, but none is removed.
    ///
    /// Before: the package isn't installed, or its installation was cut off, as
    /// `unfinished` says. After: the package is installed.
    Install {
        /// The package's name.
        package: String,
        /// Whether an earlier installation of the package was cut off.
        unfinished: bool,
    },
    /// Creates a directory. Its parent exists.
    ///
    /// Before: nothing is at the path. After: a directory, or a link to one, with this
    /// owner and mode.
    MakeDirectory {
        /// The directory's absolute path.
        path: String,
        /// The directory's owner and mode.
        access: Access,
    },
    /// Changes the owner and mode of a file or directory, or of the directory that a link
    /// leads to.
    SetAccess {
        /// The absolute path of the file, directory or link.
        path: String,
        /// The owner and mode that were found.
        before: Access,
        /// The owner and mode to set.
        after: Access,
    },
    /// Writes a file next to its destination, under a name that contains its digest, and
    /// checks and syncs it there. No process reads it under that name.
    ///
    /// Before: anything, because such names are used for nothing else. After: the file is
    /// staged, or is at its destination already.
    Stage(Staged),
    /// Like [`Action::Stage`], but the host downloads the file. If it can't, the file is sent.
    Fetch {
        /// The file.
        file: Staged,
        /// Where and how the host gets it.
        download: Arc<HostDownload>,
    },
    /// Has a program validate a configuration. Program, configuration and keys are used in
    /// the versions that will be in place after the switch. The action is part of staging,
    /// so if it fails, nothing is switched on the host.
    ///
    /// Before: at least one of the files is staged. After: none of them is staged any more.
    /// The action itself doesn't change which files are staged.
    Verify {
        /// The program and its arguments, in which files have their final paths.
        command: Vec<String>,
        /// The path at which each new file that matters to the validation is staged, by its
        /// final path.
        staged: BTreeMap<String, String>,
        /// The program's version if it is known. The host notes it so that later plans can
        /// show it.
        version: Option<Version>,
    },
    /// Renames a staged file to its destination.
    ///
    /// Before: the file is staged, and its destination has the file that it replaces.
    /// After: the file is at its destination, with its owner and mode.
    Place {
        /// The staged file.
        file: Staged,
        /// The digest of the file that is replaced; `None` if there is no such file.
        before: Option<Sha256>,
        /// Whether the replaced file is kept, at its
        /// [`kept_path`](crate::resource::kept_path).
        keep: bool,
    },
    /// Creates a symbolic link in place of nothing, of another link, or of a file.
    ///
    /// After: a link to `target`.
    Link {
        /// The link's absolute path.
        path: String,
        /// What was found at the path.
        before: LinkBefore,
        /// The path that the link will point to.
        target: String,
    },
    /// Removes a file.
    ///
    /// After: nothing is at the path. In `/tmp`, where users may put anything at the same
    /// path, a file with other bytes counts as that, too.
    Remove {
        /// The file's absolute path.
        path: String,
        /// The digest of the file's bytes.
        before: Sha256,
    },
    /// Removes a directory and everything in it, irrevocably.
    ///
    /// Before: the directory that the plan was made for, whatever its contents are by now.
    /// After: nothing is at the path.
    Purge {
        /// The directory's absolute path.
        path: String,
        /// The directory's `device:inode`.
        before: String,
    },
    /// Opens a port in the firewall.
    ///
    /// Before: the owner has no rule for the port. Our rule may exist for one version of IP
    /// only, if an earlier action was cut off. After: our rule exists for both versions, or
    /// a rule of the owner's opens the port.
    Allow(Port),
    /// Closes a port that spore has opened.
    ///
    /// Before: our rule, for one or both versions of IP. After: no rule of ours, unless the
    /// owner has made a rule for the port since: ufw keeps only one rule for each port, so
    /// deleting ours could delete the owner's.
    Disallow(Port),
    /// Has the service manager reload its unit files.
    ///
    /// Before: these files are on the disk, and the service manager has loaded other
    /// versions of them, or none. After: every unit of theirs that the service manager has
    /// loaded comes from these files.
    Reload {
        /// By path, the digest of each unit file; `None` if there is no such file.
        files: BTreeMap<String, Option<Sha256>>,
    },
    /// Enables a unit at boot.
    ///
    /// Before: the unit isn't enabled, and isn't masked either. After: the unit is enabled.
    Enable {
        /// The unit's name.
        unit: String,
    },
    /// Disables a unit at boot, and removes the records of its starts.
    ///
    /// Before: the unit is enabled only if the plan found it enabled. After: the unit
    /// isn't enabled, and has no records.
    Disable {
        /// The unit's name.
        unit: String,
        /// Whether the unit was found enabled.
        enabled: bool,
    },
    /// Records what a running unit was started with, before one of these inputs is changed.
    /// Needed for a unit file that doesn't write such records itself.
    ///
    /// Before: the unit is in the start `invocation`, and none of the inputs has changed
    /// since then. After: that start is recorded.
    Record {
        /// The unit's name.
        unit: String,
        /// The start to record.
        invocation: String,
        /// The files that the unit read at that start, apart from the program.
        inputs: Vec<String>,
    },
    /// Starts or restarts a unit, so that it runs with the files that are on the disk now.
    ///
    /// Before: the unit is in the state `before`, and the files that `fallback` puts back
    /// have been replaced. After: the unit is healthy in another start, with the files that
    /// are on the disk, and its node has completed the handshake.
    Start {
        /// The unit's name.
        unit: String,
        /// What the unit was found doing.
        before: Running,
        /// When the unit counts as healthy. If it is `None`, the unit is healthy when the
        /// service manager reports it as active.
        health: Option<Health>,
        /// What happens if the unit doesn't become healthy.
        fallback: Fallback,
    },
    /// Waits for a unit that is starting to become healthy.
    ///
    /// Before: the unit is in any start, and hasn't been stopped. After: the unit is
    /// healthy, and its node has completed the handshake.
    Await {
        /// The unit's name.
        unit: String,
        /// When the unit counts as healthy.
        health: Health,
        /// What happens if the unit doesn't become healthy.
        fallback: Fallback,
    },
    /// Stops a unit.
    ///
    /// Before: the unit is in the start in which the plan found it, or in any start if the
    /// plan found it failing, starting or masked. After: the unit is down, for whatever
    /// reason. If the service manager has restarted a healthy unit since the plan, the unit
    /// is in another start, and only the next plan stops it.
    Stop {
        /// The unit's name.
        unit: String,
        /// What the unit was found doing.
        before: Running,
    },
}

/// What happens to a unit that doesn't become healthy. The action has failed in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The unit is left as it is.
    Leave,
    /// The unit was down before or has never been healthy, so it is stopped instead of
    /// being left in a crash loop.
    Stop,
    /// The unit was started with other files before. They are put back, and the unit is
    /// started with them. The new files stay staged next to them for the next apply.
    Revert {
        /// The files to put back, at least one. If the unit becomes healthy with the new
        /// files, the kept ones are removed.
        files: Vec<Replaced>,
        /// When the unit counts as healthy with the old files.
        health: Health,
    },
}

/// A file that a switch has replaced, and that can be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The file's absolute path.
    pub path: String,
    /// The digest of the old file, which is kept at its
    /// [`kept_path`](crate::resource::kept_path).
    pub old: Sha256,
    /// The digest of the new file.
    pub new: Sha256,
}

/// A new file, which is staged first and then placed at its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The absolute path of its destination.
    pub path: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its owner and mode.
    pub access: Access,
    /// Where its bytes come from.
    pub source: FileSource,
}

/// What was found at the path of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkBefore {
    /// Nothing.
    Absent,
    /// A link to this other path.
    Link(String),
    /// A file with this digest. The action keeps it as `<name>.before-spore`, next to the
    /// link.
    File(Sha256),
}

/// What a unit was found doing when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// The unit was down.
    Stopped,
    /// The unit was up, in the start with this id.
    Invocation(String),
    /// The unit was starting, failing or masked. It may be in a later start by now, so any
    /// start is accepted.
    Failing,
}

impl Action {
    /// The file that the action stages.
    pub fn staged(&self) -> Option<&Staged> {
        match self {
            Self::Stage(file) | Self::Fetch { file, .. } => Some(file),
            _ => None,
        }
    }

    /// The handshake that the controller completes with the node that this action starts or waits
    /// for, once the host has found it healthy.
    pub fn handshake(&self) -> Option<&Handshake> {
        match self {
            Self::Start { health: Some(health), .. } | Self::Await { health, .. } => {
                health.handshake.as_ref()
            }
            _ => None,
        }
    }
}

impl Staged {
    /// The action that gets the file to a host, if this is how the host can download it.
    pub(super) fn stage(self, download: Option<Arc<HostDownload>>) -> Action {
        match download {
            Some(download) => Action::Fetch { file: self, download },
            None => Action::Stage(self),
        }
    }

    /// The path at which the file is staged; see [`staged_path`].
    pub fn staged_path(&self) -> String {
        staged_path(&self.path, &self.sha256)
    }
}
