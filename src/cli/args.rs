//! The command line: commands, options and their help.

mod author;
mod tools;

pub(crate) use author::{
    BootstrapCommand, ConvertOptions, DialectArg, DomainArg, EditOptions, HostAddOptions, HostCommand,
    HostImportOptions, ImportHost, ImportOptions, InitOptions, KeyAddOptions, KeyCommand, ListFormat,
    NodeArg, ShapeCommand, ShapeOptions,
};
pub(crate) use tools::{
    CompletionsOptions, DnsFormat, DnsOptions, GraphFormat, GraphOptions, LspOptions, ManOptions,
    SchemaOptions,
};

use crate::artifact::Fetch;
use crate::network::{Links, Outside};
use crate::plan::Selector;
use crate::remote::TimeOut;
use crate::resource::{HostName, SecretBytes};
use clap::builder::PossibleValue;
use clap::{Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

const AFTER_HELP: &str = "\
Also: init, import, convert, networks, host, shape, bootstrap, keys, identity, graph, dns, schema,
lsp, completions, man. Without a command: a summary of the folder.
Exit codes: 0 done, 1 error, 2 changes, 3 a host couldn't be planned, 4 declined, 130 interrupted.";

/// Plan and apply Taubyte networks over SSH, declaratively and without an agent.
#[derive(Clone, Debug, Parser)]
#[command(name = "spore", version, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The folder, or its name in ~/.taubyte/networks
    #[arg(
        short,
        long,
        global = true,
        value_name = "PATH|NAME",
        value_hint = ValueHint::DirPath,
        env = "SPORE_NETWORK",
        hide_env_values = true
    )]
    pub(crate) network: Option<String>,
    /// Print only the last line, and errors; if it fails, print everything
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    // The values have no help texts, so that the help needs only one line for the option.
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
    /// Demonstrate spore in ten seconds, on simulated hosts
    #[command(
        after_help = "Example: spore demo --pause\nIt needs no root, installs nothing and leaves nothing behind."
    )]
    Demo(DemoOptions),
    /// Check the folder for mistakes; contacts no host
    #[command(
        after_help = "Example, for a pull request from a fork: spore check --without-secrets --deny-warnings\n\
    To understand a finding, pass its id, which is printed above it: spore check --explain ports/clash"
    )]
    Check(CheckOptions),
    /// Show what would change on the hosts; changes nothing
    #[command(
        after_help = "Example: spore plan --target @host1\nTo apply exactly this plan later, save it: spore plan -o plan.json, then spore apply plan.json"
    )]
    Plan(PlanArgs),
    /// Show the plan, ask for confirmation, and apply exactly that plan
    #[command(
        after_help = "Example, in a pipeline: spore plan -o plan.json, and after its review: spore apply plan.json --yes"
    )]
    Apply(ApplyArgs),
    /// Show a saved plan; reads no folder and contacts no host
    #[command(after_help = "Example: spore show plan.json")]
    Show(ShowOptions),
    /// Show what is on the hosts, or save it for planning without them
    #[command(after_help = "Example: spore facts -o facts.json\nThen: spore plan --facts facts.json")]
    Facts(FactsOptions),
    /// Show what has changed on the hosts themselves since the last apply; changes nothing
    #[command(
        after_help = "Exit codes: 0 in sync, 2 drift, 3 some host couldn't be checked, 1 error.\nExample, on a cron: spore drift"
    )]
    Drift(DriftOptions),
    /// Rehash what the last apply left, and check that the nodes answer; changes nothing
    #[command(
        after_help = "Exit codes: 0 as the apply left it, 2 something differs or a node is failing, 3 some host couldn't be checked, 1 error.\nExample: spore verify host1"
    )]
    Verify(HostsOptions),
    /// List the applies that each host has a record of
    #[command(after_help = "Example: spore history host1")]
    History(HostsOptions),
    /// Plan and apply this folder from scratch, on simulated hosts
    #[command(after_help = "Example: spore rehearse -n my-network\nNo real host is contacted, and \
    the folder's SSH keys aren't used.")]
    Rehearse(FolderOptions),
    /// Remove the network from a host, before you delete the host from the folder
    #[command(after_help = "Example: spore retire host3\nThen delete host3 from hosts.yaml, and from \
    p2p.bootstrap if it is listed there. Other differences are left alone.",
    mut_arg("targets", |targets| targets.hide(true)))]
    Retire(RetireOptions),
    /// Show the keys of hosts that aren't known yet, and add them to known_hosts
    #[command(
        after_help = "Example: spore trust host1\nThe keys are added to the file known_hosts in the folder, so that others who use the folder\nneedn't do the same. Only jump hosts on the way are logged in to. A changed or revoked key is never added.",
        mut_arg("rehash", |rehash| rehash.hide(true)),
        mut_arg("accept_new_host_keys", |accept| accept.hide(true)),
        mut_arg("ask_sudo_password", |ask| ask.hide(true))
    )]
    Trust(TrustOptions),
    /// Manage the tau that the network runs
    #[command(subcommand)]
    Tau(TauCommand),
    /// Print a new key, or add a login to the folder
    #[command(subcommand, after_help = "Example: spore key swarm >keys/swarm.key")]
    Key(KeyCommand),
    /// Have hosts generate the keys of nodes
    #[command(subcommand, hide = true, after_help = "Example: spore keys make")]
    Keys(KeysCommand),
    /// Replace the key and the id of a node
    #[command(subcommand, hide = true, after_help = "Example: spore identity rotate members@h3")]
    Identity(IdentityCommand),
    /// Create the folder of a new network
    #[command(
        hide = true,
        after_help = "Example: spore init example.org my-network --user root --key ~/.ssh/id_ed25519\nOn a \
        terminal, it prompts for what isn't given."
    )]
    Init(InitOptions),
    /// Write the folder of a network whose hosts are deployed already
    #[command(
        hide = true,
        after_help = "Example: spore import --folder my-network root@203.0.113.1 root@203.0.113.2\nIt changes \
        nothing on the hosts. The nodes' private keys stay there; the network's own keys are read.",
        mut_arg("rehash", |rehash| rehash.hide(true)),
        mut_arg("verbose", |verbose| verbose.hide(true))
    )]
    Import(ImportOptions),
    /// Write the folder in the other dialect: the manual's, or upstream's
    #[command(
        hide = true,
        after_help = "Example: spore -n my-network convert --to upstream --dry-run\nThe network stays the \
        same, which is verified before anything is written. Comments are kept."
    )]
    Convert(ConvertOptions),
    /// List the networks in ~/.taubyte/networks
    #[command(hide = true, after_help = "Example: spore networks\nThen: spore -n NAME plan")]
    Networks,
    /// Add or remove a host in the folder
    #[command(
        subcommand,
        hide = true,
        after_help = "Example: spore host add h4 --addr 203.0.113.4 --ssh root@203.0.113.4 --shape members"
    )]
    Host(HostCommand),
    /// Add, change or remove a shape in the folder
    #[command(
        subcommand,
        hide = true,
        after_help = "Example: spore shape set members --services tns,hoarder --lite 4247"
    )]
    Shape(ShapeCommand),
    /// Add or remove elders in the folder (p2p.bootstrap)
    #[command(subcommand, hide = true, after_help = "Example: spore bootstrap add elders@h4")]
    Bootstrap(BootstrapCommand),
    /// Draw the network: hosts, nodes, and which node dials which; contacts no host
    #[command(
        hide = true,
        after_help = "Example: spore graph >network.svg\n\
        With the waves of a plan: spore plan -o plan.json, then spore graph --plan plan.json >plan.svg"
    )]
    Graph(GraphOptions),
    /// Print the DNS records that the domain's owner must set, or check them; contacts no host
    #[command(
        hide = true,
        after_help = "Example: spore dns\nFor a zone file: spore dns --format zone\nWhen they are set: spore dns \
        --check\nExit codes of --check: 0 all are right, 2 some are missing or wrong, 3 a server didn't answer, 1 error."
    )]
    Dns(DnsOptions),
    /// Print the JSON Schemas of the folder's files, for editors
    #[command(
        hide = true,
        after_help = "Example: spore schema -o .schemas\n\
        Each file then begins with its line, which the YAML language server of an editor looks for."
    )]
    Schema(SchemaOptions),
    /// Serve an editor: findings, hover, completion (Language Server Protocol)
    #[command(
        hide = true,
        after_help = "Example, for Helix: language-servers = [\"spore\"], with command = \"spore\" and args = [\"lsp\"]\n\
        An editor starts it; README.md has its settings for VS Code, Neovim and Helix."
    )]
    Lsp(LspOptions),
    /// Print the script with which a shell completes spore's commands and options
    #[command(
        hide = true,
        after_help = "Example, for bash: spore completions bash >~/.local/share/bash-completion/completions/spore\n\
    For fish, write ~/.config/fish/completions/spore.fish; for zsh, a file _spore in a directory of $fpath."
    )]
    Completions(CompletionsOptions),
    /// Print the man page of spore, or write the pages of all commands
    #[command(
        hide = true,
        after_help = "Example: spore man ~/.local/share/man/man1\nThen: man spore, man spore-plan"
    )]
    Man(ManOptions),
}

