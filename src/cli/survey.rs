//! From a folder to a plan, for every command that makes one.

use super::args::{Args, PlanOptions, RetireOptions};
use super::logins::Keys;
use super::supplies::Stock;
use super::{Failure, folder, secrets, terminal};
use crate::desired::{CompileError, Desired, compile};
use crate::facts::{self, AnswerError, Folder, Request, interpret};
use crate::network::{self, Network};
use crate::plan::{self, Observed, Options, Plan, Retirement, Selector, Unplanned};
use crate::remote::{Holder, Host, HostError, Locked, Redactor, Settings, Target, gather};
use crate::render::{self, Style};
use crate::resource::{DigestKey, HostName, Secret, ShapeName, Untrusted};
use crate::ssh::{Address, KnownHosts};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::{JoinSet, block_in_place};

/// A plan, and everything needed to apply it.
pub(crate) struct Survey {
    pub(crate) network: Network,
    pub(crate) stock: Stock,
    pub(crate) basis: Basis,
    pub(crate) plan: Plan,
    /// The hosts that answered, still connected.
    pub(crate) hosts: BTreeMap<HostName, Host>,
    /// By host, the holder of its lock at the time of the answer.
    holders: BTreeMap<HostName, Holder>,
    /// When all hosts had answered, in seconds since 1970.
    at: u64,
}

impl Survey {
    /// The plan as a page, beginning with the network, the time and any running apply.
    pub(crate) fn page(&self, style: Style) -> String {
        let locked = self.holders.iter().map(|(host, holder)| (host, holder.to_string()));
        let header = render::header(&self.plan.network, self.at, self.plan.asked, locked);
        header + &render::plan(&self.plan, style)
    }
}

/// What a plan is made from: the folder's goals, and what each host answered.
pub(crate) struct Basis {
    network: String,
    pub(crate) desired: Desired,
    /// By host, the shapes of its nodes.
    shapes: BTreeMap<HostName, BTreeSet<ShapeName>>,
    /// By host, the probe.
    scripts: BTreeMap<HostName, Secret>,
    observed: BTreeMap<HostName, Observed>,
    purge_storage: bool,
    options: Options,
    /// Masks the folder's secrets in what hosts say.
    pub(crate) redactor: Redactor,
}

impl Basis {
    fn plan(&self) -> Result<Plan, Failure> {
        plan::plan(&self.network, &self.desired, &self.observed, &self.options)
            .map_err(|error| Failure::because(error.to_string(), None, None))
    }

    /// Takes in a host's answer to its probe. Returns the holder of its lock, if any.
    fn answered(&mut self, name: HostName, answer: Result<Untrusted, HostError>) -> Option<Holder> {
        let (observed, holder) = match answer.map(|answer| facts::parse(&answer)) {
            Ok(Ok(facts)) => {
                let none = BTreeSet::new();
                let folder = Folder {
                    desired: &self.desired,
                    shapes: self.shapes.get(&name).unwrap_or(&none),
                    purge_storage: self.purge_storage,
                };
                let (conditions, current) = interpret(&name, &facts, folder);
                let observed = Observed::Host { conditions: Box::new(conditions), current };
                (observed, facts.holder.as_ref().map(Holder::parse))
            }
            Ok(Err(mut error)) => {
                if let AnswerError::Failed { what, message } = &mut error {
                    *what = self.redactor.clean(what.as_bytes());
                    *message = self.redactor.clean(message.as_bytes());
                }
                (Observed::Nothing(Unplanned::new(&error, error.help())), None)
            }
            Err(error) => {
                let error = error.redacted(&self.redactor);
                (Observed::Nothing(Unplanned::new(&error, &error.help())), None)
            }
        };
        self.observed.insert(name, observed);
        holder
    }

    /// Makes the plan again after an apply. The hosts that it worked on are asked again,
    /// while they are still locked; the others are assumed to be unchanged.
    ///
    /// # Errors
    /// As for the first plan. A host that doesn't answer isn't planned.
    pub(crate) async fn again(&mut self, locked: &mut BTreeMap<HostName, Locked>) -> Result<Plan, Failure> {
        let mut asking = JoinSet::new();
        for (name, mut host) in std::mem::take(locked) {
            let Some(script) = self.scripts.get(&name).cloned() else { continue };
            asking.spawn(async move {
                let answer = host.ask(&script).await;
                (name, host, answer)
            });
        }
        for (name, host, answer) in asking.join_all().await {
            // After an error the connection is unusable, and the lock releases itself.
            if answer.is_ok() {
                locked.insert(name.clone(), host);
            }
            self.answered(name, answer);
        }
        self.plan()
    }
}

/// Reads the folder, asks the hosts, and plans; with `retire`, only what it takes
/// to retire that host.
///
/// # Errors
/// If there is no plan at all. Problems with a single host are in the plan.
pub(crate) async fn survey(
    args: &Args,
    options: &PlanOptions,
    retire: Option<&RetireOptions>,
) -> miette::Result<Survey> {
    terminal::set_up_reports(args);
    let network = folder::read(args, options.folder.links())?;
    if retire.is_some() && !options.targets.is_empty() {
        return Err(Failure::new(
            "`retire` doesn't accept `--target`",
            "remove the option: `retire` changes only what the retirement needs",
        )
        .into());
    }
    let known = known_hosts(options)?;
    survey_of(network, &known, options, retire).await
}

