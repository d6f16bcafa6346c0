//! A network as text, for snapshots. Every struct is destructured, so that a new field
//! doesn't compile until it is shown here. The text shows that a secret exists, but not its
//! value.

use serde_yaml::Value;
use spore_drive::artifact::{Fetch, Pin};
use spore_drive::identity::SshKeyKind;
use spore_drive::network::{
    At, CustomDomain, Domain, Host, Identity, Jump, KeyFile, Location, Login, Network, Plugin, Ports, Secret,
    Shape, Ssh, Tenancy,
};
use std::fmt::Display;

pub(crate) fn text(network: &Network) -> String {
    let Network {
        folder,
        domain,
        swarm_key,
        bootstrap,
        shapes,
        hosts,
        logins,
        tenancy,
        accounts,
        tau,
        warnings: _,
    } = network;
    let mut lines = vec![format!("network in {}", folder.display())];
    lines.extend(swarm_key.is_elsewhere().then(|| "  swarm key  elsewhere".to_owned()));
    lines.extend(of_domain(domain));
    for (shape, hosts) in &**bootstrap {
        lines.push(format!("  bootstrap  {shape} on {}", list(hosts)));
    }
    for shape in shapes.values() {
        lines.extend(of_shape(shape));
    }
    for login in logins.values() {
        lines.extend(of_login(login));
    }
    for host in hosts.values() {
        lines.extend(of_host(host));
    }
    lines.extend(tenancy.as_ref().map(of_tenancy));
    lines.extend(
        accounts.iter().filter(|accounts| accounts.is_elsewhere()).map(|_| "accounts elsewhere".into()),
    );
    if let Some(accounts) = accounts.as_ref().and_then(Secret::here) {
        let mut fields = Vec::new();
        leaves(accounts.expose(), "", &mut fields);
        lines.push("accounts, with a value for each of".to_owned());
        lines.extend(fields.iter().map(|field| format!("  {field}")));
    }
    for (architecture, pin) in tau {
        let Pin { source, mirrors, fetch, sha256, binary, version, size } = &pin.value;
        lines.push(format!("tau for {architecture}"));
        lines.push(format!("  source   {source}"));
        lines.extend(mirrors.iter().map(|url| format!("  mirror   {url}")));
        lines.extend((*fetch != Fetch::Send).then(|| format!("  fetch    {}", fetch.name())));
        lines.push(format!("  sha256   {sha256}"));
        lines.push(format!("  binary   {}", or(binary, "not given")));
        lines.push(format!("  version  {}", or(version, "not given")));
        lines.extend(size.map(|size| format!("  size     {size}")));
    }
    lines.join("\n") + "\n"
}

fn of_domain(domain: &Domain) -> Vec<String> {
    let Domain { root, generated, validation, validation_files: _, custom } = domain;
    let keys = validation.here();
    let private = match domain.private_key() {
        Some(Secret::Here(_)) => "with",
        Some(Secret::Elsewhere) => "elsewhere,",
        None => "without",
    };
    let public = keys.map_or("elsewhere", |keys| keys.public());
    let public: String = public.lines().filter(|line| !line.starts_with('-')).collect();
    let mut lines = vec![
        format!("domain {}", root.value),
        format!("  generated  below {}", generated.value),
        format!("  validated  {private} the private half of {public}"),
    ];
    for CustomDomain { name, service } in custom.values() {
        lines.push(format!("  custom     {} resolves to {}", name.value, service.value));
    }
    lines
}

fn of_shape(shape: &Shape) -> Vec<String> {
    let Shape { name, services, ports: Ports { main, lite, ipfs }, plugins } = shape;
    let mut lines = vec![
        format!("shape {}", name.value),
        format!("  services  {}", list(services)),
        format!(
            "  ports     main {}, lite {}, ipfs {}",
            main.value,
            or(&value(lite), "random"),
            or(&value(ipfs), "random")
        ),
    ];
    for At { value: Plugin { name, file, is_there }, .. } in plugins {
        let missing = if *is_there { "" } else { ", missing" };
        lines.push(format!("  plugin    {name} in {}{missing}", file.display()));
    }
    lines
}

