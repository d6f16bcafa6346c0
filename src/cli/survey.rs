//! From a folder to a plan: what `plan` and `apply` have in common.

use super::args::{Args, PlanOptions};
use super::logins::Keys;
use super::supplies::Stock;
use super::{Failure, folder, terminal};
use crate::desired::{Desired, compile};
use crate::facts::{self, Folder, Request, interpret};
use crate::network::Network;
use crate::plan::{self, Observed, Options, Plan, Selector, Unplanned};
use crate::remote::{Host, Settings, Target, gather};
use crate::resource::{DigestKey, HostName, ShapeName};
use crate::ssh::{Address, KnownHosts};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::block_in_place;

/// A plan, and all that it takes to apply it.
pub(crate) struct Survey {
    pub(crate) network: Network,
    pub(crate) stock: Stock,
    pub(crate) desired: Desired,
    pub(crate) plan: Plan,
    /// The hosts that answered, still connected.
    pub(crate) hosts: BTreeMap<HostName, Host>,
}

/// Reads the folder, asks the hosts, and plans. A host to be retired is planned
/// as if it had no nodes.
///
/// # Errors
/// Where there is no plan at all. What is wrong with one host is in the plan.
pub(crate) async fn survey(
    args: &Args,
    options: &PlanOptions,
    retire: Option<&HostName>,
) -> miette::Result<Survey> {
    terminal::set_up_reports(args);
    let mut network = folder::read(args, &folder::find(args.network.as_deref())?)?;
    if let Some(host) = retire {
        clear(&mut network, host)?;
        let is_whole = |target: &Selector| target.shape.is_none() && target.may_select(host);
        if !options.targets.is_empty() && !options.targets.iter().any(is_whole) {
            return Err(Failure::new(
                format!("`--target` leaves {host}, which is to be retired, out or in part"),
                format!("`--target @{host}` retires it and does nothing else"),
            )
            .into());
        }
    }
    let known = known_hosts(options)?;
    survey_of(network, &known, options).await
}

/// The same, of a network that has been read.
///
/// # Errors
/// As there.
pub(crate) async fn survey_of(
    network: Network,
    known: &KnownHosts,
    options: &PlanOptions,
) -> miette::Result<Survey> {
    // A tau may have to be fetched, a person be asked for a passphrase.
    let stock = block_in_place(|| Stock::take(&network, options.tau.as_deref()))?;
    let desired = compile(&network, &stock.supplies).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let what = error.to_string();
        match source {
            Some(source) => Failure::because(what, None, source),
            None => Failure { what, help: None, source: None },
        }
    })?;
    let (targets, mut observed) = block_in_place(|| targets(&network, &desired, options))?;
    let shapes: BTreeMap<HostName, BTreeSet<ShapeName>> = network
        .hosts
        .iter()
        .map(|(name, host)| (name.clone(), host.nodes.keys().cloned().collect()))
        .collect();
    let mut settings = Settings::default();
    options.timeouts.iter().for_each(|time_out| settings.set(*time_out));
    let answers = gather(targets, known, &settings, |_, _| {}).await;
    let mut hosts = BTreeMap::new();
    for (name, answer) in answers {
        let none = BTreeSet::new();
        let folder = Folder {
            desired: &desired,
            shapes: shapes.get(&name).unwrap_or(&none),
            purge_storage: options.purge_storage,
        };
        let found = match answer {
            Ok((host, text)) => {
                let found = observe(&name, &text, folder);
                hosts.insert(name.clone(), host);
                found
            }
            Err(error) => Observed::Nothing(Unplanned { why: error.to_string(), help: error.help() }),
        };
        observed.insert(name, found);
    }
    for selector in options.targets.iter().filter(|selector| is_in_vain(selector, &network, &observed)) {
        terminal::note(&format!(
            "note: `--target {selector}` selects nothing: there is no such node, nor should there be"
        ));
    }
    let shape = Options {
        targets: options.targets.clone(),
        batch: options.batch.map(usize::from),
        take_over: options.take_over,
    };
    let plan = plan::plan(&network.domain.root, &desired, &observed, &shape).map_err(|error| Failure {
        what: error.to_string(),
        help: None,
        source: None,
    })?;
    Ok(Survey { network, stock, desired, plan, hosts })
}

