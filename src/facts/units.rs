//! What a host's units do, and what their processes were started with.

use super::interpret::canonical;
use super::{Facts, PathFact, Process, Record, UnitFact};
use crate::desired::{Desired, RESOLVER_DROP_IN};
use crate::resource::{
    Activity, Content, Document, Graph, Health, HostName, Input, Inputs, Key, Node, NodeName, Port, Resource,
    ResourceId, Service, ShapeName, Started, Transport, Value,
};
use crate::tau;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// A start that is older than this is judged without its journal, which may
/// have been rotated away.
const SETTLED: Duration = Duration::from_secs(600);
/// A node that was restarted by itself less than this ago is failing.
const STABLE: Duration = Duration::from_secs(10);

/// A host whose units are looked at.
pub(super) struct Host<'a> {
    pub(super) name: &'a HostName,
    pub(super) facts: &'a Facts,
    pub(super) desired: &'a Desired,
}

/// Puts the host's units into its graph.
pub(super) fn services(host: &Host<'_>, graph: &mut Graph<Resource>) {
    for (name, unit) in &host.facts.units {
        let service = match tau::shape_of_unit(name) {
            Some(shape) => host.node(&shape, unit),
            None => host.other(unit),
        };
        if let Some(service) = service {
            let id = ResourceId { host: host.name.clone(), key: Key::Service(name.clone()) };
            graph.insert(id, Resource::Service(service));
        }
    }
}

