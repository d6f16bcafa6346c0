//! `spore import`: writes the folder of a network that something else has deployed, from what its
//! hosts say. Nothing is changed on them, and nothing is written unless a folder can describe all of
//! them.

use super::args::{Args, DomainArg, ImportHost, ImportOptions};
use super::attendant::attendant;
use super::edit::{impossible, write};
use super::init::{self, Existing};
use super::replace::{self, Locked};
use super::routes::Routes;
use super::survey::sudo_password;
use super::{CommandError, Exit, folder, secrets, terminal, trust};
use crate::adopt::keys::{self, Piece, Pieces, There, Wanted};
use crate::adopt::{Adopted, Refusal, Way, survey};
use crate::author::{ACCOUNTS, APP_KEY, Edits, NewHost, NewLogin, PRIVATE_KEY, SWARM_KEY, TENANCY};
use crate::facts::{self, Facts, Request};
use crate::identity::SwarmKey;
use crate::network::{Draft, Files, Finding, Network, Secrets};
use crate::plan::Unplanned;
use crate::remote::{Connection, RemoteLimits, SudoPassword, Target, gather};
use crate::render;
use crate::resource::{DigestKey, HostName, SecretBytes};
use crate::ssh::{Dialer, Route};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::block_in_place;

const HELP: &str = "name a new or an empty folder: spore import --folder FOLDER USER@HOST…";

/// Files of a network that not every folder has.
const MORE: [&str; 3] = [TENANCY, ACCOUNTS, APP_KEY];

/// A host that is to be imported.
struct Imported {
    /// How the user has written it.
    said: String,
    /// The name that the user has given it.
    named: Option<HostName>,
    way: Way,
    facts: Facts,
    connection: Connection,
}

pub(crate) async fn run(args: Args, options: ImportOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(&args);
    if options.connection.accept_new_host_keys && options.connection.known_hosts.is_none() {
        let help = "name the file that gets the keys: --known-hosts ~/.ssh/known_hosts";
        return Err(CommandError::new("there is no folder yet that could have a known_hosts", help).into());
    }
    let folder = options.folder.as_deref();
    let existing = folder.map(|folder| init::existing(folder, &MORE, HELP)).transpose()?;
    let imported = ask(&options).await?;
    let mut hosts = named(imported)?;
    let facts = hosts.iter().map(|(name, host)| (name.clone(), host.facts.clone())).collect();
    let adopted = survey(&facts).map_err(|refusals| refused(&refusals))?;
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => default_folder(&adopted)?,
    };
    let existing = existing.map_or_else(|| init::existing(&folder, &MORE, HELP), Ok)?;
    let (wanted, pieces) = pieces(&adopted, &existing, &mut hosts).await?;
    let ways = hosts.iter().map(|(name, host)| (name.clone(), host.way.clone())).collect();
    for host in hosts.into_values() {
        host.connection.close().await;
    }
    let files = adopted.files(&ways, &pieces).map_err(|error| impossible(&error))?;
    block_in_place(|| {
        let help = "change what the errors name on the hosts, or leave out those hosts";
        init::check(&args, &folder, &files, help)?;
        let is_other = |path: &&String| !files.iter().any(|file| file.path == **path);
        let other = existing.keys().find(is_other).cloned();
        let remaining = other.map_or_else(|| init::remaining(files, &existing), Err);
        let files = remaining.map_err(|path| {
            let what = format!("{} already exists, and has other contents", folder.join(path).display());
            CommandError::new(what, HELP)
        })?;
        let failed = |error: std::io::Error| {
            let what = format!("can't create {}", folder.display());
            CommandError::because(what, None, Some(error.to_string()))
        };
        replace::create_folder(&folder, !folder.exists()).map_err(failed)?;
        write(&Locked::new(&folder).map_err(failed)?, &files)
    })?;
    report(&folder, &adopted, &wanted);
    Ok(Exit::Done)
}

