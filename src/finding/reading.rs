//! What can't be read in a folder.

use super::{Excerpt, Severity};
use crate::artifact::UrlError;
use crate::identity::{NodeKeyError, PeerId, SwarmKeyError, ValidationError};
use crate::resource::InvalidVersion;
use std::net::Ipv6Addr;

/// What is wrong with the folder's files.
#[derive(Clone, Debug)]
pub(crate) enum FolderProblem {
    /// The folder itself can't be read. `error` is the error of the operating system.
    Unreadable {
        folder: Excerpt,
        error: String,
    },
    /// A file isn't read, because its name isn't that of a component or of an entry. `near`
    /// is the name that it may have been meant to have.
    Misnamed {
        file: Excerpt,
        near: Option<&'static str>,
    },
    /// The folder lacks a component that every network has.
    NoFile(Component),
    /// A component has more than one file or folder; all of them are listed.
    Twice(Vec<Excerpt>),
    /// A file is in a subfolder of this component's folder.
    Nested {
        file: Excerpt,
        folder: &'static str,
    },
    /// An entry has two files, `.yaml` and `.yml`.
    BothEndings {
        folder: &'static str,
        entry: Excerpt,
    },
    FileUnreadable {
        file: Excerpt,
        why: UnreadableFile,
    },
    /// The file isn't UTF-8.
    NotText(Excerpt),
    Empty {
        file: Excerpt,
        component: Component,
        is_entry: bool,
    },
    /// Secrets are missing in a folder in which they may be missing. The first ones are
    /// shown; `secrets` and `public` are the numbers of secret and of public files.
    SecretsMissing {
        shown: Vec<Absent>,
        secrets: usize,
        public: usize,
    },
    /// A part of the network is missing, and no other finding says so.
    Incomplete,
    /// The number of further findings, and the highest severity among them.
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

    /// The names of the component's file, without the extension. Upstream's current name is
    /// the last.
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

    /// Whether every network has the component.
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
    /// The file is in the index.
    Tracked,
    /// `git add .` would add the file.
    NotIgnored,
}

/// Where a file must be, after following every symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// In the folder, because it is part of a component.
    Folder,
    /// In the folder, unless the user allows more, because it is a secret.
    Secret,
    /// In the folder of secrets, unless the user allows more.
    Secrets,
    /// In the folder's `plugins/`, because hosts receive the file.
    Plugins,
    /// Anywhere, because the path as written leads out of the folder, which every reader of
    /// the folder can see. The paths of users' own SSH keys are of this kind. Secrets may
    /// be anywhere, too, if the user allows it.
    Anywhere,
}

/// Why a file wasn't read.
#[derive(Clone, Debug)]
pub enum UnreadableFile {
    /// The file is a symbolic link to nothing, or to itself.
    Dangling(String),
    /// A symbolic link leads out of the bounds of the file.
    Outside(Bounds),
    /// The path leads to a folder, a socket or a device.
    NotAFile,
    /// The file is on the same file system as `/proc` or `/sys`.
    OfTheKernel,
    /// The file is bigger than the limit.
    TooBig {
        /// The size of the file, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// With the file, the folder would be bigger than this limit, in bytes.
    TooMuch(u64),
    /// The file is a plugin that contains a private key.
    PrivateKey,
    /// The error of the operating system.
    Failed(String),
}

/// A key that the folder names or needs, but doesn't contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The private key of a node that has only an id.
    NodeKey,
    /// A file with a secret.
    SecretFile,
    /// A file with a public key.
    PublicFile,
}

/// What is wrong with a value or its name.
#[derive(Clone, Debug)]
pub(crate) enum FieldProblem {
    /// The value doesn't have the expected form.
    Type {
        expected: Expected,
        found: Form,
    },
    /// The text is blank.
    NoText(Expected),
    EmptyItem,
    /// The name is neither known nor similar to a known one.
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
    /// There is no space between the name and the value: `name:value`.
    NoSpace {
        owner: Owner,
        name: Excerpt,
    },
    Missing {
        owner: Owner,
        name: &'static str,
        example: &'static str,
    },
    /// The two dialects' names for one field have different values. The older name is the
    /// first.
    Contradiction {
        owner: Owner,
        names: [&'static str; 2],
    },
    /// The two places for `ports.ipfs` have different values.
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
    /// Other readers of YAML take the name for a value of another type.
    ReadOtherwise {
        name: Excerpt,
        scalar: Scalar,
    },
    /// A name among the elders is invalid.
    HostInList {
        text: Excerpt,
        has_comma: bool,
    },
    /// The value refers to something that doesn't exist. `some` are the names of some that
    /// do.
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
    /// The location is a list with this number of items instead of two.
    LocationOf(usize),
    /// The text isn't the address of an sshd.
    Endpoint {
        text: Excerpt,
        flaw: EndpointFlaw,
    },
    /// The text isn't a jump host, or not one through which the host can be reached.
    Jump {
        text: Excerpt,
        flaw: JumpFlaw,
    },
    UserName(Excerpt),
    PluginName(Excerpt),
    PluginUnreadable {
        name: Excerpt,
        why: UnreadableFile,
    },
    Architecture {
        text: Excerpt,
        known: Vec<&'static str>,
    },
    /// The tau is pinned both by a URL and by a path.
    TwoSources(Excerpt),
    Url(UrlError),
    Path(UrlError),
    /// Neither of the two that can fetch a tau.
    Fetch,
    /// Hosts are to fetch this tau, but it has no URL.
    NoUrl(Excerpt),
    /// The size isn't a number of bytes.
    Size,
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
    Fetch,
    HostName,
    IpAddress,
    JumpHost,
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
    Size,
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

/// What is wrong with a jump host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JumpFlaw {
    /// It isn't written as `[user@]host[:port]`.
    Form,
    /// It is the host itself.
    Itself,
    /// It is reached through the host itself.
    Loop,
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
/// address or a name by itself, because the rest may be a password.
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
    /// The text is an IPv6 address in brackets.
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
    /// The node has neither a key nor an id, so its host will generate a key.
    NoIdentity(Owner),
    Node {
        node: Owner,
        error: NodeKeyError,
    },
    PeerId(Excerpt),
    /// The id of the key differs from the id that is written next to it.
    NotTheId {
        node: Owner,
        id: PeerId,
    },
    /// The node has no key, and its id is that of a kind of key that hosts don't generate.
    OnlyAnId(Owner),
    /// A secret is written in the folder, and is in a file as well; the fields' names.
    Twice {
        owner: Owner,
        fields: [&'static str; 2],
    },
    Swarm(SwarmKeyError),
    /// One half of the validation key pair is invalid.
    ValidationHalf(ValidationError),
    /// The two halves of the validation key pair don't belong together.
    Validation(ValidationError),
    /// The file doesn't exist. `path` is `None` if the path is masked.
    NoFile {
        file: Excerpt,
        start: Start,
        key: NetworkKey,
        path: Option<Excerpt>,
    },
    Unreadable {
        file: Excerpt,
        why: UnreadableFile,
    },
    IsAPlugin(Excerpt),
    /// The value is a key instead of the path of a key.
    Inline,
    /// One of a login's keys is missing, but the login has another key or a password.
    LoginFile {
        file: Excerpt,
        login: Excerpt,
    },
    /// All keys of a login are missing. `only` is the key's file if there is one key.
    LoginFiles {
        login: Excerpt,
        starts: Vec<Start>,
        only: Option<Excerpt>,
    },
}

/// A secret of the network that is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkKey {
    Swarm,
    ValidationPrivate,
    ValidationPublic,
    Node,
    App,
    Password,
}

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Home,
    Root,
    Folder,
}
