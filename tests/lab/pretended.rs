//! A simulated host and a real host give the same answer to a probe, field by field, after
//! the same network has been applied to both. The tests on simulated hosts rely on this.

use crate::binary;
use crate::host::{Lab, Suite};
use crate::network::{Network, Shape};
use spore_drive::facts::{self, Facts, FileFact, PathFact, Process, Request, UnitFact};
use spore_drive::pretend::{Fleet, here};
use spore_drive::resource::{DigestKey, Redactor, SecretBytes, ShapeName, Untrusted};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::Command;
use tokio::runtime::Runtime;

const SHAPE: &str = "all";
const UNIT: &str = "tau@all.service";

pub(crate) fn answers_as_a_real_one(lab: &Lab) {
    let host = lab.start("h1", &Suite::Bookworm.machine());
    let mut network = Network::new(lab, binary::stand_in());
    network.shape(SHAPE, Shape::new(5242).services(&["tns", "hoarder"]));
    network.elder(SHAPE, &host);
    host.wait();
    network.apply(&[]).exits(0);
    let real = parsed(&host.sh(&format!("set +eu\n{}", probe())));

    let runtime = sure(Runtime::new());
    let mut fleet = sure(Fleet::begin());
    let pretended = sure(runtime.block_on(fleet.add(&sure(host.name().parse()), here()))).clone();
    let hosts = network.folder().join("hosts.yaml");
    let text = sure(fs::read_to_string(&hosts));
    let reached = format!("ssh: {{addr: {}, port: 22,", host.addr());
    assert!(text.contains(&reached), "{text}");
    let address = pretended.address();
    let text = text.replace(&reached, &format!("ssh: {{addr: {}, port: {},", address.host, address.port));
    sure(fs::write(hosts, text));
    sure(fs::write(network.folder().join("keys/id"), sure(fleet.user_key())));
    let known = network.home().join("known_pretended");
    sure(fs::write(&known, fleet.known_hosts()));
    apply(&network.folder(), &known);
    let out = sure(runtime.block_on(pretended.sh(&probe())));
    let answer = parsed(&String::from_utf8_lossy(&out.stdout));

    let (real, answer) = (lines(&real), lines(&answer));
    let fields = real.keys().chain(answer.keys());
    let differ: Vec<String> = fields
        .filter(|field| real.get(*field) != answer.get(*field))
        .map(|field| {
            format!("{field}\n  real:      {:?}\n  simulated: {:?}", real.get(field), answer.get(field))
        })
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(real.len() > 30, "too few fields are compared: {real:#?}");
}

/// Runs `spore` without [`Network::spore`], which would rewrite the folder.
fn apply(folder: &Path, known: &Path) {
    let mut spore = Command::new(env!("CARGO_BIN_EXE_spore"));
    let out = sure(spore.args(["apply", "--yes", "-n"]).arg(folder).env("SPORE_KNOWN_HOSTS", known).output());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
}

fn probe() -> String {
    let key = DigestKey::derive(&SecretBytes::new("a key for both"), "h1");
    let shapes = BTreeSet::<ShapeName>::from([sure(SHAPE.parse())]);
    let machines = DigestKey::for_machines(&SecretBytes::new("a key for both"));
    let script = Request {
        key: &key,
        machines: &machines,
        shapes: &shapes,
        ports: &std::collections::BTreeSet::new(),
        roster: "",
        keyed: &[],
        rehash: true,
    }
    .script();
    String::from_utf8_lossy(script.expose()).into_owned()
}

fn parsed(answer: &str) -> Facts {
    facts::parse(&Untrusted::new(answer), &Redactor::default())
        .unwrap_or_else(|error| panic!("{error:?}\n{answer}"))
}