fn of_login(login: &Login) -> Vec<String> {
    let Login { name, user, keys, password } = login;
    let mut lines = vec![format!("login {}", name.value), format!("  user      {}", user.value)];
    for At { value: KeyFile { written, path, kind, is_open }, .. } in keys {
        let kind = match kind {
            None => "missing",
            Some(SshKeyKind::Plain) => "unencrypted",
            Some(SshKeyKind::Encrypted) => "encrypted",
            Some(SshKeyKind::Public) => "public",
            Some(SshKeyKind::Unsupported(_)) => "unsupported",
            Some(SshKeyKind::Damaged) => "damaged",
            Some(SshKeyKind::NotAKey) => "not a key",
        };
        let readers = if *is_open { ", readable by other users" } else { "" };
        lines.push(format!("  key       {written} in {}, {kind}{readers}", path.display()));
    }
    lines.extend(password.as_ref().map(|_| "  password  given".to_owned()));
    lines
}

fn of_host(host: &Host) -> Vec<String> {
    let Host {
        name,
        addresses,
        ssh: Ssh { address, more, port, names_port: _, jumps, unreadable_jump: _, logins },
        location,
        nodes,
    } = host;
    let logins: Vec<&str> = logins.iter().map(|login| login.name.value.as_str()).collect();
    let addresses: Vec<String> = addresses
        .iter()
        .map(|address| match address.value.prefix {
            Some(prefix) => format!("{}/{prefix}", address.value.ip),
            None => address.value.ip.to_string(),
        })
        .collect();
    let mut lines = vec![
        format!("host {}", name.value),
        format!("  addresses  {}", or_none(&addresses.join(", "))),
        format!("  ssh        {} port {port} as {}", address.value, logins.join(", ")),
    ];
    lines.extend(more.iter().map(|address| format!("  or         {}", address.value)));
    for Jump { user, host, port } in jumps.iter().map(|jump| &jump.value) {
        lines.push(format!("  jump       {host} port {} as {}", or(port, "as usual"), or(user, "usual")));
    }
    if let Some(Location { lat, long }) = location {
        lines.push(format!("  location   {}, {}", lat.value, long.value));
    }
    for Identity { shape, key, id, keeper: _ } in nodes.values() {
        let key = if key.is_some() { "with" } else { "without" };
        let id = or(&value(id), "not known");
        lines.push(format!("  node       {} is {id}, {key} its key", shape.value));
    }
    lines
}

fn of_tenancy(tenancy: &Tenancy) -> String {
    let Tenancy { provider, owner, app } = tenancy;
    let mut text = format!("tenancy {} of {}", owner.value, provider.value);
    if let Some(app) = app {
        let key = match app.key.as_ref().map(|key| &key.value) {
            Some(Secret::Here(_)) => "with",
            Some(Secret::Elsewhere) => "elsewhere,",
            None => "without",
        };
        text += &format!(", app {} {key} its key", or(&value(&app.client_id), "not given"));
    }
    text
}

/// The paths of the values below `value`.
fn leaves(value: &Value, path: &str, into: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Mapping(entries) => {
            entries.iter().for_each(|(key, value)| leaves(value, &below(key.as_str().unwrap_or("?")), into));
        }
        Value::Sequence(items) => {
            items.iter().enumerate().for_each(|(i, value)| leaves(value, &below(&i.to_string()), into));
        }
        _ => into.push(path.to_owned()),
    }
}

fn value<T>(at: &Option<At<T>>) -> Option<&T> {
    at.as_ref().map(|at| &at.value)
}

fn or(value: &Option<impl Display>, otherwise: &str) -> String {
    value.as_ref().map_or_else(|| otherwise.to_owned(), ToString::to_string)
}

fn list<T: Display>(items: &[At<T>]) -> String {
    let items: Vec<String> = items.iter().map(|item| item.value.to_string()).collect();
    or_none(&items.join(", ")).to_owned()
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
