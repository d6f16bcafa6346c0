//! The host's units and what their processes were started with.
//!
//! **The configuration in force decides.** A node runs with its merged unit and with the
//! inputs that its process was started with. Therefore the inputs are determined from
//! evidence of that start: its record, the kernel's view of the process, or files that
//! haven't changed since. Directives that a drop-in overrides are [`Foreign`] and aren't
//! compared, because a restart can't change them.
//!
//! **A node that systemd restarted isn't in place** until its process has run for
//! [`SETTLED`], or an apply has watched the same start. A single observation can't tell a
//! node that dies every 25 s from one that has recovered.
//!
//! **A node whose switch is unfinished isn't in place** until an apply has watched the same
//! start. The files that the switch replaced are kept until then, and it may be too early
//! to see the node fail.
//!
//! **A journal without evidence decides nothing.** If the journal doesn't reach back to the
//! start, the ports on which the node listens decide.

use super::configs::Configs;
use super::{Alive, Facts, Foreign, ForeignPart, PathFact, Process, Record, UnitFact};
use crate::daemon::{self, Daemon, Listens, Template, resolver};
use crate::resource::{
    Activity, Content, Document, Field, Graph, Health, HostName, Input, Inputs, Node, NodeName, Port,
    Printable, Resource, ResourceId, ResourceKey, Service, Started, Transport, Trouble, Untold, Value,
    kept_for,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// For a start older than this, neither restarts nor the journal count.
const SETTLED: Duration = Duration::from_secs(600);
/// The longest time in which any node may start; see [`crate::resource::Health::within`].
const SLOWEST: Duration = Duration::from_secs(90);
/// A node with a wrong configuration may listen for a moment before it exits.
const MOMENT: Duration = Duration::from_secs(10);

/// The units of a host, with the facts that describe them.
pub(super) struct HostUnits<'a, 'c> {
    pub(super) name: &'a HostName,
    pub(super) facts: &'a Facts,
    pub(super) configs: &'c Configs<'a>,
}

/// The parts of nodes' units that our template doesn't control.
pub(super) fn foreign(facts: &Facts) -> Vec<Foreign> {
    let mut foreign = Vec::new();
    for (name, unit) in &facts.units {
        let Some((daemon, shape)) = Daemon::of_unit(name) else { continue };
        let mut add = |file: &str, what| {
            foreign.push(Foreign { unit: name.clone(), file: facts.redactor.line(file), what });
        };
        if let Some(fragment) = fragment(daemon, name, unit, facts) {
            add(&fragment, ForeignPart::Fragment);
            continue;
        }
        for found in daemon.template().overrides(&shape, drop_ins(unit, facts)) {
            let program = found.values.last().map(|command| daemon::program(command));
            match program.filter(|_| found.directive == "Service.ExecStart") {
                Some(program) if program != daemon.program() => {
                    add(&found.file, ForeignPart::Program(facts.redactor.line(program)));
                }
                _ => {
                    let name = found.directive.rsplit('.').next().unwrap_or_default().to_owned();
                    add(&found.file, ForeignPart::Directive(name));
                }
            }
        }
    }
    foreign
}

/// The unit file that takes precedence over our template, whether systemd has loaded it yet
/// or not. A file that no longer exists doesn't count, because it is in force only until
/// systemd reloads its units.
fn fragment(daemon: Daemon, name: &str, unit: &UnitFact, facts: &Facts) -> Option<String> {
    let own = format!("/etc/systemd/system/{name}");
    if matches!(facts.paths.get(&own), Some(PathFact::File(_))) {
        return Some(own);
    }
    let is_there = unit.fragment != own || !unit.need_reload;
    (unit.load == "loaded" && !daemon.template().precedes(&unit.fragment) && is_there)
        .then(|| unit.fragment.clone())
}

/// The paths and texts of a unit's drop-ins, as far as the probe has read them.
fn drop_ins<'a>(unit: &'a UnitFact, facts: &'a Facts) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
    unit.drop_ins.iter().filter_map(|file| Some((file.as_str(), facts.texts.get(file)?.expose())))
}

/// Adds the host's units to its graph.
pub(super) fn services(host: &HostUnits<'_, '_>, graph: &mut Graph<Resource>) {
    for (name, unit) in &host.facts.units {
        let service = match Daemon::of_unit(name) {
            Some((daemon, shape)) => host.node(NodeName { shape, host: host.name.clone(), daemon }, unit),
            None => host.other(unit),
        };
        if let Some(service) = service {
            let id = ResourceId { host: host.name.clone(), key: ResourceKey::Service(name.clone()) };
            graph.insert(id, service.into());
        }
    }
}

