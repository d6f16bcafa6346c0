//! Simulated hosts inside this process, for `spore demo`, `spore rehearse` and quick tests.
//! The simulated hosts need neither servers nor root, and leave nothing behind.
//!
//! The entry point is [`Fleet::begin`]; [`Fleet::add`] adds hosts. Each host is an SSH
//! server on a port of 127.0.0.1, with its own host key and a directory that serves as its
//! `/`. This machine's `/bin/sh` runs the commands that the server receives. `$SPORE_ROOT`
//! contains the directory, and every path in spore's scripts begins with it. The stand-ins
//! come first in `PATH`. So spore runs the same code for simulated hosts as for real ones,
//! over real SSH.
//!
//! # What is simulated
//! The stand-ins are the scripts in `stand-ins/`. All commands that aren't listed here are
//! this machine's.
//! - `systemctl`, `journalctl`: a running unit is a directory of state files and an entry
//!   in the host's `/proc`; there is no process. Units are loaded from their files and
//!   drop-ins, edits take effect at `daemon-reload`, and the template's `ExecStartPre` is
//!   run. A start takes no time. A node that would exit at once stays "activating", and its
//!   restart count grows by one per second.
//! - `tau`, and `timeout` in front of one of the host's programs: the host's programs are
//!   never run. The stand-in for `tau` rejects a configuration that has no key or port, or
//!   that names a missing key file. At a start it prints the line with which tau reports a
//!   start, with the peer id of the configured key, unless the port is taken on that host.
//!   It doesn't listen, and nodes don't talk to each other. But on a connection that the
//!   controller opens to a node through the SSH server, this process completes the handshake of
//!   a real node, with the keys that are on the host's disk.
//! - `stat`, `chown`: `chown` records the owner and `stat` reports it; all other files
//!   belong to root. Modes are real.
//! - `id`, `sudo`: `sudo` only makes `id` report root.
//! - `readlink`: reports a process's program as the kernel does, including `(deleted)`.
//! - `uname`: reports the architecture with which the host was added.
//! - `apt-get`, `dpkg`, `dpkg-query`: there is one package, `docker.io`, with a unit.
//! - `ufw`: writes the files with its rules, and filters nothing.
//! - `sync`: only checks that the file exists, because no simulated host survives a power
//!   cut.
//! - `/proc` has only the files that the scripts read. The uptime is this machine's.
//!   Nothing listens on the ports in `/proc/net`.
//! - Every user's login shell is `/bin/sh`.
//!
//! A stand-in fails on a verb or operand that it doesn't support. Some ignore unknown
//! options.
//!
//! # What always holds
//! - A host lives as long as its [`Fleet`], across any number of connections.
//! - Once the fleet is dropped, no process of its hosts is left, even in another session,
//!   and the directory is gone.

mod faults;
mod fleet;
mod leftovers;
mod line;
mod node;
mod program;
mod root;
mod server;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use faults::{Disk, Faults, Nodes};
pub use fleet::{Fleet, FleetError, SimulatedHost};
pub use program::{here, program};
