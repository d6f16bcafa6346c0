//! Reads the hosts and their nodes: `hosts.yaml`.

use super::fields::{Fields, Item};
use super::files::Files;
use super::problem::{ProblemReport, Read, Reported};
use super::secret::{self, bytes_of};
use super::slot::Slot;
use super::{At, HostDraft, Jump, Login, LoginDraft, NodeDraft, Secret, ShapeDraft, SshDraft};
use crate::finding::{
    Absent, Excerpt, Expected, FieldProblem, Finding, KeyProblem, NetworkKey, Owner, Referent,
};
use crate::identity::{NodeKey, PeerId, public_half_of_peer_id};
use crate::resource::{Daemon, HostName, NodeName, Printable, ShapeName};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// The host's name in the folder.
    pub name: At<HostName>,
    /// The addresses that other nodes dial, in the order of the folder.
    pub addresses: Vec<At<HostAddress>>,
    /// The SSH connection.
    pub ssh: Ssh,
    /// The host's location.
    pub location: Option<Location>,
    /// The host's nodes, by shape. If there are none, all nodes on the host are removed.
    pub nodes: BTreeMap<ShapeName, Identity>,
}

impl Host {
    /// The name of its node of this shape. The folder describes no other daemon's nodes.
    pub fn node_name(&self, shape: &ShapeName) -> NodeName {
        NodeName { shape: shape.clone(), host: HostName::clone(&self.name), daemon: Daemon::Tau }
    }
}

/// An IP address with an optional prefix length. It dereferences to the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostAddress {
    /// The address itself.
    pub ip: IpAddr,
    /// The prefix length in bits, if the address was written as a CIDR. It isn't part of
    /// the node's configuration.
    pub prefix: Option<u8>,
}

impl Deref for HostAddress {
    type Target = IpAddr;
    fn deref(&self) -> &IpAddr {
        &self.ip
    }
}

/// The SSH connection to a host.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// An IP address or a host name.
    pub address: At<String>,
    /// Further addresses, tried in this order if no connection to the first can be opened.
    pub more: Vec<At<String>>,
    /// The SSH port, 22 by default.
    pub port: u16,
    /// Whether the folder names the port. If not, the user's SSH configuration may.
    pub names_port: bool,
    /// The servers through which the host is reached, in this order.
    pub jumps: Vec<At<Jump>>,
    /// A jump host that can't be read, so that there is no way to the host. Only a roster, which comes
    /// from a host, has such jump hosts.
    pub unreadable_jump: Option<Printable>,
    /// The logins to try, in the order of the folder. Never empty.
    pub logins: Vec<Arc<Login>>,
}

/// A location, in degrees.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// The latitude, positive to the north of the equator.
    pub lat: At<f64>,
    /// The longitude, positive to the east of Greenwich.
    pub long: At<f64>,
}

/// The identity of a node.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The node's shape.
    pub shape: At<ShapeName>,
    /// The node's private key; `None` if only the host has it, or if it is elsewhere
    /// ([`Secrets::Elsewhere`](super::Secrets::Elsewhere)).
    pub key: Option<At<NodeKey>>,
    /// The node's peer id, as written or as derived from the key. The two agree. It is `None`
    /// only if the folder has neither, because the host has still to generate the key, or because
    /// the key is elsewhere.
    pub id: Option<At<PeerId>>,
    /// Who has the private key.
    pub keeper: Keeper,
}

/// Who has the private key of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The folder.
    Folder,
    /// Only the node's host. If the folder doesn't have the id either, the host has still to
    /// generate the key.
    Host,
    /// Somebody else may have it.
    Unknown,
}

/// Reads the hosts. A host with an invalid name is only checked, and sets `partial` to
/// true.
pub(super) fn read(
    fields: Fields<'_>,
    known: &Known<'_>,
    partial: &mut bool,
    report: &mut ProblemReport,
) -> BTreeMap<HostName, HostDraft> {
    let mut hosts = BTreeMap::new();
    for slot in &fields.slots {
        let host = if slot.item.is_anchored() {
            // The host may have been meant as a template for other entries.
            report.anchored(slot.place.shown(slot.name), |report| read_host(slot, known, report))
        } else {
            read_host(slot, known, report)
        };
        match host {
            Some(_) if slot.again => {}
            Some(host) => {
                hosts.insert(host.name.value.clone(), host);
            }
            None => *partial = true,
        }
    }
    super::jump::loops(&hosts, report);
    hosts
}

