//! Simulated hosts inside this process, for `spore demo`, `spore rehearse` and quick
//! tests. They need neither servers nor root, and leave nothing behind.
//!
//! The entry point is [`Fleet::begin`]; hosts are added with [`Fleet::add`]. Each
//! host is an SSH server on a port of 127.0.0.1, with a host key of its own and a
//! directory as its `/`. The real `/bin/sh` runs the commands that it receives. The
//! directory is in `$SPORE_ROOT`, with which every script begins its paths, and the
//! stand-ins come first in `PATH`. So spore runs the same code, over real SSH, as it
//! does for real hosts.
//!
//! # What is simulated
//! The stand-ins are the scripts in `stand-ins/`. Every command that isn't listed
//! here is this machine's own.
//! - `systemctl`, `journalctl`: a running unit is a directory of state files and an
//!   entry in the host's `/proc`, without a process. Units are loaded from their
//!   files and drop-ins, edits take effect at `daemon-reload`, and the template's
//!   `ExecStartPre` is run. A start takes no time. A node that would exit at once
//!   stays "activating", and counts one restart per second.
//! - `tau`, and `timeout` before one of the host's programs: the host's programs are
//!   never run. The stand-in rejects a configuration that has no key or port, or that
//!   names a missing key file. At a start it prints what tau prints, with the peer id
//!   derived from the key, unless the port is taken on that host. It doesn't listen,
//!   and nodes don't talk to each other.
//! - `stat`, `chown`: `chown` records the owner and `stat` reports it; everything
//!   else belongs to root. Modes are real.
//! - `id`, `sudo`: `sudo` only makes `id` report root.
//! - `readlink`: reports a process's program as the kernel does, `(deleted)` included.
//! - `uname`: reports the architecture with which the host was added.
//! - `apt-get`, `dpkg`, `dpkg-query`: there is one package, `docker.io`, with a unit.
//! - `ufw`: writes the files with its rules, and filters nothing.
//! - `sync`: does nothing, because no host here survives a power cut.
//! - `/proc` has only the files that the probe reads. The uptime is real, but nothing
//!   listens on the ports in `/proc/net`.
//! - Every user's login shell is `/bin/sh`.
//!
//! A stand-in fails on arguments that it doesn't support, rather than guess.
//!
//! # What always holds
//! - A host lives as long as its [`Fleet`], across any number of connections.
//! - Once the fleet is dropped, none of its hosts' processes is left, even if it
//!   started a session of its own, and the directory is gone.

mod faults;
mod fleet;
mod leftovers;
mod line;
mod program;
mod root;
mod server;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use faults::{Disk, Faults};
pub use fleet::{Fleet, FleetError, SimulatedHost};
pub use program::{here, program};