impl<'a> HostUnits<'a, '_> {
    fn other(&self, unit: &UnitFact) -> Option<Service> {
        if unit.load != "loaded" {
            return None;
        }
        let mut inputs = BTreeMap::new();
        // The resolver holds port 53 until it has been restarted with our drop-in.
        if let (Some(text), false) = (self.facts.texts.get(resolver::DROP_IN), stub_listens(self.facts)) {
            // The text contains only the lines that matter, so the file's digest is needed
            // to recognize it.
            let sha256 = match self.facts.paths.get(resolver::DROP_IN) {
                Some(PathFact::File(file)) => file.sha256,
                _ => None,
            };
            let input = Input { content: Content::Text(Printable::text(text.expose())), sha256 };
            inputs.insert(resolver::DROP_IN.to_owned(), input);
        }
        let started =
            Started { invocation: unit.invocation.clone(), inputs: Inputs::Known(inputs), recorded: true };
        let activity = match unit.active.as_str() {
            "active" => Activity::Running(started),
            _ => Activity::Stopped,
        };
        let enabled = matches!(unit.enabled.as_str(), "enabled" | "static" | "alias" | "indirect");
        Some(Service { enabled, activity, node: None })
    }

    fn node(&self, name: NodeName, unit: &'a UnitFact) -> Option<Service> {
        // A unit that is enabled only at runtime won't be started at the next boot.
        let enabled = unit.enabled == "enabled";
        let activity = self.activity(&name, unit);
        if !enabled && activity == Activity::Stopped {
            return None;
        }
        let serves = self.config(&name).map(|config| name.daemon.serves(&config)).unwrap_or_default();
        // An apply doesn't wait for nodes that aren't in the folder, so how their health is
        // determined doesn't matter.
        let (says, listens) = (String::new(), Vec::new());
        let health = Health { says, listens, within: Duration::ZERO, handshake: None };
        Some(Service { enabled, activity, node: Some(Node { name, bootstrap: false, serves, health }) })
    }

    fn config(&self, node: &NodeName) -> Option<Arc<Document>> {
        self.configs.parse(node.daemon, self.facts.texts.get(&node.config())?)
    }

    fn activity(&self, node: &NodeName, unit: &'a UnitFact) -> Activity {
        if unit.load == "masked" || unit.enabled.starts_with("masked") {
            return Activity::Masked;
        }
        let started = || Started {
            invocation: unit.invocation.clone(),
            inputs: self.inputs(node, unit),
            recorded: unit.record.is_some(),
        };
        match (unit.active.as_str(), unit.sub.as_str()) {
            ("active", _) => self.up(node, unit, started()),
            ("activating", "auto-restart" | "auto-restart-queued") => {
                let trouble = Trouble::Exited(self.facts.redactor.line(&unit.result));
                Activity::Failing { trouble, lasts: false, started: started() }
            }
            ("activating" | "reloading", _) => Activity::Starting(started()),
            _ => Activity::Stopped,
        }
    }

    fn up(&self, node: &NodeName, unit: &'a UnitFact, started: Started) -> Activity {
        let age = unit.age.unwrap_or_default();
        let Listens { main, dns } = listens(node, &started);
        let is_deaf = |port: &u16| !self.listens(*port);
        let deaf = |port: u16| {
            let trouble = Trouble::Deaf(port);
            Activity::Failing { trouble, lasts: true, started: started.clone() }
        };
        // A node that found the DNS port taken has still reported its start, and doesn't
        // try again.
        let says_so = unit.said.is_some() || unit.healthy;
        let patience = if unit.silent { SLOWEST } else { SETTLED };
        let missing = dns.filter(is_deaf);
        let may_come = !stub_listens(self.facts) && age < if says_so { MOMENT } else { patience };
        if let Some(port) = missing.filter(|_| !may_come) {
            return deaf(port);
        }
        let silent =
            |main: &u16| self.facts.surroundings.alive.get(&node.unit()) == Some(&(*main, Alive::Silent));
        if let Some(port) = main.filter(silent).filter(|port| !is_deaf(port)) {
            let trouble = Trouble::Silent(port);
            return Activity::Failing { trouble, lasts: true, started };
        }
        // An apply has watched this start, so earlier failures no longer matter.
        if unit.healthy && missing.is_none() {
            return match main.filter(is_deaf) {
                Some(main) => deaf(main),
                None => Activity::Running(started),
            };
        }
        if self.is_unfinished(node) {
            return Activity::Failing { trouble: Trouble::Unfinished, lasts: false, started };
        }
        if unit.restarts > 0 && age < SETTLED {
            let trouble = Trouble::Restarted(unit.restarts);
            return Activity::Failing { trouble, lasts: false, started };
        }
        if unit.said.is_some() && missing.is_none() {
            return match main.filter(is_deaf).filter(|_| age >= MOMENT) {
                Some(main) => deaf(main),
                None => Activity::Running(started),
            };
        }
        // The ports are those of the configuration that the process was started with, which
        // may not be the one on the disk.
        let is_heard = main.is_some_and(|main| self.listens(main)) && missing.is_none();
        if age < if unit.silent && is_heard { MOMENT } else { patience } {
            return Activity::Starting(started);
        }
        match main.filter(is_deaf) {
            Some(main) => deaf(main),
            None => Activity::Running(started),
        }
    }

    /// Whether a switch has kept a file that this node reads.
    fn is_unfinished(&self, node: &NodeName) -> bool {
        let mut kept = self.facts.paths.keys().filter_map(|path| kept_for(path));
        kept.any(|path| node.daemon.reads(&node.shape, &path))
    }

    /// Whether any process other than the resolver's stub listens on this TCP port.
    fn listens(&self, port: u16) -> bool {
        let mut listening = self.facts.listening.iter();
        listening.any(|(address, found)| {
            *found == Port { number: port, transport: Transport::Tcp } && !resolver::is_stub(*address)
        })
    }

    /// What the process was started with: from the record of its start, or else from the
    /// disk, if the files there haven't changed since.
    fn inputs(&self, node: &NodeName, unit: &'a UnitFact) -> Inputs {
        let (Some(process), Some(started)) = (&unit.process, unit.started_ns) else {
            return Inputs::Unknown(Untold::NoProcess);
        };
        let mut known = BTreeMap::new();
        match &unit.record {
            Some(record) => self.recorded(node, record, &mut known),
            None => {
                if let Err(path) = self.on_disk(node, started, &mut known) {
                    return Inputs::Unknown(Untold::Changed(path));
                }
            }
        }
        match unit.record.as_ref().and_then(|record| record.plugins.as_ref()) {
            Some(plugins) => known.extend(plugins.iter().map(|(path, sha256)| {
                let content = Content::Blob { sha256: *sha256, size: None };
                (path.clone(), Input { content, sha256: Some(*sha256) })
            })),
            None => self.plugins(node.daemon, started, &mut known),
        }
        if let Some(exe) = process.exe {
            let content = Content::Blob { sha256: exe, size: None };
            known.insert(node.daemon.program().to_owned(), Input { content, sha256: Some(exe) });
        }
        let unit = Content::Document(Arc::new(self.directives(node, unit, process)));
        known.insert(node.daemon.template().path().to_owned(), Input { content: unit, sha256: None });
        Inputs::Known(known)
    }

    /// What the record of a start says.
    fn recorded(&self, node: &NodeName, record: &'a Record, known: &mut BTreeMap<String, Input>) {
        let config = node.config();
        for (path, sha256) in &record.digests {
            let sha256 = *sha256;
            let content = if *path == config {
                let document = record.config.as_ref().and_then(|text| self.configs.parse(node.daemon, text));
                document.map_or(Content::Opaque, Content::Document)
            } else {
                Content::Secret(sha256)
            };
            known.insert(path.clone(), Input { content, sha256: Some(sha256) });
        }
    }
    /// The inputs on the disk.
    ///
    /// # Errors
    /// The first input that has been touched since the start, or is missing.
    fn on_disk(
        &self,
        node: &NodeName,
        started: i64,
        known: &mut BTreeMap<String, Input>,
    ) -> Result<(), String> {
        let config = node.config();
        let keys = node.daemon.keys();
        // A missing file may have existed at the start; when it was removed is unknown.
        let required = keys.iter().filter(|(_, is_required)| *is_required).map(|(path, _)| *path);
        for path in [config.as_str()].into_iter().chain(required) {
            if !matches!(self.facts.paths.get(path), Some(PathFact::File(_))) {
                return Err(path.to_owned());
            }
        }
        for (path, fact) in &self.facts.paths {
            let is_key = keys.iter().any(|(key, _)| key == path);
            let PathFact::File(file) = fact else { continue };
            if !is_key && *path != config {
                continue;
            }
            if file.ctime_ns >= started {
                return Err(path.clone());
            }
            let Some(sha256) = file.sha256 else { continue };
            let content = if *path == config {
                self.config(node).map_or(Content::Opaque, Content::Document)
            } else {
                Content::Secret(sha256)
            };
            known.insert(path.clone(), Input { content, sha256: Some(sha256) });
        }
        Ok(())
    }

    /// Adds the plugins that haven't been touched since the start, if the record doesn't
    /// list them.
    fn plugins(&self, daemon: Daemon, started: i64, known: &mut BTreeMap<String, Input>) {
        for (path, fact) in &self.facts.paths {
            if let PathFact::File(file) = fact
                && path.strip_prefix(daemon.plugin_directory()).is_some_and(|rest| rest.starts_with('/'))
                && file.ctime_ns < started
                && let Some(sha256) = file.sha256
            {
                let content = Content::Blob { sha256, size: Some(file.size) };
                known.insert(path.clone(), Input { content, sha256: Some(sha256) });
            }
        }
    }

    /// The directives that the process was started with, in the terms of the template.
    /// Directives that a restart couldn't change are given the template's values.
    fn directives(&self, node: &NodeName, unit: &UnitFact, process: &Process) -> Document {
        let mut text =
            format!("[Service]\nExecStart={}\n", daemon::with_specifier(&process.arguments, &node.shape));
        for (name, id) in [("User", process.uid), ("Group", process.gid)] {
            let id = if id == 0 { "root".to_owned() } else { id.to_string() };
            text.push_str(&format!("{name}={id}\n"));
        }
        let recorded = unit.record.as_ref().map(|record| &record.directives);
        let template = node.daemon.template();
        let other_since = self.template_changed(template, unit);
        for (name, loaded) in unit.directives.iter().filter(|(name, _)| name.starts_with("Limit")) {
            let recorded = recorded.and_then(|directives| directives.get(name));
            // A host may grant less than the unit asks for. So without a record, the limit
            // of the process counts only if the unit may have asked for something else at
            // that time, and if a higher limit would have been granted.
            let is_telling = other_since && !process.scant.contains(name);
            let granted = process.limits.get(name).filter(|_| is_telling);
            let value = recorded.or(granted).unwrap_or(loaded);
            if !value.is_empty() {
                text.push_str(&format!("{name}={value}\n"));
            }
        }
        let left = self.unaccounted(template, unit, process);
        if !left.is_empty() {
            text.push_str(&format!("Environment={}\n", left.join(" ")));
        }
        let mut document = daemon::parse_directives(&text);
        for found in template.overrides(&node.shape, drop_ins(unit, self.facts)) {
            if let Some(Field { value, effect }) = template.document().fields.get(&found.directive) {
                let field = Field { value: value.clone(), effect: *effect };
                document.fields.insert(found.directive, field);
            }
        }
        document
    }

    /// Whether the template may have been different when the unit was started.
    fn template_changed(&self, template: &Template, unit: &UnitFact) -> bool {
        match (self.facts.paths.get(template.path()), unit.started_ns) {
            (Some(PathFact::File(file)), Some(started)) => file.ctime_ns >= started,
            // For a unit without a file, the service manager reports only defaults.
            _ => unit.load != "loaded",
        }
    }

    /// Environment variables of the process that no drop-in sets. Our template sets none,
    /// so they would be gone after a restart. Nothing is returned if a drop-in reads
    /// variables from other files, because their names are unknown.
    fn unaccounted<'p>(&self, template: &Template, unit: &UnitFact, process: &'p Process) -> Vec<&'p str> {
        let mut theirs = BTreeSet::new();
        let texts = drop_ins(unit, self.facts).map(|(_, text)| text);
        for (path, field) in texts.flat_map(|text| daemon::parse_directives(text).fields) {
            match (path.as_str(), &field.value) {
                ("Service.Environment", Value::Scalar(names)) => {
                    theirs.extend(names.split(' ').map(str::to_owned));
                }
                ("Service.Environment", Value::List(lines)) => {
                    theirs.extend(lines.iter().flat_map(|names| names.split(' ')).map(str::to_owned));
                }
                (path, _) if template.directives().iter().any(|ours| ours == path) => {}
                _ => return Vec::new(),
            }
        }
        process.environment.iter().filter(|name| !theirs.contains(*name)).map(String::as_str).collect()
    }
}

/// Whether the resolver's stub listens on the port of DNS.
pub(super) fn stub_listens(facts: &Facts) -> bool {
    let mut listening = facts.listening.iter();
    listening.any(|(address, port)| port.number == resolver::DNS_PORT && resolver::is_stub(*address))
}

/// The ports on which a node listens, by the configuration that it was started with.
fn listens(node: &NodeName, started: &Started) -> Listens {
    let Inputs::Known(inputs) = &started.inputs else { return Listens::default() };
    match inputs.get(&node.config()).map(|input| &input.content) {
        Some(Content::Document(config)) => node.daemon.listens(config),
        _ => Listens::default(),
    }
}
