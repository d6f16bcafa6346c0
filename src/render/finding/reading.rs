//! The words for the findings of reading the folder: its YAML, files, fields and keys.

use super::{Text, Words, quoted, say};
use crate::finding::{
    Absent, Bounds, Component, EndpointFlaw, Expected, FieldProblem, Finding, FolderProblem, Form, JumpFlaw,
    KeyProblem, Listed, NetworkKey, Owner, Referent, Scalar, Start, UnreadableFile,
};
use crate::render::problems::counted;
use crate::yaml::{Mistake, NotAKey};

const BRACKETS: &str = "close `[` with `]`, and `{` with `}`";
const COLON: &str = "write `name: value`, with a space after the `:`";
const NO_TAG: &str = "this tag has no meaning here";
const TOO_DEEP: &str = "nested too deeply for a network";

pub(super) fn yaml(mistake: &Mistake, finding: &Finding) -> Words {
    let (message, help) = match mistake {
        Mistake::MergeConflict => {
            ("an unresolved merge conflict", "keep one of the two versions, and remove git's markers")
        }
        Mistake::Tab => ("YAML doesn't allow a tab here", "indent with spaces"),
        Mistake::Indentation => {
            ("this indentation matches no line above", "align it with the lines of the same mapping or list")
        }
        Mistake::TooDeep => (TOO_DEEP, "use fewer levels"),
        Mistake::NoSpaceAfterDash => ("a space is missing after the `-`", "write `- item`"),
        Mistake::NoColon => ("a `:` is missing", COLON),
        Mistake::ItemAmongEntries => (
            "an item of a list where `name: value` is expected",
            "put it under the name that it belongs to, indented",
        ),
        Mistake::NoItem => (
            "an item of a list is expected here",
            "begin the line with `- `, or align it with the mapping that it belongs to",
        ),
        Mistake::SecondColon => {
            ("a second `:` in one line", "put the value in quotes, or on lines of its own, indented")
        }
        Mistake::IndentedTooFar => ("this line is indented too far", "align it with the line above it"),
        Mistake::NoNameBeforeColon => ("a `:` without a name before it", COLON),
        Mistake::NothingBetweenCommas => {
            ("empty item between two commas", "remove one of them, or add the missing item")
        }
        Mistake::OpenBracket => ("this bracket is never closed", "close it: `[` with `]`, and `{` with `}`"),
        Mistake::MismatchedBracket => ("mismatched brackets", BRACKETS),
        Mistake::NoOpeningBracket => ("unmatched closing bracket", "remove it, or add the opening bracket"),
        Mistake::NoComma => (
            "a `,` or a closing bracket is missing before this",
            "put a `,` after each entry, and close the bracket after the last",
        ),
        Mistake::OpenQuote => ("a quote above isn't closed", "close it on the line where it was opened"),
        Mistake::TextAfterQuote => (
            "unexpected text after the closing quote",
            "add a `,` or a `:` in between, or quote the whole value; within single quotes, write `'` as `''`",
        ),
        Mistake::Escape => ("unknown escape sequence", "write `\\\\`, or put the value in single quotes"),
        Mistake::FirstCharacter => ("a value can't start with this character", "put the value in quotes"),
        Mistake::Directive => ("a line can't start with this", "put the name in quotes"),
        Mistake::NamelessAnchor => {
            ("`*` and `&` need a name", "put the value in quotes, or write the name of an anchor")
        }
        Mistake::ListOnTheSameLine => {
            ("a list can't begin here", "begin it on a new line, or write `[one, two]`")
        }
        Mistake::DashInBrackets => {
            ("a `-` inside brackets", "remove it, or quote it: `[one, two]` already is a list")
        }
        Mistake::Comment => ("a `#` in the wrong place", "put a space before a comment, or quote the value"),
        Mistake::TextAfterBlockHeader => {
            ("unexpected text after the `|` or `>`", "begin the text on the next line, or quote it")
        }
        Mistake::ByteOrderMark => ("a byte-order mark inside the file", "remove it"),
        Mistake::UndeclaredTag => (NO_TAG, "remove it, or quote the value"),
        Mistake::Other(info) => {
            return say(format!("invalid YAML: {info}"), ["here"], "fix this line or the one above it");
        }
        Mistake::SecondDocument => {
            return say(
                "there is a second document in this file",
                ["it starts here"],
                "keep one document, or move the other to another file",
            );
        }
        Mistake::UnknownAlias => {
            return say("undefined alias", ["this alias"], "define the anchor above it, or quote the value");
        }
        Mistake::AliasInItself => {
            return say(
                "an alias inside the value that it refers to",
                ["this alias"],
                "write the value itself",
            );
        }
        Mistake::Tag => return say(NO_TAG, ["this value has it"], "remove the tag"),
        Mistake::TooManyValues => {
            return say(
                "too many values for a network",
                ["reading stopped here"],
                "look for aliases that multiply",
            );
        }
        Mistake::NestedAliases => {
            return say(TOO_DEEP, ["reading stopped here"], "look for nested aliases");
        }
        Mistake::Key(what) => {
            let message = match what {
                NotAKey::Empty => "an empty key",
                NotAKey::Null => "null used as a key",
                NotAKey::Tagged => "a tagged value used as a key",
                NotAKey::List => "a list used as a key",
                NotAKey::Mapping => "a mapping used as a key",
            };
            return say(message, ["expected a name"], "write a name, in quotes if necessary");
        }
        Mistake::DuplicateKey => {
            // The source text of a place is safe to show.
            let key = finding.places().first();
            let key = key.and_then(|place| place.source().text().get(place.span())).unwrap_or_default();
            return say(
                format!("`{key}` is a duplicate key"),
                ["again here", "first here"],
                "remove or rename one of the two",
            );
        }
        Mistake::NotMergeable => {
            return say(
                "this is not a mapping, so it can't be merged",
                ["this"],
                "`<<` takes a mapping, or a list of them",
            );
        }
        Mistake::More(left_out) => {
            return say(
                format!("{left_out} more errors in this file are not shown"),
                ["the last one shown"],
                "fix the errors above first",
            );
        }
    };
    say(message, ["here"], help)
}

