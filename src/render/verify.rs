//! Puts what receipts say into words.

use super::counted;
use super::plan::{counted_list, listed};
use crate::facts::receipt::{ApplyRecord, Compared, Receipt};
use crate::resource::{Contact, HostName, NodeName, Unproved};
use std::collections::BTreeMap;

/// What is said of a node to which the SSH server of its host opened no connection.
pub const NOT_REACHED: &str =
    "it isn't known whether the node answers: the SSH server opened no connection to it";

/// What the handshakes with the nodes of a host have shown.
#[derive(Clone, Debug, Default)]
pub struct Greeted {
    /// The result of each handshake.
    pub nodes: BTreeMap<NodeName, Contact>,
    /// Nodes with which no handshake can be completed, because the folder has got another key
    /// since the last apply.
    pub rekeyed: Vec<NodeName>,
}

/// The result of comparing hosts with their receipts.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// How many hosts are as the last apply left them.
    same: usize,
    /// How many hosts have changed since.
    changed: usize,
    /// How many hosts aren't known, or not completely.
    unknown: usize,
    failing: Vec<NodeName>,
    mute: Vec<HostName>,
    rekeyed: Vec<NodeName>,
}

impl Verified {
    /// Counts a host of which nothing is known.
    pub fn unknown(&mut self) {
        self.unknown += 1;
    }

    /// Counts a host, and says in a line each what differs, what isn't known, and which node has
    /// failed its handshake.
    pub fn host(
        &mut self,
        host: &HostName,
        compared: Option<&(&Receipt, Compared<'_>)>,
        greeted: &Greeted,
    ) -> String {
        let Some((receipt, compared)) = compared else {
            self.unknown += 1;
            return format!("{host}: unknown, because it has no receipt of this network\n");
        };
        let at = &receipt.apply.at;
        let nothing = Compared::default();
        let (Compared { changed, unknown, starting }, mut is_unknown) = match receipt.superseded {
            true => (&nothing, true),
            false => (compared, !(compared.unknown.is_empty() && compared.starting.is_empty())),
        };
        let line = |what: String, names: &[&str]| match names.is_empty() {
            true => String::new(),
            false => {
                format!("{host}: {what}: {}\n", counted_list(names.iter().map(|name| (*name).to_owned())))
            }
        };
        let mut text = line(format!("not as the apply of {at} left it"), changed);
        if receipt.superseded {
            text += &format!(
                "{host}: unknown, because an apply has begun since that of {at} and hasn't left a receipt\n"
            );
        }
        text += &line("can't be compared".to_owned(), unknown);
        text += &line("still starting".to_owned(), starting);
        let mut fails = false;
        for (node, contact) in &greeted.nodes {
            match contact {
                Contact::Proved => {}
                Contact::Failed(why) => {
                    fails = true;
                    self.failing.push(node.clone());
                    text += &format!("{host}: {node} is failing: {}\n", unproved(why));
                }
                Contact::Forbidden => {
                    if self.mute.last() != Some(host) {
                        self.mute.push(host.clone());
                    }
                }
                Contact::Unknown => {
                    is_unknown = true;
                    text += &format!("{host}: {node}: {NOT_REACHED}\n");
                }
            }
        }
        self.rekeyed.extend(greeted.rekeyed.iter().cloned());
        match (changed.is_empty(), fails, is_unknown) {
            (false, _, _) => self.changed += 1,
            (true, false, false) => self.same += 1,
            (true, false, true) => self.unknown += 1,
            (true, true, _) => {}
        }
        text
    }

    /// Whether no host has changed, and no node is failing.
    pub fn is_sound(&self) -> bool {
        self.changed == 0 && self.failing.is_empty()
    }

    /// Whether everything is known about every host.
    pub fn is_complete(&self) -> bool {
        self.unknown == 0
    }

    /// What wasn't concluded, and the last line.
    pub fn conclusion(&self) -> String {
        let mut text = String::new();
        if !self.mute.is_empty() {
            text += &format!(
                "note: the SSH server forbids forwarding on {}, so it isn't known whether the nodes there \
                 answer\n",
                listed(self.mute.iter())
            );
        }
        if !self.rekeyed.is_empty() {
            text += &format!(
                "note: the folder's swarm key has changed since the last apply, so these nodes weren't \
                 checked: {}\n",
                counted_list(self.rekeyed.iter().map(ToString::to_string))
            );
        }
        let hosts = |n| counted(n, "host");
        let them = if self.same == 1 { "it" } else { "them" };
        let mut parts = vec![format!("{} as the last apply left {them}", hosts(self.same))];
        parts.extend((self.changed > 0).then(|| format!("{} changed", hosts(self.changed))));
        parts.extend((!self.failing.is_empty()).then(|| {
            let names = counted_list(self.failing.iter().map(ToString::to_string));
            format!("{} failing ({names})", counted(self.failing.len(), "node"))
        }));
        parts.extend((self.unknown > 0).then(|| format!("{} unknown", hosts(self.unknown))));
        text + &format!("verify: {}\n", parts.join("; "))
    }
}

/// Why a node has failed its handshake; `plan/scripts/start.sh` says the same when a node is
/// started.
fn unproved(why: &Unproved) -> String {
    match why {
        Unproved::Refused => "it doesn't accept connections".to_owned(),
        Unproved::Closed => "it closes connections at once".to_owned(),
        Unproved::Silent => "it accepts connections, but doesn't answer".to_owned(),
        Unproved::OtherSwarm => "it probably has another swarm key".to_owned(),
        Unproved::NoTls => "it has the swarm key, but doesn't complete the TLS handshake".to_owned(),
        Unproved::OtherNode(id) => format!("another node answers in its place: {id}"),
    }
}

/// The applies that a host's receipt names, the latest first: one line for each.
pub fn history(host: &HostName, applies: &[ApplyRecord]) -> String {
    let line = |ApplyRecord { at, by, plan, spore }: &ApplyRecord| {
        format!("{host}  {at}  {by}  plan {:.12}  spore {spore}\n", plan.to_string())
    };
    applies.iter().map(line).collect()
}
