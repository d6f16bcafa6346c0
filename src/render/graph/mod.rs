//! A drawing of a network: its hosts, its nodes, and which node dials which. With a plan, also when each
//! node's turn comes. The entry point is [`Diagram::of`]; [`svg()`], [`mermaid()`] and [`dot()`] draw it.
//!
//! Every node dials every elder on other hosts. So the lines of a large network would say nothing: the hosts
//! are grouped by their shapes, and a group has one line.

mod dot;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;

pub use dot::dot;
pub use mermaid::mermaid;
pub(in crate::render) use svg::STYLE;
pub use svg::svg;

use super::counted;
use super::natural::Natural;
use crate::network::{Host, Network};
use crate::plan::file::PlanPage;
use crate::resource::{HostName, Printable, ShapeName};
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of lines between nodes that are drawn one by one.
const MOST_LINES: usize = 24;
/// The maximum number of names in a list.
const MOST_NAMES: usize = 6;

/// A network as it is drawn.
#[derive(Clone, Debug)]
pub struct Diagram {
    network: Printable,
    /// The hosts with elders.
    elders: Group,
    /// The other hosts.
    groups: Vec<Group>,
    /// The plan, if there is one.
    plan: Option<PlanDrawn>,
}

/// Hosts that are drawn together, because they have nodes of the same shapes.
#[derive(Clone, Debug, Default)]
struct Group {
    shapes: Vec<ShapeDrawn>,
    hosts: Vec<HostDrawn>,
    /// Which nodes the nodes of these hosts dial.
    dials: String,
}

/// A shape, as the title of a group shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ShapeDrawn {
    name: Printable,
    services: Vec<Printable>,
    port: Option<u16>,
}

#[derive(Clone, Debug, Default)]
struct HostDrawn {
    name: Printable,
    address: Printable,
    nodes: Vec<NodeDrawn>,
    /// What a plan says about the host as a whole.
    turn: Turn,
}

#[derive(Clone, Debug, Default)]
struct NodeDrawn {
    shape: Printable,
    is_elder: bool,
    turn: Turn,
}

/// When a plan changes something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Turn {
    waves: Vec<usize>,
    is_staged: bool,
    /// The plan has this node, or this host's nodes, and the folder hasn't.
    is_leaving: bool,
    is_unplanned: bool,
}

#[derive(Clone, Debug)]
struct PlanDrawn {
    summary: Printable,
    /// What each step is for, in order.
    steps: Vec<(String, String)>,
}

impl Turn {
    /// The turn in a few words; empty if nothing changes.
    fn text(&self) -> String {
        let waves: Vec<String> = self.waves.iter().map(ToString::to_string).collect();
        let wave = match waves.len() {
            0 => String::new(),
            1 => format!("wave {}", waves.concat()),
            _ => format!("waves {}", waves.join(", ")),
        };
        match (self.is_unplanned, self.is_leaving, wave.is_empty(), self.is_staged) {
            (true, ..) => "not planned".to_owned(),
            (_, true, true, _) => "removed".to_owned(),
            (_, true, false, _) => format!("removed, {wave}"),
            (_, _, true, true) => "staged".to_owned(),
            _ => wave,
        }
    }
}

impl NodeDrawn {
    fn label(&self) -> String {
        let elder = if self.is_elder { " (elder)" } else { "" };
        let turn = self.turn.text();
        let comma = if turn.is_empty() { "" } else { ": " };
        format!("{}{elder}{comma}{turn}", self.shape)
    }
}

impl HostDrawn {
    fn is_elder(&self) -> bool {
        self.nodes.iter().any(|node| node.is_elder)
    }

    /// Everything about the host in lines: its name first.
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.name.to_string()];
        lines.extend(Some(self.address.to_string()).filter(|address| !address.is_empty()));
        lines.extend(self.nodes.iter().map(NodeDrawn::label));
        lines.extend(Some(self.turn.text()).filter(|turn| !turn.is_empty()));
        lines
    }
}

