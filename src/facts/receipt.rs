//! Receipts: what an apply has left on a host, as the host itself keeps it.
//!
//! A receipt has a digest of every managed resource as the apply left it (*left*), and of what
//! the folder wanted then, if that was something else with the same meaning (*wanted*). The
//! digests of the present states are made in the same way ([`Receipt::digest`]), so that a
//! later plan can tell whether the host has changed, the folder, or both. The digests are made
//! with a salt of the host's own: a receipt stays usable after the swarm key has been replaced.
//!
//! A receipt is written last, for the state that was found after the apply. A plan reads it
//! only to explain a difference, never to find one.

use crate::resource::{
    Activity, Edge, Graph, Input, Inputs, Printable, Redactor, Resource, ResourceId, ResourceKey, Sha256,
    seconds,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of a receipt's format, `major.minor`.
pub const FORMAT: &str = "1.0";

/// How many earlier applies a receipt names.
const EARLIER: usize = 20;

/// What an apply has left on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A receipt that an apply has left on a host")]
pub struct Receipt {
    /// The version of this file's format.
    pub spore_receipt: String,
    /// The root domain of the network that the host belongs to.
    pub network: Printable,
    /// The last apply that left a receipt.
    pub apply: ApplyRecord,
    /// Random hexadecimal digits that the digests begin with.
    pub salt: String,
    /// The file name of the roster, next to this file.
    pub roster: String,
    /// The resources, by their names in a plan.
    pub resources: BTreeMap<String, Left>,
    /// Earlier applies, the latest first.
    pub earlier: Vec<ApplyRecord>,
}

/// An apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApplyRecord {
    /// When it ended, by the controller's clock, in UTC (RFC 3339).
    pub at: Printable,
    /// Who ran it: `user@machine`.
    pub by: Printable,
    /// The SHA-256 of its plan.
    pub plan: Printable,
    /// The version of `spore`.
    pub spore: Printable,
}

/// What an apply has left of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// The digest of the resource as it was found after the apply.
    pub left: String,
    /// The digest of the resource as the folder wanted it, if it is another one: two files can
    /// mean the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
}

/// Where a difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The folder has changed since the last apply.
    Folder,
    /// The host has changed since the last apply.
    Host,
    /// Both have.
    Both,
    /// No receipt tells.
    Unknown,
}

impl Left {
    /// The digest of the resource as the folder wanted it then.
    fn wanted(&self) -> &String {
        self.wanted.as_ref().unwrap_or(&self.left)
    }
}

impl Receipt {
    /// Whether the receipt is of this network. That of another network says nothing about this
    /// one.
    pub fn is_of(&self, network: &str) -> bool {
        self.network == Printable::line(network)
    }

    /// Parses a receipt that a host has sent; `None` if it isn't one of this major version.
    pub fn parse(text: &str, redactor: &Redactor) -> Option<Self> {
        let mut receipt: Self = serde_json::from_str(text).ok()?;
        if receipt.spore_receipt.split('.').next() != FORMAT.split('.').next() {
            return None;
        }
        receipt.earlier.truncate(EARLIER);
        for apply in receipt.earlier.iter_mut().chain([&mut receipt.apply]) {
            for field in [&mut apply.at, &mut apply.by, &mut apply.plan, &mut apply.spore] {
                *field = redactor.line(field);
            }
        }
        Some(receipt)
    }

    /// The receipt of an apply that has left the host in the state `current`. Of a resource
    /// that isn't `in_place`, the previous receipt stays valid.
    pub fn new(
        network: &str,
        apply: ApplyRecord,
        salt: String,
        roster: String,
        previous: Option<&Self>,
        [desired, current]: [&Graph<Resource>; 2],
        in_place: impl Fn(&ResourceId) -> bool,
    ) -> Self {
        let salt = previous.map_or(salt, |previous| previous.salt.clone());
        let mut receipt = Self {
            spore_receipt: FORMAT.to_owned(),
            network: Printable::line(network),
            apply,
            salt,
            roster,
            resources: BTreeMap::new(),
            earlier: previous.map(Self::applies).unwrap_or_default(),
        };
        receipt.earlier.truncate(EARLIER);
        for (id, _) in desired.iter() {
            let name = id.key.to_string();
            let left = match in_place(id) {
                false => previous.and_then(|previous| previous.resources.get(&name)).cloned(),
                true => receipt.left(id, desired, current),
            };
            receipt.resources.extend(left.map(|left| (name, left)));
        }
        receipt
    }

    fn left(&self, id: &ResourceId, desired: &Graph<Resource>, current: &Graph<Resource>) -> Option<Left> {
        let [wanted, left] = [desired, current].map(|graph| self.digest(id, graph));
        let left = left?;
        Some(Left { wanted: wanted.filter(|wanted| *wanted != left), left })
    }

    /// When the last apply ended, in seconds since 1970; `None` if the receipt has no time.
    pub fn seconds(&self) -> Option<u64> {
        seconds(&self.apply.at)
    }

    /// All applies that the receipt names, the latest first.
    pub fn applies(&self) -> Vec<ApplyRecord> {
        [&self.apply].into_iter().chain(&self.earlier).cloned().collect()
    }

