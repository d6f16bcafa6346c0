//! The saved plan: a versioned JSON file that is made in one place, reviewed, and applied in
//! another.
//!
//! [`PlanFile`] is the file. Its structs are only for the file: the plan's own types change
//! freely, these only with [`FORMAT`]. A minor version only adds fields, so a reader of the
//! same major version ignores the fields that it doesn't know.
//!
//! A plan depends on the folder, the options and the facts alone. Therefore the file contains
//! the facts, and applying it means to plan again from them: if the result is the plan in the
//! file, its actions are carried out, and each expects the state that the facts describe.
//! Otherwise nothing is applied. [`PlanFile::stale`] finds what has changed.
//!
//! The file contains no secret. The folder's files are identified by digests with a key that
//! is derived from the swarm key, so that nobody can test guesses of a password against them.

use crate::facts::file::{self, FileError, Gathered};
use crate::resource::{DigestKey, Printable, SecretBytes, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the file's format, `major.minor`.
pub const FORMAT: &str = "1.2";

/// The version of the planner. It is raised whenever the same folder, options and facts lead
/// to another plan than before.
pub const PLANNER: u32 = 3;

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A plan saved by `spore plan -o`")]
pub struct PlanFile {
    /// The version of this file's format. A reader accepts every minor version of the major
    /// versions that it knows.
    pub spore_plan: String,
    /// What has made the plan.
    pub made_with: MadeWith,
    /// What the plan does.
    pub plan: PlanPage,
    /// What the plan was made from, besides the facts.
    pub inputs: Inputs,
    /// The facts that the plan was made from.
    pub facts: Gathered,
}

/// The program that has made a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MadeWith {
    /// The version of `spore`.
    pub spore: String,
    /// The version of its planner. Another planner may make another plan from the same inputs,
    /// so it doesn't apply this one.
    pub planner: u32,
}

/// What a plan was made from, besides the facts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inputs {
    /// The options of the command.
    pub options: SavedOptions,
    /// Identifies the key of the digests below. It is derived from the swarm key.
    pub key: String,
    /// The folder's YAML files: keyed digests of their contents by path.
    pub folder: BTreeMap<String, String>,
    /// The files of secrets: keyed digests of their contents by path.
    pub secrets: BTreeMap<String, String>,
    /// The programs and plugins: SHA-256 by name.
    pub artifacts: BTreeMap<String, String>,
}

/// The options that a plan was made with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SavedOptions {
    /// `--target`: `shape@host`, `@host` or `shape@`.
    pub targets: Vec<String>,
    /// `--batch`
    pub batch: Option<usize>,
    /// `--take-over`
    pub take_over: bool,
    /// `--no-revert`
    pub no_revert: bool,
    /// `--purge-storage`
    pub purge_storage: bool,
    /// `--prune`
    pub prune: bool,
    /// `--fetch`: `send` or `hosts`
    #[serde(default)]
    pub fetch: Option<String>,
}

/// A plan in words, in the order in which it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanPage {
    /// The network's root domain.
    pub network: Printable,
    /// The number of hosts that the targets may select.
    pub hosts: usize,
    /// What the plan amounts to.
    pub verdict: Verdict,
    /// The plan in one line, which begins with `plan:`.
    pub summary: Printable,
    /// The number of resources that are in place already.
    pub in_place: usize,
    /// The hosts on which another apply was running when they were probed, and who holds the
    /// lock.
    pub locked: BTreeMap<Printable, Printable>,
    /// The hosts that couldn't be planned; a host has an entry for each reason.
    pub unplanned: Vec<UnplannedHost>,
    /// The secrets that weren't available to the plan, which therefore can't be applied.
    #[serde(default)]
    pub missing: Vec<MissingEntry>,
    /// What couldn't be compared, because of these secrets.
    #[serde(default)]
    pub uncompared: Vec<UncomparedEntry>,
    /// The hosts that were deleted from the folder without having been retired.
    pub forgotten: Vec<ForgottenHost>,
    /// By host, the last apply; `null` if the host has no receipt of any. Hosts without nodes are
    /// left out.
    pub applied: BTreeMap<Printable, Option<LastApply>>,
    /// Directives of units that something on a host overrides, and that no action can fix.
    pub overridden: Vec<OverriddenUnit>,
    /// Changes that need explicit consent. Each is also among the changes.
    pub destructive: Vec<Destructive>,
    /// The changes, by host.
    pub changes: Vec<PlannedChange>,
    /// By host, the actions that are carried out on all hosts at once before the first wave.
    /// They touch nothing that a process reads.
    pub stage: BTreeMap<Printable, Vec<ActionEntry>>,
    /// The waves, one after the other.
    pub waves: Vec<WaveEntry>,
    /// What to know before agreeing to the plan.
    pub notes: Vec<Printable>,
    /// Why the plan can't be applied; empty if it can.
    pub refusals: Vec<Printable>,
}

/// What a plan amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every host is as the folder describes it, except for what couldn't be compared.
    InSync,
    /// There is something to do, or something on a host overrides the desired state.
    Changes,
    /// A host couldn't be planned.
    Unplanned,
    /// The plan can't be applied.
    Refused,
}

