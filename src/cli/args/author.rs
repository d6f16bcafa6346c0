//! The commands that create the folder and edit it.

use super::{ConnectionOptions, FolderOptions};
use crate::author::{Degrees, Sshd, inventory};
use crate::network::Secrets;
use crate::resource::{Daemon, HostName, NodeName, ShapeName};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct InitOptions {
    /// The network's root domain
    pub(crate) domain: Option<DomainArg>,
    /// The folder, which must be new or empty [default: ~/.taubyte/networks/DOMAIN]
    pub(crate) folder: Option<PathBuf>,
    /// The parent domain of generated domains [default: g.DOMAIN]
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) generated: Option<DomainArg>,
    /// The SSH user of the hosts [default: root]
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The user's private key [default: the keys of your SSH agent]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<String>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ImportOptions {
    /// The hosts
    #[arg(required = true, value_name = "[NAME=]USER@HOST[:PORT]")]
    pub(crate) hosts: Vec<ImportHost>,
    /// The new folder [default: ~/.taubyte/networks/DOMAIN]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The users' private key [default: the keys of your SSH agent]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<String>,
    /// A jump host on the way to all hosts; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) jump: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

/// A host that isn't in a folder yet.
#[derive(Clone, Debug)]
pub(crate) struct ImportHost {
    /// How the user has written it.
    pub(crate) said: String,
    pub(crate) name: Option<HostName>,
    pub(crate) user: String,
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
}

impl FromStr for ImportHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, way) = match text.split_once('=') {
            Some((name, way)) => (Some(name), way),
            None => (None, text),
        };
        let name = name.map(|name| name.parse().map_err(|_| format!("`{name}` can't be the name of a host")));
        let Sshd { user, address, port } = way.parse::<Sshd>().map_err(|error| error.to_string())?;
        let user = user.ok_or_else(|| format!("name the user to log in as: root@{way}"))?;
        let address = address.unwrap_or_default();
        Ok(Self { said: text.to_owned(), name: name.transpose()?, user, address, port })
    }
}

/// A domain as DNS allows it, in lower case.
#[derive(Clone, Debug)]
pub(crate) struct DomainArg(pub(crate) String);

impl FromStr for DomainArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim_end_matches('.');
        let is_label = |label: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let edges = label.starts_with('-') || label.ends_with('-');
            (1..=63).contains(&label.len()) && label.chars().all(plain) && !edges
        };
        match name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) {
            true => Ok(Self(name.to_owned())),
            false => Err("a domain is written like example.org, in lower case".to_owned()),
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print a node's key, for its `key:` or `key_file:` in hosts.yaml
    Node,
    /// Print a swarm key, for the file in `p2p.swarm.key`
    Swarm,
    /// Print a validation key, for the file in `domain.validation.key.private`
    Validation,
    /// Add a login to auth.yaml (keys.yaml)
    #[command(after_help = "Example: spore key add admin --user root --file ~/.ssh/id_ed25519\n\
    Without a file, the keys of your SSH agent are tried.")]
    Add(KeyAddOptions),
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct KeyAddOptions {
    /// The name of the login, which hosts refer to
    pub(crate) name: String,
    /// The SSH user [default: NAME]
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// A file with a private key; may be repeated
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<String>,
    #[command(flatten)]
    pub(crate) edit: EditOptions,
}

/// Options of every command that edits the folder.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct EditOptions {
    /// Only show the difference; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Allow secret files to be missing, and skip their checks
    #[arg(long)]
    pub(crate) without_secrets: bool,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
}

impl EditOptions {
    pub(crate) fn secrets(&self) -> Secrets {
        if self.without_secrets { Secrets::Elsewhere } else { Secrets::Needed }
    }
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ConvertOptions {
    /// The dialect
    #[arg(long, value_name = "DIALECT")]
    pub(crate) to: DialectArg,
    #[command(flatten)]
    pub(crate) edit: EditOptions,
}

/// A dialect of the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectArg {
    // The values have no help texts, so that the help needs only one line for the option.
    Manual,
    Upstream,
}

