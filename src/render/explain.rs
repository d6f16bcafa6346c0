//! The checks of `spore check`: the id of each, its title, and why it matters. The entry
//! point is [`explain`].
//!
//! An id is `family/what`. The family is a variant of [`Kind`], in lower case. Ids are
//! stable, because logs contain them, and the settings of programs that read these logs.

use super::report::Rule;
use crate::finding::{
    Addresses, Binaries, DomainNames, Elders, FieldProblem, Finding, FolderProblem, Git, Identities,
    KeyProblem, Kind, Locations, Logins, Ports, Services, Shapes,
};
use crate::yaml::Mistake;

/// The id of the check that led to a finding.
pub fn id(finding: &Finding) -> &'static str {
    check(finding.kind()).id()
}

/// The ids of all checks, by family.
pub fn ids() -> impl Iterator<Item = &'static str> {
    Check::ALL.iter().map(|check| check.id())
}

/// The check that led to a finding.
pub(super) fn rule(finding: &Finding) -> Rule {
    check(finding.kind()).rule()
}

/// All checks, by family.
pub(super) fn rules() -> impl Iterator<Item = Rule> {
    Check::ALL.iter().map(|check| check.rule())
}

/// Explains the check with this id.
pub fn explain(id: &str) -> Option<String> {
    let check = Check::ALL.iter().find(|check| check.id() == id)?;
    Some(format!("{}: {}\n\n{}\n", check.id(), check.title(), check.why()))
}

macro_rules! checks {
    ($($check:ident = $id:literal, $title:literal, $why:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Check {
            $($check),*
        }

        impl Check {
            const ALL: &[Self] = &[$(Self::$check),*];

            fn id(self) -> &'static str {
                match self {
                    $(Self::$check => $id),*
                }
            }

            fn title(self) -> &'static str {
                match self {
                    $(Self::$check => $title),*
                }
            }

            fn why(self) -> &'static str {
                match self {
                    $(Self::$check => $why),*
                }
            }

            fn rule(self) -> Rule {
                Rule { id: self.id(), title: self.title(), why: self.why() }
            }
        }
    };
}

