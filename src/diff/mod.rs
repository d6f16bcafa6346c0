//! The differences between the desired and the current state of the hosts.
//!
//! Two steps: [`ground`] settles the goals that depend on a host, and
//! [`compare`] then compares two graphs mechanically: it names no service and no package.
//! The order of the changes is decided by `plan`.

mod change;
mod compare;
mod content;
mod ground;

pub use change::{Change, FieldChange, FileChange, Kind, Reason, ServiceChange, Verb};
pub use compare::{Changes, compare, runs_with};
pub use ground::{Grounded, Obstacle, ground};