pub(super) fn folder(what: &FolderProblem) -> Words {
    match what {
        FolderProblem::Unreadable { folder, error } => say(
            format!("the network folder `{folder}` can't be read: {error}"),
            NOWHERE,
            "choose another folder with `-n` or `SPORE_NETWORK`",
        ),
        FolderProblem::Misnamed { file, near } => {
            let message = format!("`{file}` is ignored: spore reads no file of this name");
            let help = match near {
                _ if file.to_string().contains('/') => {
                    "rename it to `….yaml` if it is an entry, or move it out of this folder".into()
                }
                Some(near) => Text::from(format!("did you mean `{near}.yaml`?")),
                None => "rename it if it belongs to the network, or move it out of this folder".into(),
            };
            say(message, NOWHERE, help)
        }
        FolderProblem::NoFile(component) => {
            let name = component.names().last().copied().unwrap_or_default();
            let older = match component.names() {
                [older, _] => format!(" (or `{older}.yaml`)"),
                _ => String::new(),
            };
            let contents = contents(*component).unwrap_or_default();
            say(
                format!("the folder has no `{name}.yaml`"),
                NOWHERE,
                format!("write `{name}.yaml`{older}: {contents}"),
            )
        }
        FolderProblem::Twice(files) => {
            let both = files.iter().take(2).map(|file| format!("`{file}`")).collect::<Vec<_>>();
            say(
                format!("{} are the same component of the network", both.join(" and ")),
                NOWHERE,
                format!("merge them into one and remove the others: {}", quoted(files)),
            )
        }
        FolderProblem::Nested { file, folder } => {
            say(format!("`{file}` is nested too deeply"), NOWHERE, format!("move it into `{folder}/`"))
        }
        FolderProblem::BothEndings { folder, entry } => say(
            format!("`{folder}/{entry}` exists both as `.yaml` and as `.yml`"),
            NOWHERE,
            "remove one of the two",
        ),
        FolderProblem::FileUnreadable { file, why } => {
            say(format!("`{file}` {}", unreadable(why)), NOWHERE, unreadable_help(why))
        }
        FolderProblem::NotText(file) => {
            say(format!("`{file}` is not UTF-8 text"), ["here"], "save it as UTF-8")
        }
        FolderProblem::Empty { file, component, is_entry } => match contents(*component) {
            Some(_) if *is_entry => {
                say(format!("`{file}` is empty"), ["empty"], "write the entry, or delete the file")
            }
            Some(contents) => say(
                format!("`{file}` is empty"),
                ["empty"],
                format!("{contents}; write `{{}}` if there are none yet"),
            ),
            None => say(
                format!("`{file}` is empty and ignored"),
                ["empty"],
                "add the contents, or delete the file",
            ),
        },
        FolderProblem::SecretsMissing { shown, secrets, public } => {
            let message = match (secrets, public) {
                (1, 0) => "1 secret is missing and was skipped".to_owned(),
                (0, 1) => "1 public key is missing and was skipped".to_owned(),
                (secrets, 0) => format!("{secrets} secrets are missing and were skipped"),
                (0, public) => format!("{public} public keys are missing and were skipped"),
                (secrets, public) => format!(
                    "{} and {} are missing and were skipped",
                    counted(*secrets, "secret"),
                    counted(*public, "public key")
                ),
            };
            let labels = shown.iter().map(|what| match what {
                Absent::NodeKey => "this node's key",
                Absent::SecretFile => "this file",
                Absent::PublicFile => "this public key",
            });
            say(message, labels, "run `spore check` without `--without-secrets` where they are available")
        }
        FolderProblem::Incomplete => say(
            "the network is incomplete, although no error was found",
            NOWHERE,
            "report this as a defect of spore",
        ),
        FolderProblem::More { left_out, .. } => {
            say(format!("{left_out} more problems are not shown"), NOWHERE, "fix the problems above first")
        }
    }
}

