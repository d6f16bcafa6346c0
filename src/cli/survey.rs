//! Makes a plan from a folder, for all commands that need a plan. The entry point is
//! [`survey`].

use super::args::{Args, PlanOptions, RetireOptions};
use super::logins::Keys;
use super::supplies::Binaries;
use super::{CommandError, folder, secrets, terminal};
use crate::facts::{self, Request};
use crate::network::Network;
use crate::plan::{Holder, HostError, Options, Plan, PlanError, Planner, Probed, Retire, Unplanned};
use crate::remote::{Connection, Locked, RemoteLimits, Target, gather};
use crate::render::{self, Style};
use crate::resource::{DigestKey, HostName, Redactor, SecretBytes, Untrusted};
use crate::ssh::{KnownHosts, ServerAddress};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::{JoinSet, block_in_place};

/// A plan, and everything needed to apply it.
pub(crate) struct Survey {
    pub(crate) network: Network,
    pub(crate) binaries: Binaries,
    pub(crate) basis: Basis,
    pub(crate) plan: Plan,
    /// The hosts that answered, still connected.
    pub(crate) hosts: BTreeMap<HostName, Connection>,
    /// For each host that was locked when it answered, the holder of the lock.
    holders: BTreeMap<HostName, Holder>,
    /// When all hosts had answered, in seconds since 1970.
    at: u64,
}

impl Survey {
    /// Returns the plan as a page. It begins with the network, the time and any running
    /// apply.
    pub(crate) fn page(&self, style: Style) -> String {
        let locked = self.holders.iter().map(|(host, holder)| (host, render::holder(holder)));
        let header = render::header(&self.plan.network, self.at, self.plan.asked, locked);
        header + &render::plan(&self.plan, style)
    }
}

/// What a plan is made from: the compiled network, and the answer of each host.
pub(crate) struct Basis {
    pub(crate) planner: Planner,
    /// For each host, the probe.
    scripts: BTreeMap<HostName, SecretBytes>,
    probed: BTreeMap<HostName, Probed>,
    /// Masks the folder's secrets in text from hosts.
    redactor: Redactor,
}

impl Basis {
    fn plan(&self) -> Result<Plan, CommandError> {
        self.planner.plan(&self.probed).map_err(|error| CommandError::because(error.to_string(), None, None))
    }

    /// Records a host's answer to its probe. Returns the holder of the host's lock, if any.
    fn answered(&mut self, name: HostName, answer: Result<Untrusted, HostError>) -> Option<Holder> {
        let (probed, holder) = match answer.map(|answer| facts::parse(&answer, &self.redactor)) {
            Ok(Ok(facts)) => {
                let holder = facts.holder.as_ref().map(|text| Holder::parse(text, &self.redactor));
                (Probed::Facts(Box::new(facts)), holder)
            }
            Ok(Err(error)) => (Probed::Nothing(Unplanned::Answer(error)), None),
            Err(error) => (Probed::Nothing(error.into()), None),
        };
        self.probed.insert(name, probed);
        holder
    }

    /// Plans again after an apply. The hosts of the apply are probed again while they are
    /// still locked; the others are assumed to be unchanged.
    ///
    /// # Errors
    /// If there is no plan at all. A host that doesn't answer is unplanned.
    pub(crate) async fn again(
        &mut self,
        locked: &mut BTreeMap<HostName, Locked>,
    ) -> Result<Plan, CommandError> {
        let mut asking = JoinSet::new();
        for (name, mut host) in std::mem::take(locked) {
            let Some(script) = self.scripts.get(&name).cloned() else { continue };
            asking.spawn(async move {
                let answer = host.ask(&script).await;
                (name, host, answer)
            });
        }
        for (name, host, answer) in asking.join_all().await {
            // After an error the connection is unusable, and the host releases its lock
            // when it misses the heartbeat.
            if answer.is_ok() {
                locked.insert(name.clone(), host);
            }
            self.answered(name, answer);
        }
        self.plan()
    }
}

/// Reads the folder, probes the hosts, and plans. With `retire`, plans only what is needed
/// to retire that host.
///
/// # Errors
/// If there is no plan at all. Problems with a single host are part of the plan.
pub(crate) async fn survey(
    args: &Args,
    options: &PlanOptions,
    retire: Option<&RetireOptions>,
) -> miette::Result<Survey> {
    terminal::set_up_reports(args);
    let network = folder::read(args, options.folder.links())?;
    if retire.is_some() && !options.targets.is_empty() {
        return Err(CommandError::new(
            "`retire` doesn't accept `--target`",
            "remove the option: `retire` changes only what the retirement needs",
        )
        .into());
    }
    let known = known_hosts(options)?;
    survey_of(network, &known, options, retire).await
}

