//! A plan or an event as a person reads it. Nothing is computed here: what is
//! shown is what the plan says.

mod action;
mod diff;
mod plan;
mod style;

pub use action::ended;
pub use plan::{plan, summary};
pub use style::{Style, Tone};