/// The same for a network that has been read.
///
/// # Errors
/// As there.
pub(crate) async fn survey_of(
    mut network: Network,
    known: &KnownHosts,
    options: &PlanOptions,
    retire: Option<&RetireOptions>,
) -> miette::Result<Survey> {
    // This may download tau or prompt for a passphrase.
    let stock = block_in_place(|| Stock::take(&network, options.tau.as_deref()))?;
    let retirement = match retire {
        Some(RetireOptions { host, gone, .. }) => {
            let found = Retirement::of(&mut network, host, *gone, &stock.supplies).map_err(uncompiled)?;
            Some(found.ok_or_else(|| no_such_host(host))?)
        }
        None => None,
    };
    let desired = compile(&network, &stock.supplies).map_err(uncompiled)?;
    let concerned = retirement.as_ref().map(|retirement| retirement.concerns(&desired));
    let (targets, observed) = block_in_place(|| targets(&network, &desired, options, concerned.as_ref()))?;
    let shapes = |host: &network::Host| host.nodes.keys().cloned().collect();
    let mut basis = Basis {
        network: network.domain.root.value.clone(),
        desired,
        shapes: network.hosts.iter().map(|(name, host)| (name.clone(), shapes(host))).collect(),
        scripts: targets.iter().map(|target| (target.name.clone(), target.script.clone())).collect(),
        observed,
        purge_storage: options.purge_storage,
        options: Options {
            targets: options.targets.clone(),
            batch: options.batch.map(usize::from),
            take_over: options.take_over,
            no_revert: options.no_revert,
            retire: retirement,
        },
        redactor: secrets::redactor(&network),
    };
    let settings = Settings::with(&options.timeouts);
    let answers = gather(targets, known, &settings, |_, _| {}).await;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut hosts, mut holders) = (BTreeMap::new(), BTreeMap::new());
    for (name, answer) in answers {
        let answer = answer.map(|(host, text)| {
            hosts.insert(name.clone(), host);
            text
        });
        holders.extend(basis.answered(name.clone(), answer).map(|holder| (name, holder)));
    }
    for selector in options.targets.iter().filter(|selector| is_in_vain(selector, &network, &basis.observed))
    {
        terminal::note(&format!(
            "note: `--target {selector}` selects nothing: neither the folder nor a host has such a node"
        ));
    }
    let plan = basis.plan()?;
    Ok(Survey { network, stock, basis, plan, hosts, holders, at })
}

/// Whether it matches no node, neither one in the folder nor one on a host that would be
/// removed.
fn is_in_vain(selector: &Selector, network: &Network, observed: &BTreeMap<HostName, Observed>) -> bool {
    let Some(shape) = &selector.shape else { return false };
    let mut hosts = network.hosts.values().filter(|host| selector.may_select(&host.name));
    hosts.all(|host| {
        let is_there = match observed.get(&host.name) {
            Some(Observed::Host { current, .. }) => {
                current.iter().any(|(id, resource)| plan::belongs_to(shape, &id.key, resource))
            }
            // There may be one.
            Some(Observed::Nothing(_)) | None => true,
        };
        !is_there && !host.nodes.contains_key(shape)
    })
}

fn uncompiled(error: CompileError) -> Failure {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    Failure::because(error.to_string(), None, source)
}

fn no_such_host(name: &HostName) -> Failure {
    Failure::new(
        format!("the folder has no host `{name}`"),
        "retire a host before you delete it from the folder",
    )
}

fn known_hosts(options: &PlanOptions) -> miette::Result<KnownHosts> {
    let files = match &options.known_hosts {
        Some(file) if !file.is_file() => {
            return Err(Failure::new(
                format!("{} isn't a file", file.display()),
                "`--known-hosts` takes a file in the format of ~/.ssh/known_hosts",
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
        let source = std::error::Error::source(&error).map(ToString::to_string);
        Failure::because(error.to_string(), Some("make it readable by your user".to_owned()), source).into()
    })
}

/// The hosts to probe, and those that can't be probed; only hosts in `concerned`, if that
/// is given.
fn targets(
    network: &Network,
    desired: &Desired,
    options: &PlanOptions,
    concerned: Option<&BTreeSet<HostName>>,
) -> miette::Result<(Vec<Target>, BTreeMap<HostName, Observed>)> {
    for selector in &options.targets {
        let fits = network.hosts.values().any(|host| {
            selector.may_select(&host.name)
                && selector.shape.as_ref().is_none_or(|shape| network.shapes.contains_key(shape))
        });
        if !fits {
            return Err(Failure::new(
                format!("`--target {selector}` selects nothing"),
                "use a shape and a host from the folder: shape@host, @host or shape@",
            )
            .into());
        }
    }
    let machines = DigestKey::for_machines(network.swarm_key.line());
    let mut keys = Keys::default();
    let mut targets = Vec::new();
    let mut observed = BTreeMap::new();
    // Whatever the targets are, every host is probed: whether a node may be taken down
    // depends on the others of its shape and on the elders, whether an elder may move
    // depends on every node that dials it, and no two hosts may be one machine.
    for (name, host) in &network.hosts {
        if concerned.is_some_and(|concerned| !concerned.contains(name)) {
            continue;
        }
        let (logins, problems) = keys.logins(&host.ssh);
        if logins.is_empty() {
            let why = if problems.is_empty() {
                "no login has a key or a password".to_owned()
            } else {
                problems.join("; ")
            };
            let help = "add a key file or a password to the host's login in auth.yaml".into();
            observed.insert(name.clone(), Observed::Nothing(Unplanned { why: why.into(), help }));
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
