//! Receipts: what an apply has left on a host, as the host itself keeps it.
//!
//! A receipt has a digest of every managed resource as the apply left it (*left*), and of what
//! the folder wanted then, if that was something else with the same meaning (*wanted*). The
//! digests of the present states are made in the same way ([`Receipt::origin`]), so that a
//! later plan can tell whether the host has changed, the folder, or both. The digests are made
//! with a salt of the host's own: a receipt stays usable after the swarm key has been replaced.
//!
//! A receipt is written last, for the state that was found after the apply. Before an apply
//! changes anything on a host, it gives the host's receipt another name, so that the receipt is
//! [superseded](Receipt::superseded): if the apply is cut off at any point, what it has changed
//! isn't attributed to the host. A plan reads a receipt only to explain a difference, never to
//! find one.

use super::{Asked, interpret};
use crate::resource::{
    Activity, Edge, Graph, HostName, Input, Inputs, Printable, Redactor, Resource, ResourceId, ResourceKey,
    Sha256, Unreadable, seconds,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of a receipt's format, `major.minor`.
pub const FORMAT: &str = "1.1";

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
    /// The host's name in the folder.
    pub host: Option<Printable>,
    /// The last apply that left a receipt.
    pub apply: ApplyRecord,
    /// Random hexadecimal digits that the digests begin with.
    pub salt: String,
    /// The file name of the roster, next to this file.
    pub roster: String,
    /// The resources, by their names in a plan.
    pub resources: BTreeMap<String, Left>,
    /// The names of resources that this apply didn't have to put in place, such as those outside
    /// of its targets, and of which no earlier receipt tells what was left.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
    /// Earlier applies, the latest first.
    pub earlier: Vec<ApplyRecord>,
    /// Whether a later apply has begun on the host and hasn't left a receipt. Then what the last
    /// apply has left isn't known. The name of the receipt's file says so.
    #[serde(skip)]
    pub superseded: bool,
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

/// What a resource is like in one of the two states of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// It isn't there, or is of a kind that receipts don't have.
    Nothing,
    /// It has this digest.
    Digest(String),
    /// It can't be read, or runs with files that aren't known.
    Unknown,
    /// It is a unit that may still become healthy, so it is neither as an apply leaves a unit nor
    /// different.
    Starting,
}

impl Found {
    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown | Self::Starting)
    }
}

/// The result of comparing a host with its receipt: the names of the resources that aren't as
/// the apply left them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared<'a> {
    /// These have changed, or are gone.
    pub changed: Vec<&'a str>,
    /// Of these it isn't known: they can't be read, weren't asked about, or the receipt doesn't
    /// tell what was left.
    pub unknown: Vec<&'a str>,
    /// These units have been started again, for example by the host's boot, and aren't healthy
    /// yet. Whether they will be isn't known.
    pub starting: Vec<&'a str>,
}

/// What was found on a host after an apply.
#[derive(Clone, Copy, Debug)]
pub struct After<'a> {
    /// What the folder wants there.
    pub desired: &'a Graph<Resource>,
    /// What is there.
    pub current: &'a Graph<Resource>,
    /// The resources that aren't as the folder wants them.
    pub differing: &'a BTreeSet<ResourceId>,
}

impl Left {
    /// The digest of the resource as the folder wanted it then.
    fn wanted(&self) -> &String {
        self.wanted.as_ref().unwrap_or(&self.left)
    }

    fn found(&self) -> Found {
        Found::Digest(self.left.clone())
    }

    fn found_wanted(&self) -> Found {
        Found::Digest(self.wanted().clone())
    }
}