/// Like [`survey`], for a network that has been read.
///
/// # Errors
/// If there is no plan at all. Problems with a single host are part of the plan.
pub(crate) async fn survey_of(
    network: Network,
    known: &KnownHosts,
    options: &PlanOptions,
    retire: Option<&RetireOptions>,
) -> miette::Result<Survey> {
    let binaries = block_in_place(|| Binaries::take(&network, options.tau.as_deref()))?;
    let retire = retire.map(|RetireOptions { host, gone, .. }| Retire { host: host.clone(), gone: *gone });
    let narrowed = Options {
        targets: options.targets.clone(),
        batch: options.batch.map(usize::from),
        take_over: options.take_over,
        no_revert: options.no_revert,
        purge_storage: options.purge_storage,
        retire,
    };
    let planner = Planner::new(&network, &binaries.supplies, narrowed).map_err(no_plan)?;
    // Loading the keys may prompt for a passphrase.
    let (targets, probed) = block_in_place(|| targets(&network, &planner, options))?;
    let redactor = secrets::redactor(&network, planner.desired());
    let mut basis = Basis {
        planner,
        scripts: targets.iter().map(|target| (target.name.clone(), target.script.clone())).collect(),
        probed,
        redactor,
    };
    let limits = RemoteLimits::with(&options.timeouts);
    let answers = gather(targets, known, &limits, &basis.redactor, |_, _| {}).await;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut hosts, mut holders) = (BTreeMap::new(), BTreeMap::new());
    for (name, answer) in answers {
        let answer = answer.map(|(host, text)| {
            hosts.insert(name.clone(), host);
            text
        });
        holders.extend(basis.answered(name.clone(), answer).map(|holder| (name, holder)));
    }
    let plan = basis.plan()?;
    for selector in &plan.idle_targets {
        terminal::note(&format!(
            "note: `--target {selector}` selects nothing: neither the folder nor a host has such a node"
        ));
    }
    Ok(Survey { network, binaries, basis, plan, hosts, holders, at })
}

fn no_plan(error: PlanError) -> CommandError {
    let help = match &error {
        PlanError::NoSuchHost(_) => Some("retire a host before you delete it from the folder".to_owned()),
        PlanError::Compile(_) | PlanError::Cycle(_) => None,
    };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    CommandError::because(error.to_string(), help, source)
}

fn known_hosts(options: &PlanOptions) -> miette::Result<KnownHosts> {
    let files = match &options.known_hosts {
        Some(file) if !file.is_file() => {
            return Err(CommandError::new(
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
        CommandError::because(error.to_string(), Some("make it readable by your user".to_owned()), source)
            .into()
    })
}

/// Returns the hosts to probe, and those that can't be probed because no login is left.
fn targets(
    network: &Network,
    planner: &Planner,
    options: &PlanOptions,
) -> miette::Result<(Vec<Target>, BTreeMap<HostName, Probed>)> {
    for selector in &options.targets {
        let fits = network.hosts.values().any(|host| {
            selector.may_select(&host.name)
                && selector.shape.as_ref().is_none_or(|shape| network.shapes.contains_key(shape))
        });
        if !fits {
            return Err(CommandError::new(
                format!("`--target {selector}` selects nothing"),
                "use a shape and a host from the folder: shape@host, @host or shape@",
            )
            .into());
        }
    }
    let machines = DigestKey::for_machines(network.swarm_key.line());
    let mut keys = Keys::default();
    let mut targets = Vec::new();
    let mut probed = BTreeMap::new();
    for (name, shapes) in planner.hosts() {
        let Some(host) = network.hosts.get(name) else { continue };
        let (logins, problems) = keys.logins(&host.ssh);
        if logins.is_empty() {
            probed.insert(name.clone(), Probed::Nothing(Unplanned::NoLogin(problems)));
            continue;
        }
        let Some(key) = planner.desired().digest_keys.get(name) else { continue };
        targets.push(Target {
            name: name.clone(),
            address: ServerAddress::new(host.ssh.address.to_string(), host.ssh.port),
            logins,
            script: Request { key, machines: &machines, shapes, rehash: options.rehash }.script(),
        });
    }
    Ok((targets, probed))
}
