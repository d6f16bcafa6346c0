//! Nodes: what tau requires for a start, and what is recorded of a start.

use super::{Done, HostState, IpAddr, PathFact, Port, Record, Transport, UnitFact};
use serde_yaml::Value as Yaml;
use serde_yaml::value::{Tag, TaggedValue};
use spore_drive::daemon::{self, Daemon, resolver, tau};
use spore_drive::facts::Process;
use spore_drive::resource::{DigestKey, ShapeName, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long ago a settled node was started: longer than any limit.
const SETTLED: Duration = Duration::from_secs(3600);
/// The unit template of upstream's package. spore's template takes precedence over it.
const PACKAGED_UNIT: &str = "/lib/systemd/system/tau@.service";

impl HostState<'_> {
    /// Starts a node with the files that are on the disk. Fails if tau would refuse to
    /// start.
    pub(super) fn start_node(&mut self, name: &str, shape: &ShapeName) -> Done {
        self.silence(name);
        let config = tau::config_path(shape);
        for (directory, _) in tau::DIRECTORIES {
            if !matches!(self.facts.paths.get(*directory), Some(PathFact::Directory { .. })) {
                return Err(format!("there is no {directory}"));
            }
        }
        let text = self.facts.texts.get(&config).cloned().ok_or("it has no configuration")?;
        let text = text.expose();
        self.names_files_that_are_there(text, &BTreeMap::new())?;
        self.has_what_its_services_take(text)?;
        let Some(PathFact::File(program)) = self.facts.paths.get(tau::BINARY) else {
            return Err("there is no tau".to_owned());
        };
        let exe = program.sha256;
        let template = self.template().ok_or("there is no unit for it")?;
        let path = self.template_path().unwrap_or_default();
        let unit = self.unit(name);
        // A unit that hasn't been queried isn't loaded before it is started.
        if unit.need_reload || !unit.fragment.is_empty() && unit.fragment != path {
            return Err("systemd hasn't read its unit".to_owned());
        }
        let directives = directives(&template, shape);
        let arguments = directives.get("ExecStart").cloned().unwrap_or_default();
        let limits = directives.iter().filter(|(name, _)| name.starts_with("Limit"));
        let process = Process {
            exe,
            arguments,
            limits: limits.map(|(name, value)| (name.clone(), value.clone())).collect(),
            scant: BTreeSet::new(),
            environment: environment(&template),
            uid: 0,
            gid: 0,
        };
        let record = template.contains("/run/spore/").then(|| self.note(&config, &directives));
        let ports = ports(text);
        if let Some(other) =
            self.others().find(|(_, others)| !ports.is_empty() && others.first() == ports.first())
        {
            return Err(format!("{} listens on {}", other.0, ports[0]));
        }
        self.facts.listening.extend(ports.into_iter().map(any));
        let now_ns = self.now_ns;
        let unit = self.unit(name);
        *unit = UnitFact {
            load: "loaded".to_owned(),
            enabled: unit.enabled.clone(),
            fragment: path.to_owned(),
            invocation: Some(format!("start-{now_ns}")),
            pid: Some(1000),
            directives,
            started_ns: Some(now_ns),
            age: Some(SETTLED),
            process: Some(process),
            record,
            healthy: true,
            ..UnitFact::default()
        };
        set(unit, "active", "running");
        Ok(())
    }

    pub(super) fn become_healthy(&mut self, name: &str) -> Done {
        // A node that dies repeatedly reads the current files at its next start.
        if let (Some(shape), "activating") = (shape_of_unit(name), self.unit(name).active.as_str()) {
            return self.start_node(name, &shape);
        }
        let unit = self.unit(name);
        if !matches!(unit.active.as_str(), "active" | "activating" | "reloading") {
            return Err(format!("it is {}", unit.active));
        }
        set(unit, "active", "running");
        unit.healthy = true;
        unit.age = Some(SETTLED);
        Ok(())
    }

    /// Ends the process of a unit, which then no longer listens.
    pub(super) fn silence(&mut self, name: &str) {
        let Some(shape) = shape_of_unit(name) else { return };
        let unit = self.unit(name);
        let was = unit.process.take().is_some();
        let record = unit.record.take().and_then(|record| record.config);
        let text = record.or_else(|| self.facts.texts.get(&tau::config_path(&shape)).cloned());
        for port in text.filter(|_| was).map(|text| ports(text.expose())).unwrap_or_default() {
            self.facts.listening.remove(&any(port));
        }
        let left: Vec<_> = self.others().flat_map(|(_, ports)| ports).map(any).collect();
        self.facts.listening.extend(left);
    }

    /// The running nodes, and the ports on which each listens.
    fn others(&self) -> impl Iterator<Item = (&str, Vec<u16>)> {
        self.facts.units.iter().filter(|(_, unit)| unit.process.is_some()).filter_map(|(name, unit)| {
            let path = tau::config_path(&shape_of_unit(name)?);
            let record = unit.record.as_ref().and_then(|record| record.config.as_ref());
            Some((name.as_str(), ports(record.or_else(|| self.facts.texts.get(&path))?.expose())))
        })
    }

    /// Checks that the keys that a configuration names exist. `staged` maps each path to
    /// the staged file that will replace it.
    pub(super) fn names_files_that_are_there(&self, config: &str, staged: &BTreeMap<&str, &str>) -> Done {
        let config: Yaml = serde_yaml::from_str(config).map_err(|error| error.to_string())?;
        let key = |name: &str| config.get("domains")?.get("key")?.get(name);
        for name in [config.get("swarmkey"), key("private"), key("public")] {
            let path = format!("{}/{}", tau::CONFIG, name.and_then(Yaml::as_str).unwrap_or_default());
            let at = staged.get(path.as_str()).copied().unwrap_or(&path);
            if !matches!(self.facts.paths.get(at), Some(PathFact::File(_))) {
                return Err(format!("it names {path}, which is not there"));
            }
        }
        let plugins = config.get("plugins").and_then(|plugins| plugins.get("plugins"));
        for plugin in plugins.and_then(Yaml::as_sequence).into_iter().flatten().filter_map(Yaml::as_str) {
            let staged = format!("{}/.spore-{plugin}-", tau::PLUGINS);
            let path = tau::plugin_path(plugin);
            if !self.facts.paths.keys().any(|found| *found == path || found.starts_with(&staged)) {
                return Err(format!("it names {path}, which is not there"));
            }
        }
        Ok(())
    }

    fn has_what_its_services_take(&self, config: &str) -> Done {
        let config: Yaml = serde_yaml::from_str(config).map_err(|error| error.to_string())?;
        let services = config.get("services").and_then(Yaml::as_sequence).cloned().unwrap_or_default();
        for traits in services.iter().filter_map(|name| tau::service(name.as_str()?)) {
            let engine = ["docker.service", "containerd.service"];
            let runs = |unit: &UnitFact| unit.active == "active";
            if traits.containers && !engine.iter().any(|name| self.facts.units.get(*name).is_some_and(runs)) {
                return Err("no container engine runs".to_owned());
            }
            let is_others = |(address, port): &(IpAddr, Port)| {
                port.number == resolver::DNS_PORT && !address.is_unspecified()
            };
            if traits.dns && self.facts.listening.iter().any(is_others) {
                return Err("port 53 is in use".to_owned());
            }
        }
        Ok(())
    }

    /// The record that spore's unit, or an apply, makes of a start.
    fn note(&self, config: &str, directives: &BTreeMap<String, String>) -> Record {
        let keys = format!("{}/", tau::KEYS);
        let read = self.facts.paths.iter().filter_map(|(path, fact)| match fact {
            PathFact::File(file) if path == config || path.starts_with(&keys) && path.ends_with(".key") => {
                Some((path.clone(), file.sha256?))
            }
            _ => None,
        });
        let plugins = self.facts.paths.iter().filter_map(|(path, fact)| match fact {
            PathFact::File(file) if path.rsplit_once('/')?.0 == tau::PLUGINS && !path.contains("/.") => {
                Some((path.clone(), file.sha256?))
            }
            _ => None,
        });
        let mut directives = directives.clone();
        directives.remove("ExecStart");
        Record {
            config: self.facts.texts.get(config).cloned(),
            digests: read.collect(),
            plugins: Some(plugins.collect()),
            directives,
        }
    }

    pub(super) fn record(&mut self, name: &str, invocation: &str, inputs: &[String]) -> Done {
        let shape = shape_of_unit(name).ok_or("it is no node's")?;
        let started = match self.facts.units.get(name) {
            Some(unit) if unit.invocation.as_deref() == Some(invocation) => unit.started_ns,
            _ => return Err("it isn't that start any more".to_owned()),
        };
        for path in inputs.iter().filter(|path| path.starts_with(tau::CONFIG)) {
            match self.facts.paths.get(path) {
                Some(PathFact::File(file)) if Some(file.ctime_ns) < started => {}
                other => return Err(format!("{path} has changed since: {other:?}")),
            }
        }
        let directives = self.unit(name).directives.clone();
        let note = self.note(&tau::config_path(&shape), &directives);
        self.unit(name).record.get_or_insert(note);
        Ok(())
    }

    /// The unit template that systemd uses after a reload.
    fn template(&self) -> Option<String> {
        Some(self.facts.texts.get(self.template_path()?)?.expose().to_owned())
    }

    fn template_path(&self) -> Option<&'static str> {
        [tau::template().path(), PACKAGED_UNIT].into_iter().find(|path| self.facts.texts.contains_key(*path))
    }

    pub(super) fn unit_file_changed(&mut self) {
        for (name, unit) in &mut self.facts.units {
            // systemd compares only the file that it has read. It doesn't notice a new file
            // that takes precedence.
            if shape_of_unit(name).is_some()
                && unit.load == "loaded"
                && unit.fragment == tau::template().path()
            {
                unit.need_reload = true;
            }
        }
    }

    pub(super) fn reload(&mut self) {
        let template = self.template_path().map(|path| (path, self.facts.texts[path].clone()));
        for (name, unit) in &mut self.facts.units {
            let Some(shape) = shape_of_unit(name) else { continue };
            unit.need_reload = false;
            if let Some((path, template)) = &template {
                (*path).clone_into(&mut unit.fragment);
                unit.directives = directives(template.expose(), &shape);
            }
        }
    }
}