/// It isn't known what an apply has left.
struct Unknown;

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
        receipt.host = receipt.host.map(|host| redactor.line(&host));
        for apply in receipt.earlier.iter_mut().chain([&mut receipt.apply]) {
            for field in [&mut apply.at, &mut apply.by, &mut apply.plan, &mut apply.spore] {
                *field = redactor.line(field);
            }
        }
        Some(receipt)
    }

    /// The receipt of an apply after which `after` was found on the host.
    pub fn new(
        network: &str,
        host: &HostName,
        apply: ApplyRecord,
        salt: String,
        roster: String,
        previous: Option<&Self>,
        after: After<'_>,
    ) -> Self {
        let salt = previous.map_or(salt, |previous| previous.salt.clone());
        let mut receipt = Self {
            spore_receipt: FORMAT.to_owned(),
            network: Printable::line(network),
            host: Some(Printable::composed(host.to_string())),
            apply,
            salt,
            roster,
            resources: BTreeMap::new(),
            unknown: BTreeSet::new(),
            earlier: previous.map(Self::applies).unwrap_or_default(),
            superseded: false,
        };
        receipt.earlier.truncate(EARLIER);
        let After { desired, current, differing } = after;
        let ids: BTreeSet<&ResourceId> = desired.iter().map(|(id, _)| id).chain(differing).collect();
        for id in ids.into_iter().filter(|id| is_recorded(&id.key)) {
            let left = match (differing.contains(id), previous) {
                (false, _) => receipt.left(id, desired, current),
                (true, Some(previous)) => previous.still_left(id, current),
                (true, None) => Err(Unknown),
            };
            let name = id.key.to_string();
            match left {
                Ok(left) => receipt.resources.extend(left.map(|left| (name, left))),
                Err(Unknown) => drop(receipt.unknown.insert(name)),
            }
        }
        receipt
    }

    /// What an apply has left of a resource that is in place.
    fn left(
        &self,
        id: &ResourceId,
        desired: &Graph<Resource>,
        current: &Graph<Resource>,
    ) -> Result<Option<Left>, Unknown> {
        let wanted = match self.found(id, desired) {
            Found::Digest(wanted) => Some(wanted),
            Found::Nothing | Found::Unknown | Found::Starting => None,
        };
        match self.found(id, current) {
            Found::Nothing => Ok(None),
            Found::Digest(left) => Ok(Some(Left { wanted: wanted.filter(|wanted| *wanted != left), left })),
            Found::Unknown | Found::Starting => Err(Unknown),
        }
    }

    /// What this receipt says of a resource that a later apply didn't put in place.
    ///
    /// If an apply in between was cut off, it may have changed the resource. Whether it has is
    /// known only if nothing has changed at all.
    fn still_left(&self, id: &ResourceId, current: &Graph<Resource>) -> Result<Option<Left>, Unknown> {
        let name = id.key.to_string();
        let left = self.resources.get(&name);
        let is_same = || self.found(id, current) == left.map_or(Found::Nothing, Left::found);
        match !self.unknown.contains(&name) && (!self.superseded || is_same()) {
            true => Ok(left.cloned()),
            false => Err(Unknown),
        }
    }

    /// When the last apply ended, in seconds since 1970; `None` if the receipt has no time.
    pub fn seconds(&self) -> Option<u64> {
        seconds(&self.apply.at)
    }

    /// All applies that the receipt names, the latest first.
    pub fn applies(&self) -> Vec<ApplyRecord> {
        [&self.apply].into_iter().chain(&self.earlier).cloned().collect()
    }

    /// What a resource is like in one of the two states of its host.
    fn found(&self, id: &ResourceId, graph: &Graph<Resource>) -> Found {
        let Some(resource) = graph.get(id).filter(|_| is_recorded(&id.key)) else { return Found::Nothing };
        if matches!(resource, Resource::Service(service) if matches!(service.activity, Activity::Starting(_)))
        {
            return Found::Starting;
        }
        let Some(state) = state(resource, id, graph) else { return Found::Unknown };
        let digest = Sha256::of(format!("{}\n{}\n{state}", self.salt, id.key).as_bytes());
        Found::Digest(format!("{:.32}", digest.to_string()))
    }

    /// Where a difference between two states comes from.
    pub fn origin(&self, id: &ResourceId, desired: &Graph<Resource>, current: &Graph<Resource>) -> Origin {
        let name = id.key.to_string();
        let [wanted, found] = [desired, current].map(|graph| self.found(id, graph));
        let is_known = wanted.is_known() && found.is_known();
        if self.superseded || !is_recorded(&id.key) || self.unknown.contains(&name) || !is_known {
            return Origin::Unknown;
        }
        let left = self.resources.get(&name);
        let folder = wanted != left.map_or(Found::Nothing, Left::found_wanted);
        let host = found != left.map_or(Found::Nothing, Left::found);
        match (folder, host) {
            (true, false) => Origin::Folder,
            (false, true) => Origin::Host,
            (true, true) => Origin::Both,
            (false, false) => Origin::Unknown,
        }
    }

    /// Whether the receipt says of every desired resource what the folder wants now.
    pub fn is_current(&self, desired: &Graph<Resource>) -> bool {
        let is_current = |id: &ResourceId| {
            let left = self.resources.get(&id.key.to_string());
            self.found(id, desired) == left.map_or(Found::Nothing, Left::found_wanted)
        };
        !self.superseded && desired.iter().all(|(id, _)| is_current(id))
    }

    /// Compares a host with what the apply has left there. `asked` is what the host was asked
    /// about.
    pub fn compare(&self, current: &Graph<Resource>, asked: &Asked) -> Compared<'_> {
        let found = current.iter().map(|(id, _)| (id.key.to_string(), self.found(id, current)));
        let found: BTreeMap<String, Found> = found.collect();
        let mut compared = Compared::default();
        for (name, left) in &self.resources {
            match found.get(name) {
                Some(Found::Starting) => compared.starting.push(name),
                Some(Found::Unknown) => compared.unknown.push(name),
                None if !was_asked(name, asked) => compared.unknown.push(name),
                Some(found) if *found == left.found() => {}
                Some(_) | None => compared.changed.push(name),
            }
        }
        compared.unknown.extend(self.unknown.iter().map(String::as_str));
        compared
    }
}

