//! The differences between the desired and the current state of a host.
//!
//! The comparison has two steps. [`ground()`] turns goals into desired resources, according
//! to the conditions of the host. [`compare()`] then compares the graph of desired
//! resources with the graph of current ones mechanically, without knowing any service or
//! package by name. Each host is compared on its own. `plan` decides the order of the
//! changes.

mod change;
mod compare;
mod content;
mod ground;

pub use change::{Change, FieldChange, FileChange, Kind, Reason, ServiceChange, Verb};
pub use compare::{Terms, compare, runs_with};
pub use ground::{Grounded, Obstacle, ground};