/// A finding without labels.
const NOWHERE: [&str; 0] = [];

/// What a component contains; `None` if a network can do without the component.
fn contents(component: Component) -> Option<&'static str> {
    match component {
        Component::Network => Some("it has the domain, the swarm key and the elders"),
        Component::Logins => {
            Some("it has the SSH users, such as `root: {username: root, key: ~/.ssh/id_ed25519}`")
        }
        Component::Hosts => Some("it has the hosts, each with `addr`, `ssh` and `shapes`"),
        Component::Shapes => Some("it has the shapes, each with `ports` and `services`"),
        Component::Tenancy | Component::Accounts | Component::Tau => None,
    }
}

/// Why a file wasn't read, as a text that follows the file's name.
fn unreadable(why: &UnreadableFile) -> Text {
    match why {
        UnreadableFile::Dangling(target) => {
            format!("is a symbolic link to `{target}`, which doesn't exist or can't be followed").into()
        }
        UnreadableFile::Outside(Bounds::Plugins) => {
            "is a symbolic link that leads out of `plugins/`, or is below one".into()
        }
        UnreadableFile::Outside(_) => {
            "is a symbolic link that leads out of the folder, or is below one".into()
        }
        UnreadableFile::NotAFile => "is not a file".into(),
        UnreadableFile::OfTheKernel => "is in the kernel's `/proc` or `/sys`".into(),
        UnreadableFile::TooMuch(limit) => {
            format!("is not read: with it, the files of its kind in this folder would exceed {limit} bytes")
                .into()
        }
        UnreadableFile::PrivateKey => "holds a private key; plugins are copied to hosts".into(),
        UnreadableFile::TooBig { size, limit } => {
            format!("has {size} bytes; more than {limit} are not read").into()
        }
        UnreadableFile::Failed(error) => format!("can't be read: {error}").into(),
    }
}

fn unreadable_help(why: &UnreadableFile) -> &'static str {
    match why {
        UnreadableFile::Dangling(_) => "correct the link, or replace it with the file",
        UnreadableFile::Outside(Bounds::Secret | Bounds::Secrets) => {
            "write the target's path here instead, or pass `--follow-links` if you trust the folder"
        }
        UnreadableFile::Outside(_) => "replace the link with the file itself",
        UnreadableFile::NotAFile | UnreadableFile::OfTheKernel => "replace it with a file",
        UnreadableFile::TooMuch(_) => "remove what isn't needed, and links to the same file",
        UnreadableFile::PrivateKey => {
            "remove the key, and replace it wherever it is used if it was ever committed"
        }
        UnreadableFile::TooBig { .. } => "split it into a folder with one file per entry",
        UnreadableFile::Failed(_) => "make it readable by the user who runs spore",
    }
}

const NAME: &str = "use letters, digits, `_`, `.` and `-`; the first is a letter or a digit";
const DEGREES: &str = "write it in degrees, such as `-33.87`";