checks! {
    YamlSyntax = "yaml/syntax",
        "a file isn't valid YAML",
        "Nothing after the error is read, so nothing in the rest of the file is checked or applied.";
    YamlMergeConflict = "yaml/merge-conflict",
        "git's conflict markers are left in a file",
        "Only you can tell which of the two versions the network should have.";
    YamlDuplicateKey = "yaml/duplicate-key",
        "a mapping has the same key twice",
        "Some YAML readers take the first value, some the last, and some reject the file.";
    YamlNotAName = "yaml/not-a-name",
        "a key isn't a name",
        "Every key of a mapping must be the name of a field or of an entry.";
    YamlAlias = "yaml/alias",
        "an alias has no usable anchor",
        "An alias needs an anchor earlier in the file, and can't be inside that anchor's value.";
    YamlMerge = "yaml/merge",
        "`<<` merges something other than mappings",
        "Only the entries of a mapping can be added to another mapping.";
    YamlTag = "yaml/tag",
        "a value has a tag that spore doesn't know",
        "A tag can change a value, so ignoring it could change what the folder describes.";
    YamlSecondDocument = "yaml/second-document",
        "a file contains more than one document",
        "Other tools read only the first one and silently ignore the second.";
    YamlTooLarge = "yaml/too-large",
        "a file has far more values or levels than a network needs",
        "Nested aliases can make a small file exhaust the memory.";
    YamlMore = "yaml/more",
        "a file has more errors than are shown",
        "Errors at the beginning of a file often cause those that follow.";

    FolderUnreadable = "folder/unreadable",
        "the network folder can't be read",
        "Nothing can be checked or planned without it.";
    FolderMisnamed = "folder/misnamed",
        "a YAML file has a name that spore doesn't know",
        "The file is ignored, so its contents have no effect on the network.";
    FolderMissingFile = "folder/missing-file",
        "a required file is missing",
        "The network, its logins, its hosts and its shapes are all needed to deploy a node.";
    FolderTwoFiles = "folder/two-files",
        "a component or entry is defined in two files",
        "It isn't clear which of the two describes the network.";
    FolderNested = "folder/nested",
        "a YAML file is in a folder that isn't searched",
        "The entries of a component are read from one folder only, so spore would ignore this file.";
    FolderUnreadableFile = "folder/unreadable-file",
        "a file of the network can't be read",
        "What it describes is unknown, and a link that leads out of the folder may expose other files.";
    FolderNotText = "folder/not-text",
        "a file isn't UTF-8",
        "YAML is UTF-8 text; bytes of another encoding can't be interpreted reliably.";
    FolderEmptyFile = "folder/empty-file",
        "a file is empty",
        "The file may have been truncated, and what it should contain is missing.";
    FolderSecretsMissing = "folder/secrets-missing",
        "secrets are missing and were skipped",
        "`--without-secrets` allows this, but what is missing can't be checked or compared.";
    FolderIncomplete = "folder/incomplete",
        "a part of the network is missing",
        "No other finding says so, which is a defect of spore.";
    FolderMore = "folder/more",
        "the folder has more problems than are shown",
        "Problems often have one cause, so fixing the first ones may fix the rest.";

    FieldWrongType = "field/wrong-type",
        "a value has the wrong type, or is empty",
        "spore can't interpret the value, so the setting is unknown.";
    FieldUnknown = "field/unknown",
        "a field isn't known",
        "spore ignores the field, so it has no effect.";
    FieldMisspelt = "field/misspelt",
        "the name of a field looks misspelt",
        "spore would ignore the misspelt field, and the intended one would be missing.";
    FieldMissing = "field/missing",
        "a required field is missing",
        "No default would suit every network.";
    FieldContradiction = "field/contradiction",
        "a field has different values under its two names",
        "Older folders use other names for some fields; it isn't defined which of the two values applies.";
    FieldName = "field/name",
        "the name of a host or shape has characters that aren't allowed",
        "Names become part of paths and unit names on the hosts.";
    FieldReadOtherwise = "field/read-otherwise",
        "other YAML parsers don't read a name as a string",
        "Upstream's tool would read a boolean, a number, a date or null instead of this name.";
    FieldReference = "field/reference",
        "a name refers to nothing",
        "The host, shape or login that it refers to isn't in the folder.";
    FieldListedTwice = "field/listed-twice",
        "something is listed twice",
        "One of the two is redundant, or a misspelling of another name.";
    FieldPort = "field/port",
        "a value isn't a port",
        "YAML readers interpret ports in quotes, in other bases or with leading zeros differently.";
    FieldAddress = "field/address",
        "a value isn't an IP address",
        "Nodes announce these addresses to each other, so each must be an IP address.";
    FieldSshAddress = "field/ssh-address",
        "a value isn't an address at which sshd can be reached",
        "It can't be resolved, so spore couldn't connect to the host.";
    FieldSshJump = "field/ssh-jump",
        "a value isn't a jump host through which the host can be reached",
        "spore couldn't connect to the host.";
    FieldLocation = "field/location",
        "a location isn't a latitude and a longitude",
        "tau refuses to start with a location that isn't two numbers.";
    FieldUserName = "field/user-name",
        "a value isn't a valid user name",
        "sshd would reject the login.";
    FieldPluginName = "field/plugin-name",
        "a value isn't a valid plugin name",
        "The name becomes part of a path on the hosts.";
    FieldUnreadablePlugin = "field/unreadable-plugin",
        "a plugin can't be used",
        "Plugins are copied to hosts, so a link must not smuggle other files or keys into one.";
    FieldArchitecture = "field/architecture",
        "a tau is pinned for an unknown architecture",
        "No host would ever run it.";
    FieldSource = "field/source",
        "the source of a pinned tau can't be used",
        "The binary needs exactly one source, `url` or `path`, and a URL must not contain a password. Hosts can fetch a binary themselves only if it has a URL.";
    FieldSize = "field/size",
        "a value isn't a size in bytes",
        "A plan shows the pinned size, and a download ends at it.";
    FieldVersion = "field/version",
        "a value isn't a valid version of tau",
        "The pinned version is compared with the one that the binary reports.";
    FieldDigest = "field/digest",
        "a value isn't a SHA-256 digest",
        "Without the digest, spore can't verify that the binary is the pinned one.";

    KeyNoSwarmKey = "key/no-swarm-key",
        "the network has no swarm key",
        "Without one the network isn't private: any node could join it.";
    KeySwarmKey = "key/swarm-key",
        "the swarm key is invalid",
        "tau refuses to start with it.";
    KeyValidationKey = "key/validation-key",
        "the domain-validation keys are invalid",
        "Domains are validated with this pair, so both halves must be valid and belong together.";
    KeyNodeKey = "key/node-key",
        "the private key of a node is invalid",
        "tau refuses to start with it.";
    KeyPeerId = "key/peer-id",
        "a value isn't a peer id",
        "Other nodes dial a node by its peer id.";
    KeyMismatch = "key/mismatch",
        "a node's id isn't the id of its key",
        "tau uses only the key, so a node with this id would never be found.";
    KeyNoIdentity = "key/no-identity",
        "a node has neither key nor id",
        "Its host generates the key before the first plan that is applied, and the id is written into the folder.";
    KeyOnlyAnId = "key/only-an-id",
        "a node has an id but no key, and the host can't have it",
        "A host generates and finds only ed25519 keys, and this id is that of another kind of key.";
    KeyMissingFile = "key/missing-file",
        "the file of a key is missing",
        "Without a swarm or validation key, nothing can be deployed; without an SSH key, logging in may fail.";
    KeyUnreadableFile = "key/unreadable-file",
        "the file of a key can't be used",
        "A link that leads out of the folder could send another file to a host as a key.";
    KeyInline = "key/inline",
        "an SSH key is written where its path belongs",
        "A private key in YAML is easily committed and shown; the field takes the path of a file.";

    AddressesNone = "addresses/none",
        "a host has nodes but no address",
        "tau refuses to start without an address to announce.";
    AddressesIpv6First = "addresses/ipv6-first",
        "the first address of a host isn't IPv4",
        "tau refuses to start unless the first address that it announces is IPv4.";
    AddressesUnreachable = "addresses/unreachable",
        "no other host can dial an address",
        "Nodes announce their addresses, and other nodes would try this one in vain.";
    AddressesSameMachine = "addresses/same-machine",
        "two hosts are the same machine",
        "To make each run only its own nodes, spore would remove those of the other.";
    AddressesShared = "addresses/shared",
        "an address is listed twice",
        "This is usually a mistake; nodes that share an address need different ports.";

    BinariesMissing = "binaries/missing",
        "the file of a pinned tau is missing and was skipped",
        "With `--without-secrets` that is fine, but the binary wasn't checked.";
    BinariesUnusable = "binaries/unusable",
        "the file of a pinned tau can't be used",
        "The apply would stop before it changes anything, because spore installs only the pinned binary.";

    DomainNotInDns = "domain/not-in-dns",
        "a name isn't valid in DNS",
        "tau starts with it, but the name can't be looked up.";
    DomainPattern = "domain/pattern",
        "a domain contains characters of regular expressions",
        "tau uses the network's names as regular expressions, unescaped: it may panic, or match other names.";
    DomainShadowed = "domain/shadowed",
        "the network's own names are among the generated ones",
        "All names below `generated` resolve to `substrate`, so the network's services can't be reached.";
    DomainNoService = "domain/no-service",
        "a custom domain names a service that tau doesn't have",
        "The domain would resolve to nothing.";

    EldersNone = "elders/none",
        "the network has no elders",
        "Nodes find each other through the elders; without any, they can't join the network.";
    EldersOne = "elders/one",
        "the network has only one elder",
        "While it is down or being updated, no node can join or rejoin the network.";
    EldersOneHost = "elders/one-host",
        "all elders are on one host",
        "While this host is down, no node can join or rejoin the network.";
    EldersNoSuchNode = "elders/no-such-node",
        "an elder is listed that no host runs",
        "Every node would try to dial a node that doesn't exist.";

    GitUnignored = "git/unignored",
        "git doesn't ignore an unencrypted private key",
        "Every reader of the repository could use the key, and it stays in the history after the file is deleted.";

    IdentitiesShared = "identities/shared",
        "two nodes have the same identity",
        "Nodes that dial this peer id reach one of the two at random.";

    LocationsSwapped = "locations/swapped",
        "latitude and longitude look swapped",
        "Nodes would announce a location that is far from the host's.";
    LocationsOutOfRange = "locations/out-of-range",
        "a latitude or longitude is out of range",
        "No such place exists, so nodes would announce a meaningless location.";

    LoginsOpen = "logins/open",
        "other users can read an SSH private key",
        "They could log in to the hosts, and OpenSSH ignores such a key.";
    LoginsUnusable = "logins/unusable",
        "spore can't log in with a key",
        "The file isn't a private key, or is one of a kind that spore doesn't support.";

    PortsSensors = "ports/sensors",
        "a shape uses the port of tau's sensors service",
        "Every tau since November 2025 listens there itself, so the node refuses to start.";
    PortsSame = "ports/same",
        "one node listens twice on the same port",
        "tau starts, but a connection to the port may reach either of the two listeners.";
    PortsSshd = "ports/sshd",
        "a shape uses a port of sshd",
        "sshd listens there already, so the node can't.";
    PortsCrowded = "ports/crowded",
        "a host has several nodes",
        "Every tau since November 2025 listens on the same port of its host, so only one of them starts.";
    PortsClash = "ports/clash",
        "nodes of one host use the same port",
        "Only one of them can listen on it; the others fail to start.";

    ServicesUnknown = "services/unknown",
        "a shape runs a service that tau doesn't have",
        "tau refuses to start with it.";
    ServicesGatewayAndSubstrate = "services/gateway-and-substrate",
        "a shape runs both `gateway` and `substrate`",
        "tau's documentation advises against running both in one node.";
    ServicesAccounts = "services/accounts",
        "a shape runs `accounts`",
        "Only tau's enterprise build has this service; other builds refuse to start with it.";
    ServicesNoTenancy = "services/no-tenancy",
        "`auth` runs without a tenancy",
        "tau refuses to start `auth` without one.";
    ServicesIncompleteTenancy = "services/incomplete-tenancy",
        "the tenancy lacks part of its application",
        "`auth` acts for the owner through this application, and tau refuses to start without it.";
    ServicesAppKey = "services/app-key",
        "the key of the tenancy's application is invalid",
        "tau reads it at start, and refuses to start `auth` without a private RSA key.";
    ServicesNoPrivateKey = "services/no-private-key",
        "`auth` runs without the private validation key",
        "It starts, but fails later, when it has to validate a domain.";

    ShapesUnused = "shapes/unused",
        "no host runs a shape",
        "It has no effect; it may be left over from a change, or its name may be misspelt.";
    ShapesPluginMissing = "shapes/plugin-missing",
        "the file of a plugin is missing",
        "Nodes would run without this plugin.";
}