/// Names of the variables that a unit sets, as the probe reads them.
fn environment(template: &str) -> BTreeSet<String> {
    match daemon::parse_directives(template).fields.get("Service.Environment").map(|field| &field.value) {
        Some(Value::Scalar(names)) => names.split(' ').map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}

/// The directives with which a process is started, as the service manager reports them.
pub(crate) fn directives(template: &str, shape: &ShapeName) -> BTreeMap<String, String> {
    let document = daemon::parse_directives(template);
    let of_process = document.fields.iter().filter_map(|(path, field)| {
        let name = path.strip_prefix("Service.")?;
        let counts = matches!(name, "ExecStart" | "User" | "Group") || name.starts_with("Limit");
        match &field.value {
            Value::Scalar(value) if counts => Some((name.to_owned(), value.replace("%i", shape.as_str()))),
            _ => None,
        }
    });
    of_process.collect()
}

/// All ports on which a node with this configuration listens.
pub(crate) fn ports(config: &str) -> Vec<u16> {
    let config: Yaml = serde_yaml::from_str(config).unwrap_or_default();
    let main = config.get("ports").and_then(|ports| ports.get("main")).and_then(Yaml::as_u64);
    let Some(main) = main.and_then(|main| main.try_into().ok()) else { return Vec::new() };
    let services = config.get("services").and_then(Yaml::as_sequence).cloned().unwrap_or_default();
    tau::listens(main, services.iter().filter_map(Yaml::as_str))
}

fn any(number: u16) -> (IpAddr, Port) {
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), Port { number, transport: Transport::Tcp })
}

