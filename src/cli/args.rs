//! What can be said on the command line.

use crate::plan::Selector;
use crate::remote::TimeOut;
use crate::resource::HostName;
use clap::{Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Exit codes: 0 done, or nothing to do; 1 errors, or partly done; 2 plan: changes; 3 plan: some
host couldn't be planned; 130 interrupted. Alone in a folder, spore says where one stands.";

/// Plan and apply Taubyte networks over SSH, declaratively and without an agent.
#[derive(Clone, Debug, Parser)]
#[command(name = "spore", version, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Its folder, or name below ~/.taubyte/networks
    #[arg(
        short,
        long,
        global = true,
        value_name = "PATH|NAME",
        env = "SPORE_NETWORK",
        hide_env_values = true
    )]
    pub(crate) network: Option<String>,
    /// Colour what is shown
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    // Without a help of their own, help stays one line an option.
    Auto,
    Always,
    Never,
}

impl From<Colour> for ColorChoice {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Auto => Self::Auto,
            Colour::Always => Self::Always,
            Colour::Never => Self::Never,
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// See all of it in ten seconds, on hosts that this machine pretends
    #[command(
        after_help = "Example: spore demo --pause\nNothing is installed, needs root or is left behind."
    )]
    Demo(DemoOptions),
    /// Name every mistake in the network's folder; no host is asked
    #[command(
        after_help = "Example, for a pull request from a fork: spore check --without-secrets --deny-warnings"
    )]
    Check(CheckOptions),
    /// Show what would change, and change nothing
    #[command(after_help = "Example: spore plan --target @host1")]
    Plan(PlanOptions),
    /// Show what changes, ask, and do exactly that
    #[command(after_help = "Example, in a pipeline: spore apply --yes")]
    Apply(ApplyOptions),
    /// Plan and apply this folder from nothing, on hosts that this machine pretends
    #[command(after_help = "Example: spore rehearse -n my-network\nNothing real is reached, and no key of \
    the folder gets anybody in anywhere.")]
    Rehearse,
    /// Clear a host of its nodes, before it is taken out of the YAML
    #[command(
        after_help = "Example: spore retire host3\nThen delete host3 from hosts.yaml, and from p2p.bootstrap \
    where it is named. What else has changed in the folder is part of the plan."
    )]
    Retire {
        /// The host to clear
        host: HostName,
        #[command(flatten)]
        options: ApplyOptions,
    },
    /// The tau that the network runs
    #[command(subcommand)]
    Tau(TauCommand),
    /// Make a new key, and write it to the standard output
    #[command(after_help = "Example: spore key swarm >keys/swarm.key\n\
    node: for `key:` of a node; swarm: for the file that lets nodes in; validation: the private half, which is enough.")]
    Key {
        /// What it is for
        kind: KeyKind,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    Node,
    Swarm,
    Validation,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct CheckOptions {
    /// Count warnings as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Check what can be checked without the keys, wherever they are
    #[arg(long)]
    pub(crate) without_secrets: bool,
}

/// What shapes a plan; the same wherever a plan is made.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct PlanOptions {
    /// Only these: shape@host, @host or shape@; may be given several times
    #[arg(short, long = "target", value_name = "SELECTOR")]
    pub(crate) targets: Vec<Selector>,
    /// Run this tau, whatever tau.yaml says for its architecture
    #[arg(long, value_name = "PATH")]
    pub(crate) tau: Option<PathBuf>,
    /// How many nodes are updated at a time [default: a quarter]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: Option<u16>,
    /// Remove the data of nodes that are removed
    #[arg(long)]
    pub(crate) purge_storage: bool,
    /// Make hosts of another network part of this one
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Leave a node that doesn't become healthy as it failed, instead of rolling it back
    #[arg(long)]
    pub(crate) no_revert: bool,
    /// Digest every file on the hosts, whatever an earlier apply has noted of it
    #[arg(long)]
    pub(crate) rehash: bool,
    /// Check host keys against this file instead of ~/.ssh/known_hosts
    #[arg(long, value_name = "FILE", env = "SPORE_KNOWN_HOSTS", hide_env_values = true)]
    pub(crate) known_hosts: Option<PathBuf>,
    /// Wait longer or shorter for something: settle=2.5, connect=30 …
    #[arg(
        long = "timeout",
        value_name = "NAME=SECONDS",
        env = "SPORE_TIMEOUT",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) timeouts: Vec<TimeOut>,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ApplyOptions {
    #[command(flatten)]
    pub(crate) plan: PlanOptions,
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// With --yes: agree to what can't be undone, too
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// Go on while at most so many hosts have failed; elders and canaries always stop what follows
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_failures: usize,
    /// Name every action, while staging too, and what takes long as it begins
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Where somebody else holds a host, wait so long for it and plan again
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) lock_wait: u64,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct DemoOptions {
    /// Wait for Enter before each step
    #[arg(long)]
    pub(crate) pause: bool,
    /// Leave the folder and the hosts there until Ctrl-C, to play with
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TauCommand {
    /// Write a binary's place and digest into tau.yaml
    #[command(after_help = "Example: spore tau pin https://example.com/tau_linux_amd64.tar.gz")]
    Pin {
        /// URLs or files: a tau, or a release's .tar.gz
        #[arg(required = true, value_name = "URL|FILE")]
        sources: Vec<String>,
    },
}