/// Options of every command that reads the whole folder.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct FolderOptions {
    /// Follow symbolic links to secrets that lead out of the folder
    #[arg(long)]
    follow_links: bool,
    /// Look here for secret files that aren't in the folder
    #[arg(long, value_name = "DIR", env = "SPORE_SECRETS", hide_env_values = true)]
    secrets: Option<PathBuf>,
}

impl FolderOptions {
    pub(crate) fn outside(&self) -> Outside {
        let links = if self.follow_links { Links::Followed } else { Links::Inside };
        Outside { links, secrets: self.secrets.clone() }
    }
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Allow secret files to be missing, and skip their checks
    #[arg(long)]
    pub(crate) without_secrets: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
    /// Explain the check with this id, and why it matters; reads no folder
    #[arg(long, value_name = "ID", conflicts_with_all = ["follow_links", "deny_warnings", "without_secrets", "format"])]
    pub(crate) explain: Option<String>,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For scripts; versioned, with a JSON Schema
    Json,
    /// For a comment on a pull request
    Markdown,
    /// For code scanners
    Sarif,
    /// For the test results of a pipeline
    Junit,
    /// Annotations and the step summary of GitHub Actions
    Github,
}

/// How drift is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriftFormat {
    Report(Format),
    Prometheus,
}