/// A configuration as the probe reports it, without secrets (see `texts.awk`).
pub(crate) fn without_secrets(config: &str, key: &DigestKey) -> Option<String> {
    let mut config: Yaml = serde_yaml::from_str(config).ok()?;
    let fields = config.as_mapping_mut()?;
    if let Some(private) = fields.remove("privatekey") {
        fields.insert("publickey".into(), private.as_str()?.get(48..)?.into());
    }
    if let Some(app_key) =
        fields.get_mut("tenancy").and_then(|tenancy| tenancy.get_mut("app")?.get_mut("key"))
    {
        digest(app_key, key);
    }
    if let Some(accounts) = fields.get_mut("accounts") {
        digest(accounts, key);
    }
    serde_yaml::to_string(&config).ok()
}

fn digest(secret: &mut Yaml, key: &DigestKey) {
    let text = match secret {
        Yaml::Mapping(fields) => return fields.values_mut().for_each(|below| digest(below, key)),
        Yaml::Sequence(items) => return items.iter_mut().for_each(|item| digest(item, key)),
        Yaml::Null | Yaml::Tagged(_) => return,
        Yaml::String(text) if text.is_empty() => return,
        Yaml::String(text) => text.clone(),
        Yaml::Number(number) => number.to_string(),
        Yaml::Bool(value) => value.to_string(),
    };
    let digest = key.digest(text.as_bytes()).to_string();
    *secret = Yaml::Tagged(Box::new(TaggedValue { tag: Tag::new("keyed"), value: digest.into() }));
}

/// Sets the state of a unit, in systemd's terms.
pub(super) fn set(unit: &mut UnitFact, active: &str, sub: &str) {
    active.clone_into(&mut unit.active);
    sub.clone_into(&mut unit.sub);
}

/// The shape of the node that a unit runs.
pub(crate) fn shape_of_unit(unit: &str) -> Option<ShapeName> {
    Daemon::of_unit(unit).map(|(_, shape)| shape)
}