impl DialectArg {
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Manual => "the manual's dialect",
            Self::Upstream => "upstream's dialect",
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Add a host, with a new key for each of its nodes
    #[command(
        after_help = "Example: spore host add h4 --addr 203.0.113.4 --ssh root@203.0.113.4 --shape members\n\
    The key of each node is generated into keys/SHAPE@HOST.key, which only you can read."
    )]
    Add(HostAddOptions),
    /// Add the hosts of a list: CSV, Terraform, Ansible or an SSH configuration
    #[command(after_help = "Example: terraform output -json | spore host import - --format terraform\n\
    Hosts that are in the folder already are left as they are. README.md describes the formats.")]
    Import(HostImportOptions),
    /// Remove a host, also from the elders
    #[command(
        after_help = "Example: spore host remove h4\nRun `spore retire h4` first, or `spore apply --prune` \
    afterwards: the folder is only the description of the network."
    )]
    Remove {
        /// The host
        host: HostName,
        #[command(flatten)]
        edit: EditOptions,
    },
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct HostAddOptions {
    /// The name of the host
    pub(crate) name: HostName,
    /// The IP address that other nodes dial; may be repeated
    #[arg(long, required = true, value_name = "IP")]
    pub(crate) addr: Vec<String>,
    /// Its sshd [default: the first IP, port 22]
    #[arg(long, value_name = "[USER@]ADDR[:PORT]")]
    pub(crate) ssh: Option<Sshd>,
    /// A jump host on the way to it; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) jump: Vec<String>,
    /// A login of the folder [default: that of USER, or of the other hosts]; may be repeated
    #[arg(long, value_name = "LOGIN")]
    pub(crate) key: Vec<String>,
    /// A shape of which it gets a node; may be repeated
    #[arg(long = "shape", value_name = "SHAPE")]
    pub(crate) shapes: Vec<ShapeName>,
    /// Where it is, in degrees
    #[arg(long, value_name = "LAT,LONG", allow_hyphen_values = true)]
    pub(crate) gps: Option<Degrees>,
    /// Let it generate the keys of its nodes, which then never leave it
    #[arg(long)]
    pub(crate) keys_on_host: bool,
    #[command(flatten)]
    pub(crate) edit: EditOptions,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct HostImportOptions {
    /// The list; - is standard input
    pub(crate) file: PathBuf,
    /// Only these hosts of the list
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<HostName>,
    /// Its format [default: by the name of the file]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ListFormat>,
    /// A login of hosts for which the list names none; may be repeated
    #[arg(long, value_name = "LOGIN")]
    pub(crate) key: Vec<String>,
    /// A shape of hosts for which the list names none; may be repeated
    #[arg(long = "shape", value_name = "SHAPE")]
    pub(crate) shapes: Vec<ShapeName>,
    /// Let the hosts generate the keys of their nodes, which then never leave them
    #[arg(long)]
    pub(crate) keys_on_host: bool,
    #[command(flatten)]
    pub(crate) edit: EditOptions,
}

/// The format of a list of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    // The values have no help texts, so that the help needs only one line for the option.
    Csv,
    Terraform,
    Ansible,
    SshConfig,
}

impl From<ListFormat> for inventory::Format {
    fn from(format: ListFormat) -> Self {
        match format {
            ListFormat::Csv => Self::Csv,
            ListFormat::Terraform => Self::Terraform,
            ListFormat::Ansible => Self::Ansible,
            ListFormat::SshConfig => Self::SshConfig,
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ShapeCommand {
    /// Add a shape
    #[command(after_help = "Example: spore shape add members --main 4242 --services tns,hoarder")]
    Add {
        /// The name of the shape
        name: ShapeName,
        /// The TCP port that other nodes dial
        #[arg(long, value_name = "PORT")]
        main: u16,
        #[command(flatten)]
        options: ShapeOptions,
        #[command(flatten)]
        edit: EditOptions,
    },
    /// Change a shape
    #[command(after_help = "Example: spore shape set members --services tns,hoarder --lite 4247")]
    Set {
        /// The shape
        name: ShapeName,
        /// The TCP port that other nodes dial
        #[arg(long, value_name = "PORT")]
        main: Option<u16>,
        #[command(flatten)]
        options: ShapeOptions,
        #[command(flatten)]
        edit: EditOptions,
    },
    /// Remove a shape that no host uses
    #[command(after_help = "Example: spore shape remove members")]
    Remove {
        /// The shape
        name: ShapeName,
        #[command(flatten)]
        edit: EditOptions,
    },
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct ShapeOptions {
    /// All its services; an empty text for none
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) services: Option<Vec<String>>,
    /// The port of the node's own client, on loopback
    #[arg(long, value_name = "PORT")]
    pub(crate) lite: Option<u16>,
    /// The port of its IPFS client
    #[arg(long, value_name = "PORT")]
    pub(crate) ipfs: Option<u16>,
    /// All its plugins (files in plugins/); an empty text for none
    #[arg(long, value_name = "NAME@VERSION,…", value_delimiter = ',')]
    pub(crate) plugins: Option<Vec<String>>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BootstrapCommand {
    /// Add nodes to the elders, which all other nodes dial first
    #[command(after_help = "Example: spore bootstrap add elders@h4")]
    Add {
        /// The nodes
        #[arg(required = true, value_name = "SHAPE@HOST")]
        nodes: Vec<NodeArg>,
        #[command(flatten)]
        edit: EditOptions,
    },
    /// Remove nodes from the elders; the nodes themselves stay
    #[command(after_help = "Example: spore bootstrap remove elders@h4")]
    Remove {
        /// The nodes
        #[arg(required = true, value_name = "SHAPE@HOST")]
        nodes: Vec<NodeArg>,
        #[command(flatten)]
        edit: EditOptions,
    },
}

/// A node, `SHAPE@HOST`.
#[derive(Clone, Debug)]
pub(crate) struct NodeArg(pub(crate) NodeName);

impl FromStr for NodeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (shape, host) = text.split_once('@').ok_or("a node is written as SHAPE@HOST")?;
        let shape = shape.parse().map_err(|_| format!("`{shape}` can't be the name of a shape"))?;
        let host = host.parse().map_err(|_| format!("`{host}` can't be the name of a host"))?;
        Ok(Self(NodeName { shape, host, daemon: Daemon::Tau }))
    }
}
