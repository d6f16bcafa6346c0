//! What can't be read in a folder.

use super::{Excerpt, Severity};
use crate::artifact::UrlError;
use crate::identity::{NodeKeyError, PeerId, SwarmKeyError, ValidationError};
use crate::resource::InvalidVersion;
use std::net::Ipv6Addr;

/// What is wrong with the folder's files.
#[derive(Clone, Debug)]
pub(crate) enum FolderProblem {
    /// The folder itself, with the error of the operating system.
    Unreadable {
        folder: Excerpt,
        error: String,
    },
    /// A YAML file that belongs to no component, with the name that it may have been meant
    /// to have.
    Misnamed {
        file: Excerpt,
        near: Option<&'static str>,
    },
    /// A component that every network has.
    NoFile(Component),
    /// All files or folders of one component, of which there is more than one.
    Twice(Vec<Excerpt>),
    /// A file in a folder in this component's folder.
    Nested {
        file: Excerpt,
        folder: &'static str,
    },
    /// An entry in two files, `.yaml` and `.yml`.
    BothEndings {
        folder: &'static str,
        entry: Excerpt,
    },
    FileUnreadable {
        file: Excerpt,
        why: Unreadable,
    },
    /// Not UTF-8.
    NotText(Excerpt),
    Empty {
        file: Excerpt,
        component: Component,
        is_entry: bool,
    },
    /// Secrets that are missing where they may be: the first ones are shown, all are counted.
    SecretsMissing {
        shown: Vec<Absent>,
        secrets: usize,
        public: usize,
    },
    /// The network can't be used without the secrets that are missing.
    Incomplete,
    /// This many more findings.
    More {
        left_out: usize,
        worst: Severity,
    },
}

/// A component of the folder: a file, or a folder with one file per entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    Network,
    Logins,
    Hosts,
    Shapes,
    Tenancy,
    Accounts,
    Tau,
}

impl Component {
    pub(crate) const ALL: [Self; 7] =
        [Self::Network, Self::Logins, Self::Hosts, Self::Shapes, Self::Tenancy, Self::Accounts, Self::Tau];

    /// The names of its file, without the extension; upstream's current one last.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Network => &["network", "cloud"],
            Self::Logins => &["keys", "auth"],
            Self::Hosts => &["hosts"],
            Self::Shapes => &["shapes"],
            Self::Tenancy => &["tenancy"],
            Self::Accounts => &["accounts"],
            Self::Tau => &["tau"],
        }
    }

    /// Whether every network has it.
    pub(crate) fn is_required(self) -> bool {
        match self {
            Self::Network | Self::Logins | Self::Hosts | Self::Shapes => true,
            Self::Tenancy | Self::Accounts | Self::Tau => false,
        }
    }
}

/// What git does with a file that it doesn't ignore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InGit {
    /// It is in the index.
    Tracked,
    /// `git add .` would add it.
    NotIgnored,
}

/// Where a file must be, after following every symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// In the folder: a component.
    Folder,
    /// In the folder, unless the user allows more: a secret.
    Secret,
    /// In the folder's `plugins/`, because hosts receive it.
    Plugins,
    /// Anywhere: its path, as written, leads out of the folder, which anybody who reads
    /// the folder can see. Users' own SSH keys are at such paths.
    Anywhere,
}

/// Why a file wasn't read.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// A symbolic link to nothing, or to itself.
    Dangling(String),
    /// It is not where it must be, because of a symbolic link.
    Outside(Bounds),
    /// A folder, a socket, a device.
    NotAFile,
    /// Below `/proc` or `/sys`.
    OfTheKernel,
    /// Bigger than the limit.
    TooBig {
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// With it, the folder is bigger than this limit.
    TooMuch(u64),
    /// A plugin with a private key in it.
    PrivateKey,
    /// The error of the operating system.
    Failed(String),
}

/// A key that the folder names or needs, and doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The private key of a node: it has only an id.
    NodeKey,
    /// A file with a secret.
    SecretFile,
    /// A file with a public key.
    PublicFile,
}

