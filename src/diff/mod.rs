//! What differs between what the hosts should be and what they are.
//!
//! Two steps: [`ground`] settles the goals that depend on a host, and
//! [`compare`] then holds two graphs against each other, mechanically: it
//! names no service and no package. In which order changes are made is for the
//! plan.

mod change;
mod compare;
mod content;
mod ground;

pub use change::{Change, FieldChange, FileChange, Kind, Reason, ServiceChange, Verb};
pub use compare::{Changes, compare, runs_with};
pub use ground::{Grounded, Obstacle, ground};