pub(super) fn field(what: &FieldProblem) -> Words {
    match what {
        FieldProblem::Type { expected, found } => {
            let (expected, found) = (self::expected(expected), form(*found));
            let message = format!("expected {expected}, found {found}");
            say(message, ["this"], format!("write {expected} here"))
        }
        FieldProblem::NoText(expected) => {
            let expected = self::expected(expected);
            let message = format!("expected {expected}, found nothing");
            say(message, ["empty"], format!("write {expected} here"))
        }
        FieldProblem::EmptyItem => say("an empty list item", ["empty"], "write the item, or remove the line"),
        FieldProblem::Unknown { owner, name, known } => {
            let owner = self::owner(owner);
            say(
                format!("{owner} has no field `{name}`"),
                ["unknown"],
                format!("remove it; the fields of {owner} are {}", quoted(known)),
            )
        }
        FieldProblem::Misspelt { owner, name, meant } => say(
            format!("{} has no field `{name}`", self::owner(owner)),
            ["unknown"],
            format!("did you mean `{meant}`?"),
        ),
        FieldProblem::NoSpace { owner, name } => say(
            format!("{} has no field `{name}`", self::owner(owner)),
            ["unknown"],
            "write a space after the `:`",
        ),
        FieldProblem::Missing { owner, name, example } => {
            say(format!("{} has no `{name}`", self::owner(owner)), ["here"], format!("add `{example}`"))
        }
        FieldProblem::Contradiction { owner, names: [one, other] } => say(
            format!("`{one}` and `{other}` of {} have different values", self::owner(owner)),
            ["this", "and this"],
            format!("keep one: `{one}` is the older name of `{other}`"),
        ),
        FieldProblem::IpfsContradiction => say(
            "`ports.ipfs` and `ports.lite.ipfs` have different values",
            ["this", "and this"],
            "keep one: `lite.ipfs` is the older name of `ipfs`",
        ),
        FieldProblem::Port(text) => say(
            format!("`{text}` is not a port"),
            ["expected a port"],
            "a port is a number from 1 to 65535, without quotes",
        ),
        FieldProblem::Number { text, expected } => say(
            format!("`{text}` is not a number"),
            [format!("expected {}", self::expected(expected))],
            DEGREES,
        ),
        FieldProblem::Name { text, of } => {
            say(format!("`{text}` is not a valid {} name", referent(*of)), ["this"], NAME)
        }
        FieldProblem::HostInList { text, has_comma } => {
            let help = if *has_comma { "write several hosts as a list: `[h1, h2]`" } else { NAME };
            say(format!("`{text}` is not a valid host name"), ["this"], help)
        }
        FieldProblem::ReadOtherwise { name, scalar } => {
            let scalar = match scalar {
                Scalar::Boolean => "a boolean",
                Scalar::Null => "null",
                Scalar::Number => "a number",
                Scalar::Date => "a date",
            };
            say(
                format!("other YAML readers interpret `{name}` as {scalar}"),
                ["this name"],
                format!("put it in quotes: `\"{name}\"`"),
            )
        }
        FieldProblem::NoSuch { what, name, near, some, is_all } => {
            let what = referent(*what);
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if some.is_empty() => format!("add a {what}: there is none yet"),
                None => {
                    let more = if *is_all { "" } else { ", …" };
                    format!("define it, remove it here, or use one of {}{more}", quoted(some))
                }
            };
            say(format!("there is no {what} `{name}`"), ["used here"], help)
        }
        FieldProblem::ListedTwice { what, name } => {
            let what = match what {
                Listed::Host => "host",
                Listed::Service => "service",
            };
            say(
                format!("{what} `{name}` is listed twice"),
                ["again here", "first here"],
                "remove one of the two",
            )
        }
        FieldProblem::Address(text) => say(
            format!("`{text}` is not an IP address"),
            ["expected an address"],
            "write it as `192.0.2.1` or `192.0.2.1/24`; host names are only allowed in `ssh.addr`",
        ),
        FieldProblem::LocationOf(count) => say(
            format!("a location has two numbers, not {count}"),
            ["expected latitude and longitude"],
            "write `location: {lat: 1.25, long: 25.1}`",
        ),
        FieldProblem::Endpoint { text, flaw } => {
            let (why, help) = endpoint(flaw);
            say(format!("`{text}` is not an IP address or a host name"), [why], help)
        }
        FieldProblem::Jump { text, flaw: JumpFlaw::Form } => say(
            format!("`{text}` is not a jump host"),
            ["expected a name or an address"],
            "write the name of a host in the folder, or `host`, `user@host` or `user@host:22`; an IPv6 address with a port needs brackets",
        ),
        FieldProblem::Jump { text, flaw } => say(
            match flaw {
                JumpFlaw::Itself => format!("`{text}` is reached through itself"),
                JumpFlaw::Form | JumpFlaw::Loop => {
                    format!("`{text}` is reached through a host that is reached through it")
                }
            },
            ["this leads nowhere"],
            "name a server that can be reached without this host",
        ),
        FieldProblem::UserName(text) => say(
            format!("`{text}` is not a user name"),
            ["this"],
            "use letters, digits, `_`, `.` and `-`; the first is neither `.` nor `-`",
        ),
        FieldProblem::PluginName(text) => say(
            format!("`{text}` is not a plugin name"),
            ["this"],
            "write `name@version`: letters, digits, `_`, `.` and `-`",
        ),
        FieldProblem::PluginUnreadable { name, why } => {
            say(format!("`plugins/{name}` {}", unreadable(why)), ["this plugin"], unreadable_help(why))
        }
        FieldProblem::Architecture { text, known } => say(
            format!("`{text}` is not a known architecture"),
            ["this"],
            format!("use one of {}", known.join(", ")),
        ),
        FieldProblem::TwoSources(architecture) => say(
            format!("tau for `{architecture}` has both `url` and `path`"),
            ["this", "and this"],
            "keep one of the two",
        ),
        FieldProblem::Url(error) => {
            let help = error.help().unwrap_or_else(|| "`https://…`".to_owned());
            say(error.to_string(), ["this"], help)
        }
        FieldProblem::Path(error) => say(error.to_string(), ["this"], error.help().unwrap_or_default()),
        FieldProblem::Fetch => say(
            "`fetch` is either `send` or `hosts`",
            ["this"],
            "`send`: spore downloads tau and sends it to the hosts; `hosts`: each host downloads it itself",
        ),
        FieldProblem::NoUrl(architecture) => say(
            format!("hosts can't fetch tau for `{architecture}`: it has no URL"),
            ["this"],
            "use `url` instead of `path`, or add a URL of the same file to `mirrors`",
        ),
        FieldProblem::Size => {
            say("a size is a number of bytes", ["this"], "`spore tau pin` writes it; it can be left out")
        }
        FieldProblem::Version(error) => {
            say(error.to_string(), ["this"], "`spore tau pin` writes it; it can be left out")
        }
        FieldProblem::Digest => {
            say("not a SHA-256 digest", ["this"], "expected 64 hexadecimal digits, as printed by `sha256sum`")
        }
    }
}

