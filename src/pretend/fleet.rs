//! A set of simulated hosts with a common lifetime.

use super::faults::{Disk, Faults};
use super::program::uname;
use super::{leftovers, root, server};
use crate::artifact::Architecture;
use crate::resource::HostName;
use crate::ssh::{Algorithm, KnownHosts, PrivateKey, ServerAddress};
use russh::keys::ssh_key::LineEnding;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;

/// Simulated hosts in a temporary directory. Dropping the fleet kills all processes of its
/// hosts and removes the directory.
#[derive(Debug)]
pub struct Fleet {
    directory: TempDir,
    user_key: PrivateKey,
    hosts: BTreeMap<HostName, SimulatedHost>,
}

/// One host of a fleet. A clone is another handle to the same host.
#[derive(Clone, Debug)]
pub struct SimulatedHost {
    name: HostName,
    address: ServerAddress,
    key: PrivateKey,
    pub(super) machine: Arc<Machine>,
    accepting: AbortHandle,
}

/// The part of a simulated host that runs commands.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: HostName,
    pub(super) root: PathBuf,
    /// The fleet's directory, which contains the stand-ins.
    fleet: PathBuf,
    faults: Mutex<Faults>,
    /// Whether the fleet was dropped. No process may start afterwards.
    ended: Mutex<bool>,
}

