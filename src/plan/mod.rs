//! (to be written)
pub mod action;
