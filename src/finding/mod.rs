//! What can be found in a network's folder, as data. This is the vocabulary in which
//! `network` and `check` report to `render`, which alone puts it into words.
//!
//! The entry point is [`Finding`]: what was found, and the places that show it. What was
//! found is a variant of one of the families: `reading` has those for what can't be read,
//! and `checks` has one for each file of `check`. Text from the folder is kept as an
//! `Excerpt`.

mod checks;
mod place;
mod reading;

pub use place::{At, Place, SourceText};
pub use reading::{Bounds, InGit, UnreadableFile};

pub(crate) use checks::{
    Addresses, Axis, Binaries, DomainNames, Elders, Git, Identities, Locations, Logins, Missing, NameFlaw,
    PortName, Ports, Services, Shapes, Unreachable,
};
pub(crate) use reading::{
    Absent, Component, EndpointFlaw, Expected, FieldProblem, FolderProblem, Form, JumpFlaw, KeyProblem,
    Listed, NetworkKey, Owner, Referent, Scalar, Start,
};

use crate::resource::Printable;
use crate::yaml::Mistake;
use std::fmt;

/// How much a finding matters.
///
/// The severity of a finding depends on that finding only, never on other findings in the
/// same folder. Therefore fixing a problem may remove another problem or reveal one, but
/// never turns an error into a warning or a warning into an error. A problem that matters
/// only for entries in use is reported only for these; if it can't be determined which
/// entries are in use, all of them count as used. `tests/folders.rs` verifies this by
/// editing the fixtures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that the user has asked for, or should know. `--deny-warnings` ignores
    /// notes.
    Note,
    /// A likely mistake, which tau or upstream's tool would accept.
    Warning,
    /// Something that tau, sshd or the reader would reject, or that is ambiguous.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    kind: Kind,
    places: Vec<Place>,
    /// The host in whose entry the problem was found, if that entry has an anchor.
    anchored: Option<Excerpt>,
}

impl Finding {
    /// A finding without a place.
    pub(crate) fn new(kind: impl Into<Kind>) -> Self {
        Self { kind: kind.into(), places: Vec::new(), anchored: None }
    }

    /// Adds a place that shows the finding. The order of the places depends on the kind of
    /// finding.
    #[must_use]
    pub(crate) fn at(mut self, place: &Place) -> Self {
        self.places.push(place.clone());
        self
    }

    /// Notes that the finding is in the entry of a host that may have been meant as a
    /// template.
    pub(crate) fn set_anchored(&mut self, host: Excerpt) {
        self.anchored = Some(host);
    }

    /// What was found.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// See [`Finding::set_anchored`].
    pub(crate) fn anchored(&self) -> Option<&Excerpt> {
        self.anchored.as_ref()
    }

    /// How much the finding matters.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }

