//! Reads the shapes: `shapes.yaml`.

use super::fields::{Fields, Item};
use super::files::{Files, Found, PLUGINS};
use super::problem::{ProblemReport, Read, Reported};
use super::slot::Slot;
use super::{At, ShapeDraft};
use crate::finding::{Excerpt, Expected, FieldProblem, Finding, Listed, Owner, Referent};
use crate::resource::ShapeName;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A template of nodes.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The shape's name.
    pub name: At<ShapeName>,
    /// The services by their current names: the manual's `node` is read as `substrate`. tau
    /// may not know them.
    pub services: Vec<At<String>>,
    /// The ports that nodes of this shape listen on.
    pub ports: Ports,
    /// The plugins that nodes of this shape load.
    pub plugins: Vec<At<Plugin>>,
}

/// The TCP ports of a node.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The port that other nodes dial.
    pub main: At<u16>,
    /// The port of the node's own client, on loopback; random if absent.
    pub lite: Option<At<u16>>,
    /// The port of the node's IPFS client; random if absent.
    pub ipfs: Option<At<u16>>,
}

/// A plugin and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The name as written: `name@version`.
    pub name: String,
    /// The path of the file, which is `plugins/<name>@<version>` in the folder.
    pub file: PathBuf,
    /// Whether the file exists.
    pub is_there: bool,
}

/// Reads the shapes. A shape with an invalid name is only checked.
pub(super) fn read(
    fields: Fields<'_>,
    files: &Files,
    report: &mut ProblemReport,
) -> BTreeMap<ShapeName, ShapeDraft> {
    let read = |slot: &Slot<'_>| read_shape(slot, files, report).filter(|_| !slot.again);
    let shapes = fields.slots.iter().filter_map(read);
    shapes.map(|shape| (shape.name.value.clone(), shape)).collect()
}

fn read_shape(slot: &Slot<'_>, files: &Files, report: &mut ProblemReport) -> Option<ShapeDraft> {
    let name = slot.name_of::<ShapeName>(Referent::Shape, report);
    let owner = Owner::Shape(Excerpt::of(slot.place.shown(slot.name)));
    let (mut services, mut ports, mut plugins) = (Vec::new(), None, Vec::new());
    if let Ok(mut fields) = slot.item.fields(owner, report) {
        let read = |item: Item<'_>, report: &mut ProblemReport| Ok(read_services(item, report));
        services =
            fields.either(["protocols", "services"], report, read).and_then(Result::ok).unwrap_or_default();
        ports = read_ports(&mut fields, report).ok();
        plugins = fields.take("plugins").map(|item| read_plugins(item, files, report)).unwrap_or_default();
        fields.finish(report);
    }
    let (main, lite, ipfs) = match ports {
        Some(ports) => (ports.main.ok(), ports.lite.ok().flatten(), ports.ipfs.ok().flatten()),
        None => (None, None, None),
    };
    Some(ShapeDraft { name: name.ok()?, services, main, lite, ipfs, plugins })
}

fn read_services(item: Item<'_>, report: &mut ProblemReport) -> Vec<At<String>> {
    let mut services: Vec<At<String>> = Vec::new();
    let mut seen = BTreeMap::new();
    for item in item.items(report) {
        let name = match item.text(Expected::ServiceName, report) {
            Ok("node") => "substrate",
            Ok(name) => name,
            Err(Reported) => continue,
        };
        match seen.get(name).and_then(|&first: &usize| services.get(first)) {
            None => {
                seen.insert(name, services.len());
                services.push(item.at(name.to_owned()));
            }
            Some(first) => {
                let what = FieldProblem::ListedTwice { what: Listed::Service, name: item.shown() };
                report.push(Finding::new(what).at(&item.place()).at(&first.place));
            }
        }
    }
    services
}

fn read_plugins(item: Item<'_>, files: &Files, report: &mut ProblemReport) -> Vec<At<Plugin>> {
    let mut plugins: Vec<At<Plugin>> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in item.items(report) {
        if let Ok(plugin) = plugin(item, files, report)
            && seen.insert(plugin.name.clone())
        {
            plugins.push(item.at(plugin));
        }
    }
    plugins
}

fn plugin(item: Item<'_>, files: &Files, report: &mut ProblemReport) -> Read<Plugin> {
    let name = item.text(Expected::Plugin, report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-@".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
        return Err(item.wrong(FieldProblem::PluginName(item.shown()), report));
    }
    let path = format!("{PLUGINS}/{name}");
    // If the folder of plugins can't be read, that is the reason for each plugin.
    let is_there = match files.get(&path).or_else(|| files.get(&format!("{PLUGINS}/"))) {
        Some(Found::Unreadable(why)) => {
            let what = FieldProblem::PluginUnreadable { name: item.shown(), why: why.clone() };
            return Err(item.wrong(what, report));
        }
        Some(Found::File(_) | Found::Unopened) => true,
        None => false,
    };
    Ok(Plugin { name: name.to_owned(), file: files.folder().join(path), is_there })
}

struct RawPorts {
    main: Read<At<u16>>,
    lite: Read<Option<At<u16>>>,
    ipfs: Read<Option<At<u16>>>,
}

/// Reads the ports. Upstream writes `{main: N, lite: N, ipfs: N}`; the manual writes
/// `{main: {p2p: N}, lite: {p2p: N, ipfs: N}}`.
fn read_ports(fields: &mut Fields<'_>, report: &mut ProblemReport) -> Read<RawPorts> {
    let item = fields.need("ports", "ports: {main: 4242, lite: 4247}")?;
    let mut ports = item.fields(Owner::Path("ports"), report)?;
    let mut nested_ipfs = None;
    let main = match ports.need("main", "main: 4242") {
        Ok(item) if item.is_mapping() => {
            item.fields(Owner::Path("ports.main"), report).and_then(|mut main| {
                let port = main.need("p2p", "p2p: 4242").and_then(|item| item.port(report));
                main.finish(report);
                port
            })
        }
        other => other.and_then(|item| item.port(report)),
    };
    let lite = match ports.take("lite") {
        None => Ok(None),
        Some(item) if item.is_mapping() => {
            item.fields(Owner::Path("ports.lite"), report).and_then(|mut lite| {
                let port = lite.take("p2p").map(|item| item.port(report)).transpose();
                nested_ipfs = lite.take("ipfs").map(|item| item.port(report));
                lite.finish(report);
                port
            })
        }
        Some(item) => item.port(report).map(Some),
    };
    let ipfs = match (ports.take("ipfs").map(|item| item.port(report)), nested_ipfs) {
        (Some(Ok(one)), Some(Ok(other))) if one != other => {
            report.push(Finding::new(FieldProblem::IpfsContradiction).at(&other.place).at(&one.place));
            Err(Reported)
        }
        (one, other) => one.or(other).transpose(),
    };
    ports.finish(report);
    Ok(RawPorts { main, lite, ipfs })
}