/// Says what was written, what was read, and what the folder doesn't express.
fn report(folder: &Path, adopted: &Adopted, wanted: &[Wanted]) {
    let shapes: BTreeSet<_> = adopted.nodes.keys().map(|node| &node.shape).collect();
    let hosts: BTreeSet<_> = adopted.nodes.keys().map(|node| &node.host).collect();
    terminal::out(&format!(
        "created {}: {} of {}, on {}\n",
        folder.display(),
        render::counted(adopted.nodes.len(), "node"),
        render::counted(shapes.len(), "shape"),
        render::some_of(hosts.iter().map(ToString::to_string)),
    ));
    if !adopted.elders.is_empty() {
        let elders = render::some_of(adopted.elders.iter().map(ToString::to_string));
        terminal::out(&format!("elders: {elders}\n"));
    }
    for Wanted { piece, host, path } in wanted {
        let [what, why] = render::adopted::piece(*piece);
        let mode = if *piece == Piece::Public { "" } else { ", into a file that only you can read" };
        terminal::out(&format!("read {what} from {path} on {host}{mode}: {why}\n"));
    }
    terminal::out("the private keys of the nodes stay on their hosts, and nothing was changed there\n");
    for note in &adopted.notes {
        terminal::out(&format!("note: {}\n", render::adopted::note(note)));
    }
    terminal::out(&format!("next: spore -n {} plan\n", init::shown(folder)));
}

fn refused(refusals: &[Refusal]) -> CommandError {
    let what = "nothing was written: a folder can't describe these hosts as they are";
    let help = "change on the hosts what is listed above, or leave out hosts".to_owned();
    let all: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
    CommandError::because(what, Some(help), Some(all.join("\n")))
}

/// The folder of the network in the user's home directory.
fn default_folder(adopted: &Adopted) -> miette::Result<PathBuf> {
    let root = adopted
        .root
        .parse::<DomainArg>()
        .map_err(|_| CommandError::new(format!("`{}` can't be the name of a folder", adopted.root), HELP))?;
    Ok(init::networks(HELP)?.join(root.0))
}

/// What the folder needs of the network's keys. Also returns what was read from hosts.
async fn pieces(
    adopted: &Adopted,
    existing: &Existing,
    hosts: &mut BTreeMap<HostName, Imported>,
) -> miette::Result<(Vec<Wanted>, Pieces)> {
    let there = |path: &str| existing.get(path).map(|text| SecretBytes::new(text.as_str()));
    let there = There { swarm: there(SWARM_KEY), private: there(PRIVATE_KEY) };
    let wanted = keys::wanted(adopted, &there);
    let mut found = Vec::new();
    for (name, host) in hosts {
        let of_host: Vec<&Wanted> = wanted.iter().filter(|wanted| wanted.host == *name).collect();
        if of_host.is_empty() {
            continue;
        }
        let answer = host.connection.ask(&keys::request(of_host.iter().copied())).await;
        let answer = answer.map_err(|error| unreachable(&[(host.said.clone(), Unplanned::from(error))]))?;
        let read = keys::read(&answer, of_host.len());
        found.extend(of_host.into_iter().cloned().zip(read));
    }
    let pieces = Pieces::of(&there, &found).map_err(|refusals| refused(&refusals))?;
    Ok((wanted, pieces))
}

fn unreachable(failed: &[(String, Unplanned)]) -> CommandError {
    let what = format!("nothing was written: {} gave no answer", render::counted(failed.len(), "host"));
    let help = "fix what is listed above, or leave out those hosts".to_owned();
    let words =
        |(host, why): &(String, Unplanned)| format!("{host}: {}; {}", render::why(why), render::help(why));
    let all: Vec<String> = failed.iter().map(words).collect();
    CommandError::because(what, Some(help), Some(all.join("\n")))
}