impl ShapeDrawn {
    fn label(&self) -> String {
        let services: Vec<&str> = self.services.iter().map(Printable::as_str).collect();
        let services = if services.is_empty() { "no services".to_owned() } else { services.join(" ") };
        let port = self.port.map(|port| format!(" · port {port}")).unwrap_or_default();
        format!("{}{port} · {services}", self.name)
    }
}

impl Group {
    /// Example: `97 hosts`.
    fn size(&self) -> String {
        counted(self.hosts.len(), "host")
    }

    fn names(&self) -> Vec<String> {
        self.shapes.iter().map(|shape| shape.name.to_string()).collect()
    }
}

impl Diagram {
    /// Draws the network, and the waves of a plan for it.
    pub fn of(network: &Network, plan: Option<&PlanPage>) -> Self {
        let mut hosts: Vec<HostDrawn> = network.hosts.values().map(|host| drawn(network, host)).collect();
        if let Some(plan) = plan {
            add_turns(&mut hosts, plan);
        }
        hosts.sort_by_cached_key(|host| Natural(host.name.to_string()));
        let (elders, others): (Vec<_>, Vec<_>) = hosts.into_iter().partition(HostDrawn::is_elder);
        let mut groups: BTreeMap<Vec<ShapeDrawn>, Vec<HostDrawn>> = BTreeMap::new();
        for host in others {
            groups.entry(shapes(network, std::slice::from_ref(&host))).or_default().push(host);
        }
        let dials = dials(&elders);
        let groups = groups.into_iter().map(|(shapes, hosts)| {
            let dials = if shapes.is_empty() { String::new() } else { dials.clone() };
            Group { shapes, hosts, dials }
        });
        let mutual = match elders.len() {
            0 | 1 => String::new(),
            _ => "dial each other".to_owned(),
        };
        let elders = Group { shapes: shapes(network, &elders), hosts: elders, dials: mutual };
        Self {
            network: Printable::line(&network.domain.root),
            elders,
            groups: groups.collect(),
            plan: plan.map(PlanDrawn::of),
        }
    }

    /// Example: `example.org: 3 hosts, 3 nodes`.
    fn title(&self) -> String {
        let hosts = || self.groups.iter().chain([&self.elders]).flat_map(|group| &group.hosts);
        let nodes = hosts().flat_map(|host| &host.nodes).filter(|node| !node.turn.is_leaving).count();
        format!("{}: {}, {}", self.network, counted(hosts().count(), "host"), counted(nodes, "node"))
    }

    /// Which host's nodes dial which host's elders, if there are few enough of these lines.
    fn lines(&self) -> Option<Vec<[&HostDrawn; 2]>> {
        let mut lines = Vec::new();
        for host in self.groups.iter().chain([&self.elders]).flat_map(|group| &group.hosts) {
            let dials = host.nodes.iter().any(|node| !node.turn.is_leaving);
            let others = self.elders.hosts.iter().filter(|elder| dials && elder.name != host.name);
            lines.extend(others.map(|elder| [host, elder]));
        }
        (lines.len() <= MOST_LINES).then_some(lines)
    }
}

fn drawn(network: &Network, host: &Host) -> HostDrawn {
    let is_elder = |shape: &ShapeName| {
        network
            .bootstrap
            .get(shape)
            .is_some_and(|hosts| hosts.iter().any(|name| name.value == host.name.value))
    };
    let node = |shape: &ShapeName| NodeDrawn {
        shape: Printable::line(shape.as_str()),
        is_elder: is_elder(shape),
        turn: Turn::default(),
    };
    HostDrawn {
        name: Printable::line(host.name.as_str()),
        address: host
            .addresses
            .first()
            .map(|address| Printable::line(&address.ip.to_string()))
            .unwrap_or_default(),
        nodes: host.nodes.keys().map(node).collect(),
        turn: Turn::default(),
    }
}

