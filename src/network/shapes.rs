//! The shapes: `shapes.yaml`.

use super::At;
use crate::resource::ShapeName;
use std::path::PathBuf;

/// A template of nodes.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What it is called.
    pub name: At<ShapeName>,
    /// By today's names: the manual's `node` was read as `substrate`. Whether
    /// tau knows them is for others to say.
    pub services: Vec<At<String>>,
    /// What its nodes listen on.
    pub ports: Ports,
    /// Programs that its nodes load.
    pub plugins: Vec<At<Plugin>>,
}

/// The TCP ports of a node.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Where other nodes reach it.
    pub main: At<u16>,
    /// Where its own client listens, on loopback; a random one where absent.
    pub lite: Option<At<u16>>,
    /// Where its IPFS client listens; a random one where absent.
    pub ipfs: Option<At<u16>>,
}

/// A plugin and the file it is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// As written: `name@version`.
    pub name: String,
    /// `plugins/<name>@<version>` in the folder. Nobody has looked whether it
    /// is there.
    pub file: PathBuf,
}
