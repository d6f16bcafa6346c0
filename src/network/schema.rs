//! JSON Schemas of the folder's files, for editors: [`SCHEMAS`].
//!
//! The structs here mirror the files, in both dialects, and their doc comments are what an editor shows.
//! Nothing is read into them: reading keeps the places of values, and explains each mistake, which a
//! schema can't do. A schema rejects no file in which the reader finds no error (`tests/folders`), so it
//! leaves alone what depends on other files, or on whether something is used.
#![expect(dead_code, reason = "only the schemas of the structs are used")]

mod misspelt;
mod values;

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::Value;
use values::{
    Address, AnyName, Architecture, Digest, DomainName, Entries, Fetch, HostName, Jump, Key, Login, Name,
    Number, OneOrMore, PeerId, Plugin, Port, Service, Size, SshAddress, Text, UserName, Version, VisiblePath,
    WebAddress, announced, any_of, no_misspelt, not_both,
};

/// The schema of some files of the folder.
#[derive(Clone, Copy, Debug)]
pub struct FileSchema {
    /// The name of the schema, without an extension.
    pub name: &'static str,
    /// The files that it describes, by their paths in the folder. `*` stands for any name.
    pub files: &'static [&'static str],
    make: fn() -> Schema,
}

impl FileSchema {
    /// The schema of the file at this path in the folder. `None` if spore doesn't read such a file.
    pub fn of(path: &str) -> Option<&'static Self> {
        let stem = super::component::stem(path)?;
        let is_entry = |name: &str| !name.contains('/') && !name.starts_with('.');
        let describes = |file: &&str| match (file.strip_suffix("*.yaml"), file.strip_suffix(".yaml")) {
            (Some(folder), _) => stem.strip_prefix(folder).is_some_and(is_entry),
            (None, name) => name == Some(stem),
        };
        SCHEMAS.iter().find(|schema| schema.files.iter().any(describes))
    }

    /// The schema itself, which is pretty-printed JSON.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.value())
    }

    /// The schema itself.
    pub(crate) fn value(&self) -> Value {
        (self.make)().to_value()
    }

    /// The name of the file that has the schema.
    pub fn file_name(&self) -> String {
        format!("{}.schema.json", self.name)
    }
}

/// Every schema. A file of the folder has the first that describes it. The files that not every network has
/// may be empty.
pub const SCHEMAS: &[FileSchema] = &[
    FileSchema { name: "network", files: &["cloud.yaml", "network.yaml"], make: of::<Network> },
    FileSchema {
        name: "logins",
        files: &["auth.yaml", "keys.yaml"],
        make: of::<Entries<AnyName, LoginEntry>>,
    },
    FileSchema { name: "hosts", files: &["hosts.yaml"], make: of::<Entries<Name, Host>> },
    FileSchema { name: "shapes", files: &["shapes.yaml"], make: of::<Entries<Name, Shape>> },
    FileSchema { name: "tenancy", files: &["tenancy.yaml"], make: of::<Option<Tenancy>> },
    FileSchema { name: "accounts", files: &["accounts.yaml"], make: of::<Option<Accounts>> },
    FileSchema { name: "tau", files: &["tau.yaml"], make: of::<Option<Entries<Architecture, Pin>>> },
    FileSchema { name: "domain", files: &["cloud/domain.yaml", "network/domain.yaml"], make: of::<Domain> },
    FileSchema { name: "p2p", files: &["cloud/p2p.yaml", "network/p2p.yaml"], make: of::<P2p> },
    FileSchema { name: "login", files: &["auth/*.yaml", "keys/*.yaml"], make: of::<LoginEntry> },
    FileSchema { name: "host", files: &["hosts/*.yaml"], make: of::<Host> },
    FileSchema { name: "shape", files: &["shapes/*.yaml"], make: of::<Shape> },
    FileSchema { name: "app", files: &["tenancy/app.yaml"], make: of::<Option<App>> },
    FileSchema { name: "pin", files: &["tau/*.yaml"], make: of::<Option<Pin>> },
];

/// Language servers for YAML know draft 7 best.
fn of<T: JsonSchema>() -> Schema {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    // The names of types here mean nothing to a user.
    schema.remove("title");
    unwrap_lines(&mut schema);
    schema
}