/// What a host may refer to. A part is `None` if it couldn't be read, so that references to
/// it aren't checked.
pub(super) struct Known<'k> {
    pub(super) shapes: Option<&'k BTreeMap<ShapeName, ShapeDraft>>,
    pub(super) logins: Option<&'k BTreeMap<String, LoginDraft>>,
    pub(super) files: &'k Files,
}

/// The files that nodes name as their keys, as written.
pub(super) fn key_files(fields: Fields<'_>, report: &mut ProblemReport) -> Vec<String> {
    let mut named = Vec::new();
    for slot in &fields.slots {
        let Ok(mut host) = slot.item.fields(Owner::Host(Excerpt::of("")), report) else { continue };
        let Some(nodes) = host.take("shapes") else { continue };
        let Ok(nodes) = nodes.fields(Owner::NodesOf(Excerpt::of("")), report) else { continue };
        for slot in &nodes.slots {
            let Ok(mut node) = slot.item.fields(Owner::Path(""), report) else { continue };
            let file = node.take("key_file").map(|item| item.text(Expected::PathOfFile, report));
            named.extend(file.and_then(Result::ok).map(str::to_owned));
        }
    }
    named
}

fn read_host(slot: &Slot<'_>, known: &Known<'_>, report: &mut ProblemReport) -> Option<HostDraft> {
    let name = slot.name_of::<HostName>(Referent::Host, report);
    let shown = slot.place.shown(slot.name);
    let (mut addresses, mut ssh, mut location, mut nodes) = (Vec::new(), None, None, BTreeMap::new());
    let (mut all_addresses, mut all_nodes) = (false, false);
    if let Ok(mut fields) = slot.item.fields(Owner::Host(Excerpt::of(shown)), report) {
        (all_addresses, all_nodes) = (true, true);
        let listed = fields.take("addr");
        for item in listed.map(|item| item.items(report)).unwrap_or_default() {
            match address(item, report) {
                Ok(address) => addresses.push(address),
                Err(Reported) => all_addresses = false,
            }
        }
        let needed = fields.need("ssh", "ssh: {addr: 192.0.2.1, auth: [root]}");
        ssh = needed.and_then(|item| read_ssh(item, shown, known, report)).ok();
        location = fields.either(["gps", "location"], report, read_location).and_then(Result::ok);
        if let Some(item) = fields.take("shapes") {
            nodes = read_nodes(item, shown, known, &mut all_nodes, report);
            if listed.is_none() {
                all_addresses = false;
                fields.missing(&["addr"], "addr: 192.0.2.1");
            }
        }
        // A misspelt key may have been meant as one of these.
        let misspelt = fields.finish(report);
        all_addresses &= !misspelt;
        all_nodes &= !misspelt;
    }
    Some(HostDraft { name: name.ok()?, addresses, all_addresses, ssh, location, nodes, all_nodes })
}

fn address(item: Item<'_>, report: &mut ProblemReport) -> Read<At<HostAddress>> {
    match item.text(Expected::IpAddress, report)?.parse::<HostAddress>() {
        Ok(address) => Ok(item.at(address)),
        Err(NotAnAddress) => Err(item.wrong(FieldProblem::Address(item.shown()), report)),
    }
}

/// The text isn't an IP address, with or without a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an IP address is written as `192.0.2.1` or `192.0.2.1/24`")]
pub struct NotAnAddress;

impl FromStr for HostAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (ip, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((ip, bits)) if bits.bytes().all(|b| b.is_ascii_digit()) => {
                (ip, Some(bits.parse().map_err(|_| NotAnAddress)?))
            }
            Some(_) => return Err(NotAnAddress),
        };
        let ip: IpAddr = ip.parse().map_err(|_| NotAnAddress)?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        if prefix.is_some_and(|bits| bits > most) {
            return Err(NotAnAddress);
        }
        Ok(Self { ip, prefix })
    }
}

