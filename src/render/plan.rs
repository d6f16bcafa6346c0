//! Puts a plan into words ([`page`]) and lays the words out as text ([`text()`]): first the hosts
//! that aren't planned and the destructive changes, then the changes of each host, their
//! order, notes, and a summary in one line.

mod order;
mod text;

use super::Style;
use super::action::from;
use super::diff::{unified, whole};
use crate::daemon::Daemon;
use crate::diff::{Change, ChangeKind, FieldChange, FileChange, Reason, ServiceChange, Uncompared, Verb};
use crate::facts::receipt::{ApplyRecord, Origin};
use crate::network::{MissingSecret, Place};
use crate::plan::file::{
    Destructive, ForgottenHost, Kind, LastApply, MissingEntry, OriginEntry, OverriddenUnit, PlaceEntry,
    PlanPage, PlannedChange, ResourceType, UncomparedEntry, UnplannedHost, Verdict,
};
use crate::plan::{Forgotten, Holder, HostReceipt, OverriddenDirective, Plan, Unplanned};
use crate::resource::{
    Access, Content, Effect, HostName, Printable, Resource, ResourceId, ResourceKey, Sha256, Size, Trouble,
    Untold, Value, Version,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
pub use text::text;
pub(super) use text::text_of_changes;
pub(super) use text::{not_compared, since};

/// The whole plan as text. Each line ends with a line break.
pub fn plan(plan: &Plan, style: Style) -> String {
    text(&page(plan, &BTreeMap::new()), style)
}

/// A plan in words, and the holders of the locks of its hosts.
pub fn page(plan: &Plan, locked: &BTreeMap<HostName, Holder>) -> PlanPage {
    let words = Words { plan };
    let changes = plan.changes.iter().map(|(id, change)| words.change(id, change));
    let destructive = plan.destructive().map(|(id, change)| words.destruction(id, change));
    let notes = plan.notes.iter().map(order::note).map(Printable::composed);
    let refusals = plan.refusals.iter().map(order::refusal).map(Printable::composed);
    PlanPage {
        network: Printable::line(&plan.network),
        hosts: plan.asked,
        verdict: verdict(plan),
        summary: Printable::composed(summary(plan)),
        in_place: plan.unchanged,
        locked: locked
            .iter()
            .map(|(host, held)| (name(host), Printable::composed(super::holder(held))))
            .collect(),
        unplanned: unplanned_hosts(plan),
        missing: plan.missing.iter().map(missing_secret).collect(),
        uncompared: uncompared(plan),
        forgotten: plan.forgotten.iter().map(forgotten_host).collect(),
        applied: plan.receipts.iter().map(|(host, receipt)| (name(host), last_apply(receipt))).collect(),
        overridden: plan.overridden.iter().map(overridden_unit).collect(),
        destructive: destructive.collect(),
        changes: changes.collect(),
        stage: order::actions(&plan.stage),
        waves: order::waves(plan),
        notes: notes.collect(),
        refusals: refusals.collect(),
    }
}

fn verdict(plan: &Plan) -> Verdict {
    match (
        plan.unplanned.is_empty(),
        plan.is_empty() && plan.overridden.is_empty() && plan.forgotten.is_empty(),
    ) {
        (false, _) => Verdict::Unplanned,
        (true, _) if !plan.refusals.is_empty() => Verdict::Refused,
        (true, true) => Verdict::InSync,
        (true, false) => Verdict::Changes,
    }
}

/// Each reason is one line, even if its text has line breaks.
fn unplanned_hosts(plan: &Plan) -> Vec<UnplannedHost> {
    let line = |text: Printable| Printable::composed(text.replace('\n', " "));
    let entry = |host: &HostName, reason: &Unplanned| UnplannedHost {
        host: name(host),
        why: line(super::why(reason)),
        help: line(super::help(reason)),
        place: plan.place_of_host(host).map(place),
    };
    let of = |(host, reasons): (_, &Vec<_>)| {
        reasons.iter().map(move |reason| entry(host, reason)).collect::<Vec<_>>()
    };
    plan.unplanned.iter().flat_map(of).collect()
}

fn missing_secret(missing: &MissingSecret) -> MissingEntry {
    let (secret, at) = match missing {
        MissingSecret::SwarmKey(at) => ("the swarm key".to_owned(), Some(at)),
        MissingSecret::ValidationKey(at) => ("the domain-validation key".to_owned(), Some(at)),
        MissingSecret::NodeKey(node, at) => (format!("the key of {node}"), Some(at)),
        MissingSecret::NewNodeKey(node, at) => {
            (format!("the key of {node}, which its host generates"), Some(at))
        }
        MissingSecret::AppKey(at) => ("the key of the tenancy's app".to_owned(), Some(at)),
        MissingSecret::Accounts => ("accounts.yaml, if there is one".to_owned(), None),
    };
    let generated = matches!(missing, MissingSecret::NewNodeKey(..));
    MissingEntry { secret: Printable::composed(secret), place: at.map(place), generated }
}

/// Files with the same path and the same fields are one entry, because many hosts can have them.
fn uncompared(plan: &Plan) -> Vec<UncomparedEntry> {
    let mut entries: BTreeMap<(String, &[Printable]), Vec<Printable>> = BTreeMap::new();
    for Uncompared { id, fields } in &plan.uncompared {
        entries.entry((id.key.to_string(), fields)).or_default().push(name(&id.host));
    }
    let entry = |((resource, fields), hosts): ((String, &[Printable]), _)| UncomparedEntry {
        resource: Printable::composed(resource),
        fields: fields.to_vec(),
        hosts,
    };
    entries.into_iter().map(entry).collect()
}

fn forgotten_host(forgotten: &Forgotten) -> ForgottenHost {
    let Forgotten { host, roster, unreachable, pruned } = forgotten;
    let why = unreachable.iter().flatten().map(|why| super::why(why).replace('\n', " "));
    let why = why.collect::<Vec<_>>().join("; ");
    let text = match (unreachable, pruned) {
        (None, false) => {
            "it is no longer in the folder, but was never retired; `--prune` retires it".to_owned()
        }
        (None, true) => "it is no longer in the folder, and is retired".to_owned(),
        (Some(_), false) => format!(
            "it is no longer in the folder, and couldn't be asked whether its nodes still run: {why}; if it is \
             gone for good, `--prune` drops it from the roster"
        ),
        (Some(_), true) => format!(
            "it is dropped from the roster, although it couldn't be asked whether its nodes still run: {why}"
        ),
    };
    ForgottenHost {
        host: name(host),
        address: Printable::composed(format!("{}:{}", roster.address, roster.port)),
        nodes: roster.nodes.keys().map(|shape| Printable::composed(format!("{shape}@{host}"))).collect(),
        pruned: *pruned,
        text: Printable::composed(text),
    }
}

/// A difference that no action can remove. The administrator has to remove it on the host.
fn overridden_unit(found: &OverriddenDirective) -> OverriddenUnit {
    let OverriddenDirective { host, unit, directive, file } = found;
    OverriddenUnit {
        host: name(host),
        unit: Printable::line(unit),
        text: Printable::composed(format!(
            "{directive} is overridden by {file}; remove it there, and run `systemctl daemon-reload`"
        )),
    }
}

fn last_apply(receipt: &HostReceipt) -> Option<LastApply> {
    let ApplyRecord { at, by, plan, spore: _ } = receipt.applies.first()?;
    let superseded = receipt.superseded;
    Some(LastApply { at: at.clone(), by: by.clone(), plan: plan.clone(), superseded })
}

fn origin(origin: Origin) -> OriginEntry {
    match origin {
        Origin::Folder => OriginEntry::Folder,
        Origin::Host => OriginEntry::Host,
        Origin::Both => OriginEntry::Both,
        Origin::Unknown => OriginEntry::Unknown,
    }
}

fn name(host: &HostName) -> Printable {
    Printable::composed(host.to_string())
}

fn place(place: &Place) -> PlaceEntry {
    let (line, column) = place.line_and_column();
    PlaceEntry { file: Printable::line(place.file()), line, column }
}

/// The plan in one line, which begins with `plan:` and the worst result.
pub fn summary(plan: &Plan) -> String {
    let changes = counts(plan.changes.iter().map(|(_, change)| change), |kind| match kind {
        ChangeKind::Create => "to create",
        ChangeKind::Change => "to change",
        ChangeKind::Remove => "to remove",
        ChangeKind::Start => "to start",
        ChangeKind::Restart => "to restart",
    });
    let mut parts = Vec::new();
    if !plan.refusals.is_empty() {
        parts.push("can't be applied as it is".to_owned());
    }
    parts.extend(not_reached(plan));
    let none_planned = !plan.unplanned.is_empty() && plan.unplanned.len() == plan.asked;
    if !none_planned {
        parts.push(match (changes.is_empty(), plan.unplanned.is_empty()) {
            (false, _) => changes.join(", "),
            (true, true) if plan.overridden.is_empty() && plan.forgotten.is_empty() => {
                let as_far = if plan.uncompared.is_empty() { "" } else { " as far as it could be compared" };
                format!("nothing to do{as_far}")
            }
            (true, true) => "no changes".to_owned(),
            (true, false) => "no changes on the other hosts".to_owned(),
        });
        parts.push(format!("{} in place", plan.unchanged));
        if !plan.uncompared.is_empty() {
            parts.push(format!("{} not compared: secret not available", plan.uncompared.len()));
        }
    }
    format!("plan: {}", parts.join("; "))
}

/// Example: `2 of 7 hosts could not be planned`.
pub fn unplanned(plan: &Plan) -> String {
    format!("{} of {} could not be planned", plan.unplanned.len(), hosts(plan.asked))
}

/// Summarizes the differences that the plan can't remove, the worst first.
pub fn not_reached(plan: &Plan) -> Vec<String> {
    let unplanned = (!plan.unplanned.is_empty()).then(|| unplanned(plan));
    let overridden = (!plan.overridden.is_empty()).then(|| overridden(plan.overridden.len()));
    unplanned.into_iter().chain(overridden).chain(forgotten(plan)).collect()
}

/// The number of hosts that were deleted from the folder without having been retired.
pub(super) fn forgotten(plan: &Plan) -> Option<String> {
    let left = plan.forgotten.iter().filter(|forgotten| !forgotten.pruned).count();
    (left > 0).then(|| format!("{} deleted from the folder, but not retired", hosts(left)))
}

/// The number of overridden directives, for example `1 directive overridden`.
pub fn overridden(n: usize) -> String {
    if n == 1 { "1 directive overridden".to_owned() } else { format!("{n} directives overridden") }
}

/// The number of changes that have been made, for example `3 created, 1 started`.
pub(super) fn applied(plan: &Plan, done: &BTreeSet<ResourceId>) -> String {
    let made = plan.changes.iter().filter(|(id, _)| done.contains(id)).map(|(_, change)| change);
    let parts = counts(made, |kind| match kind {
        ChangeKind::Create => "created",
        ChangeKind::Change => "changed",
        ChangeKind::Remove => "removed",
        ChangeKind::Start => "started",
        ChangeKind::Restart => "restarted",
    });
    if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") }
}

/// The number of changes of each kind, for example `3 to create` and `1 to start`.
fn counts<'a>(
    changes: impl Iterator<Item = &'a Change>,
    words: impl Fn(ChangeKind) -> &'static str,
) -> Vec<String> {
    let mut counts: BTreeMap<ChangeKind, usize> = BTreeMap::new();
    for change in changes {
        *counts.entry(change.kind()).or_default() += 1;
    }
    counts.into_iter().map(|(kind, n)| format!("{n} {}", words(kind))).collect()
}

