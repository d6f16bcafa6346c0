//! A difference, by the kind of resource. A resource that is in place has no change.

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
        /// Whether an earlier installation of it was cut off.
        unfinished: bool,
    },
    /// A directory to create, or to change owner or mode of.
    Directory {
        /// As it was found.
        before: Option<Access>,
        /// As it should be.
        after: Access,
    },
    /// A file to write, or to change owner or mode of.
    File(Box<FileChange>),
    /// A link to make.
    Link {
        /// Where it points now.
        before: Option<Link>,
        /// The digest of a file that stands in its place.
        displaces: Option<Sha256>,
        /// Where it should.
        after: Link,
    },
    /// A port to allow.
    Rule,
    /// Unit files that the service manager is to read.
    Units,
    /// A unit to start, restart or enable.
    Service(Box<ServiceChange>),
    /// A resource to remove.
    Remove(Box<Resource>),
}

/// A file that isn't as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChange {
    /// As it was found.
    pub before: Option<Arc<File>>,
    /// As it should be.
    pub after: Arc<File>,
    /// Whether its content differs; otherwise only its owner or mode does.
    pub rewritten: bool,
    /// Where both are documents: what they say differently.
    pub fields: Vec<FieldChange>,
}

/// A field with a different value.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Which.
    pub path: FieldPath,
    /// As it was found.
    pub before: Option<Value>,
    /// As it should be.
    pub after: Option<Value>,
    /// What it needs to become effective.
    pub effect: Effect,
}

/// A unit that isn't as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceChange {
    /// As it was found.
    pub before: Option<Service>,
    /// As it should be.
    pub after: Service,
    /// What is to be done to its process.
    pub verb: Option<Verb>,
    /// Whether it is to be started at boot.
    pub enable: bool,
    /// Why it is restarted, or what is wrong with it.
    pub reasons: Vec<Reason>,
}

/// What is done to a unit's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is down.
    Start,
    /// It runs with outdated inputs.
    Restart,
    /// It is starting, with the right inputs.
    Await,
}

/// Why a unit is restarted.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// What it was started with differs from what it should run with.
    Input {
        /// The file.
        path: String,
        /// Its fields, where that is a document; empty where it is the whole.
        fields: Vec<FieldChange>,
    },
    /// What it was started with isn't known.
    Unknown(Untold),
    /// It exits and is restarted by the service manager, or doesn't do its work.
    Failing(Trouble),
}

/// What a change does, in the terms in which plans and applies count changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something is added that wasn't there.
    Create,
    /// Something that is there is changed, or waited for.
    Change,
    /// Something is removed.
    Remove,
    /// A unit that is down is started.
    Start,
    /// A unit that is up is restarted.
    Restart,
}

impl Change {
    /// How plans and applies count it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Remove(_) => Kind::Remove,
            Self::Service(service) => match service.verb {
                Some(Verb::Start) => Kind::Start,
                Some(Verb::Restart) => Kind::Restart,
                Some(Verb::Await) | None => Kind::Change,
            },
            Self::Package { .. } | Self::Rule => Kind::Create,
            Self::Directory { before: None, .. } | Self::Link { before: None, displaces: None, .. } => {
                Kind::Create
            }
            Self::File(file) if file.before.is_none() => Kind::Create,
            Self::Directory { .. } | Self::File(_) | Self::Link { .. } | Self::Units => Kind::Change,
        }
    }

    /// What was found, where that is a file.
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

    /// Whether it can't be undone, or cuts a node off from the network.
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
