//! Changes to the hosts: the lines below `hosts` in a case.

use crate::simulate::{Simulation, ports, shape_of_unit};
use crate::tree;
use shlex::Shlex;
use spore_drive::daemon::tau;
use spore_drive::desired::Desired;
use spore_drive::facts::{self, Facts, FileFact, PathFact, UnitFact};
use spore_drive::network::Network;
use spore_drive::resource::{
    Access, HostName, HostText, Port, Printable, Redactor, Sha256, Transport, Unreadable, Untrusted,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

/// Applies a case's changes to the hosts. A new host is a bare Debian 12. The changes below
/// `all` are applied to every host, before the host's other changes.
pub(crate) fn hosts(
    case: &Path,
    network: &Network,
    desired: &Desired,
    edits: &BTreeMap<String, Vec<String>>,
    simulation: &mut Simulation,
) {
    for name in edits.keys().filter(|name| *name != "all") {
        assert!(network.hosts.contains_key(&name.parse::<HostName>().unwrap()), "there is no {name}");
    }
    simulation.hosts.retain(|name, _| network.hosts.contains_key(name));
    for name in network.hosts.keys() {
        simulation.now_ns += SECOND;
        let facts = simulation.hosts.remove(name).unwrap_or_else(|| answer(case, "debian-12"));
        let mut host = EditedHost { name, case, desired, now_ns: simulation.now_ns, facts: Some(facts) };
        for edit in edits.get("all").into_iter().chain(edits.get(name.as_str())).flatten() {
            let words: Vec<String> = Shlex::new(edit).collect();
            host.edit(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
        if let Some(facts) = host.facts {
            simulation.hosts.insert(name.clone(), facts);
        }
    }
}

fn answer(case: &Path, name: &str) -> Facts {
    let own = case.join(format!("{name}.answer"));
    let shared = case.join(format!("../answers/{name}.answer"));
    let text = fs::read_to_string(own).or_else(|_| fs::read_to_string(shared)).expect(name);
    facts::parse(&Untrusted::new(text), &Redactor::default()).expect(name)
}

struct EditedHost<'a> {
    name: &'a HostName,
    case: &'a Path,
    desired: &'a Desired,
    now_ns: i64,
    facts: Option<Facts>,
}

impl EditedHost<'_> {
    fn edit(&mut self, words: &[&str]) {
        match words {
            ["is", name] => self.facts = Some(answer(self.case, name)),
            ["is", "tree", name] => {
                let key = &self.desired.digest_keys[self.name];
                let bare = answer(self.case, "debian-12");
                self.facts = Some(tree::facts(bare, &self.case.join("hosts").join(name), key, self.now_ns));
            }
            ["unreachable"] => self.facts = None,
            _ => self.edit_facts(words),
        }
    }

    fn edit_facts(&mut self, words: &[&str]) {
        let now_ns = self.now_ns;
        let facts = self.facts.as_mut().unwrap();
        match *words {
            ["mode", path, mode] => access(facts, path, now_ns).mode = u32::from_str_radix(mode, 8).unwrap(),
            ["owner", path, owner] => access(facts, path, now_ns).owner = Printable::line(owner),
            ["touch", path] => file(facts, path).ctime_ns = now_ns,
            ["delete", path] => {
                facts.paths.remove(path).unwrap();
                facts.texts.remove(path);
            }
            ["copy", from, to] => {
                let fact = facts.paths[from].clone();
                facts.paths.insert(to.to_owned(), fact);
            }
            ["write", path, text] => self.write(path, text),
            ["replace", path, old, new] => {
                let text = facts.texts[path].expose();
                assert!(text.contains(old), "{path} doesn't contain `{old}`:\n{text}");
                let text = text.replace(old, new);
                self.write(path, &text);
            }
            ["undigested", path] => file(facts, path).sha256 = None,
            ["opaque", path] => {
                self.write(path, "unlike YAML");
                let facts = self.facts.as_mut().unwrap();
                facts.texts.remove(path);
                facts.opaque.insert(path.to_owned());
            }
            ["directory", path, mode] => {
                let access = Access::root(u32::from_str_radix(mode, 8).unwrap());
                let device_inode = format!("1:{now_ns}");
                let directory = PathFact::Directory { access, through: None, device_inode };
                facts.paths.insert(path.to_owned(), directory);
            }
            ["link", path, target] => {
                facts.paths.insert(path.to_owned(), PathFact::Link { target: Printable::line(target) });
            }
            ["unreadable", path, why] => {
                facts
                    .paths
                    .insert(path.to_owned(), PathFact::Unreadable(Unreadable::Failed(Printable::line(why))));
            }
            ["unit", name, ref properties @ ..] => unit(facts, name, properties),
            ["forget", name] => {
                let unit = facts.units.get_mut(name).unwrap();
                (unit.record, unit.healthy) = (None, false);
            }
            ["ufw", "on"] => self.write("/etc/ufw/ufw.conf", "ENABLED=yes\n"),
            ["ufw", "off"] => self.write("/etc/ufw/ufw.conf", "ENABLED=no\n"),
            ["ufw", action, protocol, port] => {
                let rule = format!("### tuple ### {action} {protocol} {port} 0.0.0.0/0 any 0.0.0.0/0 in\n");
                let rules = facts.texts.entry("/etc/ufw/user.rules".to_owned()).or_default();
                *rules = HostText::new(rules.expose().to_owned() + &rule);
            }
            ["ufw", action, protocol, port, "from", address] => {
                let rule = format!("### tuple ### {action} {protocol} {port} 0.0.0.0/0 any {address} in\n");
                let rules = facts.texts.entry("/etc/ufw/user.rules".to_owned()).or_default();
                *rules = HostText::new(rules.expose().to_owned() + &rule);
            }
            ["machine", name] => facts.machine = Some(Sha256::of(name.as_bytes())),
            ["listen", address, port, protocol] => {
                let transport = if protocol == "tcp" { Transport::Tcp } else { Transport::Udp };
                let port = Port { number: port.parse().unwrap(), transport };
                facts.listening.insert((address.parse().unwrap(), port));
            }
            ["quiet", port] => {
                let port: u16 = port.parse().unwrap();
                facts.listening.retain(|(_, open)| open.number != port);
            }
            ["unfinished", package] => {
                facts.unfinished.insert(package.to_owned());
            }
            ["free", bytes] => facts.free_bytes = bytes.parse().unwrap(),
            ["architecture", name] => facts.architecture = Printable::line(name),
            ["no", "systemd"] => facts.systemd = false,
            ["no", "apt"] => facts.apt = false,
            _ => panic!("{}: unknown change `{}`", self.name, words.join(" ")),
        }
    }

    fn write(&mut self, path: &str, text: &str) {
        let now_ns = self.now_ns;
        let facts = self.facts.as_mut().unwrap();
        let fact = FileFact {
            access: Access::root(0o600),
            size: text.len() as u64,
            device_inode: "1:1".to_owned(),
            mtime_ns: now_ns,
            ctime_ns: now_ns,
            sha256: None,
        };
        let entry = facts.paths.entry(path.to_owned()).or_insert(PathFact::File(fact));
        if let PathFact::File(file) = entry {
            file.sha256 = Some(Sha256::of(text.as_bytes()));
            (file.mtime_ns, file.ctime_ns) = (now_ns, now_ns);
        }
        // The probe reports only the digests of keys, of files in `/tmp` and of records of
        // starts.
        if ![tau::KEYS, "/tmp/", "/run/"].iter().any(|secret| path.starts_with(secret)) {
            facts.texts.insert(path.to_owned(), HostText::new(text));
        }
    }
}

fn file<'a>(facts: &'a mut Facts, path: &str) -> &'a mut FileFact {
    match facts.paths.get_mut(path) {
        Some(PathFact::File(file)) => file,
        other => panic!("{path} is {other:?}"),
    }
}