impl Host<'_> {
    fn other(&self, unit: &UnitFact) -> Option<Service> {
        if unit.load != "loaded" {
            return None;
        }
        let mut inputs = BTreeMap::new();
        // The resolver holds port 53 until it has been started with our drop-in.
        if let (Some(text), false) = (self.facts.texts.get(RESOLVER_DROP_IN), stub_listens(self.facts)) {
            // Of the text there are only the lines that matter: its digest tells.
            let sha256 = match self.facts.paths.get(RESOLVER_DROP_IN) {
                Some(PathFact::File(file)) => file.sha256.map(|sum| canonical(self.desired, sum)),
                _ => None,
            };
            let input = Input { content: Content::Text(text.clone()), sha256 };
            inputs.insert(RESOLVER_DROP_IN.to_owned(), input);
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

    fn node(&self, shape: &ShapeName, unit: &UnitFact) -> Option<Service> {
        // What is enabled at runtime only isn't any more after the next boot.
        let enabled = unit.enabled == "enabled";
        let activity = self.activity(shape, unit);
        if !enabled && activity == Activity::Stopped {
            return None;
        }
        let config = self.config(shape);
        let serves = config.as_ref().map(services_of).unwrap_or_default();
        // Nobody waits for what is only found.
        let health = Health { says: String::new(), listens: Vec::new(), within: Duration::ZERO };
        let name = NodeName { shape: shape.clone(), host: self.name.clone() };
        Some(Service { enabled, activity, node: Some(Node { name, bootstrap: false, serves, health }) })
    }

    fn config(&self, shape: &ShapeName) -> Option<Document> {
        tau::config::parse(self.facts.texts.get(&tau::config_path(shape))?).ok()
    }

    fn activity(&self, shape: &ShapeName, unit: &UnitFact) -> Activity {
        if unit.load == "masked" || unit.enabled.starts_with("masked") {
            return Activity::Masked;
        }
        let started = || Started {
            invocation: unit.invocation.clone(),
            inputs: self.inputs(shape, unit),
            recorded: unit.record.is_some(),
        };
        match (unit.active.as_str(), unit.sub.as_str()) {
            ("active", _) => self.up(shape, unit, started()),
            ("activating", "auto-restart" | "auto-restart-queued") => {
                let what = format!("ended by itself ({})", unit.result);
                Activity::Failing { what, lasts: false, started: started() }
            }
            ("activating" | "reloading", _) => Activity::Starting(started()),
            _ => Activity::Stopped,
        }
    }

    fn up(&self, shape: &ShapeName, unit: &UnitFact, started: Started) -> Activity {
        let age = unit.age.unwrap_or_default();
        let (main, dns) = ports(shape, &started);
        let is_deaf = |port: &u16| !self.listens(*port);
        let deaf = |port: u16| {
            let what = format!("is up, and doesn't listen on TCP port {port}");
            Activity::Failing { what, lasts: true, started: started.clone() }
        };
        // Where it found the port taken it was told so, and doesn't ask again.
        let says_so = unit.said.is_some() || unit.healthy;
        let missing = dns.filter(is_deaf);
        let may_come = !stub_listens(self.facts) && age < if says_so { STABLE } else { SETTLED };
        if let Some(port) = missing.filter(|_| !may_come) {
            return deaf(port);
        }
        // An apply has watched this very start: how it came to it is past.
        if unit.healthy && missing.is_none() {
            return Activity::Running(started);
        }
        if unit.restarts > 0 && age < STABLE {
            let times =
                if unit.restarts == 1 { "once".to_owned() } else { format!("{} times", unit.restarts) };
            let what = format!("was restarted by itself {times}");
            return Activity::Failing { what, lasts: false, started };
        }
        if unit.said.is_some() && missing.is_none() {
            return Activity::Running(started);
        }
        if age < SETTLED {
            return Activity::Starting(started);
        }
        // Of the file that it was started with, which may not be the one on the disk.
        match main.filter(is_deaf) {
            Some(main) => deaf(main),
            None => Activity::Running(started),
        }
    }

    /// Whether anybody but the resolver does.
    fn listens(&self, port: u16) -> bool {
        let mut listening = self.facts.listening.iter();
        listening.any(|(address, found)| {
            *found == Port { number: port, transport: Transport::Tcp } && !is_stub(*address)
        })
    }

    /// What the process was started with: from the record of that very start,
    /// or else from the disk, where nothing has changed there since.
    fn inputs(&self, shape: &ShapeName, unit: &UnitFact) -> Inputs {
        let (Some(process), Some(started)) = (&unit.process, unit.started_ns) else {
            return Inputs::Unknown("what it was started with can't be told".to_owned());
        };
        let program = process.arguments.split_whitespace().next().unwrap_or_default();
        if let (Some(drop_in), true) = (unit.drop_ins.last(), program != tau::BINARY) {
            return Inputs::Unknown(format!("it runs {program}, not tau: see {drop_in}"));
        }
        let mut known = BTreeMap::new();
        match &unit.record {
            Some(record) => self.recorded(shape, record, &mut known),
            None => {
                if let Err(path) = self.on_disk(shape, started, &mut known) {
                    return Inputs::Unknown(format!("{path} has changed since it was started"));
                }
            }
        }
        self.plugins(started, &mut known);
        if let Some(exe) = process.exe {
            let content = Content::Blob { sha256: exe, size: None };
            known.insert(tau::BINARY.to_owned(), Input { content, sha256: Some(exe) });
        }
        let unit = Content::Document(self.directives(shape, unit, process));
        known.insert(tau::unit::PATH.to_owned(), Input { content: unit, sha256: None });
        Inputs::Known(known)
    }

    fn recorded(&self, shape: &ShapeName, record: &Record, known: &mut BTreeMap<String, Input>) {
        let config = tau::config_path(shape);
        for (path, sha256) in &record.digests {
            let sha256 = canonical(self.desired, *sha256);
            let content = if *path == config {
                let document = record.config.as_ref().and_then(|text| tau::config::parse(text).ok());
                document.map_or(Content::Opaque, Content::Document)
            } else {
                Content::Secret(sha256)
            };
            known.insert(path.clone(), Input { content, sha256: Some(sha256) });
        }
    }

    /// The inputs as they are on the disk.
    ///
    /// # Errors
    /// With the first that has been touched since the start.
    fn on_disk(
        &self,
        shape: &ShapeName,
        started: i64,
        known: &mut BTreeMap<String, Input>,
    ) -> Result<(), String> {
        let config = tau::config_path(shape);
        // What is gone may have been there: when it went can't be told.
        for path in [config.as_str(), tau::SWARM_KEY, tau::VALIDATION_PUBLIC] {
            if !matches!(self.facts.paths.get(path), Some(PathFact::File(_))) {
                return Err(path.to_owned());
            }
        }
        for (path, fact) in &self.facts.paths {
            let is_key = path.starts_with(tau::KEYS) && path.ends_with(".key") && !path.contains("/.spore-");
            let PathFact::File(file) = fact else { continue };
            if !is_key && *path != config {
                continue;
            }
            if file.ctime_ns >= started {
                return Err(path.clone());
            }
            let Some(sha256) = file.sha256.map(|sha256| canonical(self.desired, sha256)) else { continue };
            let content = if *path == config {
                self.config(shape).map_or(Content::Opaque, Content::Document)
            } else {
                Content::Secret(sha256)
            };
            known.insert(path.clone(), Input { content, sha256: Some(sha256) });
        }
        Ok(())
    }

    /// Plugins that haven't been touched since the start.
    fn plugins(&self, started: i64, known: &mut BTreeMap<String, Input>) {
        for (path, fact) in &self.facts.paths {
            if let PathFact::File(file) = fact
                && path.strip_prefix(tau::PLUGINS).is_some_and(|rest| rest.starts_with('/'))
                && file.ctime_ns < started
                && let Some(sha256) = file.sha256
            {
                let content = Content::Blob { sha256, size: Some(file.size) };
                known.insert(path.clone(), Input { content, sha256: Some(sha256) });
            }
        }
    }

    /// The unit's directives that the process runs with, as the template says
    /// them.
    fn directives(&self, shape: &ShapeName, unit: &UnitFact, process: &Process) -> Document {
        // What the owner's drop-ins say comes after the template, and goes.
        if !unit.drop_ins.is_empty() {
            return tau::unit::parse(tau::unit::TEXT);
        }
        let template = self.facts.paths.get(tau::unit::PATH);
        // Of a unit without a file the service manager has only defaults to tell.
        let other_since = match (template, unit.started_ns) {
            (Some(PathFact::File(file)), Some(started)) => file.ctime_ns >= started,
            _ => unit.load != "loaded",
        };
        let mut text = format!("[Service]\nExecStart={}\n", with_specifier(&process.arguments, shape));
        for (name, loaded) in unit.directives.iter().filter(|(name, _)| *name != "ExecStart") {
            // A host may grant less than its unit asks for, so the process is
            // only believed where the unit may have asked for something else,
            // and would have been granted more if it had.
            let is_telling = other_since && !process.scant.contains(name);
            let value = process.limits.get(name).filter(|_| is_telling).unwrap_or(loaded);
            let value =
                if value.is_empty() && matches!(name.as_str(), "User" | "Group") { "root" } else { value };
            if !value.is_empty() {
                text.push_str(&format!("{name}={value}\n"));
            }
        }
        tau::unit::parse(&text)
    }
}

/// Whether systemd-resolved's stub does.
pub(super) fn stub_listens(facts: &Facts) -> bool {
    facts.listening.iter().any(|(address, port)| port.number == tau::DNS_PORT && is_stub(*address))
}

/// Where it listens, and nobody else.
fn is_stub(address: IpAddr) -> bool {
    [[127, 0, 0, 53], [127, 0, 0, 54]].map(IpAddr::from).contains(&address)
}

/// Where a node listens by the configuration that it was started with: its main
/// port, and that of DNS where it answers there.
fn ports(shape: &ShapeName, started: &Started) -> (Option<u16>, Option<u16>) {
    let Inputs::Known(inputs) = &started.inputs else { return (None, None) };
    let Some(Content::Document(config)) = inputs.get(&tau::config_path(shape)).map(|input| &input.content)
    else {
        return (None, None);
    };
    let main = match config.fields.get("ports.main").map(|field| &field.value) {
        Some(Value::Scalar(port)) => port.parse().ok(),
        _ => None,
    };
    let answers_dns = tau::answer_dns(services_of(config).iter().map(String::as_str));
    (main, answers_dns.then_some(tau::DNS_PORT))
}

/// The services that a configuration names.
fn services_of(config: &Document) -> BTreeSet<String> {
    match config.fields.get("services").map(|field| &field.value) {
        Some(Value::Set(names)) => names.clone(),
        _ => BTreeSet::new(),
    }
}

/// `… -s elders …` → `… -s %i …`
fn with_specifier(arguments: &str, shape: &ShapeName) -> String {
    let mut words: Vec<&str> = arguments.split_whitespace().collect();
    for i in 1..words.len() {
        if words[i - 1] == "-s" && words[i] == shape.as_str() {
            words[i] = "%i";
        }
    }
    words.join(" ")
}
