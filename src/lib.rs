//! `spore` plants and scales Taubyte networks over SSH: a folder of YAML says
//! what a network is, `spore` finds out what its hosts are, shows the
//! difference as an ordered plan, and applies that and nothing else.
//!
//! The modules are listed in the order in which they may know each other: code
//! imports only what stands above it (`tests/layers.rs` holds it to that).

pub mod resource;

pub mod identity;

pub mod artifact;

pub mod tau;

pub mod network;

pub mod check;

pub mod desired;

pub mod facts;

pub mod diff;

pub mod plan;

pub mod render;

pub mod ssh;

pub mod remote;

pub mod pretend;

pub mod cli;
