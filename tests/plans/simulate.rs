//! Simulates a plan without hosts, by applying every action to the facts.
//!
//! The entry point is [`Simulation`]. It changes [`Facts`], the form in which a host
//! reports its state, so that the next plan interprets them in the same way as those of a
//! real host. Like a host, the simulation refuses an action whose expected before-state
//! doesn't hold, and starts no node that tau wouldn't start. It has its own clock.

mod fallback;
mod node;

pub(crate) use fallback::steps_of;
pub(crate) use node::{directives, ports, shape_of_unit, without_secrets};

use spore_drive::daemon::{Daemon, resolver, tau};
use spore_drive::desired::Desired;
use spore_drive::facts::{Facts, FileFact, PathFact, Record, UnitFact};
use spore_drive::plan::Plan;
use spore_drive::plan::action::{Action, Fallback, LinkBefore, Running, Staged};
use spore_drive::resource::{
    Access, FileSource, HostName, HostText, NodeName, Port, Printable, Sha256, Transport, Version, kept_path,
    part_path, staged_path,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use thiserror::Error;

/// The files with ufw's rules, for each version of IP, with the word for "anywhere" in
/// them.
const RULES: [(&str, &str); 2] = [("/etc/ufw/user.rules", "0.0.0.0/0"), ("/etc/ufw/user6.rules", "::/0")];
/// The directory of the notes that `remove.sh` writes.
const REMOVED: &str = "/var/lib/spore/removed/";
const SECOND: i64 = 1_000_000_000;

/// An action in its place in a plan's order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderedAction<'a> {
    /// The wave, counted from one; `None` while staging.
    pub(crate) wave: Option<usize>,
    /// The host.
    pub(crate) host: &'a HostName,
    /// The action.
    pub(crate) action: &'a Action,
}

/// The actions of a plan in an order in which they may be done. Within a stage or wave,
/// real hosts work at the same time; here, they follow each other.
pub(crate) fn in_order(plan: &Plan) -> impl Iterator<Item = OrderedAction<'_>> {
    let waves = plan.waves.iter().enumerate().map(|(i, wave)| (Some(i + 1), &wave.hosts));
    std::iter::once((None, &plan.stage)).chain(waves).flat_map(|(wave, hosts)| {
        hosts.iter().flat_map(move |(host, list)| {
            list.iter().map(move |planned| OrderedAction { wave, host, action: &planned.action })
        })
    })
}

/// An action that a host would refuse.
#[derive(Debug, Error)]
#[error("on {host}, {action:?}: {why}")]
pub(crate) struct Impossible {
    /// The host.
    pub(crate) host: HostName,
    /// The action.
    pub(crate) action: Box<Action>,
    /// The reason.
    pub(crate) why: String,
}

/// Simulated hosts, to which plans can be applied.
#[derive(Clone, Debug)]
pub(crate) struct Simulation {
    /// The facts of each host.
    pub(crate) hosts: BTreeMap<HostName, Facts>,
    /// The time on the hosts, in nanoseconds since 1970.
    pub(crate) now_ns: i64,
}

impl Simulation {
    /// Does one action. `desired` contains the bytes of the files that are written.
    ///
    /// # Errors
    /// If a host would refuse the action.
    pub(crate) fn act(&mut self, ordered: OrderedAction<'_>, desired: &Desired) -> Result<(), Impossible> {
        self.now_ns += SECOND;
        let refused =
            |why| Impossible { host: ordered.host.clone(), action: Box::new(ordered.action.clone()), why };
        let Some(facts) = self.hosts.get_mut(ordered.host) else {
            return Err(refused("nothing is known of this host".to_owned()));
        };
        let mut host = HostState { name: ordered.host, facts, desired, now_ns: self.now_ns };
        host.act(ordered.action).map_err(refused)
    }
}

/// Does all actions of `plan`.
///
/// # Errors
/// If a host would refuse an action: the first such action.
pub(crate) fn simulate(plan: &Plan, hosts: &mut Simulation, desired: &Desired) -> Result<(), Impossible> {
    in_order(plan).try_for_each(|ordered| hosts.act(ordered, desired))
}

struct HostState<'a> {
    name: &'a HostName,
    facts: &'a mut Facts,
    desired: &'a Desired,
    now_ns: i64,
}