/// Gives each host a name: the one that the user has given it, or else the one that it has in the
/// folder of the last apply, or that the user has typed as its address, or a number.
fn named(imported: Vec<Imported>) -> miette::Result<BTreeMap<HostName, Imported>> {
    let known: Vec<Option<HostName>> = imported.iter().map(known_as).collect();
    let mut hosts = BTreeMap::new();
    let (sure, others): (Vec<_>, Vec<_>) =
        imported.into_iter().zip(known).partition(|(host, _)| host.named.is_some());
    for (host, _) in sure {
        let Some(name) = host.named.clone() else { continue };
        if hosts.contains_key(&name) {
            return Err(CommandError::new(
                format!("two hosts are called {name}"),
                "give each its own name: NAME=USER@HOST",
            )
            .into());
        }
        hosts.insert(name, host);
    }
    let mut numbered = Vec::new();
    for (host, known) in others {
        match known.filter(|name| !hosts.contains_key(name)) {
            Some(name) => drop(hosts.insert(name, host)),
            None => numbered.push(host),
        }
    }
    for host in numbered {
        let name = (1..).filter_map(|number| format!("h{number}").parse().ok());
        let name = name.into_iter().find(|name| !hosts.contains_key(name));
        hosts.extend(name.map(|name: HostName| (name, host)));
    }
    Ok(hosts)
}

fn known_as(host: &Imported) -> Option<HostName> {
    let receipt = host.facts.receipt().and_then(|receipt| receipt.host?.parse().ok());
    let is_address = host.way.address.parse::<std::net::IpAddr>().is_ok();
    receipt.or_else(|| host.way.address.parse().ok().filter(|_| !is_address))
}

/// Probes the hosts.
async fn ask(options: &ImportOptions) -> miette::Result<Vec<Imported>> {
    let connection = &options.connection;
    let ways = ways(options)?;
    let network = network_of(options, &ways)?;
    let host_keys = trust::host_keys(connection, &network, None).await?;
    let sudo = sudo_password(connection).await?.map(|password| Arc::new(SudoPassword::new(password)));
    let redactor = secrets::of_logins(&network);
    let limits = RemoteLimits::with(&connection.timeouts);
    let dialer = Arc::new(Dialer::new(limits.ssh, redactor.clone()).attended(attendant()));
    let mut routes = Routes::new(&host_keys, &network, connection);
    routes.prepare(&network).await;
    // Digests of secrets are only compared with each other, so one key that nobody keeps will do.
    let throw_away = SwarmKey::generate();
    let key = DigestKey::derive(throw_away.line(), "import");
    let machines = DigestKey::for_machines(throw_away.line());
    let request = Request {
        key: &key,
        machines: &machines,
        shapes: &BTreeSet::new(),
        ports: &BTreeSet::new(),
        roster: "",
        keyed: &[],
        rehash: false,
    };
    let script = request.script();
    let mut failed = Vec::new();
    let said = |name: &HostName| ways.get(name).map(|(host, _)| host.said.clone()).unwrap_or_default();
    let targets = block_in_place(|| {
        let mut targets = Vec::new();
        for (name, host) in &network.hosts {
            match routes.to(host) {
                Ok(route) => targets.push(Target {
                    name: name.clone(),
                    route: untrusted(route),
                    sudo: sudo.clone(),
                    nodes: Vec::new(),
                    script: script.clone(),
                }),
                Err(why) => failed.push((said(name), why)),
            }
        }
        targets
    });
    let mut imported = Vec::new();
    for (name, answer) in gather(targets, &dialer, &limits, |_, _| {}).await {
        let parsed = answer.map_err(Unplanned::from).and_then(|(connection, answer)| {
            let facts = facts::parse(&answer, &redactor).map_err(Unplanned::Answer)?;
            Ok((connection, facts))
        });
        let Some((host, way)) = ways.get(&name) else { continue };
        match parsed {
            Ok((connection, facts)) => imported.push(Imported {
                said: host.said.clone(),
                named: host.name.clone(),
                way: way.clone(),
                facts,
                connection,
            }),
            Err(why) => failed.push((host.said.clone(), why)),
        }
    }
    if failed.is_empty() { Ok(imported) } else { Err(unreachable(&failed).into()) }
}