/// The shapes of these hosts' nodes in the folder.
fn shapes(network: &Network, hosts: &[HostDrawn]) -> Vec<ShapeDrawn> {
    let nodes = hosts.iter().flat_map(|host| &host.nodes).filter(|node| !node.turn.is_leaving);
    let names: BTreeSet<&Printable> = nodes.map(|node| &node.shape).collect();
    let shape = |name: &Printable| {
        let shape = name.as_str().parse::<ShapeName>().ok().and_then(|name| network.shapes.get(&name));
        let services = shape.map(|shape| shape.services.iter().map(|name| Printable::line(name)).collect());
        ShapeDrawn {
            name: name.clone(),
            services: services.unwrap_or_default(),
            port: shape.map(|shape| shape.ports.main.value),
        }
    };
    names.into_iter().map(shape).collect()
}

/// What a node that isn't an elder dials.
fn dials(elders: &[HostDrawn]) -> String {
    let nodes = elders
        .iter()
        .flat_map(|host| host.nodes.iter().filter(|node| node.is_elder).map(move |node| (host, node)));
    let names: Vec<String> = nodes.map(|(host, node)| format!("{}@{}", node.shape, host.name)).collect();
    match names.len() {
        0 => "no elders to dial".to_owned(),
        1..=MOST_NAMES if names.concat().len() < 80 => format!("each node dials {}", names.join(", ")),
        count => format!("each node dials all {count} elders"),
    }
}

/// Adds when a plan changes each host and each node. Nodes that the plan has and the folder hasn't are
/// added, too.
fn add_turns(hosts: &mut Vec<HostDrawn>, plan: &PlanPage) {
    let mut at: BTreeMap<Printable, usize> =
        hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect();
    let mut host_of = |hosts: &mut Vec<HostDrawn>, name: &Printable| -> usize {
        *at.entry(name.clone()).or_insert_with(|| {
            let turn = Turn { is_leaving: true, ..Turn::default() };
            hosts.push(HostDrawn { name: name.clone(), turn, ..HostDrawn::default() });
            hosts.len() - 1
        })
    };
    for name in plan.stage.keys() {
        let at = host_of(hosts, name);
        if let Some(host) = hosts.get_mut(at) {
            host.turn.is_staged = true;
        }
    }
    for unplanned in &plan.unplanned {
        let at = host_of(hosts, &unplanned.host);
        if let Some(host) = hosts.get_mut(at) {
            host.turn.is_unplanned = true;
        }
    }
    for (number, wave) in (1..).zip(&plan.waves) {
        let named: BTreeMap<&str, Vec<&str>> = named(wave.who.as_str());
        for name in wave.hosts.keys() {
            let at = host_of(hosts, name);
            let Some(host) = hosts.get_mut(at) else { continue };
            let shapes = named.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            if shapes.is_empty() {
                host.turn.waves.push(number);
            }
            for shape in shapes {
                match host.nodes.iter_mut().find(|node| node.shape.as_str() == *shape) {
                    Some(node) => node.turn.waves.push(number),
                    None => host.nodes.push(NodeDrawn {
                        shape: Printable::line(shape),
                        is_elder: false,
                        turn: Turn { is_leaving: true, waves: vec![number], ..Turn::default() },
                    }),
                }
            }
        }
    }
}

/// The shapes of the nodes that a wave names, by host.
fn named(who: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for word in who.split_whitespace() {
        let node = word.trim_end_matches([')', ';']).split_once('@');
        let is_name = |(shape, host): &(&str, &str)| {
            shape.parse::<ShapeName>().is_ok() && host.parse::<HostName>().is_ok()
        };
        if let Some((shape, host)) = node.filter(is_name) {
            named.entry(host).or_default().push(shape);
        }
    }
    named
}

impl PlanDrawn {
    fn of(plan: &PlanPage) -> Self {
        let staged = (!plan.stage.is_empty()).then(|| {
            let who = counted(plan.stage.len(), "host");
            ("stage".to_owned(), format!("{who}: files are written next to their destinations and checked"))
        });
        let waves = (1..)
            .zip(&plan.waves)
            .map(|(number, wave)| (format!("wave {number}"), format!("{}: {}", wave.purpose, wave.who)));
        Self { summary: plan.summary.clone(), steps: staged.into_iter().chain(waves).collect() }
    }
}