    /// The digest of a resource in one of the two states of its host; `None` if the resource
    /// isn't there, or isn't one that receipts have.
    pub fn digest(&self, id: &ResourceId, graph: &Graph<Resource>) -> Option<String> {
        let state = state(graph.get(id)?, id, graph)?;
        let digest = Sha256::of(format!("{}\n{}\n{state}", self.salt, id.key).as_bytes());
        Some(format!("{:.32}", digest.to_string()))
    }

    /// Where a difference between two states comes from.
    pub fn origin(&self, id: &ResourceId, desired: &Graph<Resource>, current: &Graph<Resource>) -> Origin {
        if !is_recorded(&id.key) || !is_available(id, desired) {
            return Origin::Unknown;
        }
        let left = self.resources.get(&id.key.to_string());
        let [wanted, found] = [desired, current].map(|graph| self.digest(id, graph));
        let folder = wanted.as_ref() != left.map(Left::wanted);
        let host = found.as_ref() != left.map(|left| &left.left);
        match (folder, host) {
            (true, false) => Origin::Folder,
            (false, true) => Origin::Host,
            (true, true) => Origin::Both,
            (false, false) => Origin::Unknown,
        }
    }

    /// Whether the receipt says of every desired resource what the folder wants now.
    pub fn is_current(&self, desired: &Graph<Resource>) -> bool {
        desired.iter().filter(|(id, _)| is_recorded(&id.key)).all(|(id, _)| {
            let left = self.resources.get(&id.key.to_string());
            self.digest(id, desired).as_ref() == left.map(Left::wanted)
        })
    }

    /// The names of the resources that aren't as the apply left them.
    pub fn differing<'a>(&'a self, current: &Graph<Resource>) -> Vec<&'a str> {
        let found: BTreeMap<String, String> = current
            .iter()
            .filter_map(|(id, _)| Some((id.key.to_string(), self.digest(id, current)?)))
            .collect();
        let differs = |(name, left): &(&String, &Left)| found.get(*name) != Some(&left.left);
        self.resources.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
    }
}

/// Whether receipts have resources of this kind. Packages are only known while they are being
/// installed, loaded unit files follow the files, and data belongs to the nodes.
fn is_recorded(key: &ResourceKey) -> bool {
    match key {
        ResourceKey::Directory(_)
        | ResourceKey::File(_)
        | ResourceKey::Link(_)
        | ResourceKey::Rule(_)
        | ResourceKey::Service(_) => true,
        ResourceKey::Package(_) | ResourceKey::Units | ResourceKey::Storage(_) => false,
    }
}

/// Whether the desired state of a resource is known. It isn't if it depends on a secret that isn't
/// available.
fn is_available(id: &ResourceId, desired: &Graph<Resource>) -> bool {
    let is_known = |id: &ResourceId| match desired.get(id) {
        Some(Resource::File(file)) => file.is_available(),
        _ => true,
    };
    is_known(id) && desired.before(id).into_iter().all(|(read, _)| is_known(read))
}

/// A resource's state in one line. A desired state and a current one are the same line if they
/// are the same.
fn state(resource: &Resource, id: &ResourceId, graph: &Graph<Resource>) -> Option<String> {
    Some(match resource {
        Resource::Directory(access) => format!("directory {access}"),
        Resource::File(file) => format!("file {} {}", file.access, file.sha256),
        Resource::Link(link) => format!("link {}", link.target),
        Resource::Rule { whole } => format!("rule {whole}"),
        Resource::Service(service) => {
            let activity = match &service.activity {
                Activity::Running(_) => "running",
                Activity::Starting(_) => "starting",
                Activity::Failing { .. } => "failing",
                Activity::Stopped => "stopped",
                Activity::Masked => "masked",
            };
            let inputs = match service.activity.started().map(|started| &started.inputs) {
                // A desired unit runs with the files of its own graph.
                Some(Inputs::Known(known)) if known.is_empty() => read_by(id, graph),
                Some(Inputs::Known(known)) => {
                    let input = |(path, input): (&String, &Input)| {
                        let sha256 = input.sha256.map_or_else(|| "?".to_owned(), |sha256| sha256.to_string());
                        format!("{path} {sha256}")
                    };
                    known.iter().map(input).collect()
                }
                Some(Inputs::Unknown(_)) | None => vec!["?".to_owned()],
            };
            format!("service enabled={} {activity} {}", service.enabled, inputs.join(" "))
        }
        Resource::Package { .. }
        | Resource::Units { .. }
        | Resource::Storage { .. }
        | Resource::Unreadable { .. } => return None,
    })
}

/// The files that a desired unit reads, with their digests.
fn read_by(unit: &ResourceId, graph: &Graph<Resource>) -> Vec<String> {
    let read = graph.before(unit).into_iter().filter(|(_, edge)| matches!(edge, Edge::Reads(_)));
    let mut read: Vec<String> = read
        .filter_map(|(id, _)| match graph.get(id)? {
            Resource::File(file) => Some(format!("{} {}", id.key, file.sha256)),
            _ => None,
        })
        .collect();
    read.sort();
    read
}
