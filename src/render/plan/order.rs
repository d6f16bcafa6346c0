//! Words the order of a plan, and the notes that the user should read before confirming.

use super::super::action::{action, expects};
use super::super::applied;
use super::hosts;
use crate::plan::file::{ActionEntry, WaveEntry};
use crate::plan::{NodePlan, Note, Pending, Plan, PlannedAction, Rank, Refusal, Wave};
use crate::resource::{HostName, NodeName, Printable, ResourceId};
use std::collections::{BTreeMap, BTreeSet};

/// The waves of a plan.
pub(super) fn waves(plan: &Plan) -> Vec<WaveEntry> {
    let going: BTreeSet<&NodeName> = plan.going().collect();
    plan.waves.iter().enumerate().map(|(at, wave)| self::wave(plan, at + 1, wave, &going)).collect()
}

/// The wave with this number.
fn wave(plan: &Plan, number: usize, wave: &Wave, going: &BTreeSet<&NodeName>) -> WaveEntry {
    let here = |(name, part): (_, &NodePlan)| (part.wave == Some(number)).then_some(name);
    let here: BTreeSet<&NodeName> = plan.nodes.iter().filter_map(here).collect();
    let busy: BTreeSet<&HostName> = here.iter().map(|name| &name.host).collect();
    let (go, stay): (Vec<&NodeName>, Vec<_>) =
        here.into_iter().partition(|name| wave.rank != Rank::Remove && going.contains(name));
    let mut room: BTreeMap<&HostName, Vec<&NodeName>> = BTreeMap::new();
    for name in go {
        room.entry(&name.host).or_default().push(name);
    }
    let verb = match (room.is_empty(), stay.iter().all(|name| room.contains_key(&name.host))) {
        (true, _) => "restarted",
        (false, true) => "replaced",
        (false, false) => "restarted or replaced",
    };
    let mut nodes = Vec::new();
    for name in stay {
        nodes.push(name.to_string());
        let gone = room.remove(&name.host).unwrap_or_default();
        nodes.extend(gone.iter().map(|gone| format!("(replacing {gone})")));
    }
    let mut who = if nodes.is_empty() { hosts(wave.hosts.len()) } else { nodes.join(" ") };
    let early = wave.hosts.keys().filter(|host| !busy.contains(host)).count();
    match early {
        _ if wave.rank != Rank::StartBootstrap => {}
        0 => {}
        1 => who.push_str("; 1 host of a later wave gets its files"),
        n => who.push_str(&format!("; {n} hosts of later waves get their files")),
    }
    WaveEntry {
        purpose: Printable::composed(rank(wave.rank, verb)),
        who: Printable::composed(who),
        hosts: actions(&wave.hosts),
    }
}

/// By host, actions in order.
pub(super) fn actions(
    hosts: &BTreeMap<HostName, Vec<PlannedAction>>,
) -> BTreeMap<Printable, Vec<ActionEntry>> {
    let entry = |planned: &PlannedAction| ActionEntry {
        action: Printable::composed(action(&planned.action)),
        expects: expects(&planned.action).map(Printable::composed),
        resource: planned.change.as_ref().map(|key| Printable::composed(key.to_string())),
    };
    let of = |list: &Vec<PlannedAction>| list.iter().map(entry).collect();
    hosts.iter().map(|(host, list)| (Printable::composed(host.to_string()), of(list))).collect()
}