/// Example: `h1, h2 and 3 more`.
pub(super) fn listed<'a>(hosts: impl ExactSizeIterator<Item = &'a HostName>) -> String {
    counted_list(hosts.map(HostName::to_string))
}

/// The first items, and the number of the others.
pub fn some_of(items: impl Iterator<Item = String>) -> String {
    counted_list(items.collect::<Vec<_>>().into_iter())
}

/// The first items, and the number of the others.
pub(super) fn counted_list(items: impl ExactSizeIterator<Item = String>) -> String {
    const NAMED: usize = 5;
    let more = items.len().saturating_sub(NAMED);
    let names: Vec<String> = items.take(NAMED).collect();
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

pub(super) fn hosts(n: usize) -> String {
    if n == 1 { "1 host".to_owned() } else { format!("{n} hosts") }
}

/// The words for the changes of a plan.
struct Words<'a> {
    plan: &'a Plan,
}

impl Words<'_> {
    fn destruction(&self, id: &ResourceId, change: &Change) -> Destructive {
        let text = match change {
            Change::Remove(resource) => match &**resource {
                Resource::Service(service) => match &service.node {
                    Some(node) => format!("{node} is removed from the network", node = node.name),
                    None => format!("{} on {}", id.key, id.host),
                },
                _ => format!("{} on {} is removed with its contents", id.key, id.host),
            },
            Change::File(change) if matches!(change.after.content, Content::Secret(_)) => {
                format!("{} on {} is replaced", id.key, id.host)
            }
            Change::Service(change) => {
                let node = change.after.node.as_ref().map(|node| &node.name);
                match self.plan.last.iter().find(|last| Some(&last.node) == node) {
                    Some(last) => {
                        let down: Vec<String> = last.down.iter().map(ToString::to_string).collect();
                        format!(
                            "{} goes down although it is {}: {} {} not healthy",
                            last.node,
                            super::applied::last(&last.group),
                            down.join(", "),
                            super::applied::are(down.len())
                        )
                    }
                    None => format!("{} on {}", id.key, id.host),
                }
            }
            _ => format!("the node of {} on {} gets a new identity", id.key, id.host),
        };
        Destructive {
            host: name(&id.host),
            resource: Printable::composed(id.key.to_string()),
            text: Printable::composed(text),
        }
    }

    fn change(&self, id: &ResourceId, change: &Change) -> PlannedChange {
        let only = |text: String| (text, Vec::new());
        let (text, details) = match change {
            Change::Package { .. } => only("is installed".to_owned()),
            Change::Rule => only(String::new()),
            Change::Units => only("systemctl daemon-reload".to_owned()),
            Change::Directory { before: None, after } => only(after.to_string()),
            Change::Directory { before: Some(before), after } => only(access(before, after)),
            Change::Link { before, displaces, after } => {
                let was = match (before, displaces) {
                    (Some(link), _) => format!(", was → {}", link.target),
                    (None, Some(_)) => ", was a file (kept as a backup)".to_owned(),
                    (None, None) => String::new(),
                };
                only(format!("→ {}{was}", after.target))
            }
            Change::File(change) => self.file(id, change),
            Change::Service(change) => self.service(id, change),
            Change::Remove(resource) => only(removal(resource)),
        };
        PlannedChange {
            host: name(&id.host),
            resource: Printable::composed(id.key.to_string()),
            of: resource_type(&id.key),
            kind: kind(change.kind()),
            text: Printable::composed(text),
            details,
            origin: origin(self.plan.origin(id)),
            place: self.place(id, change).map(place),
        }
    }

    /// Where the folder describes what changes: the first field that differs, or else the
    /// resource.
    fn place(&self, id: &ResourceId, change: &Change) -> Option<&Place> {
        let of_field = |path: &str, fields: &[FieldChange]| {
            fields.iter().find_map(|field| self.plan.place_of_field(&id.host, path, field))
        };
        let field = match change {
            Change::File(file) => of_field(id.key.path()?, &file.fields),
            Change::Service(service) => service.reasons.iter().find_map(|reason| match reason {
                Reason::Input { path, fields } => of_field(path, fields),
                Reason::Unknown(_) | Reason::Failing(_) => None,
            }),
            _ => None,
        };
        field.or_else(|| self.plan.place(id, change))
    }

    fn file(&self, id: &ResourceId, change: &FileChange) -> (String, Vec<Printable>) {
        let key = &id.key;
        let Some(before) = &change.before else {
            let version = self.version(&change.after.content).map(|version| format!("tau {version}, "));
            let content = self.content(&change.after.content);
            let text = format!("{}{content}{}", version.unwrap_or_default(), change.after.access);
            let whole = match &change.after.content {
                // The unit's directives are the same in every network, so they aren't
                // shown.
                Content::Document(document) if !is_template(key) => whole(document),
                _ => Vec::new(),
            };
            return (text, whole);
        };
        let mut parts = Vec::new();
        if change.rewritten {
            parts.push(match (&before.content, &change.after.content) {
                (_, Content::Secret(_)) => "secret, replaced".to_owned(),
                (before @ Content::Blob { .. }, after @ Content::Blob { .. }) => self.binary(before, after),
                (Content::Blob { .. }, Content::Text(_)) => "replaced".to_owned(),
                (Content::Opaque, _) => "rewritten, because its YAML style can't be compared".to_owned(),
                _ => String::new(),
            });
        }
        if before.access != change.after.access {
            parts.push(access(&before.access, &change.after.access));
        }
        let waits = !change.fields.is_empty() && change.fields.iter().all(waits);
        if change.rewritten && waits && !self.is_read_now(id) {
            parts.push("takes effect at the next start".to_owned());
        }
        parts.retain(|part| !part.is_empty());
        let details = match change.rewritten {
            true => unified(&before.content, &change.after.content),
            false => Vec::new(),
        };
        (parts.join("; "), details)
    }

    /// What is said about the content of a new file, followed by a comma.
    fn content(&self, content: &Content) -> String {
        match content {
            Content::Blob { sha256, size } => {
                format!("{}, sha256 {:.12}, ", self.delivery(sha256, *size), sha256.to_string())
            }
            Content::Secret(_) => "secret, ".to_owned(),
            Content::Unavailable => "secret not available, ".to_owned(),
            Content::Text(_) | Content::Document(_) | Content::Opaque => String::new(),
        }
    }

    /// How a host gets a big file: `99.1 MB sent`, or `99.1 MB from https://example.org/tau`.
    fn delivery(&self, sha256: &Sha256, size: Option<u64>) -> String {
        let how = match self.plan.downloads.get(sha256) {
            Some(download) => from(download),
            None => "sent".to_owned(),
        };
        size.map_or_else(|| how.clone(), |size| format!("{} {how}", Size(size)))
    }

    fn version(&self, content: &Content) -> Option<&Version> {
        match content {
            Content::Blob { sha256, .. } => self.plan.versions.get(sha256),
            _ => None,
        }
    }

    /// Example: `tau v1 → v2, 98.0 MB → 99.1 MB, sha256 3b5… → 8f1…`.
    fn binary(&self, before: &Content, after: &Content) -> String {
        let mut parts = Vec::new();
        let name =
            |version: Option<&Version>| version.map_or_else(|| "unknown".to_owned(), ToString::to_string);
        match (self.version(before), self.version(after)) {
            (None, None) => {}
            (old, new) => parts.push(format!("tau {} → {}", name(old), name(new))),
        }
        let (Content::Blob { sha256: old, size: was }, Content::Blob { sha256: new, size }) = (before, after)
        else {
            return String::new();
        };
        let was = was.filter(|was| Some(*was) != *size).map(|was| format!("{} → ", Size(was)));
        parts.push(format!("{}{}", was.unwrap_or_default(), self.delivery(new, *size)));
        parts.push(format!("sha256 {:.12} → {:.12}", old.to_string(), new.to_string()));
        parts.join(", ")
    }

    /// Whether the plan starts or restarts a service that reads this file.
    fn is_read_now(&self, id: &ResourceId) -> bool {
        self.plan.changes.after(id).into_iter().any(|(reader, _)| match self.plan.changes.get(reader) {
            Some(Change::Service(service)) => matches!(service.verb, Some(Verb::Start | Verb::Restart)),
            _ => false,
        })
    }

    fn service(&self, id: &ResourceId, change: &ServiceChange) -> (String, Vec<Printable>) {
        let what = match change.verb {
            Some(Verb::Start) => "is started",
            Some(Verb::Restart) => "is restarted",
            Some(Verb::Await) => "must become healthy",
            None => "",
        };
        let mut text = match &change.after.node {
            Some(node) => format!("{} {what}", node.name),
            None => what.to_owned(),
        };
        if let Some(wave) = change
            .after
            .node
            .as_ref()
            .and_then(|node| self.plan.nodes.get(&node.name)?.wave)
            .filter(|_| change.verb.is_some())
        {
            let _ = write!(text, " in wave {wave}");
        }
        if change.enable {
            let comma = if change.verb.is_some() { ", and" } else { "" };
            let _ = write!(text, "{comma} is enabled at boot");
        }
        let reasons = change.reasons.iter().map(|reason| self.reason(&id.host, reason));
        (text.trim().to_owned(), reasons.map(Printable::composed).collect())
    }

    /// Why a service is restarted. Values are shown only if the file is in place and only
    /// the process is outdated; if the plan changes the file, the values are shown with the
    /// file.
    fn reason(&self, host: &HostName, reason: &Reason) -> String {
        let (path, fields) = match reason {
            Reason::Unknown(untold) => return self::untold(untold),
            Reason::Failing(trouble) => return self::trouble(trouble),
            Reason::Input { path, fields } => (path, fields),
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        let id = ResourceId { host: host.clone(), key: ResourceKey::File(path.clone()) };
        let shown = self.plan.changes.get(&id);
        if matches!(shown, Some(Change::File(file)) if file.before.is_none()) {
            return format!("running without {name}");
        }
        let fields: Vec<String> = fields
            .iter()
            .map(|field| match (field.remaining(), shown.is_some()) {
                (Some((remaining, known)), _) => format!(
                    "{}: only {remaining} of the {known} it was started with would remain",
                    field.path
                ),
                (None, true) => field.path.to_string(),
                (None, false) => format!("{} {} → {}", field.path, value(&field.before), value(&field.after)),
            })
            .collect();
        if fields.is_empty() {
            return format!("running with outdated {name}");
        }
        format!("running with outdated {name} ({})", fields.join(", "))
    }
}