fn check(kind: &Kind) -> Check {
    match kind {
        Kind::Yaml(mistake) => yaml(mistake),
        Kind::Folder(what) => match what {
            FolderProblem::Unreadable { .. } => Check::FolderUnreadable,
            FolderProblem::Misnamed { .. } => Check::FolderMisnamed,
            FolderProblem::NoFile(_) => Check::FolderMissingFile,
            FolderProblem::Twice(_) | FolderProblem::BothEndings { .. } => Check::FolderTwoFiles,
            FolderProblem::Nested { .. } => Check::FolderNested,
            FolderProblem::FileUnreadable { .. } => Check::FolderUnreadableFile,
            FolderProblem::NotText(_) => Check::FolderNotText,
            FolderProblem::Empty { .. } => Check::FolderEmptyFile,
            FolderProblem::SecretsMissing { .. } => Check::FolderSecretsMissing,
            FolderProblem::Incomplete => Check::FolderIncomplete,
            FolderProblem::More { .. } => Check::FolderMore,
        },
        Kind::Field(what) => field(what),
        Kind::Key(what) => match what {
            KeyProblem::NoSwarm { .. } => Check::KeyNoSwarmKey,
            KeyProblem::NoIdentity(_) => Check::KeyNoIdentity,
            KeyProblem::Node { .. } => Check::KeyNodeKey,
            KeyProblem::PeerId(_) => Check::KeyPeerId,
            KeyProblem::NotTheId { .. } => Check::KeyMismatch,
            KeyProblem::OnlyAnId(_) => Check::KeyOnlyAnId,
            KeyProblem::Twice { .. } => Check::KeyMismatch,
            KeyProblem::Swarm(_) => Check::KeySwarmKey,
            KeyProblem::ValidationHalf(_) | KeyProblem::Validation(_) => Check::KeyValidationKey,
            KeyProblem::NoFile { .. } | KeyProblem::LoginFile { .. } | KeyProblem::LoginFiles { .. } => {
                Check::KeyMissingFile
            }
            KeyProblem::Unreadable { .. } | KeyProblem::IsAPlugin(_) => Check::KeyUnreadableFile,
            KeyProblem::Inline => Check::KeyInline,
        },
        Kind::Addresses(what) => match what {
            Addresses::None(_) => Check::AddressesNone,
            Addresses::Ipv6First { .. } => Check::AddressesIpv6First,
            Addresses::Unreachable { .. } => Check::AddressesUnreachable,
            Addresses::SameMachine { .. } => Check::AddressesSameMachine,
            Addresses::Twice(_) | Addresses::Shared { .. } => Check::AddressesShared,
        },
        Kind::Binaries(Binaries::Missing(_)) => Check::BinariesMissing,
        Kind::Binaries(Binaries::Unusable { .. }) => Check::BinariesUnusable,
        Kind::Domain(what) => match what {
            DomainNames::NotInDns { .. } => Check::DomainNotInDns,
            DomainNames::Pattern(_) => Check::DomainPattern,
            DomainNames::Shadowed { .. } => Check::DomainShadowed,
            DomainNames::NoService { .. } | DomainNames::OldService { .. } => Check::DomainNoService,
        },
        Kind::Elders(what) => match what {
            Elders::None => Check::EldersNone,
            Elders::One => Check::EldersOne,
            Elders::OneHost => Check::EldersOneHost,
            Elders::NoSuchNode { .. } => Check::EldersNoSuchNode,
        },
        Kind::Git(Git::Unignored { .. }) => Check::GitUnignored,
        Kind::Identities(Identities::Shared { .. }) => Check::IdentitiesShared,
        Kind::Locations(Locations::Swapped { .. }) => Check::LocationsSwapped,
        Kind::Locations(Locations::OutOfRange { .. }) => Check::LocationsOutOfRange,
        Kind::Logins(Logins::Open) => Check::LoginsOpen,
        Kind::Logins(Logins::Unusable { .. }) => Check::LoginsUnusable,
        Kind::Ports(what) => match what {
            Ports::Sensors { .. } => Check::PortsSensors,
            Ports::Same { .. } => Check::PortsSame,
            Ports::Sshd { .. } | Ports::MayBeSshd { .. } => Check::PortsSshd,
            Ports::Crowded { .. } => Check::PortsCrowded,
            Ports::Https { .. } | Ports::Clash { .. } => Check::PortsClash,
        },
        Kind::Services(what) => match what {
            Services::Unknown { .. } => Check::ServicesUnknown,
            Services::GatewayAndSubstrate(_) => Check::ServicesGatewayAndSubstrate,
            Services::Accounts => Check::ServicesAccounts,
            Services::NoTenancy => Check::ServicesNoTenancy,
            Services::Tenancy(_) => Check::ServicesIncompleteTenancy,
            Services::AppKey(_) => Check::ServicesAppKey,
            Services::NoPrivateValidationKey => Check::ServicesNoPrivateKey,
        },
        Kind::Shapes(Shapes::Unused(_)) => Check::ShapesUnused,
        Kind::Shapes(Shapes::PluginMissing(_)) => Check::ShapesPluginMissing,
    }
}