/// Whether a host was asked about the resource with this name.
fn was_asked(name: &str, asked: &Asked) -> bool {
    asked.covers(&match (name.strip_suffix('/'), name.starts_with('/')) {
        (Some(path), _) => ResourceKey::Directory(path.to_owned()),
        (None, true) => ResourceKey::File(name.to_owned()),
        // The rules of the firewall are always asked about.
        (None, false) if name.contains(' ') => return true,
        (None, false) => ResourceKey::Service(name.to_owned()),
    })
}

/// Whether receipts have this resource. Packages are only known while they are being installed,
/// loaded unit files follow the files, data belongs to the nodes, and nobody but spore changes
/// spore's own files.
fn is_recorded(key: &ResourceKey) -> bool {
    match key {
        ResourceKey::File(path) => !interpret::is_own(path),
        ResourceKey::Directory(_) | ResourceKey::Link(_) | ResourceKey::Rule(_) | ResourceKey::Service(_) => {
            true
        }
        ResourceKey::Package(_) | ResourceKey::Units | ResourceKey::Storage(_) => false,
    }
}

/// A resource's state in one line; `None` if it isn't known, or depends on a secret that isn't
/// available. A desired state and a current one are the same line if they are the same.
fn state(resource: &Resource, id: &ResourceId, graph: &Graph<Resource>) -> Option<String> {
    Some(match resource {
        Resource::Directory(access) => format!("directory {access}"),
        Resource::File(file) if !file.is_available() => return None,
        Resource::File(file) => format!("file {} {}", file.access, file.sha256),
        Resource::Link(link) => format!("link {}", link.target),
        Resource::Rule { whole } => format!("rule {whole}"),
        Resource::Service(service) => {
            let activity = match &service.activity {
                Activity::Running(_) => "running",
                // Its state is `Found::Starting`.
                Activity::Starting(_) => return None,
                Activity::Failing { .. } => "failing",
                Activity::Stopped => "stopped",
                Activity::Masked => "masked",
            };
            let inputs = match service.activity.started().map(|started| &started.inputs) {
                // A desired unit runs with the files of its own graph.
                Some(Inputs::Known(known)) if known.is_empty() => read_by(id, graph)?,
                Some(Inputs::Known(known)) => {
                    let input = |(path, input): (&String, &Input)| {
                        let sha256 = input.sha256.map_or_else(|| "?".to_owned(), |sha256| sha256.to_string());
                        format!("{path} {sha256}")
                    };
                    known.iter().map(input).collect()
                }
                Some(Inputs::Unknown(_)) => return None,
                None => vec!["?".to_owned()],
            };
            format!("service enabled={} {activity} {}", service.enabled, inputs.join(" "))
        }
        // What is there instead of a file or a directory isn't what an apply has left.
        Resource::Unreadable {
            why: Unreadable::NotAFile | Unreadable::NotADirectory | Unreadable::TooLarge,
        } => "something else".to_owned(),
        Resource::Unreadable { .. }
        | Resource::Package { .. }
        | Resource::Units { .. }
        | Resource::Storage { .. } => return None,
    })
}