/// A note, without the word.
pub(super) fn note(note: &Note) -> String {
    match note {
        Note::NoElder(node) => {
            format!("the network has no elder while {node}, the only one, is starting")
        }
        Note::EldersMove => {
            "every elder changes its address or identity: each of the other nodes is cut off \
             until it is restarted, too"
                .to_owned()
        }
        Note::Kept(last) => {
            let down: Vec<String> = last.down.iter().map(ToString::to_string).collect();
            format!(
                "apply skips {}, {}, while {} {} not healthy",
                last.node,
                applied::last(&last.group),
                down.join(", "),
                applied::are(down.len())
            )
        }
        Note::ElderUnplanned(host) => {
            format!("it isn't known whether the elder on {host} is up")
        }
        Note::CutOff(lost) => {
            format!(
                "these nodes are cut off, because no elder answers at the addresses that they dial: {}",
                nodes(lost)
            )
        }
        Note::Alone(elders) => format!(
            "these elders can't reach any other elder until the others have moved, too: {}",
            nodes(elders)
        ),
        Note::EldersLeft(0) => {
            "no elder is left: no node can join the network or rejoin it after a restart".to_owned()
        }
        Note::EldersLeft(_) => {
            "only one elder is left: while it is down, no node can join or rejoin the network".to_owned()
        }
        Note::NoElderUp => "no elder is known to be up, and this plan starts none: apply stages everything, \
             but doesn't start or restart any node that would dial an elder"
            .to_owned(),
        Note::Split => "the network is split until the last node has the new key".to_owned(),
        Note::SplitUntilNow(without) => {
            let names: Vec<&str> = without.iter().map(HostName::as_str).collect();
            let mut text = "the network is split, because some nodes already have the new key: \
                            this plan finishes the rotation"
                .to_owned();
            if !names.is_empty() {
                text.push_str(&format!(", except on {}, which couldn't be planned", names.join(", ")));
            }
            text
        }
        Note::Rollback => "a node that doesn't become healthy with its new files is rolled back to \
                           its old ones; `--no-revert` leaves it as it is"
            .to_owned(),
        Note::NoRollback => "a node that doesn't become healthy with its new files is left \
                             as it is (--no-revert)"
            .to_owned(),
        Note::StorageKept(node) => {
            format!("the storage of {node} is kept; `--purge-storage` removes it")
        }
        Note::NotContacted { host, nodes } => not_contacted(host, nodes),
        Note::LeftAlone(1) => "1 other difference is left as it is; `spore plan` shows it".to_owned(),
        Note::LeftAlone(n) => {
            format!("{n} other differences are left as they are; `spore plan` shows them")
        }
        Note::Clock { host, seconds } => {
            let how = if *seconds > 0 { "ahead of" } else { "behind" };
            format!("the clock of {host} is {} s {how} this machine's", seconds.abs())
        }
        Note::NoSuchAddress { host, addresses } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!(
                "no interface of {host} has the address {}, which its nodes announce: that only works behind \
                 NAT with the ports forwarded",
                addresses.join(", ")
            )
        }
        Note::NotHeard(hosts) => format!(
            "the SSH server forbids forwarding on {}, so it isn't known whether the nodes there answer",
            super::listed(hosts.iter())
        ),
        Note::SentWithoutUrl(sha256) => format!(
            "tau with sha256 {:.12} is sent to the hosts, because tau.yaml has no URL from which they could \
             download it",
            sha256.to_string()
        ),
        Note::Receipts(hosts) => format!(
            "apply leaves a receipt on {}, so that later plans can tell what has changed since",
            super::listed(hosts.iter())
        ),
        Note::OldStorage { node, replaced: true } => {
            format!("{node} gets a new identity and keeps its old storage")
        }
        Note::OldStorage { node, replaced: false } => {
            format!("{node} starts with the storage of an earlier node of the same name")
        }
        Note::Renamed { from, to, kept } => {
            let old = if *kept {
                format!("that of {from} is kept, not moved (`--purge-storage` removes it)")
            } else {
                format!("that of {from} is removed")
            };
            format!(
                "{to} replaces {from} and starts with empty storage; {old}. {from} is stopped \
                 first, and isn't started again if {to} doesn't become healthy"
            )
        }
    }
}

/// Why a plan is refused, without the word.
pub(super) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::PartialRotation => {
            "the swarm key can't be replaced with --target, because some nodes would keep the old one: run without --target".to_owned()
        }
        Refusal::WithoutElders(elders) => format!(
            "the restarted nodes would dial elders at addresses where none answers, because \
             elders that change their address or identity aren't targets: {}; run without --target",
            nodes(elders)
        ),
        Refusal::WithoutMembers(left_out) => format!(
            "no elder would be left at the addresses that these nodes dial, and the nodes aren't \
             targets: {}; run without --target",
            nodes(left_out)
        ),
        Refusal::RotationWithout(hosts) => {
            let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            format!(
                "the swarm key can't be replaced while {} can't be planned: fix or retire each such host first",
                names.join(", ")
            )
        }
        Refusal::RetiresUnplanned(host) => format!(
            "{host} can't be retired, because it couldn't be planned (see above); if it \
             will never come back, run `spore retire {host} --gone`"
        ),
        Refusal::Twins { node, other } => format!(
            "{node} would start with the identity of {other}, which is up: remove {other} \
             first, or give {node} another key"
        ),
        Refusal::Mixed { resource, others } => mixed(resource, others),
    }
}

fn nodes(nodes: &[NodeName]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn mixed(resource: &ResourceId, others: &Pending) -> String {
    let ResourceId { host, key } = resource;
    let why = match others {
        Pending::Fields(fields) => {
            format!("{key} on {host} has other changes pending ({})", fields.join(", "))
        }
        Pending::Unknown => format!("the YAML style of {key} on {host} can't be compared"),
        Pending::Restart => format!("{key} on {host} has to be restarted for other reasons"),
    };
    let retired = match others {
        Pending::Fields(fields) if fields.iter().any(|field| field == "peers") => {
            ", or delete from the folder a host that is already retired"
        }
        _ => "",
    };
    format!("{why}, so it can't be changed for this retirement alone: run `spore apply` first{retired}")
}

fn not_contacted(host: &HostName, nodes: &[NodeName]) -> String {
    let mut text = format!("{host} isn't contacted, and nothing is removed from it");
    if !nodes.is_empty() {
        let names: Vec<String> = nodes.iter().map(NodeName::to_string).collect();
        let (verb, keys) = if nodes.len() == 1 { ("rejoins", "its key") } else { ("rejoin", "their keys") };
        text.push_str(&format!(
            ". If it ever comes back, {} {verb} the network with {keys}: to rule that out, replace the swarm \
             key (`spore key swarm`) after this",
            names.join(" and ")
        ));
    }
    text
}

/// The purpose of a wave. `verb` is what the wave does to running nodes.
fn rank(rank: Rank, verb: &str) -> String {
    match rank {
        Rank::Quiet => "changes that need no restart".to_owned(),
        Rank::StartBootstrap => "elders come up".to_owned(),
        Rank::UpdateBootstrap => format!("one elder is {verb}"),
        Rank::Start => "nodes come up".to_owned(),
        Rank::Canary => format!("the first of each shape is {verb}"),
        Rank::Update => format!("the next batch is {verb}"),
        Rank::RotateBootstrap => "all elders are restarted at once".to_owned(),
        Rank::Rotate => "all other nodes are restarted at once".to_owned(),
        Rank::Remove => "clean up".to_owned(),
    }
}