fn removal(resource: &Resource) -> String {
    let text = match resource {
        Resource::Service(service) => match &service.node {
            Some(node) => return format!("{} is stopped and disabled", node.name),
            None => "is stopped",
        },
        Resource::File(file) => match file.content {
            Content::Secret(_) => "secret no longer needed; removed",
            _ => "removed",
        },
        Resource::Storage { .. } => "removed with its contents",
        _ => "removed",
    };
    text.to_owned()
}

fn resource_type(key: &ResourceKey) -> ResourceType {
    match key {
        ResourceKey::Package(_) => ResourceType::Package,
        ResourceKey::Directory(_) => ResourceType::Directory,
        ResourceKey::File(_) => ResourceType::File,
        ResourceKey::Link(_) => ResourceType::Link,
        ResourceKey::Rule(_) => ResourceType::FirewallRule,
        ResourceKey::Units => ResourceType::LoadedUnits,
        ResourceKey::Storage(_) => ResourceType::Storage,
        ResourceKey::Service(_) => ResourceType::Service,
    }
}

fn kind(kind: ChangeKind) -> Kind {
    match kind {
        ChangeKind::Create => Kind::Create,
        ChangeKind::Change => Kind::Change,
        ChangeKind::Remove => Kind::Remove,
        ChangeKind::Start => Kind::Start,
        ChangeKind::Restart => Kind::Restart,
    }
}

