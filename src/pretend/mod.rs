//! Hosts inside the process, for `spore demo`, `spore rehearse` and quick
//! tests: no server, no root, and nothing left behind.
//!
//! Enter at [`Fleet::begin`], and [`Fleet::add`] hosts to it. Each is an SSH
//! server on a port of 127.0.0.1 with a key of its own, and a directory that
//! stands for `/`. What it is told runs in the real `/bin/sh`, with the
//! directory in `$SPORE_ROOT`, which every script puts before its paths, and
//! with the stand-ins first in its `PATH`. So everything that spore does to
//! real hosts is done to these, over real SSH; spore can't tell.
//!
//! # What is pretended, all of it
//! The stand-ins are the scripts in `stand-ins/`; every other command is this
//! machine's own.
//! - `systemctl`, `journalctl`: a unit that runs is a directory of notes and an
//!   entry in the host's `/proc`, with no process behind it. Units are read from
//!   their files, drop-ins included, `daemon-reload` counts, the template's own
//!   `ExecStartPre` is run. A start takes no time; a node that would die is
//!   "activating" from then on, with a restart for every second.
//! - `tau`, and `timeout` before a program of the host's: programs on the host
//!   are never run. The stand-in refuses a configuration without a key or a
//!   port, or that names key files which aren't there; at a start it says what
//!   tau says, with the peer id that it makes of the key, unless its port is
//!   taken on that host. It doesn't listen, and nodes don't talk to each other.
//! - `stat`, `chown`: everything is root's but for what `chown` was told of,
//!   which is noted. Modes are real, whoever runs this.
//! - `id`, `sudo`: becoming root is saying so.
//! - `readlink`: of a process's program, as the kernel would say it.
//! - `uname`: the architecture that the host was given.
//! - `apt-get`, `dpkg`, `dpkg-query`: one package, `docker.io`, that is a unit.
//! - `ufw`: writes its rules' files.
//! - `sync`: does nothing, for nothing here outlives a power cut.
//! - `/proc` of the host holds only what the probe reads; its uptime is real.
//!   `/proc/net` lists ports that nobody listens on.
//! - The login shell is `/bin/sh`, whoever logs in.
//!
//! A stand-in refuses what it wasn't told to do, rather than guess.
//!
//! # What always holds
//! - A host lives as long as its [`Fleet`], through any number of connections.
//! - When the fleet has ended, no process of its hosts is left, whatever
//!   session it ran off to, and its directory is gone.

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
pub use fleet::{Fleet, FleetError, Host};
pub use program::{here, program};