fn read_ssh(item: Item<'_>, host: &str, known: &Known<'_>, report: &mut ProblemReport) -> Read<SshDraft> {
    let mut fields = item.fields(Owner::SshOf(Excerpt::of(host)), report)?;
    let addresses = fields.need("addr", "addr: 192.0.2.1").and_then(|item| endpoints(item, report));
    let port = fields.take("port").map(|item| item.port(report)).transpose();
    let jumps = fields.take("jump").map(|item| super::jump::read(item, report)).unwrap_or_default();
    let mut is_named = false;
    let names = fields.either(["key", "auth"], report, |item, report| {
        let items = item.items(report);
        is_named = !items.is_empty();
        let name = |item: Item<'_>| Some(item.at(item.text(Expected::LoginName, report).ok()?.to_owned()));
        Ok(items.into_iter().filter_map(name).collect::<Vec<_>>())
    });
    if !is_named {
        fields.missing(&["auth", "key"], "auth: [root]");
    }
    fields.finish(report);
    let logins = names.and_then(Result::ok).unwrap_or_default();
    if let Some(all) = known.logins {
        for name in logins.iter().filter(|name| !all.contains_key(&name.value)) {
            unknown(Referent::Login, name, all.keys().map(String::as_str), report);
        }
    }
    let port = port.ok().flatten().map(|port| port.value);
    let (address, more) = addresses?;
    Ok(SshDraft { address, more, port: port.unwrap_or(22), names_port: port.is_some(), jumps, logins })
}

/// The first address of an sshd, and the others.
fn endpoints(item: Item<'_>, report: &mut ProblemReport) -> Read<(At<String>, Vec<At<String>>)> {
    let items = item.items(report).into_iter();
    // All of them are read, so that all that is wrong is reported.
    let read: Vec<Read<At<String>>> = items.map(|item| super::endpoint::read(item, report)).collect();
    let mut addresses = read.into_iter().collect::<Read<Vec<_>>>()?.into_iter();
    match addresses.next() {
        Some(first) => Ok((first, addresses.collect())),
        // An empty list isn't text either.
        None => super::endpoint::read(item, report).map(|address| (address, Vec::new())),
    }
}

/// Reports that there is no `what` called `name`.
pub(super) fn unknown<'n, T: ToString>(
    what: Referent,
    name: &At<T>,
    mut names: impl Iterator<Item = &'n str> + Clone,
    report: &mut ProblemReport,
) -> Reported {
    let text = name.value.to_string();
    let near = report.nearest(&text, names.clone()).map(Excerpt::of);
    let some = names.by_ref().take(MOST_NAMED).map(Excerpt::of).collect();
    let is_all = names.next().is_none();
    let shown = Excerpt::of(name.place.shown(&text));
    report.push(Finding::new(FieldProblem::NoSuch { what, name: shown, near, some, is_all }).at(&name.place))
}

/// The maximum number of names that are suggested.
const MOST_NAMED: usize = 8;

fn read_location(item: Item<'_>, report: &mut ProblemReport) -> Read<Location> {
    if item.is_list() {
        let items = item.items(report);
        let [lat, long] = items.as_slice() else {
            return Err(item.wrong(FieldProblem::LocationOf(items.len()), report));
        };
        let (lat, long) = (lat.number(Expected::Latitude, report), long.number(Expected::Longitude, report));
        return Ok(Location { lat: lat?, long: long? });
    }
    let mut fields = item.fields(Owner::Path("location"), report)?;
    let mut number = |name, example, report: &mut ProblemReport| {
        fields.need(name, example).and_then(|item| item.number(Expected::Degrees, report))
    };
    let (lat, long) = (number("lat", "lat: 1.25", report), number("long", "long: 1.25", report));
    fields.finish(report);
    Ok(Location { lat: lat?, long: long? })
}

fn read_nodes(
    item: Item<'_>,
    host: &str,
    known: &Known<'_>,
    all: &mut bool,
    report: &mut ProblemReport,
) -> BTreeMap<ShapeName, NodeDraft> {
    let mut nodes = BTreeMap::new();
    let Ok(fields) = item.fields(Owner::NodesOf(Excerpt::of(host)), report) else {
        *all = false;
        return nodes;
    };
    for slot in &fields.slots {
        let shape = slot.name_of::<ShapeName>(Referent::Shape, report);
        if let (Ok(shape), Some(shapes)) = (&shape, known.shapes)
            && !shapes.contains_key(&shape.value)
        {
            unknown(Referent::Shape, shape, shapes.keys().map(ShapeName::as_str), report);
            *all = false;
        }
        match read_node(slot, shape, host, known.files, report) {
            Some(_) if slot.again => {}
            Some(node) => {
                nodes.insert(node.shape.value.clone(), node);
            }
            None => *all = false,
        }
    }
    nodes
}

