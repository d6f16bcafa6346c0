//! `spore` is a declarative reconciler for Taubyte networks. A folder of YAML describes a
//! network; `spore` inspects its hosts over SSH, shows the differences as an ordered plan,
//! and applies exactly that plan.
//!
//! The modules are listed in dependency order: each imports only modules above it
//! (enforced by `tests/layers.rs`).

pub mod resource;

pub mod yaml;

pub mod identity;

pub mod ssh;

pub mod artifact;

pub mod daemon;

pub mod finding;

pub mod network;

pub mod check;

pub mod edit;

pub mod author;

pub mod desired;

pub mod dns;

pub mod facts;

pub mod adopt;

pub mod diff;

pub mod plan;

pub mod editor;

pub mod render;

pub mod remote;

pub mod pretend;

pub mod cli;

#[cfg(test)]
#[path = "../tests/support/cases.rs"]
mod cases;