/// The way to each host. The names only tell them apart.
fn ways(options: &ImportOptions) -> miette::Result<BTreeMap<HostName, (ImportHost, Way)>> {
    let keys: Vec<String> = options.key.iter().map(|key| key_path(key)).collect();
    let mut ways = BTreeMap::new();
    for (i, host) in options.hosts.iter().enumerate() {
        let name = format!("h{:05}", i + 1).parse::<HostName>();
        let name = name.map_err(|error| CommandError::new("too many hosts", error.to_string()))?;
        let login = NewLogin {
            name: host.user.clone(),
            user: host.user.clone(),
            keys: keys.clone(),
            password_file: None,
        };
        let (address, jumps) = (host.address.clone(), options.jump.clone());
        ways.insert(name, (host.clone(), Way { address, port: host.port, jumps, login }));
    }
    Ok(ways)
}

/// The path of a key as the folder has it: it doesn't depend on the current directory.
fn key_path(key: &str) -> String {
    if key.starts_with("~/") {
        return key.to_owned();
    }
    let path = std::path::absolute(key).unwrap_or_else(|_| PathBuf::from(key));
    let in_home =
        folder::home().and_then(|home| Some(format!("~/{}", path.strip_prefix(home).ok()?.display())));
    in_home.unwrap_or_else(|| path.display().to_string())
}

/// A network that has these hosts and nothing else, so that they are reached like those of any folder.
fn network_of(
    options: &ImportOptions,
    ways: &BTreeMap<HostName, (ImportHost, Way)>,
) -> miette::Result<Network> {
    let mut files = Files::new(options.folder.clone().unwrap_or_default());
    let cloud = "domain: {root: a.invalid, generated: b.invalid, validation: {key: {public: keys/p}}}\n\
        p2p: {swarm: {key: keys/s}, bootstrap: {}}\n";
    let empty = ["auth.yaml", "shapes.yaml", "hosts.yaml"].map(|name| (name, "{}\n"));
    let all = empty.into_iter().chain([("cloud.yaml", cloud)]);
    all.for_each(|(name, text)| files.insert(name, text));
    let mut edits = Edits::new(&files);
    let mut logins = BTreeSet::new();
    for (name, (_, way)) in ways {
        if logins.insert(&way.login.name) {
            edits.add_login(&way.login).map_err(|error| impossible(&error))?;
        }
        let host = NewHost {
            name: name.clone(),
            // A folder needs one, and nobody dials it.
            addresses: vec!["192.0.2.1".to_owned()],
            ssh_address: way.address.clone(),
            ssh_port: way.port,
            jumps: way.jumps.clone(),
            logins: vec![way.login.name.clone()],
            location: None,
            nodes: Vec::new(),
        };
        edits.add_host(&host).map_err(|error| impossible(&error))?;
    }
    let changes = edits.finish();
    changes.into_iter().for_each(|change| files.insert(change.path, change.after.unwrap_or_default()));
    Draft::from_files(&files, Secrets::Elsewhere).finish().map_err(|mut problems| {
        problems.0.retain(Finding::is_error);
        terminal::note(render::problems(&problems.0, render::Style::Plain).trim_end());
        CommandError::new("the hosts can't be reached like this", "write each as [NAME=]USER@HOST[:PORT]")
            .into()
    })
}

/// Nobody can run `spore trust` for a host that isn't in a folder.
fn untrusted(mut route: Route) -> Route {
    for server in route.jumps.iter_mut().chain([&mut route.host]) {
        Arc::make_mut(server).trust_as = None;
    }
    route
}