fn read_node(
    slot: &Slot<'_>,
    shape: Read<At<ShapeName>>,
    host: &str,
    files: &Files,
    report: &mut ProblemReport,
) -> Option<NodeDraft> {
    let name = Owner::Node { shape: Excerpt::of(slot.place.shown(slot.name)), host: Excerpt::of(host) };
    // A key that isn't named may be in the folder of secrets.
    let path = Files::key_of(slot.name, host);
    let unnamed = |report: &mut ProblemReport| {
        files.get(&path)?;
        Some((slot.item, bytes_of(slot.item, &path, NetworkKey::Node, files, report)))
    };
    let node = |key, id| Some(NodeDraft { shape: shape.ok()?, key, id });
    let neither = |report: &mut ProblemReport| {
        // Without a key, the host generates one. If the key may be elsewhere, it is in the list of
        // the missing secrets.
        let problem = Finding::new(KeyProblem::NoIdentity(name.clone())).at(&slot.place);
        let _ = report.missing(slot.place.clone(), Absent::NodeKey, problem);
    };
    if slot.item.is_null() {
        let Some((item, bytes)) = unnamed(report) else {
            neither(report);
            return node(None, None);
        };
        let key = bytes.and_then(|bytes| parsed(item, bytes, &name, report)).ok().flatten();
        let key = key.map(|key: At<NodeKey>| At { place: slot.place.clone(), ..key });
        let id = key.as_ref().map(|key| At { value: key.peer_id(), place: key.place.clone() });
        return node(key, id);
    }
    let Ok(mut fields) = slot.item.fields(name.clone(), report) else { return node(None, None) };
    let as_key = (Expected::PrivateKey, NetworkKey::Node);
    let key = match secret::take(&mut fields, ["key", "key_file"], as_key, &name, files, report) {
        Some((item, key)) => Some(key.and_then(|key| parsed(item, key, &name, report))),
        None => unnamed(report).map(|(item, key)| key.and_then(|key| parsed(item, key, &name, report))),
    };
    let id = fields.take("id").map(|item| {
        let text = item.text(Expected::PeerId, report)?;
        text.parse::<PeerId>()
            .map(|id| item.at(id))
            .map_err(|_| item.wrong(KeyProblem::PeerId(item.shown()), report))
    });
    let misspelt = fields.finish(report);
    match (&key, &id) {
        (Some(Ok(Some(key))), Some(Ok(id))) if key.peer_id() != id.value => {
            let what = KeyProblem::NotTheId { node: name.clone(), id: key.peer_id() };
            report.push(Finding::new(what).at(&id.place).at(&key.place));
        }
        (None, Some(Ok(id))) if !misspelt => {
            // The host has the key. If it may be elsewhere, it is in the list of the missing secrets.
            report.elsewhere(slot.place.clone(), Absent::NodeKey);
            if public_half_of_peer_id(id).is_none() {
                report.push(Finding::new(KeyProblem::OnlyAnId(name.clone())).at(&id.place));
            }
        }
        (None, None) if !misspelt => neither(report),
        _ => {}
    }
    let (key, id) = (key.and_then(Result::ok).flatten(), id.and_then(Result::ok));
    // If they disagree, the key counts, because tau uses only the key.
    let made = key.as_ref().map(|key| At { value: key.peer_id(), place: key.place.clone() });
    let agrees = |id: &At<PeerId>| made.as_ref().is_none_or(|made| made.value == id.value);
    let id = id.filter(agrees).or_else(|| made.clone());
    node(key, id)
}

/// Parses the key of a node, written in the folder or in a file; `None` if it is elsewhere.
fn parsed(
    item: Item<'_>,
    key: Secret<impl AsRef<[u8]>>,
    node: &Owner,
    report: &mut ProblemReport,
) -> Read<Option<At<NodeKey>>> {
    let Secret::Here(bytes) = key else { return Ok(None) };
    match String::from_utf8_lossy(bytes.as_ref()).trim().parse::<NodeKey>() {
        Ok(key) => Ok(Some(item.at(key))),
        Err(error) => Err(item.wrong(KeyProblem::Node { node: node.clone(), error }, report)),
    }
}