fn owner(owner: &Owner) -> String {
    match owner {
        Owner::File(name) => format!("`{name}`"),
        Owner::Path(path) => format!("`{path}`"),
        Owner::Host(name) => format!("host `{name}`"),
        Owner::SshOf(host) => format!("`ssh` of host `{host}`"),
        Owner::NodesOf(host) => format!("`shapes` of host `{host}`"),
        Owner::Node { shape, host } => format!("node `{shape}@{host}`"),
        Owner::Login(name) => format!("login `{name}`"),
        Owner::Shape(name) => format!("shape `{name}`"),
        Owner::TauFor(architecture) => format!("tau for `{architecture}`"),
    }
}

fn expected(expected: &Expected) -> Text {
    match expected {
        Expected::Address => "an address",
        Expected::Degrees => "degrees",
        Expected::Digest => "a SHA-256 digest",
        Expected::DomainName => "a domain name",
        Expected::Fetch => "`send` or `hosts`",
        Expected::HostName => "a host name",
        Expected::IpAddress => "an IP address",
        Expected::JumpHost => "a jump host",
        Expected::Latitude => "a latitude",
        Expected::LoginName => "the name of a login",
        Expected::Longitude => "a longitude",
        Expected::Mapping(owner) => return format!("a mapping for {}", self::owner(owner)).into(),
        Expected::Name => "a name",
        Expected::Password => "a password",
        Expected::PathOfFile => "the path of a file",
        Expected::PathOfPrivateKey => "the path of a private key",
        Expected::PeerId => "a peer id",
        Expected::Plugin => "a plugin",
        Expected::Port => "a port",
        Expected::PrivateKey => "a private key",
        Expected::ServiceName => "a service name",
        Expected::ServiceOfDomain => "the name of a service",
        Expected::Size => "a size in bytes",
        Expected::Url => "a URL",
        Expected::UserName => "a user name",
        Expected::Version => "a version",
    }
    .into()
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Nothing => "nothing",
        Form::Scalar => "a single value",
        Form::List => "a list",
        Form::Mapping => "a mapping",
    }
}

