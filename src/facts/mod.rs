//! (mine for now)
mod conditions;
pub use conditions::*;