impl ValueEnum for DriftFormat {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: &[DriftFormat] = &[
            DriftFormat::Report(Format::Text),
            DriftFormat::Report(Format::Json),
            DriftFormat::Report(Format::Markdown),
            DriftFormat::Report(Format::Sarif),
            DriftFormat::Report(Format::Junit),
            DriftFormat::Report(Format::Github),
            DriftFormat::Prometheus,
        ];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Report(format) => format.to_possible_value(),
            Self::Prometheus => {
                Some(PossibleValue::new("prometheus").help("For node_exporter's textfile collector"))
            }
        }
    }
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanFormat {
    Report(Format),
    Html,
}

impl ValueEnum for PlanFormat {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: &[PlanFormat] = &[
            PlanFormat::Report(Format::Text),
            PlanFormat::Report(Format::Json),
            PlanFormat::Report(Format::Markdown),
            PlanFormat::Report(Format::Sarif),
            PlanFormat::Report(Format::Junit),
            PlanFormat::Report(Format::Github),
            PlanFormat::Html,
        ];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Report(format) => format.to_possible_value(),
            Self::Html => Some(PossibleValue::new("html").help("One self-contained page, with a map")),
        }
    }
}

/// Who downloads tau.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FetchArg {
    // The values have no help texts, so that the help needs only one line for the option.
    Send,
    Hosts,
}

impl From<FetchArg> for Fetch {
    fn from(fetch: FetchArg) -> Self {
        match fetch {
            FetchArg::Send => Self::Send,
            FetchArg::Hosts => Self::Hosts,
        }
    }
}

/// Options of every command that makes a plan.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Plan only these nodes: shape@host, @host or shape@; may be repeated
    #[arg(short, long = "target", value_name = "SELECTOR")]
    pub(crate) targets: Vec<Selector>,
    /// Use this tau instead of the one pinned for its architecture
    #[arg(long, value_name = "PATH")]
    pub(crate) tau: Option<PathBuf>,
    /// Who downloads tau, whatever tau.yaml says: spore, which sends it, or each host itself
    #[arg(long, value_name = "WHO")]
    pub(crate) fetch: Option<FetchArg>,
    /// Restart this many nodes at a time [default: a quarter of them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: Option<u16>,
    /// Also remove the data of nodes that are removed
    #[arg(long)]
    pub(crate) purge_storage: bool,
    /// Retire hosts that were deleted from the folder while their nodes were still running
    #[arg(long, conflicts_with = "targets")]
    pub(crate) prune: bool,
    /// Take over hosts that run nodes of another network
    #[arg(long)]
    pub(crate) take_over: bool,
    /// If a node doesn't become healthy, leave it as it is instead of rolling it back
    #[arg(long)]
    pub(crate) no_revert: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

