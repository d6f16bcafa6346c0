//! What is said to a host: facts are gathered, a lock is taken, actions are
//! run.
//!
//! Enter at [`gather`], which connects to all hosts at once and asks each for
//! its facts; go on with [`Host::lock`] and [`Locked::run`].
//!
//! What always holds:
//! - One connection a host, and one shell on it, as root. Scripts, arguments
//!   and secrets reach it over its standard input only.
//! - Without [`Host::lock`] nothing is changed on a host, and nothing written.
//! - Every wait ends, by [`Settings`].
//! - What a host says is bounded, searched for secrets by a [`Redactor`], and
//!   its control characters are escaped, before it becomes part of anything.
//!
//! What is done, in which order, and what a failure means for what follows, is
//! decided in `plan`.

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
mod text;

pub use apply::{Locks, Progress, Stop, apply};
pub use error::{During, HostError};
pub use gather::{Gathered, Target, gather};
pub use host::{Host, Locked, NotLocked, Run};
pub use lock::Holder;
pub use payload::{Payload, Payloads};
pub use redact::Redactor;
pub use settings::{NoTimeOut, Settings, TimeOut};
