//! The differences between the desired and the current state of a host.
//!
//! Two steps: [`ground`] settles the goals that depend on the host, and
//! [`compare`] then compares two graphs mechanically: it names no service and no package.
//! A host is compared on its own. The order of the changes is decided by `plan`.

mod change;
mod compare;
mod content;
mod ground;

pub use change::{Change, FieldChange, FileChange, Kind, Reason, ServiceChange, Verb};
pub use compare::{Terms, compare, runs_with};
pub use ground::{Grounded, Obstacle, ground};