fn yaml(mistake: &Mistake) -> Check {
    match mistake {
        Mistake::MergeConflict => Check::YamlMergeConflict,
        Mistake::Tag | Mistake::UndeclaredTag => Check::YamlTag,
        Mistake::SecondDocument => Check::YamlSecondDocument,
        Mistake::UnknownAlias | Mistake::AliasInItself => Check::YamlAlias,
        Mistake::TooDeep | Mistake::TooManyValues | Mistake::NestedAliases => Check::YamlTooLarge,
        Mistake::Key(_) => Check::YamlNotAName,
        Mistake::DuplicateKey => Check::YamlDuplicateKey,
        Mistake::NotMergeable => Check::YamlMerge,
        Mistake::More(_) => Check::YamlMore,
        Mistake::Tab
        | Mistake::Indentation
        | Mistake::NoSpaceAfterDash
        | Mistake::NoColon
        | Mistake::ItemAmongEntries
        | Mistake::NoItem
        | Mistake::SecondColon
        | Mistake::IndentedTooFar
        | Mistake::NoNameBeforeColon
        | Mistake::NothingBetweenCommas
        | Mistake::OpenBracket
        | Mistake::MismatchedBracket
        | Mistake::NoOpeningBracket
        | Mistake::NoComma
        | Mistake::OpenQuote
        | Mistake::TextAfterQuote
        | Mistake::Escape
        | Mistake::FirstCharacter
        | Mistake::Directive
        | Mistake::NamelessAnchor
        | Mistake::ListOnTheSameLine
        | Mistake::DashInBrackets
        | Mistake::Comment
        | Mistake::TextAfterBlockHeader
        | Mistake::ByteOrderMark
        | Mistake::Other(_) => Check::YamlSyntax,
    }
}

