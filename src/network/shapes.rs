//! The shapes: `shapes.yaml`.

use super::At;
use super::fields::{Fields, Item, Slot};
use super::problem::{Diagnostic, Read, Report, Reported};
use crate::resource::ShapeName;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A template of nodes.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What it is called.
    pub name: At<ShapeName>,
    /// By today's names: the manual's `node` was read as `substrate`. Whether
    /// tau knows them is for others to say.
    pub services: Vec<At<String>>,
    /// What its nodes listen on.
    pub ports: Ports,
    /// Programs that its nodes load.
    pub plugins: Vec<At<Plugin>>,
}

/// The TCP ports of a node.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Where other nodes reach it.
    pub main: At<u16>,
    /// Where its own client listens, on loopback; a random one where absent.
    pub lite: Option<At<u16>>,
    /// Where its IPFS client listens; a random one where absent.
    pub ipfs: Option<At<u16>>,
}

/// A plugin and the file it is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// As written: `name@version`.
    pub name: String,
    /// `plugins/<name>@<version>` in the folder. Nobody has looked whether it
    /// is there.
    pub file: PathBuf,
}

/// Reads the shapes; `Err` where one is there, but wrong.
pub(super) fn read(
    fields: Fields<'_>,
    folder: &Path,
    report: &mut Report,
) -> BTreeMap<ShapeName, Read<Shape>> {
    let mut shapes = BTreeMap::new();
    for slot in fields.slots {
        if let Ok(name) = slot.name_of::<ShapeName>("shape", report) {
            let shape = read_shape(&slot, name, folder, report);
            if let Ok(name) = slot.name.parse() {
                shapes.insert(name, shape);
            }
        }
    }
    shapes
}

fn read_shape(slot: &Slot<'_>, name: At<ShapeName>, folder: &Path, report: &mut Report) -> Read<Shape> {
    let mut fields = slot.item.fields(&format!("shape `{}`", *name), report)?;
    let services = fields.either(["protocols", "services"], report, services);
    let ports = read_ports(&mut fields, report);
    let plugins = fields.take("plugins").map(|item| plugins(item, folder, report));
    fields.finish(report);
    Ok(Shape {
        name,
        services: services.unwrap_or(Ok(Vec::new()))?,
        ports: ports?,
        plugins: plugins.unwrap_or(Ok(Vec::new()))?,
    })
}

fn services(item: Item<'_>, report: &mut Report) -> Read<Vec<At<String>>> {
    let mut services: Vec<At<String>> = Vec::new();
    let mut seen = BTreeMap::new();
    for item in item.items(report) {
        let name = match item.text("the name of a service", report)? {
            "node" => "substrate",
            name => name,
        };
        match seen.get(name).and_then(|&first: &usize| services.get(first)) {
            None => {
                seen.insert(name, services.len());
                services.push(item.at(name.to_owned()));
            }
            Some(first) => {
                let problem = Diagnostic::warning(format!("the service `{}` is there twice", item.shown()));
                let problem = problem.at(&item.place(), "again here").at(&first.place, "first here");
                report.push(problem.help("remove one of the two"));
            }
        }
    }
    Ok(services)
}

fn plugins(item: Item<'_>, folder: &Path, report: &mut Report) -> Read<Vec<At<Plugin>>> {
    let mut plugins = Vec::new();
    let mut seen = BTreeSet::new();
    for item in item.items(report) {
        let name = item.text("a plugin", report)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-@".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
            let help = "write `name@version`: letters, digits, `_`, `.` and `-`";
            return Err(item.wrong(&format!("`{}` is not a plugin", item.shown()), "this", help, report));
        }
        if seen.insert(name) {
            let file = folder.join("plugins").join(name);
            plugins.push(item.at(Plugin { name: name.to_owned(), file }));
        }
    }
    Ok(plugins)
}

/// Today `{main: N, lite: N, ipfs: N}`, in the manual `{main: {p2p: N}, lite:
/// {p2p: N, ipfs: N}}`.
fn read_ports(fields: &mut Fields<'_>, report: &mut Report) -> Read<Ports> {
    let item = fields.need("ports", "ports: {main: 4242, lite: 4247}")?;
    let mut ports = item.fields("`ports`", report)?;
    let mut nested_ipfs = None;
    let main = match ports.need("main", "main: 4242") {
        Ok(item) if item.is_mapping() => item.fields("`ports.main`", report).and_then(|mut main| {
            let port = main.need("p2p", "p2p: 4242").and_then(|item| item.port(report));
            main.finish(report);
            port
        }),
        other => other.and_then(|item| item.port(report)),
    };
    let lite = match ports.take("lite") {
        None => Ok(None),
        Some(item) if item.is_mapping() => item.fields("`ports.lite`", report).and_then(|mut lite| {
            let port = lite.take("p2p").map(|item| item.port(report)).transpose();
            nested_ipfs = lite.take("ipfs").map(|item| item.port(report));
            lite.finish(report);
            port
        }),
        Some(item) => item.port(report).map(Some),
    };
    let ipfs = match (ports.take("ipfs").map(|item| item.port(report)), nested_ipfs) {
        (Some(Ok(one)), Some(Ok(other))) if one != other => {
            let problem = Diagnostic::error("`ports.ipfs` and `ports.lite.ipfs` say different things");
            let problem = problem.at(&other.place, "this").at(&one.place, "and this");
            report.push(problem.help("keep one: `lite.ipfs` is the older name of `ipfs`"));
            Err(Reported)
        }
        (one, other) => one.or(other).transpose(),
    };
    ports.finish(report);
    Ok(Ports { main: main?, lite: lite?, ipfs: ipfs? })
}
