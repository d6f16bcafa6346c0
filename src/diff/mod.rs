//! The differences between the desired and the current state of a host.
//!
//! There are two steps: [`ground()`] resolves the goals that depend on the host, then
//! [`compare()`] compares two graphs mechanically, without naming a service or a package.
//! Each host is compared on its own. The order of the changes is left to `plan`.

mod change;
mod compare;
mod content;
mod ground;

pub use change::{Change, ChangeKind, FieldChange, FileChange, Reason, ServiceChange, Verb};
pub use compare::{CompareOptions, compare, runs_with};
pub use content::{Uncompared, uncompared};
pub use ground::{Grounded, Obstacle, ground};
