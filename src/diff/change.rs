//! Changes, by the kind of resource. A resource that is in place has no change.

use crate::resource::{
    Access, Content, Effect, FieldPath, File, IDENTITY, Link, Resource, Service, Sha256, Trouble, Untold,
    Value,
};
use std::sync::Arc;

/// A resource that differs from its desired state.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A package to install.
    Package {
        /// Whether an earlier installation of it was interrupted.
        unfinished: bool,
    },
    /// A directory to create, or whose owner or mode is to change.
    Directory {
        /// The directory as found.
        before: Option<Access>,
        /// The desired directory.
        after: Access,
    },
    /// A file to write, or whose owner or mode is to change.
    File(Box<FileChange>),
    /// A link to create or to redirect.
    Link {
        /// The link as found.
        before: Option<Link>,
        /// The digest of the file that the link replaces, if there is one.
        displaces: Option<Sha256>,
        /// The desired link.
        after: Link,
    },
    /// A port for the firewall to allow.
    Rule,
    /// Unit files that the service manager has to reload.
    Units,
    /// A unit to start, restart or enable.
    Service(Box<ServiceChange>),
    /// A resource to remove.
    Remove(Box<Resource>),
}

/// A file that differs from the desired one.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChange {
    /// The file as found.
    pub before: Option<Arc<File>>,
    /// The desired file.
    pub after: Arc<File>,
    /// Whether the content of the file differs; otherwise only its owner or mode does.
    pub rewritten: bool,
    /// The fields that differ, if both files are documents.
    pub fields: Vec<FieldChange>,
}

/// A field with a different value.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// The path of the field.
    pub path: FieldPath,
    /// The value as found.
    pub before: Option<Value>,
    /// The desired value.
    pub after: Option<Value>,
    /// What the change needs to take effect.
    pub effect: Effect,
}

/// A unit that differs from the desired one.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceChange {
    /// The unit as found.
    pub before: Option<Service>,
    /// The desired unit.
    pub after: Service,
    /// What is done to the unit's process.
    pub verb: Option<Verb>,
    /// Whether the unit is to be enabled, so that it starts at boot.
    pub enable: bool,
    /// Why the unit is restarted, or what is wrong with it.
    pub reasons: Vec<Reason>,
}

/// What is done to a unit's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The unit is down: start it.
    Start,
    /// The unit runs with outdated or unknown inputs, or has a failure that only a restart
    /// can fix: restart it.
    Restart,
    /// The unit has the right inputs, but isn't healthy yet: wait for it.
    Await,
}

/// Why a unit is restarted, or waited for.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// A file that the process read when it started differs from the desired one.
    Input {
        /// The path of the file.
        path: String,
        /// The fields that differ; empty if the file is compared as a whole.
        fields: Vec<FieldChange>,
    },
    /// It is unknown what the process was started with.
    Unknown(Untold),
    /// The process keeps exiting and being restarted by the service manager, or isn't
    /// healthy.
    Failing(Trouble),
}

/// What a change does. Plans and applies count changes by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Something is added that didn't exist.
    Create,
    /// Something that exists is changed, or waited for.
    Change,
    /// Something is removed.
    Remove,
    /// A unit that is down is started.
    Start,
    /// A unit that is up is restarted.
    Restart,
}

impl Change {
    /// The kind by which plans and applies count this change.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::Remove(_) => ChangeKind::Remove,
            Self::Service(service) => match service.verb {
                Some(Verb::Start) => ChangeKind::Start,
                Some(Verb::Restart) => ChangeKind::Restart,
                Some(Verb::Await) | None => ChangeKind::Change,
            },
            Self::Package { .. } | Self::Rule => ChangeKind::Create,
            Self::Directory { before: None, .. } | Self::Link { before: None, displaces: None, .. } => {
                ChangeKind::Create
            }
            Self::File(file) if file.before.is_none() => ChangeKind::Create,
            Self::Directory { .. } | Self::File(_) | Self::Link { .. } | Self::Units => ChangeKind::Change,
        }
    }

    /// The file that was found, if the change is to a file.
    pub fn file_before(&self) -> Option<&File> {
        match self {
            Self::File(change) => change.before.as_deref(),
            Self::Remove(resource) => match &**resource {
                Resource::File(file) => Some(file),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the change can't be undone, or cuts a node off from the network.
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::Remove(resource) => match &**resource {
                Resource::Service(service) => service.node.is_some(),
                Resource::Storage { .. } => true,
                _ => false,
            },
            Self::File(change) => {
                let replaces_secret = matches!(
                    (&change.before, &change.after.content),
                    (Some(before), Content::Secret(_)) if matches!(before.content, Content::Secret(_)) && change.rewritten
                );
                replaces_secret
                    || change.fields.iter().any(|field| field.path == IDENTITY && field.before.is_some())
            }
            _ => false,
        }
    }
}