    /// Whether the finding is an error.
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }

    /// The places that show the finding, with the primary place first.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Whether any of the finding's places is in this file of the folder.
    pub fn is_in(&self, is: impl Fn(&str) -> bool) -> bool {
        self.places.iter().any(|place| is(place.file()))
    }
}

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident($data:ty),)*) => {
        /// What was found, by family.
        #[derive(Clone, Debug)]
        pub(crate) enum Kind {
            $($(#[$doc])* $family($data),)*
        }

        $(impl From<$data> for Kind {
            fn from(data: $data) -> Self {
                Self::$family(data)
            }
        })*
    };
}

families! {
    Yaml(Mistake),
    Folder(FolderProblem),
    Field(FieldProblem),
    Key(KeyProblem),
    Addresses(Addresses),
    Binaries(Binaries),
    Domain(DomainNames),
    Elders(Elders),
    Git(Git),
    Identities(Identities),
    Locations(Locations),
    Logins(Logins),
    Ports(Ports),
    Services(Services),
    Shapes(Shapes),
}

impl Kind {
    fn severity(&self) -> Severity {
        match self {
            Self::Folder(FolderProblem::SecretsMissing { .. })
            | Self::Key(KeyProblem::NoIdentity(_))
            | Self::Binaries(Binaries::Missing(_)) => Severity::Note,
            Self::Folder(FolderProblem::More { worst, .. }) => *worst,
            Self::Folder(FolderProblem::Misnamed { .. })
            | Self::Field(
                FieldProblem::Unknown { .. }
                | FieldProblem::ReadOtherwise { .. }
                | FieldProblem::ListedTwice { .. },
            )
            | Self::Key(KeyProblem::LoginFile { .. } | KeyProblem::LoginFiles { .. })
            | Self::Addresses(
                Addresses::Unreachable { .. } | Addresses::Twice(_) | Addresses::Shared { .. },
            )
            | Self::Domain(
                DomainNames::NotInDns { .. }
                | DomainNames::Shadowed { .. }
                | DomainNames::NoService { .. }
                | DomainNames::OldService { .. },
            )
            | Self::Elders(Elders::None | Elders::One | Elders::OneHost)
            | Self::Git(Git::Unignored { .. })
            | Self::Locations(Locations::Swapped { .. } | Locations::OutOfRange { .. })
            | Self::Logins(Logins::Open)
            | Self::Ports(Ports::Same { .. } | Ports::Crowded { .. } | Ports::MayBeSshd { .. })
            | Self::Services(
                Services::GatewayAndSubstrate(_) | Services::Accounts | Services::NoPrivateValidationKey,
            )
            | Self::Shapes(Shapes::Unused(_) | Shapes::PluginMissing(_)) => Severity::Warning,
            Self::Folder(FolderProblem::Empty { component, .. }) => match component.is_required() {
                true => Severity::Error,
                false => Severity::Warning,
            },
            Self::Folder(
                FolderProblem::Unreadable { .. }
                | FolderProblem::NoFile(_)
                | FolderProblem::Twice(_)
                | FolderProblem::Nested { .. }
                | FolderProblem::BothEndings { .. }
                | FolderProblem::FileUnreadable { .. }
                | FolderProblem::NotText(_)
                | FolderProblem::Incomplete,
            )
            | Self::Field(
                FieldProblem::Type { .. }
                | FieldProblem::NoText(_)
                | FieldProblem::EmptyItem
                | FieldProblem::Misspelt { .. }
                | FieldProblem::NoSpace { .. }
                | FieldProblem::Missing { .. }
                | FieldProblem::Contradiction { .. }
                | FieldProblem::IpfsContradiction
                | FieldProblem::Port(_)
                | FieldProblem::Number { .. }
                | FieldProblem::Name { .. }
                | FieldProblem::HostInList { .. }
                | FieldProblem::NoSuch { .. }
                | FieldProblem::Address(_)
                | FieldProblem::LocationOf(_)
                | FieldProblem::Endpoint { .. }
                | FieldProblem::Jump { .. }
                | FieldProblem::UserName(_)
                | FieldProblem::PluginName(_)
                | FieldProblem::PluginUnreadable { .. }
                | FieldProblem::Architecture { .. }
                | FieldProblem::TwoSources(_)
                | FieldProblem::Url(_)
                | FieldProblem::Path(_)
                | FieldProblem::Fetch
                | FieldProblem::NoUrl(_)
                | FieldProblem::Size
                | FieldProblem::Version(_)
                | FieldProblem::Digest,
            )
            | Self::Yaml(_)
            | Self::Key(
                KeyProblem::NoSwarm { .. }
                | KeyProblem::Node { .. }
                | KeyProblem::PeerId(_)
                | KeyProblem::NotTheId { .. }
                | KeyProblem::OnlyAnId(_)
                | KeyProblem::Twice { .. }
                | KeyProblem::Swarm(_)
                | KeyProblem::ValidationHalf(_)
                | KeyProblem::Validation(_)
                | KeyProblem::NoFile { .. }
                | KeyProblem::Unreadable { .. }
                | KeyProblem::IsAPlugin(_)
                | KeyProblem::Inline,
            )
            | Self::Addresses(
                Addresses::None(_) | Addresses::Ipv6First { .. } | Addresses::SameMachine { .. },
            )
            | Self::Binaries(Binaries::Unusable { .. })
            | Self::Domain(DomainNames::Pattern(_))
            | Self::Elders(Elders::NoSuchNode { .. })
            | Self::Identities(Identities::Shared { .. })
            | Self::Logins(Logins::Unusable { .. })
            | Self::Ports(
                Ports::Sensors { .. } | Ports::Sshd { .. } | Ports::Https { .. } | Ports::Clash { .. },
            )
            | Self::Services(
                Services::Unknown { .. } | Services::NoTenancy | Services::Tenancy(_) | Services::AppKey(_),
            ) => Severity::Error,
        }
    }
}

/// Text from the folder that a finding quotes. The text may be as long as a file, and one
/// file can lead to thousands of findings, so only as much is kept as can be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Excerpt(Box<str>);

impl Excerpt {
    /// The beginning of `text`.
    pub(crate) fn of(text: impl fmt::Display) -> Self {
        let text = text.to_string();
        // One more character is kept than `readable` shows, so that it recognizes that
        // the text was cut.
        Self(text[..text.floor_char_boundary(MOST_SHOWN + char::MAX_LEN_UTF8)].into())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The maximum length of a message, a label or a help, in bytes.
const MOST_SHOWN: usize = 400;

/// The text, cut to a readable length, with control characters escaped. A text may quote a
/// name that is as long as a file, or that would move the cursor.
pub(crate) fn readable(text: &str) -> String {
    let end = text.floor_char_boundary(MOST_SHOWN);
    let shown = Printable::line(&text[..end]);
    if end < text.len() { format!("{shown}…") } else { shown.into() }
}