fn field(what: &FieldProblem) -> Check {
    match what {
        FieldProblem::Type { .. } | FieldProblem::NoText(_) | FieldProblem::EmptyItem => {
            Check::FieldWrongType
        }
        FieldProblem::Unknown { .. } => Check::FieldUnknown,
        FieldProblem::Misspelt { .. } | FieldProblem::NoSpace { .. } => Check::FieldMisspelt,
        FieldProblem::Missing { .. } => Check::FieldMissing,
        FieldProblem::Contradiction { .. } | FieldProblem::IpfsContradiction => Check::FieldContradiction,
        FieldProblem::Port(_) => Check::FieldPort,
        FieldProblem::Number { .. } | FieldProblem::LocationOf(_) => Check::FieldLocation,
        FieldProblem::Name { .. } | FieldProblem::HostInList { .. } => Check::FieldName,
        FieldProblem::ReadOtherwise { .. } => Check::FieldReadOtherwise,
        FieldProblem::NoSuch { .. } => Check::FieldReference,
        FieldProblem::ListedTwice { .. } => Check::FieldListedTwice,
        FieldProblem::Address(_) => Check::FieldAddress,
        FieldProblem::Endpoint { .. } => Check::FieldSshAddress,
        FieldProblem::Jump { .. } => Check::FieldSshJump,
        FieldProblem::UserName(_) => Check::FieldUserName,
        FieldProblem::PluginName(_) => Check::FieldPluginName,
        FieldProblem::PluginUnreadable { .. } => Check::FieldUnreadablePlugin,
        FieldProblem::Architecture { .. } => Check::FieldArchitecture,
        FieldProblem::TwoSources(_)
        | FieldProblem::Url(_)
        | FieldProblem::Path(_)
        | FieldProblem::Fetch
        | FieldProblem::NoUrl(_) => Check::FieldSource,
        FieldProblem::Size => Check::FieldSize,
        FieldProblem::Version(_) => Check::FieldVersion,
        FieldProblem::Digest => Check::FieldDigest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_has_an_id_of_its_own_a_title_and_a_reason() {
        let ids: BTreeSet<&str> = ids().collect();
        assert_eq!(ids.len(), Check::ALL.len());
        for check in Check::ALL {
            let is_kebab = |part: &str| {
                !part.is_empty()
                    && part.split('-').all(|word| {
                        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                    })
            };
            let (family, what) = check.id().split_once('/').unwrap_or_default();
            assert!(is_kebab(family) && is_kebab(what), "{check:?}");
            assert!(!check.title().ends_with('.'), "a fragment: {check:?}");
            assert!(check.why().ends_with('.'), "a sentence: {check:?}");
        }
    }
}
