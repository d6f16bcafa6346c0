//! What can be found in a network's folder, as data: the vocabulary in which `network` and
//! `check` report to `render`, which alone puts it into words.
//!
//! The entry point is [`Finding`]: what was found, and the places that show it. What was
//! found is one variant of one family: those in `reading` for what can't be read, and those
//! in `checks` for each file of `check`. Text of the folder is kept as an [`Excerpt`].

mod checks;
mod place;
mod reading;

pub use place::{At, Place, Source};
pub use reading::{Bounds, InGit, Unreadable};

pub(crate) use checks::{
    Addresses, Axis, Binaries, DomainNames, Elders, Git, Identities, Locations, Logins, Missing, NameFlaw,
    PortName, Ports, Services, Shapes, Unreachable,
};
pub(crate) use reading::{
    Absent, Component, EndpointFlaw, Expected, FieldProblem, FolderProblem, Form, KeyProblem, Listed,
    NetworkKey, Owner, Referent, Scalar, Start,
};

use crate::resource::Printable;
use crate::yaml::Mistake;
use std::fmt;

/// How much a finding matters.
///
/// The rule: a finding's severity depends on that finding only, never on which
/// others the folder has. So fixing one problem may remove another or reveal
/// one, but never turns an error into a warning or back. Where something
/// matters only to an entry that is in use, it is reported only for entries in
/// use; if it can't be determined what is in use, everything counts as used.
/// `tests/folders.rs` edits the fixtures to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that the user has asked for, or should know. `--deny-warnings` ignores
    /// it.
    Note,
    /// A likely mistake; tau or upstream's tool would run it all the same.
    Warning,
    /// Something that tau, sshd or the reader would reject, or that is
    /// ambiguous.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    kind: Kind,
    places: Vec<Place>,
    /// The host whose entry has an anchor, if it was found there.
    anchored: Option<Excerpt>,
}

impl Finding {
    /// A finding that no place shows yet.
    pub(crate) fn new(kind: impl Into<Kind>) -> Self {
        Self { kind: kind.into(), places: Vec::new(), anchored: None }
    }

    /// Shows it at `place`, too. Each kind of finding has its places in an order of its own.
    #[must_use]
    pub(crate) fn at(mut self, place: &Place) -> Self {
        self.places.push(place.clone());
        self
    }

    /// Notes that it is in the entry of a host that may have been meant as a template.
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

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }

    /// Where it is shown; the primary place first.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Whether any of its places is in this file of the folder.
    pub fn is_in(&self, file: &str) -> bool {
        self.places.iter().any(|place| place.file() == file)
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
            Self::Folder(FolderProblem::SecretsMissing { .. }) | Self::Binaries(Binaries::Missing(_)) => {
                Severity::Note
            }
            Self::Folder(FolderProblem::More { worst, .. }) => *worst,
            Self::Folder(FolderProblem::Misnamed { .. })
            | Self::Field(
                FieldProblem::Unknown { .. }
                | FieldProblem::ReadOtherwise { .. }
                | FieldProblem::ListedTwice { .. },
            )
            | Self::Key(KeyProblem::LoginFile { .. })
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
                | FieldProblem::UserName(_)
                | FieldProblem::PluginName(_)
                | FieldProblem::PluginUnreadable { .. }
                | FieldProblem::Architecture { .. }
                | FieldProblem::TwoSources(_)
                | FieldProblem::Url(_)
                | FieldProblem::Path(_)
                | FieldProblem::Version(_)
                | FieldProblem::Digest,
            )
            | Self::Yaml(_)
            | Self::Key(
                KeyProblem::NoSwarm { .. }
                | KeyProblem::NoIdentity(_)
                | KeyProblem::Node { .. }
                | KeyProblem::PeerId(_)
                | KeyProblem::NotTheId { .. }
                | KeyProblem::OnlyAnId(_)
                | KeyProblem::Swarm(_)
                | KeyProblem::ValidationHalf(_)
                | KeyProblem::Validation(_)
                | KeyProblem::NoFile { .. }
                | KeyProblem::Unreadable { .. }
                | KeyProblem::IsAPlugin(_)
                | KeyProblem::Inline
                | KeyProblem::LoginFiles { .. },
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

/// Text of the folder that a finding quotes. It may be as long as a file, and one file can
/// lead to thousands of findings, so only as much is kept as can be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Excerpt(Box<str>);

impl Excerpt {
    /// The beginning of `text`.
    pub(crate) fn of(text: impl fmt::Display) -> Self {
        let text = text.to_string();
        // One character more than is shown: then a text that was cut here is cut there, too.
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

/// The text cut to a readable length, with control characters escaped: it may
/// quote a name as long as a file, or one that would move the cursor.
pub(crate) fn readable(text: &str) -> String {
    let end = text.floor_char_boundary(MOST_SHOWN);
    let shown = Printable::line(&text[..end]);
    if end < text.len() { format!("{shown}…") } else { shown.into() }
}
