//! Renders plans, outcomes, findings and errors as text for people. This room only puts
//! values into words; other rooms compute the values.

mod action;
mod applied;
mod diff;
mod differs;
pub mod dns;
mod drift;
pub mod editor;
pub mod events;
mod explain;
mod facts;
mod finding;
pub mod graph;
mod header;
mod host_keys;
mod metrics;
mod natural;
mod plan;
mod problems;
pub mod report;
mod ssh;
mod stale;
mod style;
mod unplanned;
mod verify;

pub use action::{Moved, action, ended, failed_outcome, not_fetched, waiting};
pub use applied::{conclusion, died, failure, outcome, reason as skip_reason, skips};
pub use diff::file_diff;
pub use drift::{drift, drift_text};
pub use explain::{explain, id, ids};
use explain::{rule, rules};
pub use facts::facts;
pub use finding::{Wording, wording};
pub use header::{age, header};
pub use host_keys::{COMPARE_HOST_KEYS, host_keys, host_keys_in_line};
pub use metrics::metrics;
use plan::{not_compared, since};
pub use plan::{not_reached, overridden, page, plan, some_of, summary, text, unplanned};
use problems::excerpt;
pub use problems::{counted, problems, tally};
pub use stale::{stale, stale_help, unusable_file};
pub use style::{Style, Tone};
pub use unplanned::{help, holder, host_error, host_help, why};
pub use verify::{Greeted, NOT_REACHED, Verified, history};
