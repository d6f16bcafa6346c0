//! The commands that print something derived from the CLI or from the folder, for other programs.

use clap::Args as ClapArgs;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct CompletionsOptions {
    /// The shell that reads the script
    pub(crate) shell: Shell,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ManOptions {
    /// Write a page for each command to this directory [default: print the first page]
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}