/// A host that couldn't be planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnplannedHost {
    /// The host's name.
    pub host: Printable,
    /// Why it couldn't be planned.
    pub why: Printable,
    /// What to do about it.
    pub help: Printable,
    /// Where the folder describes the host.
    pub place: Option<PlaceEntry>,
}

/// A secret that wasn't available to the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissingEntry {
    /// What it is: `the swarm key`.
    pub secret: Printable,
    /// Where the folder names it, or what needs it.
    pub place: Option<PlaceEntry>,
    /// Whether it is the key of a node that its host generates before the plan can be applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

/// A file that couldn't be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UncomparedEntry {
    /// The path of the file.
    pub resource: Printable,
    /// The fields that weren't compared; empty if nothing of the file was.
    pub fields: Vec<Printable>,
    /// The hosts that have the file.
    pub hosts: Vec<Printable>,
}

/// A host that was deleted from the folder without having been retired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForgottenHost {
    /// The host's name, as it was in the folder.
    pub host: Printable,
    /// The address of its SSH server.
    pub address: Printable,
    /// Its nodes, `shape@host`.
    pub nodes: Vec<Printable>,
    /// Whether the plan retires it (`--prune`).
    pub pruned: bool,
    /// What is known about it, and what to do.
    pub text: Printable,
}

/// A directive that is overridden on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverriddenUnit {
    /// The host.
    pub host: Printable,
    /// The unit.
    pub unit: Printable,
    /// What overrides it, and what to do about it.
    pub text: Printable,
}

/// A change that needs explicit consent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Destructive {
    /// The host.
    pub host: Printable,
    /// The resource.
    pub resource: Printable,
    /// What is lost.
    pub text: Printable,
}

/// A resource that differs from what the folder describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedChange {
    /// The host.
    pub host: Printable,
    /// The resource: a path, a unit, a package, a rule of the firewall.
    pub resource: Printable,
    /// The kind of resource.
    #[serde(rename = "type")]
    pub of: ResourceType,
    /// The kind of change.
    pub kind: Kind,
    /// The change in a few words; may be empty.
    pub text: Printable,
    /// A unified diff, the contents of a new file, or the reasons for a restart. Secrets
    /// aren't shown.
    pub details: Vec<Printable>,
    /// Whether the folder has changed since the last apply, or the host.
    pub origin: OriginEntry,
    /// Where the folder describes the resource.
    pub place: Option<PlaceEntry>,
}

/// Where a difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OriginEntry {
    /// The folder has changed since the last apply.
    Folder,
    /// The host has changed since the last apply.
    Host,
    /// Both have.
    Both,
    /// The host has no receipt that tells.
    Unknown,
}

/// The last apply, according to a host's receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastApply {
    /// When it ended, in UTC.
    pub at: Printable,
    /// Who ran it: `user@machine`.
    pub by: Printable,
    /// The SHA-256 of its plan.
    pub plan: Printable,
    /// Whether a later apply has begun on the host and hasn't left a receipt, so that it isn't
    /// known where differences come from.
    #[serde(default)]
    pub superseded: bool,
}

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceType {
    /// A package of the distribution.
    Package,
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// An open port of the firewall.
    FirewallRule,
    /// The unit files as systemd has loaded them.
    LoadedUnits,
    /// The data of a removed node.
    Storage,
    /// A unit.
    Service,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something new.
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

/// A place in the folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceEntry {
    /// The file, relative to the folder.
    pub file: Printable,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

/// A wave: actions that are carried out on several hosts at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaveEntry {
    /// What the wave is for.
    pub purpose: Printable,
    /// The nodes that it starts, restarts or stops; if none, the number of hosts.
    pub who: Printable,
    /// By host, the actions in order.
    pub hosts: BTreeMap<Printable, Vec<ActionEntry>>,
}

/// One action on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActionEntry {
    /// What it does.
    pub action: Printable,
    /// The state that it expects to find. If it finds another one, it does nothing, and the
    /// apply stops there.
    pub expects: Option<Printable>,
    /// The changed resource; `null` if the action only checks or records something.
    pub resource: Option<Printable>,
}

/// What has changed on the hosts themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftPage {
    /// The network's root domain.
    pub network: Printable,
    /// The result in one line, which begins with `drift:`.
    pub summary: Printable,
    /// The hosts, by name.
    pub hosts: Vec<HostDrift>,
}

/// What has changed on a host itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostDrift {
    /// The host's name.
    pub host: Printable,
    /// Whether anything has changed.
    pub state: State,
    /// The last apply; `null` if the host has no receipt of any.
    pub since: Option<LastApply>,
    /// Why the state isn't known, or what overrides the desired state on the host.
    pub why: Vec<Printable>,
    /// What the next apply would change back.
    pub changes: Vec<PlannedChange>,
}

/// Whether anything has changed on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing has changed on the host since the last apply.
    InSync,
    /// Something has.
    Drifted,
    /// The host couldn't be planned, or has no receipt.
    Unknown,
}

impl DriftPage {
    /// Whether any host is in this state.
    pub fn has(&self, state: State) -> bool {
        self.hosts.iter().any(|host| host.state == state)
    }
}