/// The files that a desired unit reads, with their digests; `None` if one isn't available.
fn read_by(unit: &ResourceId, graph: &Graph<Resource>) -> Option<Vec<String>> {
    let mut read = Vec::new();
    for (id, _) in graph.before(unit).into_iter().filter(|(_, edge)| matches!(edge, Edge::Reads(_))) {
        if let Some(Resource::File(file)) = graph.get(id) {
            read.push(file.is_available().then(|| format!("{} {}", id.key, file.sha256))?);
        }
    }
    read.sort();
    Some(read)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::resource::{Access, Content, File, FileSource};

    const PATHS: [&str; 4] = ["/a", "/b", "/c", "/d"];

    fn id(path: &str) -> ResourceId {
        ResourceId { host: "h1".parse().unwrap(), key: ResourceKey::File(path.to_owned()) }
    }

    /// A host with these files; `-` for none.
    fn host(texts: [&str; 4]) -> Graph<Resource> {
        let mut graph = Graph::default();
        for (path, text) in PATHS.iter().zip(texts).filter(|(_, text)| *text != "-") {
            let access = Access { mode: 0o600, owner: "root:root".into() };
            let (content, sha256) = (Content::Opaque, Sha256::of(text.as_bytes()));
            graph.insert(id(path), File { access, content, sha256, source: FileSource::Host }.into());
        }
        graph
    }

    /// The receipt after an apply to one part of a host.
    fn receipt(previous: Option<&Receipt>, desired: [&str; 4], current: [&str; 4]) -> Receipt {
        let differing = PATHS.iter().zip(desired.iter().zip(current)).filter(|(_, (a, b))| *a != b);
        let differing = differing.map(|(path, _)| id(path)).collect();
        let (desired, current) = (host(desired), host(current));
        let apply = ApplyRecord { at: "".into(), by: "".into(), plan: "".into(), spore: "".into() };
        let after = After { desired: &desired, current: &current, differing: &differing };
        let name = "h1".parse().unwrap();
        Receipt::new("net.test", &name, apply, "salt".to_owned(), String::new(), previous, after)
    }

    fn origins(receipt: &Receipt, desired: [&str; 4], current: [&str; 4]) -> [Origin; 4] {
        let (desired, current) = (host(desired), host(current));
        PATHS.map(|path| receipt.origin(&id(path), &desired, &current))
    }

    #[test]
    fn a_difference_has_an_origin() {
        use Origin::{Both, Folder, Host, Unknown};
        let left = ["1", "1", "1", "1"];
        let whole = receipt(None, left, left);
        let now = (["2", "1", "2", "-"], ["1", "2", "3", "1"]);
        assert_eq!(origins(&whole, now.0, now.1), [Folder, Host, Both, Folder]);
        let superseded = Receipt { superseded: true, ..whole.clone() };
        assert_eq!(origins(&superseded, now.0, now.1), [Unknown; 4]);
        assert!(whole.is_current(&host(left)) && !superseded.is_current(&host(left)));
        // Spore's own files aren't anybody's.
        let own = id("/x/.spore-a-0123");
        assert_eq!(whole.origin(&own, &host(now.0), &host(now.1)), Unknown);
    }

    /// An apply to targets leaves other differences as they are. They keep their origin, if that is
    /// known.
    #[test]
    fn what_an_apply_leaves_alone_keeps_its_origin() {
        use Origin::{Folder, Host, Unknown};
        let left = ["1", "1", "1", "-"];
        let first = receipt(None, left, left);
        // Someone has changed the second file; the folder has another third and a new fourth.
        let now = (["2", "1", "2", "2"], ["2", "3", "1", "-"]);
        let second = receipt(Some(&first), now.0, now.1);
        assert_eq!(origins(&second, now.0, now.1)[1..], [Host, Folder, Folder]);
        // A removal is outside of the targets.
        let removed = receipt(Some(&first), ["1", "-", "1", "-"], left);
        assert_eq!(origins(&removed, ["1", "-", "1", "-"], left)[1], Folder);
        // After an apply that was cut off, spore may have changed the second file.
        let superseded = Receipt { superseded: true, ..first };
        let third = receipt(Some(&superseded), now.0, now.1);
        assert_eq!(origins(&third, now.0, now.1)[1..], [Unknown, Folder, Folder]);
        // There was no receipt.
        let only = receipt(None, now.0, now.1);
        assert_eq!(origins(&only, now.0, now.1)[1..], [Unknown; 3]);
    }

    #[test]
    fn what_cannot_be_compared_has_not_changed() {
        let left = receipt(None, ["1", "1", "1", "1"], ["1", "1", "1", "-"]);
        let mut current = host(["1", "2", "1", "-"]);
        let unreadable = |why| Resource::Unreadable { why };
        current.insert(id("/a"), unreadable(Unreadable::Failed("denied".into())));
        current.insert(id("/c"), unreadable(Unreadable::NotAFile));
        let compared = left.compare(&current, &Asked::default());
        assert_eq!(compared.changed, ["/b", "/c"]);
        assert_eq!(compared.unknown, ["/a", "/d"]);
        // What wasn't found may not have been asked about.
        let compared = left.compare(&host(["-", "1", "1", "-"]), &Asked::default());
        assert_eq!((compared.changed, compared.unknown), (vec![], vec!["/a", "/d"]));
    }
}
