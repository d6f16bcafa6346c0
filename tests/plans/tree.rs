//! A host that is described by a folder with its files, and by `state.txt`, which has a
//! line for each file: mode and owner in the format of `ls`, the path, and the target of a
//! link.
//!
//! Each configuration belongs to a running node that was started after the last change
//! to its files, without a record of the start.

use crate::simulate::{directives, without_secrets};
use spore_drive::daemon::{Daemon, tau};
use spore_drive::facts::{Facts, FileFact, PathFact, Process, UnitFact};
use spore_drive::resource::{Access, DigestKey, HostText, Port, Printable, Sha256, ShapeName, Transport};
use std::fs;
use std::path::Path;
use std::time::Duration;

const UNIT: &str = "/lib/systemd/system/tau@.service";
const HOUR: i64 = 3_600_000_000_000;

/// The facts of a bare host with the files of `folder`.
pub(crate) fn facts(bare: Facts, folder: &Path, key: &DigestKey, now_ns: i64) -> Facts {
    let mut facts = bare;
    let state = fs::read_to_string(folder.join("state.txt")).unwrap();
    for line in state.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            // A link in the format of `ls -l`.
            [_, _, _, _, _, _, _, _, path, "->", target] => link(&mut facts, path, target),
            [mode, _, path, target] if mode.starts_with('l') => link(&mut facts, path, target),
            [mode, owner, path] => {
                let access = Access { mode: bits(mode), owner: Printable::line(owner) };
                if mode.starts_with('d') {
                    let device_inode = format!("1:{now_ns}");
                    let directory = PathFact::Directory { access, through: None, device_inode };
                    facts.paths.insert(path.to_owned(), directory);
                } else {
                    file(&mut facts, path, access, folder, key, now_ns);
                }
            }
            _ => panic!("{}: {line}", folder.display()),
        }
    }
    // `state.txt` doesn't list this file, which upstream's tool has changed.
    let resolver = "/etc/systemd/resolved.conf";
    if let Ok(text) = fs::read_to_string(folder.join(&resolver[1..])) {
        facts.texts.insert(resolver.to_owned(), HostText::new(text));
    }
    let prefix = format!("{}/", tau::CONFIG);
    let shapes: Vec<ShapeName> = facts
        .texts
        .keys()
        .filter_map(|path| path.strip_prefix(&prefix)?.strip_suffix(".yaml")?.parse().ok())
        .collect();
    for shape in shapes {
        run(&mut facts, &shape, now_ns);
    }
    facts
}

fn link(facts: &mut Facts, path: &str, target: &str) {
    facts.paths.insert(path.to_owned(), PathFact::Link { target: Printable::line(target) });
}

/// The permission bits of a mode such as `-rw-r--r--`.
fn bits(mode: &str) -> u32 {
    mode.chars().skip(1).fold(0, |bits, letter| bits << 1 | u32::from(letter != '-'))
}

/// Adds a file's facts. The folder doesn't contain the binary, so its bytes are made up.
fn file(facts: &mut Facts, path: &str, access: Access, folder: &Path, key: &DigestKey, now_ns: i64) {
    let bytes =
        fs::read(folder.join(path.trim_start_matches('/'))).unwrap_or_else(|_| b"upstream's".to_vec());
    let fact = FileFact {
        access,
        size: bytes.len() as u64,
        device_inode: "1:1".to_owned(),
        mtime_ns: now_ns - 48 * HOUR,
        ctime_ns: now_ns - 48 * HOUR,
        sha256: Some(Sha256::of(&bytes)),
    };
    facts.paths.insert(path.to_owned(), PathFact::File(fact));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if path.ends_with(".yaml") {
        facts.texts.insert(path.to_owned(), HostText::new(without_secrets(&text, key).expect(path)));
    } else if path.ends_with(".service") {
        facts.texts.insert(path.to_owned(), HostText::new(text));
    }
}

fn run(facts: &mut Facts, shape: &ShapeName, now_ns: i64) {
    let config: serde_yaml::Value =
        serde_yaml::from_str(facts.texts[&tau::config_path(shape)].expose()).unwrap();
    let main = config["ports"]["main"].as_u64().unwrap().try_into().unwrap();
    let port = Port { number: main, transport: Transport::Tcp };
    facts.listening.insert(("0.0.0.0".parse().unwrap(), port));
    let directives = directives(facts.texts[UNIT].expose(), shape);
    let Some(PathFact::File(program)) = facts.paths.get(tau::BINARY) else {
        panic!("{} is missing", tau::BINARY)
    };
    let limits = directives.iter().filter(|(name, _)| name.starts_with("Limit"));
    let process = Process {
        scant: std::collections::BTreeSet::new(),
        environment: std::collections::BTreeSet::new(),
        exe: program.sha256,
        arguments: directives["ExecStart"].clone(),
        limits: limits.map(|(name, value)| (name.clone(), value.clone())).collect(),
        uid: 0,
        gid: 0,
    };
    let unit = UnitFact {
        load: "loaded".to_owned(),
        active: "active".to_owned(),
        sub: "running".to_owned(),
        enabled: "enabled".to_owned(),
        invocation: Some(format!("upstream's {shape}")),
        pid: Some(900),
        fragment: UNIT.to_owned(),
        directives,
        started_ns: Some(now_ns - 47 * HOUR),
        age: Some(Duration::from_secs(47 * 3600)),
        process: Some(process),
        ..UnitFact::default()
    };
    facts.units.insert(Daemon::Tau.unit_name(shape), unit);
}