/// What keeps a saved plan from being applied as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The plan was made by another version of the planner.
    Planner {
        /// The version of the planner that has made it.
        found: u32,
        /// The version of `spore` that has made it.
        spore: Printable,
    },
    /// The plan is for another network.
    Network(Printable),
    /// These secrets weren't available to it.
    WithoutSecrets(Vec<Printable>),
    /// The swarm key, from which the key of the digests is derived.
    SwarmKey,
    /// A file of the folder was added, removed or changed.
    Folder(Vec<Changed>),
    /// A file with a secret was added, removed or changed.
    Secrets(Vec<Changed>),
    /// A program or plugin was added, removed or changed.
    Artifacts(Vec<Changed>),
    /// Nothing of the above, and yet planning from the file's facts doesn't lead to the plan in
    /// the file: the file was edited. The JSON pointer of the first difference.
    Edited(String),
}

/// An input that isn't the one that the plan was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The input's path or name.
    pub name: Printable,
    /// What has happened to it.
    pub how: How,
}

/// What has happened to an input since the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It didn't exist.
    Added,
    /// It no longer exists.
    Removed,
    /// It has changed.
    Changed,
}

/// The key of the digests of a plan's inputs.
pub struct InputKey(DigestKey);

impl InputKey {
    /// The key for the network with this swarm key. It can't equal the key of a host, because
    /// no host name contains a slash.
    pub fn new(swarm_key: &SecretBytes) -> Self {
        Self(DigestKey::derive(swarm_key, "/plan"))
    }

    /// Identifies the key.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint().to_string()
    }

    /// The digest of a file whose unkeyed digest is known.
    pub fn digest(&self, content: Sha256) -> String {
        self.0.digest(content.to_string().as_bytes()).to_string()
    }
}

impl PlanFile {
    /// The file's bytes. The same plan has the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::to_bytes(self)
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    /// The bytes aren't a saved plan of this major version.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        file::parse(bytes, "spore_plan", FORMAT)
    }

    /// Compares the inputs of this plan with the present ones, before it is planned again.
    pub fn stale(&self, network: &str, inputs: &Inputs) -> Option<Stale> {
        let Self { made_with: MadeWith { spore, planner }, plan, inputs: planned, .. } = self;
        if *planner != PLANNER {
            return Some(Stale::Planner { found: *planner, spore: Printable::line(spore) });
        }
        if plan.network != Printable::line(network) {
            return Some(Stale::Network(plan.network.clone()));
        }
        if !plan.missing.is_empty() {
            let missing = plan.missing.iter().map(|missing| missing.secret.clone());
            return Some(Stale::WithoutSecrets(missing.collect()));
        }
        let Inputs { options: _, key, folder, secrets, artifacts } = inputs;
        if planned.key != *key {
            return Some(Stale::SwarmKey);
        }
        let differ = |before, after| Some(changed(before, after)).filter(|changed| !changed.is_empty());
        differ(&planned.folder, folder)
            .map(Stale::Folder)
            .or_else(|| differ(&planned.secrets, secrets).map(Stale::Secrets))
            .or_else(|| differ(&planned.artifacts, artifacts).map(Stale::Artifacts))
    }

    /// Compares this file with the one that is made again from its facts and the same inputs.
    /// Another version of `spore` may have made it, if its planner has the same version.
    pub fn edited(&self, again: &Self) -> Option<Stale> {
        let again = Self {
            spore_plan: self.spore_plan.clone(),
            made_with: MadeWith { spore: self.made_with.spore.clone(), ..again.made_with },
            ..again.clone()
        };
        if *self == again {
            return None;
        }
        let [found, expected] = [self, &again].map(|file| serde_json::to_value(file).unwrap_or_default());
        Some(Stale::Edited(first_difference(&found, &expected).unwrap_or_default()))
    }
}

fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Changed> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let how = |name: &String| match (before.get(name), after.get(name)) {
        (Some(before), Some(after)) => (before != after).then_some(How::Changed),
        (None, _) => Some(How::Added),
        (_, None) => Some(How::Removed),
    };
    names.filter_map(|name| Some(Changed { name: Printable::line(name), how: how(name)? })).collect()
}

/// The JSON pointer of the first value that differs.
fn first_difference(found: &serde_json::Value, expected: &serde_json::Value) -> Option<String> {
    use serde_json::Value::{Array, Object};
    let below = |step: &str, found: Option<&_>, expected: Option<&_>| match (found, expected) {
        (Some(found), Some(expected)) => {
            first_difference(found, expected).map(|rest| format!("/{step}{rest}"))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => Some(format!("/{step}")),
    };
    match (found, expected) {
        (Object(found), Object(expected)) => {
            let keys = found.keys().chain(expected.keys());
            keys.into_iter().find_map(|key| {
                below(&key.replace('~', "~0").replace('/', "~1"), found.get(key), expected.get(key))
            })
        }
        (Array(found), Array(expected)) => (0..found.len().max(expected.len()))
            .find_map(|at| below(&at.to_string(), found.get(at), expected.get(at))),
        _ => (found != expected).then(String::new),
    }
}
