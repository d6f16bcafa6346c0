//! Communication with hosts: gathering facts, locking, running actions.
//!
//! [`gather`] connects to all hosts and probes each. [`apply`] then runs a plan on
//! them, by way of [`Host::lock`] and [`Locked::run`].
//!
//! What always holds:
//! - Each host has one connection, with one root shell. Scripts, arguments and secrets
//!   are sent only over the shell's standard input.
//! - Nothing is written on a host, let alone changed, without [`Host::lock`].
//! - Every wait has a time-out from [`Settings`], which only progress that the host can't
//!   make up can move: bytes that it accepts, or the next valid answer.
//! - What a host says about actions has to fit [`Exchange`](crate::plan::wire::Exchange);
//!   if it doesn't, the connection ends.
//! - Text from a host is bounded, cleaned of secrets by a [`Redactor`], and its control
//!   characters are escaped before it is used anywhere.
//!
//! `plan` decides which actions are run, in which order, and what a failure means for
//! what follows.

mod apply;
mod error;
mod gather;
mod host;
mod lock;
mod payload;
mod redact;
mod run;
mod settings;
mod shell;
mod stop;

pub use apply::{Locks, Progress, apply};
pub use error::{During, HostError};
pub use gather::{Gathered, Target, gather};
pub use host::{Host, Locked, NotLocked, Run};
pub use lock::Holder;
pub use payload::{Payload, Payloads};
pub use redact::Redactor;
pub use settings::{NoTimeOut, Settings, TimeOut};
pub use stop::Stop;