/// Joins the lines of descriptions, which are those of the source code.
fn unwrap_lines(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    transform_subschemas(&mut unwrap_lines, schema);
}

/// The network: its domains, its swarm key and its elders.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Network {
    /// The domain names of the network.
    domain: Domain,
    /// How the nodes find and trust each other.
    p2p: P2p,
}

/// The domain names of the network.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Domain {
    /// The network's root domain, such as `example.org`.
    root: DomainName,
    /// The parent domain of generated domains, separate from `root`, such as `g.example.org`.
    generated: DomainName,
    /// The key pair that validates domains.
    validation: Validation,
    /// Custom domains and the service that each resolves to: `{console.example.org: gateway}`.
    hosts: Option<Entries<AnyName, Text>>,
}

/// The key pair that validates domains.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Validation {
    /// The files of the pair.
    key: Pair,
}

/// The files of the domain-validation key pair (P-256, PEM), relative to the folder. One of the two is
/// required.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = pair)]
struct Pair {
    /// The private key, which `auth` needs. Only the hosts that run `auth` receive it.
    private: Option<Text>,
    /// The public key. By default, it is derived from the private one.
    public: Option<Text>,
}

fn pair(schema: &mut Schema) {
    any_of(schema, &["private", "public"]);
}

/// How the nodes find and trust each other.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct P2p {
    /// The swarm key.
    swarm: Swarm,
    /// The elders, which all other nodes dial first: for each shape, the hosts whose nodes are elders.
    bootstrap: Option<Entries<Name, Option<OneOrMore<HostName>>>>,
}

/// The swarm key.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Swarm {
    /// The path of the file with the key that all nodes share, such as `keys/swarm.key`. If it changes, all
    /// nodes are restarted at once.
    key: Text,
}

/// An SSH login, which hosts refer to by its name.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = login)]
struct LoginEntry {
    /// The SSH user.
    username: Option<UserName>,
    /// The SSH user (the manual's name of `username`).
    user: Option<UserName>,
    /// The path of a private key, or a list of paths, tried in this order; `~/` is your home. By default, the
    /// keys of your SSH agent, if there is no password either.
    key: Option<OneOrMore<Text>>,
    /// The path of a private key, or a list of paths (the manual's name of `key`).
    files: Option<OneOrMore<Text>>,
    /// A password, tried after the keys.
    password: Option<Text>,
    /// The path of a file with the password.
    password_file: Option<Text>,
}

fn login(schema: &mut Schema) {
    any_of(schema, &["username", "user"]);
    not_both(schema, ["password", "password_file"]);
}

/// A host: a machine that is reached over SSH, and its nodes.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = host)]
struct Host {
    /// The IP addresses that other nodes dial, one or a list, as `192.0.2.1` or `192.0.2.1/24`; the first
    /// must be IPv4. Required for hosts with nodes.
    addr: Option<OneOrMore<Address>>,
    /// How the host is reached over SSH.
    ssh: Ssh,
    /// Where the host is, in degrees.
    location: Option<Location>,
    /// Where the host is, in degrees: `[latitude, longitude]` (the manual's name of `location`).
    gps: Option<Location>,
    /// The host's nodes, by shape. A node may be empty if its key is in the folder of secrets.
    shapes: Option<Entries<Name, Option<NodeEntry>>>,
}

fn host(schema: &mut Schema) {
    announced(schema);
}

/// How a host is reached over SSH.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = ssh)]
struct Ssh {
    /// The IP address or name of the host's sshd, or a list; if no connection to one can be opened, the next
    /// is tried.
    addr: OneOrMore<SshAddress>,
    /// The port of the sshd: 22 by default.
    port: Option<Port>,
    /// The login in `auth.yaml` (`keys.yaml`), or a list, tried in this order.
    auth: Option<OneOrMore<Login>>,
    /// The login (the manual's name of `auth`).
    key: Option<OneOrMore<Login>>,
    /// The jump host through which it is reached, or a list that is passed in order, each written as
    /// `[user@]host[:port]`. The name of another host in the folder stands for that host and the way to it.
    jump: Option<OneOrMore<Jump>>,
}

fn ssh(schema: &mut Schema) {
    any_of(schema, &["auth", "key"]);
}