/// The facts that must be the same: all except times, inodes, process ids, free space, and
/// the parts of Debian that are unrelated to tau.
fn lines(facts: &Facts) -> BTreeMap<String, String> {
    let Facts {
        asked,
        architecture,
        os,
        root,
        systemd,
        apt,
        unfinished,
        free_bytes,
        paths,
        texts,
        opaque,
        units,
        listening,
        holder,
        // A simulated host has no machine id.
        machine: _,
        surroundings: _,
        versions: _,
        keyed: _,
        redactor: _,
    } = facts;
    let mut lines = BTreeMap::new();
    let mut line = |name: &str, value: String| lines.insert(name.to_owned(), value);
    line("asked", format!("{:?} {:?}", asked.shapes, asked.directories));
    line("architecture", architecture.to_string());
    line("os is named", (!os.is_empty()).to_string());
    line("root, systemd, apt", format!("{root} {systemd} {apt}"));
    line("there is space", (*free_bytes > 0).to_string());
    line("unfinished", format!("{unfinished:?}"));
    line("opaque", format!("{opaque:?}"));
    line("locked by", format!("{holder:?}"));
    line("listens", listening.iter().any(|(_, port)| port.number == 5242).to_string());
    for (path, fact) in paths.iter().filter(|(path, _)| is_ours(path)) {
        line(path, path_line(path, fact));
    }
    for (path, text) in texts.iter().filter(|(path, _)| is_ours(path)) {
        line(&format!("text of {path}"), text.expose().to_owned());
    }
    let names: Vec<&str> = units.keys().map(String::as_str).filter(|name| name.starts_with("tau@")).collect();
    line("units", names.join(" "));
    if let Some(unit) = units.get(UNIT) {
        lines.extend(unit_lines(unit));
    }
    lines
}

/// Whether spore writes this path. The data that a real node writes is left out, because a
/// simulated node writes none.
fn is_ours(path: &str) -> bool {
    // Receipts have a time and a salt.
    !path.starts_with("/tb/storage/")
        && !path.starts_with("/tb/.spore")
        && ["/tb", "/etc/systemd/system/", "/var/lib/spore"].iter().any(|ours| path.starts_with(ours))
}

fn path_line(path: &str, fact: &PathFact) -> String {
    match fact {
        // The contents of this file include inodes and times.
        PathFact::File(FileFact { access, .. }) if path == "/var/lib/spore/digests" => format!("{access:?}"),
        PathFact::File(FileFact { access, size, device_inode: _, mtime_ns: _, ctime_ns: _, sha256 }) => {
            format!("{access:?} {size} {sha256:?}")
        }
        PathFact::Directory { access, through, device_inode: _ } => format!("{access:?} {through:?}"),
        PathFact::Link { .. } | PathFact::Other(_) | PathFact::Unreadable(_) => {
            format!("{fact:?}")
        }
    }
}

fn unit_lines(unit: &UnitFact) -> Vec<(String, String)> {
    let UnitFact {
        load,
        active,
        sub,
        result,
        enabled,
        invocation,
        pid,
        restarts,
        fragment,
        drop_ins,
        need_reload,
        directives,
        started_ns,
        age,
        process,
        record,
        said,
        silent,
        healthy,
    } = unit;
    let mut lines = vec![
        (
            "unit's state",
            format!("{load} {active} {sub} {result} {enabled} {restarts} {healthy} {said:?} {silent}"),
        ),
        ("unit's files", format!("{fragment} {drop_ins:?} {need_reload}")),
        ("unit's directives", format!("{directives:?}")),
        ("unit's id", format!("{:?} {:?}", invocation.as_ref().map(String::len), pid.is_some())),
        ("unit's start", format!("{} {}", started_ns.is_some(), age.is_some())),
        ("unit's record", format!("{record:?}")),
    ];
    if let Some(Process { exe, arguments, limits, scant, environment, uid, gid }) = process {
        // This machine may not allow as many open files as the unit asks for, and the probe
        // reports that.
        assert!(scant.iter().all(|name| name == "LimitNOFILE"), "{scant:?}");
        let limits: BTreeMap<_, _> = limits.iter().filter(|(name, _)| *name != "LimitNOFILE").collect();
        assert!(limits.len() >= 3, "{unit:?}");
        lines.push(("process", format!("{exe:?} {arguments} {limits:?} {environment:?} {uid} {gid}")));
    }
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn sure<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