fn referent(referent: Referent) -> &'static str {
    match referent {
        Referent::Host => "host",
        Referent::Login => "login",
        Referent::Shape => "shape",
    }
}

/// Why a text isn't the address of an SSH server, and how to write such an address.
fn endpoint(flaw: &EndpointFlaw) -> (Text, Text) {
    const USER: &str = "the user name is the login's `username`";
    const ADDRESS: &str = "write it as `192.0.2.1`, `2001:db8::1` or `host.example.org`";
    let why = match flaw {
        EndpointFlaw::Spaces => return ("there are spaces around it".into(), "remove the spaces".into()),
        EndpointFlaw::Url { host } => {
            let help = match host {
                Some(host) => format!("write only the host: `{host}`").into(),
                None => "write only the host".into(),
            };
            return ("this is a URL".into(), help);
        }
        EndpointFlaw::User { host } => {
            let help = match host {
                Some(host) => format!("write only the host, `{host}`; {USER}"),
                None => format!("write only the host; {USER}"),
            };
            return ("it contains a user name".into(), help.into());
        }
        EndpointFlaw::Brackets => {
            return ("it contains brackets".into(), "write one address, without brackets".into());
        }
        EndpointFlaw::BracketedIp(ip) => {
            let why = "an IPv6 address is written without brackets here";
            return (why.into(), format!("write `{ip}`").into());
        }
        EndpointFlaw::Words => {
            let help = "write one address: the one that spore connects to";
            return ("this is more than one word".into(), help.into());
        }
        EndpointFlaw::Port { host, port } => {
            let help = match port {
                Some(port) => format!("write `addr: {host}` and `port: {port}`"),
                None => format!("write `addr: {host}`, and the port as `port: 22`"),
            };
            return ("it contains a port".into(), help.into());
        }
        EndpointFlaw::Colon => {
            let help = "write only the host, and the port as `port: 22`";
            return ("a host name has no `:`".into(), help.into());
        }
        EndpointFlaw::NotIpv6 => "this is not an IPv6 address".into(),
        EndpointFlaw::PrefixLength => "the part after the `/` is not a prefix length".into(),
        EndpointFlaw::Character(other) => format!("`{other}` can't be part of a host name").into(),
        EndpointFlaw::TwoDots => "two dots in a row".into(),
        EndpointFlaw::LeadingDot => "it starts with a dot".into(),
        EndpointFlaw::LeadingZero(part) => format!("`{part}` starts with a zero").into(),
        EndpointFlaw::TooHigh(part) => format!("`{part}` is more than 255").into(),
        EndpointFlaw::Numbers(count) => format!("an IPv4 address has four numbers, not {count}").into(),
        EndpointFlaw::TooLong => "a host name has at most 253 characters".into(),
        EndpointFlaw::PartTooLong => "between two dots of a host name there are at most 63 characters".into(),
        EndpointFlaw::Hyphen => "a part of it starts or ends with `-`".into(),
    };
    (why, ADDRESS.into())
}

