//! The commands that print something derived from the CLI or from the folder, for other programs.

use super::FolderOptions;
use crate::daemon::resolver::DNS_PORT;
use clap::{Args as ClapArgs, ValueEnum};
use clap_complete::Shell;
use std::net::{IpAddr, SocketAddr};
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

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct SchemaOptions {
    /// Print the schema of this file of the folder, such as hosts.yaml or hosts/h1.yaml
    pub(crate) file: Option<PathBuf>,
    /// Write all schemas to this directory, and print the line that each file begins with
    #[arg(short, long, value_name = "DIR", conflicts_with = "file")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct LspOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Allow secret files to be missing, and skip their checks
    #[arg(long)]
    pub(crate) without_secrets: bool,
    // Some editors pass it to every server.
    /// Speak over standard input and output, which is the only way
    #[arg(long, hide = true)]
    stdio: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct GraphOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Also show when each node's turn comes in this plan, which `spore plan -o` has saved
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// How to draw the network
    #[arg(long, value_name = "FORMAT", default_value = "svg")]
    pub(crate) format: GraphFormat,
}

/// How a network is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// An image
    Svg,
    /// For Markdown on GitHub and GitLab
    Mermaid,
    /// For Graphviz
    Dot,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct DnsOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// How to write the records
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: DnsFormat,
    /// For octodns: a zone that has records; may be repeated [default: the root domain, and the parent of generated domains]
    #[arg(long = "zone", value_name = "ZONE")]
    pub(crate) zones: Vec<String>,
    /// Ask the domain's own name servers for the records, and report what is missing or wrong
    #[arg(long, conflicts_with_all = ["format", "zones"])]
    pub(crate) check: bool,
    /// With --check: ask this name server instead, for instance before the domain is delegated to it; may be repeated
    #[arg(long = "name-server", value_name = "IP[:PORT]", requires = "check", value_parser = name_server)]
    pub(crate) name_servers: Vec<SocketAddr>,
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
    with_port
        .or(address)
        .map_err(|_| "a name server is written as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53".to_owned())
}

/// How DNS records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DnsFormat {
    /// For people
    Table,
    /// Lines of a zone file
    Zone,
    /// For scripts; versioned, with a JSON Schema
    Json,
    /// The YAML of octoDNS
    Octodns,
}