type Done = Result<(), String>;

impl HostState<'_> {
    fn act(&mut self, action: &Action) -> Done {
        match action {
            Action::Install { package, unfinished } => self.install(package, *unfinished),
            Action::MakeDirectory { path, access } => self.make_directory(path, access),
            Action::SetAccess { path, before, after } => self.set_access(path, before, after),
            Action::Stage(file) => self.stage(file),
            Action::Fetch { file, download } => {
                self.facts.paths.remove(&part_path(&file.path, &download.sha256));
                self.stage(file)
            }
            Action::Verify { command, staged, version } => {
                self.verify(command, staged)?;
                self.note_version(command, staged, version.as_ref());
                Ok(())
            }
            Action::Place { file, before, keep } => self.place(file, before.as_ref(), *keep),
            Action::Link { path, before, target } => self.link(path, before, target),
            Action::Remove { path, before } => self.remove(path, before),
            Action::Purge { path, before } => self.purge(path, before),
            Action::Allow(port) => {
                if self.allowing(*port) == RULES.len() {
                    return Err("it is allowed already".to_owned());
                }
                self.disallow(*port);
                for (path, any) in RULES {
                    let rules = self.facts.texts.entry(path.to_owned()).or_default();
                    *rules = HostText::new(rules.expose().to_owned() + &rule(*port, any));
                }
                Ok(())
            }
            Action::Disallow(port) => {
                if self.allowing(*port) == 0 {
                    return Err("no rule of ours allows it".to_owned());
                }
                self.disallow(*port);
                Ok(())
            }
            Action::Reload { files } => {
                for (path, expected) in files {
                    let found = match self.facts.paths.get(path) {
                        None => None,
                        Some(PathFact::File(file)) => file.sha256,
                        Some(other) => return Err(format!("{path} is {other:?}")),
                    };
                    if found != *expected {
                        return Err(format!("{path} is {found:?}"));
                    }
                }
                self.reload();
                Ok(())
            }
            Action::Enable { unit } => {
                // Installing a package may have enabled its unit.
                if node::shape_of_unit(unit).is_some() && self.unit(unit).enabled == "enabled" {
                    return Err("it is enabled already".to_owned());
                }
                self.set_enabled(unit, "enabled")
            }
            Action::Disable { unit, enabled } => {
                if !enabled && self.unit(unit).enabled == "enabled" {
                    return Err("it is enabled".to_owned());
                }
                // The records of the unit's starts are removed with the unit.
                if let Some(shape) = node::shape_of_unit(unit) {
                    let records = format!("/run/spore/{shape}/");
                    self.facts.paths.retain(|path, _| !path.starts_with(&records));
                }
                self.set_enabled(unit, "disabled")
            }
            Action::Record { unit, invocation, inputs } => self.record(unit, invocation, inputs),
            Action::Start { unit, before, health, fallback } => {
                let node = health.is_some().then(|| node::shape_of_unit(unit)).flatten();
                self.before_start(unit, before, node.is_some())?;
                self.switched(fallback)?;
                match node {
                    Some(shape) => self.start_node(unit, &shape)?,
                    None => self.start_other(unit)?,
                }
                self.discard_kept(fallback);
                Ok(())
            }
            Action::Await { unit, health: _, fallback } => {
                self.switched(fallback)?;
                self.become_healthy(unit)?;
                self.discard_kept(fallback);
                Ok(())
            }
            Action::Stop { unit, before } => {
                self.before_stop(unit, before)?;
                self.silence(unit);
                let unit = self.unit(unit);
                node::set(unit, "inactive", "dead");
                Ok(())
            }
        }
    }

    fn install(&mut self, package: &str, unfinished: bool) -> Done {
        if !self.facts.apt {
            return Err("there is no apt".to_owned());
        }
        if self.facts.unfinished.contains(package) != unfinished {
            return Err(format!("its installation is {}unfinished", if unfinished { "not " } else { "" }));
        }
        // Debian's packages enable and start their units.
        for (name, unit) in [("docker.io", "docker.service"), ("containerd", "containerd.service")] {
            if name == package {
                self.facts.unfinished.remove(package);
                self.unit(unit).enabled = "enabled".to_owned();
                self.start_other(unit)?;
            }
        }
        Ok(())
    }

    fn purge(&mut self, path: &str, before: &str) -> Done {
        match self.facts.paths.get(path) {
            None => {}
            Some(PathFact::Directory { device_inode, .. }) if device_inode == before => {}
            other => return Err(format!("there is {other:?}")),
        }
        let below = format!("{path}/");
        self.facts.paths.retain(|other, _| other != path && !other.starts_with(&below));
        self.forget_removed();
        Ok(())
    }

    fn make_directory(&mut self, path: &str, access: &Access) -> Done {
        match self.facts.paths.get(path) {
            None => {}
            Some(PathFact::Directory { access: found, .. }) if found == access => return Ok(()),
            Some(other) => return Err(format!("there is {other:?}")),
        }
        self.parent_is_there(path)?;
        let device_inode = format!("1:{}", self.now_ns);
        let directory = PathFact::Directory { access: access.clone(), through: None, device_inode };
        self.facts.paths.insert(path.to_owned(), directory);
        Ok(())
    }

    /// Checks that the parent directory exists, for paths below tau's directories and for
    /// spore's drop-in. All other directories exist.
    fn parent_is_there(&self, path: &str) -> Done {
        let Some((parent, _)) = path.rsplit_once('/') else { return Ok(()) };
        let watched = parent.starts_with(tau::ROOT) || parent == resolver::DROP_INS;
        match self.facts.paths.get(parent) {
            Some(PathFact::Directory { .. }) => Ok(()),
            _ if !watched => Ok(()),
            other => Err(format!("{parent} is no directory: {other:?}")),
        }
    }

    fn set_access(&mut self, path: &str, before: &Access, after: &Access) -> Done {
        let now_ns = self.now_ns;
        let access = match self.facts.paths.get_mut(path) {
            Some(PathFact::Directory { access, .. }) => access,
            Some(PathFact::File(file)) => {
                file.ctime_ns = now_ns;
                &mut file.access
            }
            other => return Err(format!("there is {other:?}")),
        };
        if access != before && access != after {
            return Err(format!("it is {access}"));
        }
        *access = after.clone();
        Ok(())
    }

    fn stage(&mut self, file: &Staged) -> Done {
        let path = file.staged_path();
        self.parent_is_there(&path)?;
        let fact = self.file(file);
        self.facts.paths.insert(path, PathFact::File(fact));
        Ok(())
    }

    fn file(&self, file: &Staged) -> FileFact {
        let payload = self.desired.payload(&file.source, &file.sha256);
        FileFact {
            access: file.access.clone(),
            size: payload.map_or(100_000_000, |bytes| bytes.expose().len() as u64),
            device_inode: format!("1:{}", self.now_ns),
            mtime_ns: self.now_ns,
            ctime_ns: self.now_ns,
            sha256: Some(file.sha256),
        }
    }

    fn note_version(
        &mut self,
        command: &[String],
        staged: &BTreeMap<String, String>,
        version: Option<&Version>,
    ) {
        let program = command.first().and_then(|program| staged.get(program));
        if let (Some(PathFact::File(FileFact { sha256: Some(sha256), .. })), Some(version)) =
            (program.and_then(|path| self.facts.paths.get(path)), version)
        {
            self.facts.versions.insert(*sha256, version.clone());
        }
    }

    fn verify(&mut self, command: &[String], staged: &BTreeMap<String, String>) -> Done {
        let is_file = |path: &String| matches!(self.facts.paths.get(path), Some(PathFact::File(_)));
        let staged: BTreeMap<&str, &str> = staged
            .iter()
            .filter(|(_, staged)| is_file(staged))
            .map(|(place, staged)| (place.as_str(), staged.as_str()))
            .collect();
        let (Some(program), Some(config)) = (command.first(), command.last()) else {
            return Err("there is no command".to_owned());
        };
        if staged.is_empty() {
            return Ok(());
        }
        let now = |place: &'_ str| self.facts.paths.get(staged.get(place).copied().unwrap_or(place));
        if !matches!(now(program), Some(PathFact::File(_))) {
            return Err(format!("there is no {program}"));
        }
        let Some(PathFact::File(file)) = now(config) else { return Err(format!("there is no {config}")) };
        let payload = Daemon::of_config(config).zip(file.sha256).and_then(|((daemon, shape), sha256)| {
            let node = NodeName { shape, host: self.name.clone(), daemon };
            self.desired.payload(&FileSource::Rendered(node), &sha256)
        });
        let payload = payload.map(|bytes| String::from_utf8_lossy(bytes.expose()).into_owned());
        // If spore didn't write the configuration, it is known only without its secrets.
        let text = payload.or_else(|| Some(self.facts.texts.get(config)?.expose().to_owned()));
        self.names_files_that_are_there(&text.ok_or("it is opaque")?, &staged)
    }

    fn place(&mut self, file: &Staged, before: Option<&Sha256>, keep: bool) -> Done {
        let staged = file.staged_path();
        let found = match self.facts.paths.get(&file.path) {
            None => None,
            Some(PathFact::File(found)) => Some(found),
            Some(other) => return Err(format!("there is {other:?}")),
        };
        let Some(PathFact::File(ready)) = self.facts.paths.get(&staged) else {
            let done =
                found.is_some_and(|found| found.sha256 == Some(file.sha256) && found.access == file.access);
            return if done { Ok(()) } else { Err(format!("{staged} is not there")) };
        };
        if ready.sha256 != Some(file.sha256) || ready.access != file.access {
            return Err(format!("{staged} is {ready:?}"));
        }
        if found.and_then(|found| found.sha256).as_ref() != before {
            return Err(format!("{} is {found:?}", file.path));
        }
        let fact = FileFact { ctime_ns: self.now_ns, ..ready.clone() };
        let kept = found.zip(before).filter(|_| keep);
        if let Some((found, before)) = kept {
            let kept = kept_path(&file.path, before);
            if let Some(text) = self.facts.texts.get(&file.path).cloned() {
                self.facts.texts.insert(kept.clone(), text);
            }
            self.facts.paths.insert(kept, PathFact::File(found.clone()));
        }
        self.facts.paths.remove(&staged);
        self.facts.paths.insert(file.path.clone(), PathFact::File(fact));
        self.read(file)
    }

    /// Adds the content of a file to the facts, as far as the probe reads it.
    fn read(&mut self, file: &Staged) -> Done {
        let path = file.path.as_str();
        self.facts.opaque.remove(path);
        self.facts.texts.remove(path);
        let Some(payload) = self.desired.payload(&file.source, &file.sha256) else { return Ok(()) };
        let text = String::from_utf8_lossy(payload.expose()).into_owned();
        if path == tau::template().path() {
            self.unit_file_changed();
        } else if path.ends_with(".yaml") {
            let key = self.desired.digest_keys.get(self.name).ok_or("this host has no key")?;
            let text = node::without_secrets(&text, key).ok_or("its secrets can't be cut out")?;
            self.facts.texts.insert(path.to_owned(), HostText::new(text));
            return Ok(());
        } else if path.starts_with(tau::KEYS) {
            return Ok(());
        }
        self.facts.texts.insert(path.to_owned(), HostText::new(text));
        Ok(())
    }

    fn link(&mut self, path: &str, before: &LinkBefore, target: &str) -> Done {
        let found = self.facts.paths.get(path);
        let holds = match (before, found) {
            (LinkBefore::Absent, None) => true,
            (LinkBefore::Link(before), Some(PathFact::Link { target: found })) => {
                found.as_str() == before || found.as_str() == target
            }
            (LinkBefore::File(before), Some(PathFact::File(found))) => found.sha256.as_ref() == Some(before),
            _ => false,
        };
        if !holds {
            return Err(format!("there is {found:?}"));
        }
        self.facts.paths.insert(path.to_owned(), PathFact::Link { target: Printable::line(target) });
        Ok(())
    }

    fn remove(&mut self, path: &str, before: &Sha256) -> Done {
        match self.facts.paths.get(path) {
            None => return Ok(()),
            Some(PathFact::File(found)) if found.sha256.as_ref() == Some(before) => {}
            other => return Err(format!("there is {other:?}")),
        }
        if let Some(shape) = tau::shape_of_config(path) {
            let note = PathFact::File(FileFact { sha256: Some(Sha256::of(b"")), ..self.empty_file() });
            self.facts.paths.insert(format!("{REMOVED}{shape}"), note);
            self.forget_removed();
        }
        self.facts.paths.remove(path);
        self.facts.texts.remove(path);
        self.facts.opaque.remove(path);
        if path == tau::template().path() {
            self.unit_file_changed();
        }
        Ok(())
    }

    /// Removes the notes about removed nodes whose storage is gone.
    fn forget_removed(&mut self) {
        let paths: Vec<String> = self.facts.paths.keys().cloned().collect();
        self.facts.paths.retain(|path, _| {
            let shape = path.strip_prefix(REMOVED).and_then(|shape| shape.parse().ok());
            shape.is_none_or(|shape| tau::storage_paths(&shape).iter().any(|path| paths.contains(path)))
        });
    }

    fn empty_file(&self) -> FileFact {
        FileFact {
            access: Access::root(0o600),
            size: 0,
            device_inode: format!("1:{}", self.now_ns),
            mtime_ns: self.now_ns,
            ctime_ns: self.now_ns,
            sha256: None,
        }
    }

    /// In how many of ufw's files a rule of ours allows this port.
    fn allowing(&self, port: Port) -> usize {
        let has = |(path, any): &(&str, &str)| {
            self.facts.texts.get(*path).is_some_and(|rules| rules.expose().contains(&rule(port, any)))
        };
        RULES.iter().filter(|rule| has(rule)).count()
    }

    fn disallow(&mut self, port: Port) {
        for (path, any) in RULES {
            if let Some(rules) = self.facts.texts.get_mut(path) {
                *rules = HostText::new(rules.expose().replace(&rule(port, any), ""));
            }
        }
    }

    fn unit(&mut self, name: &str) -> &mut UnitFact {
        self.facts.units.entry(name.to_owned()).or_insert_with(|| UnitFact {
            load: "loaded".to_owned(),
            active: "inactive".to_owned(),
            sub: "dead".to_owned(),
            enabled: "disabled".to_owned(),
            ..UnitFact::default()
        })
    }

    fn set_enabled(&mut self, unit: &str, enabled: &str) -> Done {
        let unit = self.unit(unit);
        if unit.load == "masked" {
            return Err("it is masked".to_owned());
        }
        enabled.clone_into(&mut unit.enabled);
        Ok(())
    }

    fn before_start(&mut self, name: &str, before: &Running, is_node: bool) -> Done {
        let unit = self.unit(name);
        if unit.load == "masked" {
            return Err("it is masked".to_owned());
        }
        let up = unit.active == "active";
        let holds = match before {
            // Installing a package may have started its unit.
            Running::Stopped => !up || !is_node,
            Running::Failing => true,
            Running::Invocation(invocation) => up && unit.invocation.as_ref() == Some(invocation),
        };
        if holds { Ok(()) } else { Err(format!("it is {} as {:?}", unit.active, unit.invocation)) }
    }

    fn before_stop(&mut self, name: &str, before: &Running) -> Done {
        let unit = self.unit(name);
        let down = matches!(unit.active.as_str(), "inactive" | "failed" | "deactivating");
        let holds = match before {
            Running::Stopped => down,
            Running::Failing => true,
            Running::Invocation(invocation) => down || unit.invocation.as_ref() == Some(invocation),
        };
        if holds { Ok(()) } else { Err(format!("it is {} as {:?}", unit.active, unit.invocation)) }
    }

    fn start_other(&mut self, name: &str) -> Done {
        let now_ns = self.now_ns;
        let unit = self.unit(name);
        unit.load = "loaded".to_owned();
        unit.invocation = Some(format!("start-{now_ns}"));
        node::set(unit, "active", "running");
        if name == "systemd-resolved.service" {
            let drop_in = self.facts.paths.contains_key(resolver::DROP_IN);
            let both = [Transport::Tcp, Transport::Udp];
            for (last, transport) in both.into_iter().flat_map(|transport| [(53, transport), (54, transport)])
            {
                let stub = (IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), Port { number: 53, transport });
                if drop_in {
                    self.facts.listening.remove(&stub);
                } else {
                    self.facts.listening.insert(stub);
                }
            }
        }
        Ok(())
    }
}

fn rule(port: Port, any: &str) -> String {
    let transport = match port.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    let number = port.number;
    format!("### tuple ### allow {transport} {number} {any} any {any} in comment=73706f7265\n")
}