/// What is wrong with a value or its name.
#[derive(Clone, Debug)]
pub(crate) enum FieldProblem {
    /// A value of another form.
    Type {
        expected: Expected,
        found: Form,
    },
    /// A text without a word.
    NoText(Expected),
    EmptyItem,
    /// Neither known nor similar to one that is.
    Unknown {
        owner: Owner,
        name: Excerpt,
        known: Vec<&'static str>,
    },
    Misspelt {
        owner: Owner,
        name: Excerpt,
        meant: &'static str,
    },
    /// `name:value`
    NoSpace {
        owner: Owner,
        name: Excerpt,
    },
    Missing {
        owner: Owner,
        name: &'static str,
        example: &'static str,
    },
    /// One field by its names in both dialects, with different values: the older name first.
    Contradiction {
        owner: Owner,
        names: [&'static str; 2],
    },
    /// The same of `ports.ipfs`.
    IpfsContradiction,
    Port(Excerpt),
    Number {
        text: Excerpt,
        expected: Expected,
    },
    Name {
        text: Excerpt,
        of: Referent,
    },
    /// A name that other readers of YAML take for another type.
    ReadOtherwise {
        name: Excerpt,
        scalar: Scalar,
    },
    /// An invalid name among the elders.
    HostInList {
        text: Excerpt,
        has_comma: bool,
    },
    /// What it refers to isn't there; `some` of those that are.
    NoSuch {
        what: Referent,
        name: Excerpt,
        near: Option<Excerpt>,
        some: Vec<Excerpt>,
        is_all: bool,
    },
    ListedTwice {
        what: Listed,
        name: Excerpt,
    },
    Address(Excerpt),
    /// A location with another number of numbers.
    LocationOf(usize),
    /// What isn't the address of an sshd.
    Endpoint {
        text: Excerpt,
        flaw: EndpointFlaw,
    },
    UserName(Excerpt),
    PluginName(Excerpt),
    PluginUnreadable {
        name: Excerpt,
        why: Unreadable,
    },
    Architecture {
        text: Excerpt,
        known: Vec<&'static str>,
    },
    /// A tau that is pinned both by a URL and by a path.
    TwoSources(Excerpt),
    Url(UrlError),
    Path(UrlError),
    Version(InvalidVersion),
    Digest,
}

/// The mapping that a field belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// A component, by its file or folder.
    File(Excerpt),
    /// A mapping that exists once, by its path.
    Path(&'static str),
    Host(Excerpt),
    SshOf(Excerpt),
    NodesOf(Excerpt),
    Node {
        shape: Excerpt,
        host: Excerpt,
    },
    Login(Excerpt),
    Shape(Excerpt),
    TauFor(Excerpt),
}

/// What a value should be.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Address,
    Degrees,
    Digest,
    DomainName,
    HostName,
    IpAddress,
    Latitude,
    LoginName,
    Longitude,
    Mapping(Owner),
    Name,
    Password,
    PathOfFile,
    PathOfPrivateKey,
    PeerId,
    Plugin,
    Port,
    PrivateKey,
    ServiceName,
    ServiceOfDomain,
    Url,
    UserName,
    Version,
}

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Nothing,
    Scalar,
    List,
    Mapping,
}

/// What a name refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Referent {
    Host,
    Login,
    Shape,
}

/// What is listed twice.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listed {
    Host,
    Service,
}

/// The type of an unquoted scalar in some readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Boolean,
    Null,
    Number,
    Date,
}

/// Why a text isn't the address of an sshd. A part of the text is kept only if it is an
/// address or a name by itself: the rest may be a password.
#[derive(Clone, Debug)]
pub(crate) enum EndpointFlaw {
    Spaces,
    Url {
        host: Option<Excerpt>,
    },
    User {
        host: Option<Excerpt>,
    },
    Brackets,
    /// An IPv6 address in brackets.
    BracketedIp(Ipv6Addr),
    Words,
    Port {
        host: Excerpt,
        port: Option<u16>,
    },
    Colon,
    NotIpv6,
    PrefixLength,
    Character(char),
    TwoDots,
    LeadingDot,
    LeadingZero(Excerpt),
    TooHigh(Excerpt),
    Numbers(usize),
    TooLong,
    PartTooLong,
    Hyphen,
}

/// What is wrong with a key or an identity.
#[derive(Clone, Debug)]
pub(crate) enum KeyProblem {
    NoSwarm {
        example: &'static str,
    },
    /// A node with neither key nor id.
    NoIdentity(Owner),
    Node {
        node: Owner,
        error: NodeKeyError,
    },
    PeerId(Excerpt),
    /// The id of the key isn't the one that is written next to it.
    NotTheId {
        node: Owner,
        id: PeerId,
    },
    OnlyAnId(Owner),
    Swarm(SwarmKeyError),
    /// One half of the validation pair.
    ValidationHalf(ValidationError),
    /// Both halves.
    Validation(ValidationError),
    /// `path` is absent if it is masked.
    NoFile {
        file: Excerpt,
        start: Start,
        key: NetworkKey,
        path: Option<Excerpt>,
    },
    Unreadable {
        file: Excerpt,
        why: Unreadable,
    },
    IsAPlugin(Excerpt),
    /// A key in place of its path.
    Inline,
    /// One of a login's keys is missing, and others, or a password, aren't.
    LoginFile {
        file: Excerpt,
        login: Excerpt,
    },
    /// All keys of a login are missing; `only` if there is one.
    LoginFiles {
        login: Excerpt,
        starts: Vec<Start>,
        only: Option<Excerpt>,
    },
}

/// A key of the network that is a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkKey {
    Swarm,
    ValidationPrivate,
    ValidationPublic,
}

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Home,
    Root,
    Folder,
}