/// Why hosts couldn't be simulated.
#[derive(Debug, Error)]
pub enum FleetError {
    /// This system isn't Linux.
    #[error("simulated hosts need Linux, because spore runs the hosts' scripts on this machine")]
    NotLinux,
    /// A command that the scripts use is missing on this machine.
    #[error("simulated hosts need the command `{0}` on this machine")]
    NoCommand(String),
    /// The path has characters that `stat` may quote, or that can't be in `PATH`.
    #[error("simulated hosts can't be created in {}: the path has special characters", .0.display())]
    Place(PathBuf),
    /// The file system of the temporary directory doesn't allow running programs.
    #[error("cannot run programs in {}", .0.display())]
    NoPrograms(PathBuf, #[source] io::Error),
    /// A directory can't be created or written, or no port is free.
    #[error("cannot create a simulated host")]
    Io(#[from] io::Error),
    /// No SSH key could be generated.
    #[error("cannot generate an SSH key")]
    Key(#[from] russh::keys::ssh_key::Error),
}

impl Fleet {
    /// Creates a fleet without hosts: its directory, the stand-ins, and a key to log in
    /// with.
    ///
    /// # Errors
    /// If this machine can't simulate hosts.
    pub fn begin() -> Result<Self, FleetError> {
        if !cfg!(target_os = "linux") {
            return Err(FleetError::NotLinux);
        }
        if let Some(missing) = root::missing_commands(&path()).next() {
            return Err(FleetError::NoCommand(missing.to_owned()));
        }
        let directory = tempfile::Builder::new().prefix("spore-").tempdir()?;
        if !is_plain(directory.path()) {
            return Err(FleetError::Place(directory.path().to_owned()));
        }
        root::make_stand_ins(directory.path())?;
        // On a file system mounted with `noexec`, the hosts' commands would fail without a
        // usable message. Running one here gives a clear error.
        let mut stand_in = std::process::Command::new(directory.path().join("stand-ins/sync"));
        if let Err(error) = stand_in.env("SPORE_ROOT", directory.path()).status() {
            return Err(FleetError::NoPrograms(directory.path().to_owned(), error));
        }
        Ok(Self { directory, user_key: key()?, hosts: BTreeMap::new() })
    }

    /// The fleet's directory. The caller may put other files into it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Adds a host. Its architecture may differ from this machine's. An existing host with
    /// this name is replaced.
    ///
    /// # Errors
    /// If its directory can't be created, or no port is free.
    pub async fn add(
        &mut self,
        name: &HostName,
        architecture: Architecture,
    ) -> Result<&SimulatedHost, FleetError> {
        let root = self.directory.path().join("hosts").join(name.as_str());
        root::make(&root, uname(architecture))?;
        let key = key()?;
        let machine = Arc::new(Machine {
            name: name.clone(),
            root,
            fleet: self.directory.path().to_owned(),
            faults: Mutex::default(),
            ended: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = ServerAddress::new("127.0.0.1", listener.local_addr()?.port());
        let user = self.user_key.public_key().clone();
        let accepting = tokio::spawn(server::accept(listener, Arc::clone(&machine), key.clone(), user));
        let accepting = accepting.abort_handle();
        let host = SimulatedHost { name: name.clone(), address, key, machine, accepting };
        if let Some(replaced) = self.hosts.insert(name.clone(), host) {
            replaced.accepting.abort();
        }
        self.host(name).ok_or_else(|| io::Error::other("it was not added").into())
    }

    /// The host with this name.
    pub fn host(&self, name: &HostName) -> Option<&SimulatedHost> {
        self.hosts.get(name)
    }

    /// The private key of the user, in OpenSSH's format. Every host accepts it, for any
    /// user name.
    ///
    /// # Errors
    /// If the key can't be encoded.
    pub fn user_key(&self) -> Result<String, FleetError> {
        Ok(self.user_key.to_openssh(LineEnding::LF)?.to_string())
    }

    /// The hosts' keys, in the format of `~/.ssh/known_hosts`.
    pub fn known_hosts(&self) -> String {
        let lines = self.hosts.values();
        lines.map(|host| KnownHosts::line_to_add(&host.address, host.key.public_key()) + "\n").collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for host in self.hosts.values() {
            host.accepting.abort();
            *lock(&host.machine.ended) = true;
        }
        leftovers::end(self.directory.path());
        // A script may have removed permissions that removing the directory needs.
        open(&self.directory.path().join("hosts"));
    }
}

/// Gives every directory at and below `path` the permissions that removing it needs.
fn open(path: &Path) {
    let Ok(metadata) = path.symlink_metadata() else { return };
    if !metadata.is_dir() {
        return;
    }
    if metadata.permissions().mode() & 0o700 != 0o700 {
        // If this fails, so does the removal, and `drop` can't report it.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        open(&entry.path());
    }
}

impl SimulatedHost {
    /// The host's name.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// The address of its SSH server.
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// The directory that is its `/`.
    pub fn root(&self) -> &Path {
        &self.machine.root
    }

    /// Sets the faults of new connections.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.machine.faults) = faults;
    }

    /// Runs a script on the host as root, without SSH and without faults. The script
    /// must begin its paths with `$SPORE_ROOT`.
    ///
    /// # Errors
    /// If the shell can't be started.
    pub async fn sh(&self, script: &str) -> io::Result<Output> {
        let mut command = self.machine.shell("root", script, &Faults::default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.machine.spawn(&mut command)?.wait_with_output().await
    }
}

impl Machine {
    pub(super) fn faults(&self) -> Faults {
        lock(&self.faults).clone()
    }

    /// Starts a command, unless the fleet has ended. The process exists before the lock is
    /// released, so that [`leftovers::end`] can't miss it.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let ended = lock(&self.ended);
        if *ended { Err(io::ErrorKind::NotConnected.into()) } else { command.spawn() }
    }

    /// The process in which the user's login shell runs `command`.
    pub(super) fn shell(&self, user: &str, command: &str, faults: &Faults) -> Command {
        let mut path = OsString::new();
        if faults.disk == Disk::Filling {
            path.push(self.fleet.join("filling"));
            path.push(":");
        }
        path.push(self.fleet.join("stand-ins"));
        path.push(":");
        path.push(self::path());
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", command])
            .current_dir(&self.root)
            .env_clear()
            .env("HOME", self.root.join("root"))
            .env("LOGNAME", user)
            .env("PATH", path)
            .env("SHELL", "/bin/sh")
            .env("SPORE_FAULTS", faults.of_stand_ins())
            .env("SPORE_ROOT", &self.root)
            .env("TMPDIR", self.root.join("tmp"))
            .env("USER", user);
        shell
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `stat` prints the path without quotes, and `PATH` can contain it.
fn is_plain(path: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@,=~ ".contains(c);
    path.to_str().is_some_and(|path| path.chars().all(plain))
}

/// This machine's `PATH`, and the usual directories.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path
}

fn key() -> Result<PrivateKey, russh::keys::ssh_key::Error> {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519)
}