/// Whether there is no node that it may mean: none that should be, and none
/// that is and should go.
fn is_in_vain(selector: &Selector, network: &Network, observed: &BTreeMap<HostName, Observed>) -> bool {
    let Some(shape) = &selector.shape else { return false };
    let mut hosts = network.hosts.values().filter(|host| selector.may_select(&host.name));
    hosts.all(|host| {
        let is_there = match observed.get(&host.name) {
            Some(Observed::Host { current, .. }) => {
                current.iter().any(|(id, resource)| plan::belongs_to(shape, &id.key, resource))
            }
            // Nobody knows what is there.
            Some(Observed::Nothing(_)) | None => true,
        };
        !is_there && !host.nodes.contains_key(shape)
    })
}

fn observe(name: &HostName, answer: &str, folder: Folder<'_>) -> Observed {
    match facts::parse(answer) {
        Ok(facts) => {
            let (conditions, current) = interpret(name, &facts, folder);
            Observed::Host { conditions: Box::new(conditions), current }
        }
        Err(error) => Observed::Nothing(Unplanned {
            why: error.to_string(),
            help: "this may be a defect of spore: please report it".to_owned(),
        }),
    }
}

/// Takes a host's nodes out of the network, and it out of everyone's peers.
fn clear(network: &mut Network, name: &HostName) -> miette::Result<()> {
    let host = network.hosts.get_mut(name).ok_or_else(|| {
        Failure::new(
            format!("the folder has no host `{name}`"),
            "a host is retired first, and taken out of the folder afterwards",
        )
    })?;
    host.nodes.clear();
    for hosts in network.bootstrap.values_mut() {
        hosts.retain(|host| **host != *name);
    }
    Ok(())
}

fn known_hosts(options: &PlanOptions) -> miette::Result<KnownHosts> {
    let files = match &options.known_hosts {
        Some(file) if !file.is_file() => {
            return Err(Failure::new(
                format!("there is no file {}", file.display()),
                "`--known-hosts` names a file in the format of ~/.ssh/known_hosts",
            )
            .into());
        }
        Some(file) => vec![file.clone()],
        None => {
            let own = folder::home().map(|home| home.join(".ssh/known_hosts"));
            own.into_iter().chain(["/etc/ssh/ssh_known_hosts".into()]).collect()
        }
    };
    KnownHosts::read(&files).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Failure::because(error.to_string(), Some("make it readable for yourself".to_owned()), source).into()
    })
}

/// The hosts to ask, and those that can't be.
fn targets(
    network: &Network,
    desired: &Desired,
    options: &PlanOptions,
) -> miette::Result<(Vec<Target>, BTreeMap<HostName, Observed>)> {
    for selector in &options.targets {
        let fits = network.hosts.values().any(|host| {
            selector.may_select(&host.name)
                && selector.shape.as_ref().is_none_or(|shape| network.shapes.contains_key(shape))
        });
        if !fits {
            return Err(Failure::new(
                format!("`--target {selector}` selects nothing"),
                "name a shape and a host of the folder: shape@host, @host or shape@",
            )
            .into());
        }
    }
    let machines = DigestKey::for_machines(network.swarm_key.line());
    let mut keys = Keys::default();
    let mut targets = Vec::new();
    let mut observed = BTreeMap::new();
    for (name, host) in &network.hosts {
        if !options.targets.is_empty() && !options.targets.iter().any(|target| target.may_select(name)) {
            continue;
        }
        let (logins, problems) = keys.logins(&host.ssh);
        if logins.is_empty() {
            let why = if problems.is_empty() {
                "no login has a key or a password".to_owned()
            } else {
                problems.join("; ")
            };
            let help = "name a key file or a password for its login in the folder".to_owned();
            observed.insert(name.clone(), Observed::Nothing(Unplanned { why, help }));
            continue;
        }
        let Some(key) = desired.digest_keys.get(name) else { continue };
        let shapes: Vec<ShapeName> = host.nodes.keys().cloned().collect();
        targets.push(Target {
            name: name.clone(),
            address: Address::new(host.ssh.address.to_string(), host.ssh.port),
            logins,
            script: Request { key, machines: &machines, shapes: &shapes, rehash: options.rehash }.script(),
        });
    }
    Ok((targets, observed))
}