/// Where a host is: `{lat: …, long: …}` or `[latitude, longitude]`, in degrees.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Location {
    /// `[latitude, longitude]`.
    Pair(Number, Number),
    /// `{lat: …, long: …}`.
    Named(Degrees),
}

/// Where a host is, in degrees.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Degrees {
    /// The latitude: positive in the north.
    lat: Number,
    /// The longitude: positive in the east.
    long: Number,
}

/// A node: its identity.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = node)]
struct NodeEntry {
    /// The node's private key, from `spore key node`. A node with another key is another node to the network.
    key: Option<Key>,
    /// The path of a file with the node's private key.
    key_file: Option<Text>,
    /// The node's peer id. By default, it is derived from the key.
    id: Option<PeerId>,
}

fn node(schema: &mut Schema) {
    not_both(schema, ["key", "key_file"]);
}

/// A shape: a template of nodes.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Shape {
    /// The services that nodes of this shape run. Without any, a node only relays, as elders do.
    services: Option<OneOrMore<Service>>,
    /// The services (the manual's name of `services`).
    protocols: Option<OneOrMore<Service>>,
    /// The TCP ports of the nodes.
    ports: Ports,
    /// The plugins that nodes of this shape load: `name@version` is the file `plugins/name@version`.
    plugins: Option<OneOrMore<Plugin>>,
}

/// The TCP ports of a shape's nodes.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Ports {
    /// The port that other nodes dial. If it changes, all nodes that dial this shape may have to be restarted.
    main: Main,
    /// The port of the node's own client, on loopback. By default, it is random.
    lite: Option<Lite>,
    /// The port of the node's IPFS client. By default, it is random.
    ipfs: Option<Port>,
}

/// A port, or `{p2p: …}`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Main {
    Port(Port),
    Named(MainPorts),
}

/// The port that other nodes dial, in the manual's form.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct MainPorts {
    /// The port that other nodes dial.
    p2p: Port,
}

/// A port, or `{p2p: …, ipfs: …}`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Lite {
    Port(Port),
    Named(LitePorts),
}

/// The ports of a node's clients, in the manual's form.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct LitePorts {
    /// The port of the node's own client, on loopback. By default, it is random.
    p2p: Option<Port>,
    /// The port of the node's IPFS client. By default, it is random.
    ipfs: Option<Port>,
}

/// The owner of the repositories that the network serves, for `auth`.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt)]
struct Tenancy {
    /// The provider of the repositories, such as `github`.
    provider: Text,
    /// The owner of the repositories at the provider.
    owner: Text,
    /// The application that acts on behalf of the owner. `auth` needs it.
    app: Option<App>,
}

/// The application that acts on behalf of the owner.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = node)]
struct App {
    /// The application's client id.
    #[schemars(rename = "client-id")]
    client_id: Option<Text>,
    /// The application's private RSA key, in PEM.
    key: Option<Text>,
    /// The path of a file with the key.
    key_file: Option<Text>,
}

/// The configuration of the `accounts` service, passed on unchanged.
#[derive(JsonSchema)]
struct Accounts {}

/// Where the tau of an architecture comes from. `spore tau pin` writes this.
#[derive(JsonSchema)]
#[schemars(transform = no_misspelt, transform = pin)]
struct Pin {
    /// The URL of a tau, or of a release's archive.
    url: Option<WebAddress>,
    /// The path of a tau, or of a release's archive. A relative path must lead to a file in the folder.
    path: Option<VisiblePath>,
    /// Other URLs of the same file.
    mirrors: Option<OneOrMore<WebAddress>>,
    /// Who downloads tau: spore, which sends it to the hosts (the default), or each host itself.
    fetch: Option<Fetch>,
    /// The SHA-256 of the file.
    sha256: Digest,
    /// If the file is an archive: the SHA-256 of the tau in it. Required for an archive at a `url`.
    binary: Option<Digest>,
    /// The version of this tau, for your information.
    version: Option<Version>,
    /// The size of this tau in bytes.
    size: Option<Size>,
}

fn pin(schema: &mut Schema) {
    any_of(schema, &["url", "path"]);
    not_both(schema, ["url", "path"]);
}
