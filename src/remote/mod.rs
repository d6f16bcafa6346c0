//! Communication with hosts: gathering facts, locking and running actions.
//!
//! [`gather()`] connects to all hosts and probes each. The caller locks the connected hosts
//! with [`Connection::lock`], and [`apply()`] then runs a plan on them, by means of
//! [`Locked::run`]. [`Connection::handshakes`] completes the handshake with nodes that should be
//! running; a run does the same with each node that it starts.
//!
//! What always holds:
//! - Each host has one connection, with one root shell. Scripts, arguments and secrets
//!   are sent only over the shell's standard input.
//! - Nothing is written on a host before [`Connection::lock`].
//! - Every wait for a host has a time-out from [`RemoteLimits`]. Only progress that the
//!   host can't fake extends a time-out: bytes that it accepts, or the next valid answer.
//! - A host's answers about actions have to fit the
//!   [`Exchange`](crate::plan::wire::Exchange); if an answer doesn't, the connection is
//!   given up.
//! - Text from a host passes through the connection's [`Redactor`](crate::resource::Redactor)
//!   before it is used anywhere.
//!
//! `plan` decides which actions are run and in which order, and what is skipped after a
//! failure.

mod apply;
mod connection;
mod gather;
mod handshake;
mod limits;
mod lock;
mod payload;
mod run;
mod send;
mod shell;
mod stop;
mod sudo;

pub use apply::{ApplyEvent, ApplyEventKind, Locks, apply};
pub use connection::{Connection, Locked, NotLocked, Run};
pub use gather::{Gathered, Target, gather};
pub use limits::{NoTimeOut, RemoteLimits, TimeOut};
pub use payload::{OnDemand, Payload, Payloads, Program};
pub use stop::Stop;
pub use sudo::SudoPassword;
