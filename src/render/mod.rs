//! A plan, an event or a mistake as a person reads it. Nothing is computed here: what is
//! shown is what the plan says.

mod action;
mod applied;
mod diff;
mod header;
mod plan;
mod problems;
mod style;
mod unplanned;

pub use action::{action, ended, waiting};
pub use applied::{conclusion, died, skips};
pub use header::header;
pub use plan::{not_reached, overridden, plan, summary, unplanned};
pub use problems::{counted, problems, tally};
pub use style::{Style, Tone};
pub use unplanned::{help, holder, host_error, host_help, why};
