//! The SSH users: `keys.yaml`, today's `auth.yaml`.

use super::At;
use crate::resource::Secret;
use std::path::PathBuf;

/// A user of hosts, and the ways to prove to be it.
#[derive(Clone, Debug)]
pub struct Login {
    /// What hosts call it.
    pub name: At<String>,
    /// The user to log in as.
    pub user: At<String>,
    /// Private keys, to be tried in this order.
    pub keys: Vec<At<KeyFile>>,
    /// The password, after the keys.
    pub password: Option<At<Secret>>,
}

/// A file with an SSH private key. Nobody has looked whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// As written in the folder.
    pub written: String,
    /// Where to read it: below the folder where it was relative; one that
    /// starts with `~/` is left as it is, for whoever knows whose home that is.
    pub path: PathBuf,
}