/// Options of every command that contacts the hosts.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ConnectionOptions {
    /// Ignore cached digests and rehash every file
    #[arg(long)]
    pub(crate) rehash: bool,
    /// Check host keys against this file alone
    #[arg(long, value_name = "FILE", env = "SPORE_KNOWN_HOSTS", hide_env_values = true)]
    pub(crate) known_hosts: Option<PathBuf>,
    /// Ignore the SSH configuration (~/.ssh/config); only the folder says how hosts are reached
    #[arg(long, env = "SPORE_NO_SSH_CONFIG", hide_env_values = true)]
    pub(crate) no_ssh_config: bool,
    /// Print every action, also when it begins, and the SSH options that spore doesn't support
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Add the keys of hosts that known_hosts doesn't list, for first contact from a pipeline
    #[arg(long)]
    pub(crate) accept_new_host_keys: bool,
    /// Prompt for the password that sudo asks for on the hosts (or set SPORE_SUDO_PASSWORD)
    #[arg(long)]
    pub(crate) ask_sudo_password: bool,
    /// Set a time-out, e.g. settle=2.5 or connect=30 (README.md lists them)
    #[arg(
        long = "timeout",
        value_name = "NAME=SECONDS",
        env = "SPORE_TIMEOUT",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) timeouts: Vec<TimeOut>,
    /// What the user has typed as the password for sudo, so that nobody is asked twice.
    #[arg(skip)]
    pub(crate) sudo: Arc<OnceLock<SecretBytes>>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) plan: PlanOptions,
    /// Save the plan, to be shown or applied later
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Plan from facts that `spore facts` has saved; contacts no host
    #[arg(long, value_name = "FILE", conflicts_with = "rehash")]
    pub(crate) facts: Option<PathBuf>,
    /// Allow secrets to be missing, and don't compare what depends on them
    #[arg(long)]
    pub(crate) without_secrets: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: PlanFormat,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ShowOptions {
    /// A plan that `spore plan -o` has saved
    pub(crate) plan: PathBuf,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct FactsOptions {
    #[command(flatten)]
    pub(crate) hosts: HostsOptions,
    /// Save the facts, which contain no secrets
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of the commands that only read from hosts.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct HostsOptions {
    /// Only these hosts
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<HostName>,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Generate the keys of nodes that have neither a key nor an id, each on its host
    #[command(
        after_help = "Example: spore keys make h4\n`spore apply` does this first. The private keys never leave the hosts; only the ids of the\nnodes are returned, and written into the folder. A host that has the key of a node keeps it.",
        mut_arg("rehash", |rehash| rehash.hide(true))
    )]
    Make(HostsOptions),
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Give a node another key and id, and show the plan: the node's change, and all that it entails
    #[command(
        after_help = "Example: spore identity rotate members@h3\nA key in the folder is replaced there; a key that only the host has is replaced by its host,\nwhich keeps the old one until the apply. Exit codes: as for spore plan.",
        mut_arg("rehash", |rehash| rehash.hide(true))
    )]
    Rotate(RotateOptions),
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct RotateOptions {
    /// The node
    #[arg(value_name = "SHAPE@HOST")]
    pub(crate) node: NodeArg,
    /// Only show the difference; write nothing, and contact no host
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct TrustOptions {
    /// These hosts, instead of all that aren't known
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<HostName>,
    /// Don't prompt
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct DriftOptions {
    #[command(flatten)]
    pub(crate) plan: PlanOptions,
    /// Compare facts that `spore facts` has saved; contacts no host
    #[arg(long, value_name = "FILE", conflicts_with = "rehash")]
    pub(crate) facts: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: DriftFormat,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ApplyArgs {
    /// Apply exactly this saved plan, or nothing
    #[arg(value_name = "PLAN", conflicts_with_all = ["targets", "batch", "purge_storage", "prune", "take_over", "no_revert", "fetch"])]
    pub(crate) saved: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) apply: ApplyOptions,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ApplyOptions {
    #[command(flatten)]
    pub(crate) plan: PlanOptions,
    /// Don't prompt
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// With --yes: include the destructive changes
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// Continue while at most N hosts have failed; a failed elder or canary always stops the apply
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_failures: usize,
    /// Write what happens as NDJSON to this file, or to standard output (-)
    #[arg(long, value_name = "FILE|-")]
    pub(crate) events: Option<PathBuf>,
    /// If another apply has locked a host, wait this long for it, then plan again
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) lock_wait: u64,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct RetireOptions {
    /// The host to retire
    pub(crate) host: HostName,
    /// The host is gone for good: don't contact it, only remove it from the others' configurations
    #[arg(long)]
    pub(crate) gone: bool,
    #[command(flatten)]
    pub(crate) apply: ApplyOptions,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct DemoOptions {
    /// Wait for Enter before each step
    #[arg(long)]
    pub(crate) pause: bool,
    /// Keep the folder and the hosts until Ctrl-C, to experiment with
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TauCommand {
    /// Record a tau's location and digest in tau.yaml
    #[command(
        after_help = "The architecture and the version are read from the binary, and any other program\nis rejected.\n\nExample: spore tau pin https://example.com/tau_linux_amd64.tar.gz"
    )]
    Pin {
        /// URLs or files: a tau binary, or a release's .tar.gz
        #[arg(required = true, value_name = "URL|FILE")]
        sources: Vec<String>,
    },
}
