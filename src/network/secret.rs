//! Secrets that may be missing where a plan is made: [`Secret`] and [`Network::missing`]. Reads
//! secrets that are in files.

use super::fields::{Fields, Item};
use super::files::{Files, Found, start_of};
use super::problem::{ProblemReport, Read};
use super::{At, Keeper, Network, Place};
use crate::finding::{Absent, Excerpt, Expected, Finding, KeyProblem, NetworkKey, Owner};
use crate::resource::{NodeName, SecretBytes};

/// A secret that the folder names or implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret<T> {
    /// It is available.
    Here(T),
    /// It is kept somewhere else, which [`Secrets::Elsewhere`](super::Secrets::Elsewhere) allows.
    Elsewhere,
}

impl<T> Secret<T> {
    /// The secret, if it is available.
    pub fn here(&self) -> Option<&T> {
        match self {
            Self::Here(secret) => Some(secret),
            Self::Elsewhere => None,
        }
    }

    /// The same with another form of the secret.
    pub(super) fn map<U>(self, form: impl FnOnce(T) -> U) -> Secret<U> {
        match self {
            Self::Here(secret) => Secret::Here(form(secret)),
            Self::Elsewhere => Secret::Elsewhere,
        }
    }

    /// Whether the secret is kept somewhere else.
    pub fn is_elsewhere(&self) -> bool {
        self.here().is_none()
    }
}

/// A secret that isn't available although the network's hosts need it.
#[derive(Clone, Debug)]
pub enum MissingSecret {
    /// The swarm key, and the place that names it.
    SwarmKey(Place),
    /// The domain-validation key, and the place that names it.
    ValidationKey(Place),
    /// The key of a node, and the node's place.
    NodeKey(NodeName, Place),
    /// The key of a node that its host has still to generate, and the node's place.
    NewNodeKey(NodeName, Place),
    /// The private key of the tenancy's application, and the place that names it.
    AppKey(Place),
    /// The configuration of `accounts`, if there is one.
    Accounts,
}

impl Network {
    /// The secrets that hosts need and that aren't available. Those that are only needed to log in
    /// aren't among them, because nothing is compared with them. Unless
    /// [`Secrets::Elsewhere`](super::Secrets::Elsewhere) allowed that, only keys that hosts have
    /// still to generate can be missing.
    pub fn missing(&self) -> Vec<MissingSecret> {
        let mut missing = Vec::new();
        let At { value, place } = &self.swarm_key;
        missing.extend(value.is_elsewhere().then(|| MissingSecret::SwarmKey(place.clone())));
        if self.domain.is_validation_incomplete() {
            let place = self.domain.validation_files.private.as_ref();
            let place = place.unwrap_or(&self.domain.validation.place);
            missing.push(MissingSecret::ValidationKey(place.clone()));
        }
        for host in self.hosts.values() {
            missing.extend(host.nodes.iter().filter_map(|(shape, node)| {
                let (name, place) = (host.node_name(shape), node.shape.place.clone());
                match (node.keeper, &node.id) {
                    (Keeper::Folder, _) | (Keeper::Host, Some(_)) => None,
                    (Keeper::Host, None) => Some(MissingSecret::NewNodeKey(name, place)),
                    (Keeper::Unknown, _) => Some(MissingSecret::NodeKey(name, place)),
                }
            }));
        }
        let app = self.tenancy.as_ref().and_then(|tenancy| tenancy.app.as_ref());
        if let Some(At { value: Secret::Elsewhere, place }) = app.and_then(|app| app.key.as_ref()) {
            missing.push(MissingSecret::AppKey(place.clone()));
        }
        if self.accounts.as_ref().is_some_and(Secret::is_elsewhere) {
            missing.push(MissingSecret::Accounts);
        }
        missing
    }
}

/// Takes a secret that is either written in the folder, as the field `written`, or in the file
/// that the field `file` names. `None` if there is neither.
pub(super) fn take<'t>(
    fields: &mut Fields<'t>,
    [written, file]: [&'static str; 2],
    (expected, key): (Expected, NetworkKey),
    owner: &Owner,
    files: &Files,
    report: &mut ProblemReport,
) -> Option<(Item<'t>, Read<Secret<SecretBytes>>)> {
    match (fields.take(written), fields.take(file)) {
        (None, None) => None,
        (Some(item), other) => {
            if let Some(other) = other {
                let twice = Finding::new(KeyProblem::Twice { owner: owner.clone(), fields: [written, file] });
                report.push(twice.at(&item.place()).at(&other.place()));
            }
            let text = item.text(expected, report);
            Some((item, text.map(|text| Secret::Here(SecretBytes::new(text)))))
        }
        (None, Some(item)) => {
            let bytes = item.text(Expected::PathOfFile, report);
            let bytes = bytes.and_then(|path| bytes_of(item, path, key, files, report));
            Some((item, bytes.map(|bytes| bytes.map(|bytes| SecretBytes::new(without_line_break(bytes))))))
        }
    }
}

/// The secret in a file, which usually ends with a line break.
fn without_line_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// The bytes of a file with a key or a password.
pub(super) fn bytes_of<'f>(
    item: Item<'_>,
    path: &str,
    key: NetworkKey,
    files: &'f Files,
    report: &mut ProblemReport,
) -> Read<Secret<&'f [u8]>> {
    let is_public = key == NetworkKey::ValidationPublic;
    let file = item.shown();
    match files.get(path) {
        Some(Found::File(bytes)) => {
            if !is_public {
                report.has_secret(item.at(path.to_owned()));
            }
            Ok(Secret::Here(bytes))
        }
        Some(Found::Unreadable(why)) => {
            Err(item.wrong(KeyProblem::Unreadable { file, why: why.clone() }, report))
        }
        Some(Found::Unopened) => Err(item.wrong(KeyProblem::IsAPlugin(file), report)),
        None => {
            let place = item.place();
            let shown = place.shown(path);
            // A masked path isn't shown anywhere else either.
            let path = (shown == path).then(|| Excerpt::of(path));
            let problem = Finding::new(KeyProblem::NoFile { file, start: start_of(shown), key, path });
            let what = if is_public { Absent::PublicFile } else { Absent::SecretFile };
            let problem = problem.at(&place);
            report.missing(place, what, problem).map(|()| Secret::Elsewhere)
        }
    }
}