fn access<'a>(facts: &'a mut Facts, path: &str, now_ns: i64) -> &'a mut Access {
    match facts.paths.get_mut(path) {
        Some(PathFact::File(file)) => {
            file.ctime_ns = now_ns;
            &mut file.access
        }
        Some(PathFact::Directory { access, .. }) => access,
        other => panic!("{path} is {other:?}"),
    }
}

/// Sets properties of a unit, each as `name=value`.
fn unit(facts: &mut Facts, name: &str, properties: &[&str]) {
    let unit = facts.units.entry(name.to_owned()).or_insert_with(|| UnitFact {
        load: "loaded".to_owned(),
        active: "inactive".to_owned(),
        sub: "dead".to_owned(),
        enabled: "disabled".to_owned(),
        ..UnitFact::default()
    });
    for property in properties {
        let (property, value) = property.split_once('=').unwrap();
        match property {
            "load" => value.clone_into(&mut unit.load),
            "active" => value.clone_into(&mut unit.active),
            "sub" => value.clone_into(&mut unit.sub),
            "result" => value.clone_into(&mut unit.result),
            "enabled" => value.clone_into(&mut unit.enabled),
            "restarts" => unit.restarts = value.parse().unwrap(),
            "age" => unit.age = Some(Duration::from_secs(value.parse().unwrap())),
            "healthy" => unit.healthy = value == "yes",
            "need_reload" => unit.need_reload = value == "yes",
            "silent" => unit.silent = value == "yes",
            "said" => unit.said = Some(value.to_owned()),
            "fragment" => value.clone_into(&mut unit.fragment),
            // An environment variable that the process was started with.
            "environment" => {
                unit.process.as_mut().unwrap().environment.insert(value.to_owned());
            }
            "drop_in" => unit.drop_ins.push(value.to_owned()),
            "runs" => value.clone_into(&mut unit.process.as_mut().unwrap().arguments),
            // A directive that was in force at the unit's start, and no longer is.
            _ if property.starts_with("started:") => {
                let directive = property.trim_start_matches("started:");
                unit.record.as_mut().unwrap().directives.insert(directive.to_owned(), value.to_owned());
                unit.process.as_mut().unwrap().limits.insert(directive.to_owned(), value.to_owned());
            }
            // A directive that has been in force since the unit's start.
            _ if property.starts_with(char::is_uppercase) => {
                unit.directives.insert(property.to_owned(), value.to_owned());
                if let Some(record) = &mut unit.record {
                    record.directives.insert(property.to_owned(), value.to_owned());
                }
                if let Some(process) = unit.process.as_mut().filter(|_| property.starts_with("Limit")) {
                    process.limits.insert(property.to_owned(), value.to_owned());
                }
            }
            _ => panic!("unknown property of a unit: {property}"),
        }
    }
    if unit.active == "inactive" {
        unit.process = None;
        let config = shape_of_unit(name).and_then(|shape| facts.texts.get(&tau::config_path(&shape)));
        let ports = config.map(|config| ports(config.expose())).unwrap_or_default();
        facts.listening.retain(|(_, open)| !ports.contains(&open.number));
    }
}