pub(super) fn key(what: &KeyProblem) -> Words {
    const PAIR: &str = "expected a P-256 key pair in PEM, `EC PRIVATE KEY` and `PUBLIC KEY`, as `spore key validation` generates; the public half can be left out";
    const LOGIN: &str = "correct the path, copy the private key there, generate one with `ssh-keygen -t ed25519 -f FILE`, or add it to your SSH agent";
    match what {
        KeyProblem::NoSwarm { example } => {
            say("the network has no swarm key, so anyone could join it", ["here"], format!("add `{example}`"))
        }
        KeyProblem::NoIdentity(node) => say(
            format!("{} has neither `key` nor `id`", owner(node)),
            ["this node"],
            "`spore apply` has the host generate the key, which never leaves it, and writes the id here; or add a key that `spore key node` generates, as `key: CAES…`",
        ),
        KeyProblem::Node { node, error } => say(
            format!("{}: {error}", owner(node)),
            ["this key"],
            "expected a libp2p ed25519 private key in base64, 92 characters that start with `CAES`, as `spore key node` generates",
        ),
        KeyProblem::PeerId(text) => say(
            format!("`{text}` is not a peer id"),
            ["this id"],
            "a peer id starts with `12D3KooW`; remove it to derive it from the key",
        ),
        KeyProblem::NotTheId { node, id } => say(
            format!("`key` and `id` of {} don't match", owner(node)),
            ["this id", "this key has another id"],
            format!("the id of the key is `{id}`: correct one of the two, or remove `id`"),
        ),
        KeyProblem::OnlyAnId(node) => say(
            format!("{} has no `key`, and its host can't have that of this `id`", owner(node)),
            ["it isn't the id of an ed25519 key"],
            "add the private key of this id as `key: CAES…`; or remove the id, so that the host generates a key",
        ),
        KeyProblem::Twice { owner: of, fields: [written, file] } => say(
            format!("{} has both `{written}` and `{file}`", owner(of)),
            ["this one", "and this file"],
            "remove one of them",
        ),
        KeyProblem::Swarm(error) => say(
            error.to_string(),
            ["this file"],
            "expected one line, `/key/swarm/psk/1.0.0//base16/` and 64 hexadecimal digits, as `spore key swarm` generates",
        ),
        KeyProblem::ValidationHalf(error) => say(error.to_string(), ["this file"], PAIR),
        KeyProblem::Validation(error) => say(error.to_string(), ["this key", "and this one"], PAIR),
        KeyProblem::NoFile { file, start, key, path } => {
            let path = path.as_ref().map(ToString::to_string);
            let generate = |kind, usual: &str| generate(kind, path.as_deref().unwrap_or(usual)).into();
            let help: Text = match key {
                NetworkKey::Swarm => generate("swarm", "keys/swarm.key"),
                NetworkKey::Node | NetworkKey::App | NetworkKey::Password => {
                    "correct the path, or pass the folder that has it with `--secrets DIR`".into()
                }
                NetworkKey::ValidationPrivate => generate("validation", "keys/dv_private.key"),
                NetworkKey::ValidationPublic => {
                    "correct the path, or remove the line: the public half is derived from the private one"
                        .into()
                }
            };
            say(format!("there is no file `{file}`"), [self::start(*start)], help)
        }
        KeyProblem::Unreadable { file, why } => {
            say(format!("`{file}` {}", unreadable(why)), ["this path"], unreadable_help(why))
        }
        KeyProblem::IsAPlugin(file) => {
            say(format!("`{file}` is a plugin"), ["this path"], "write the path of the key's file")
        }
        KeyProblem::Inline => say(
            "expected the path of a private key, found the key itself",
            ["this"],
            "move the key to a file in the folder, and write its path here",
        ),
        KeyProblem::LoginFile { file, login } => say(
            format!("there is no file `{file}`"),
            [format!("login `{login}` falls back to its other keys or its password")],
            LOGIN,
        ),
        KeyProblem::LoginFiles { login, starts, only } => {
            let message = match only {
                Some(file) => {
                    format!("the key of login `{login}` is missing: there is no file `{file}`")
                }
                None => format!("all keys of login `{login}` are missing"),
            };
            say(message, starts.iter().map(|start| self::start(*start)), LOGIN)
        }
    }
}

fn start(start: Start) -> &'static str {
    match start {
        Start::Home => "`~` is the home directory of the user who runs spore",
        Start::Root => "an absolute path on the machine where spore runs",
        Start::Folder => "the path is relative to the folder",
    }
}

/// The help on how to generate the key that is missing at `path`.
fn generate(kind: &str, path: &str) -> String {
    let shell = shlex::try_quote(path).unwrap_or_default();
    let mkdir = match path.rsplit_once('/') {
        // A path that needs quoting would make the command too hard to read in a sentence.
        Some((folder, _)) if *shell == *path && !folder.is_empty() => format!("mkdir -p {folder} && "),
        _ => String::new(),
    };
    format!(
        "correct the path, or generate the key if the network is new: `{mkdir}(umask 077; spore key {kind} >{shell})`"
    )
}