fn untold(untold: &Untold) -> String {
    match untold {
        Untold::NoProcess => "what it was started with is unknown".to_owned(),
        Untold::Changed(path) => {
            format!("what it was started with is unknown, because {path} has changed since")
        }
    }
}

fn trouble(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Exited(how) => match how.split_once(' ') {
            Some(("exit-code", status)) => format!("it exited with status {status}"),
            Some(("signal" | "core-dump", signal)) => format!("it was killed by signal {signal}"),
            Some(("oom-kill", _)) => "it was killed because the host ran out of memory".to_owned(),
            Some((result, _)) => format!("it exited ({result})"),
            None => "it exited".to_owned(),
        },
        Trouble::Restarted(1) => "systemd restarted it once, less than 10 minutes ago".to_owned(),
        Trouble::Restarted(times) => {
            format!("systemd restarted it {times} times, the last time less than 10 minutes ago")
        }
        Trouble::Unfinished => {
            "its last switch to new files was interrupted before it became healthy".to_owned()
        }
        Trouble::Silent(port) => {
            format!("it accepts connections on TCP port {port}, but doesn't speak: it is stopped or stuck")
        }
        Trouble::Deaf(port) => format!("it runs, but doesn't listen on TCP port {port}"),
    }
}

fn waits(field: &crate::diff::FieldChange) -> bool {
    matches!(field.effect, Effect::NextStart | Effect::RestartUnlessHalfHolds)
}

fn value(value: &Option<Value>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some(Value::Scalar(text)) => text.to_string(),
        Some(Value::List(items)) => several(items.iter()),
        Some(Value::Set(items)) => several(items.iter()),
        Some(Value::Secret(_)) => "(secret)".to_owned(),
        Some(Value::Unavailable) => "(secret not available)".to_owned(),
    }
}

fn several<'a>(items: impl ExactSizeIterator<Item = &'a Printable>) -> String {
    match items.len() {
        0..=3 => items.map(Printable::as_str).collect::<Vec<_>>().join(" "),
        n => format!("({n} entries)"),
    }
}

fn access(before: &Access, after: &Access) -> String {
    match (before.mode == after.mode, before.owner == after.owner) {
        (false, true) => format!("mode {:04o} → {:04o}", before.mode, after.mode),
        (true, false) => format!("owner {} → {}", before.owner, after.owner),
        _ => format!("{before} → {after}"),
    }
}

fn is_template(key: &ResourceKey) -> bool {
    Daemon::ALL.iter().any(|daemon| key.path() == Some(daemon.template().path()))
}
