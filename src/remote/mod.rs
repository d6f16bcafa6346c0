//! Communication with hosts: gathering facts, locking, running actions.
//!
//! [`gather`] connects to all hosts and probes each. [`apply`] then runs a plan on
//! them, by way of [`Connection::lock`] and [`Locked::run`].
//!
//! What always holds:
//! - Each host has one connection, with one root shell. Scripts, arguments and secrets
//!   are sent only over the shell's standard input.
//! - Nothing is written on a host, let alone changed, without [`Connection::lock`].
//! - Every wait has a time-out from [`RemoteLimits`], which only progress that the host can't
//!   make up can move: bytes that it accepts, or the next valid answer.
//! - What a host says about actions has to fit [`Exchange`](crate::plan::wire::Exchange);
//!   if it doesn't, the connection ends.
//! - Text from a host passes through the connection's [`Redactor`](crate::resource::Redactor)
//!   before it is used anywhere.
//!
//! `plan` decides which actions are run, in which order, and what a failure means for
//! what follows.

mod apply;
mod connection;
mod gather;
mod limits;
mod lock;
mod payload;
mod run;
mod shell;
mod stop;

pub use apply::{ApplyEvent, ApplyEventKind, Locks, apply};
pub use connection::{Connection, Locked, NotLocked, Run};
pub use gather::{Gathered, Target, gather};
pub use limits::{NoTimeOut, RemoteLimits, TimeOut};
pub use payload::{Payload, Payloads};
pub use stop::Stop;
