//! Makes a plan from a folder, for all commands that need a plan. The entry points are
//! [`survey`], which contacts the hosts, and [`survey_offline`], which doesn't.

use super::args::{Args, ConnectionOptions, HostsOptions, PlanOptions, RetireOptions};
use super::attendant::attendant;
use super::known_hosts::HostKeys;
use super::routes::Routes;
use super::supplies::Binaries;
use super::{CommandError, folder, secrets, terminal, trust};
use crate::desired::Supplies;
use crate::facts::file::{Gathered, HostAnswer, stored};
use crate::facts::receipt::{ApplyRecord, Receipt};
use crate::facts::roster::Roster;
use crate::facts::{self, Request};
use crate::identity::SwarmKey;
use crate::network::{Network, Secrets};
use crate::plan::file::{FORMAT, InputKey, Inputs, MadeWith, PLANNER, PlanFile, PlanPage, SavedOptions};
use crate::plan::{Holder, Options, Plan, PlanError, Planner, Probed, Retire, Unplanned, WithForgotten};
use crate::remote::{Connection, Locked, RemoteLimits, SudoPassword, Target, gather};
use crate::render;
use crate::resource::{DigestKey, HostName, Printable, Redactor, SecretBytes, Sha256, Untrusted, timestamp};
use crate::ssh::Dialer;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::{JoinSet, block_in_place};

/// A plan, and everything needed to apply it.
pub(crate) struct Survey {
    pub(crate) subject: Subject,
    pub(crate) basis: Basis,
    pub(crate) plan: Plan,
    /// The hosts that answered, still connected. Empty if the facts were read from a file.
    pub(crate) hosts: BTreeMap<HostName, Connection>,
}

/// What is planned: a network, its binaries and the options.
pub(crate) struct Subject {
    pub(crate) network: Network,
    /// The digests of the folder's files.
    sources: BTreeMap<String, Sha256>,
    pub(crate) binaries: Binaries,
    options: Options,
}

impl Survey {
    /// Before the plan is saved: see [`Basis::leave_out_unsaved`].
    ///
    /// # Errors
    /// If there is no plan without these hosts.
    pub(crate) fn leave_out_unsaved(&mut self) -> Result<(), CommandError> {
        if self.basis.leave_out_unsaved() {
            self.plan = self.basis.plan()?;
        }
        Ok(())
    }

    /// The plan in words.
    pub(crate) fn page(&self) -> PlanPage {
        render::page(&self.plan, &self.basis.holders)
    }

    /// The digest of the plan's file.
    pub(crate) fn digest(&self) -> Sha256 {
        Sha256::of(&self.file().to_bytes())
    }

    /// The plan as a file.
    pub(crate) fn file(&self) -> PlanFile {
        PlanFile {
            spore_plan: FORMAT.to_owned(),
            made_with: MadeWith { spore: env!("CARGO_PKG_VERSION").to_owned(), planner: PLANNER },
            plan: self.page(),
            inputs: self.subject.inputs(),
            facts: self.basis.gathered(),
        }
    }
}

impl Subject {
    pub(crate) fn of(
        (network, sources): (Network, BTreeMap<String, Sha256>),
        tau: Option<&Path>,
        options: Options,
    ) -> miette::Result<Self> {
        let binaries = block_in_place(|| Binaries::take(&network, tau))?;
        Ok(Self { network, sources, binaries, options })
    }

    /// Identifies what a plan is made from.
    pub(crate) fn inputs(&self) -> Inputs {
        let Self { network, sources, binaries, options } = self;
        let Options { targets, batch, take_over, no_revert, purge_storage, prune, fetch, retire: _ } =
            options;
        let key = network.swarm_key.here().map(|key| InputKey::new(key.line()));
        let is_yaml = |path: &str| [".yaml", ".yml"].iter().any(|ending| path.ends_with(ending));
        let of = |yaml: bool| {
            let files = sources.iter().filter(move |(path, _)| is_yaml(path) == yaml);
            // A plan without the swarm key can't be applied, so nothing has to be compared.
            files.filter_map(|(path, sha256)| Some((path.clone(), key.as_ref()?.digest(*sha256)))).collect()
        };
        let Supplies { tau, plugins, versions: _, fetched: _ } = &binaries.supplies;
        let tau = tau.iter().map(|(architecture, tau)| (format!("tau for {architecture}"), tau));
        let plugins = plugins.iter().map(|(name, plugin)| (format!("plugins/{name}"), plugin));
        Inputs {
            options: SavedOptions {
                targets: targets.iter().map(ToString::to_string).collect(),
                batch: *batch,
                take_over: *take_over,
                no_revert: *no_revert,
                purge_storage: *purge_storage,
                prune: *prune,
                fetch: fetch.map(|fetch| fetch.name().to_owned()),
            },
            key: key.as_ref().map(InputKey::fingerprint).unwrap_or_default(),
            folder: of(true),
            secrets: of(false),
            artifacts: tau.chain(plugins).map(|(name, found)| (name, found.sha256.to_string())).collect(),
        }
    }

    /// The hosts that were deleted from the folder without having been retired, if there are any.
    fn forgotten(&self, basis: &Basis) -> Result<Option<WithForgotten>, CommandError> {
        let Self { network, binaries, options, .. } = self;
        let hosts = basis.planner.forgotten(&basis.probed);
        if hosts.is_empty() || options.retire.is_some() {
            return Ok(None);
        }
        WithForgotten::new(network, &binaries.supplies, options.clone(), hosts).map(Some).map_err(no_plan)
    }

    /// The compiled network, and the redactor that masks its secrets and sudo's password.
    fn planner(&self, sudo: Option<&SecretBytes>) -> Result<(Planner, Redactor), CommandError> {
        let planner =
            Planner::new(&self.network, &self.binaries.supplies, self.options.clone()).map_err(no_plan)?;
        let redactor = secrets::redactor(&self.network, planner.desired(), sudo);
        Ok((planner, redactor))
    }
}

/// Probes the hosts that the options name, or all if they name none.
///
/// # Errors
/// If the folder doesn't have one of the hosts, or no host can be probed at all.
pub(crate) async fn probe_some(
    subject: &Subject,
    options: &HostsOptions,
) -> miette::Result<(Basis, BTreeMap<HostName, Connection>)> {
    let only: BTreeSet<HostName> = options.hosts.iter().cloned().collect();
    if let Some(unknown) = only.iter().find(|host| !subject.network.hosts.contains_key(*host)) {
        let what = format!("the folder has no host `{unknown}`");
        return Err(CommandError::new(what, "use a host from the folder").into());
    }
    let only = (!only.is_empty()).then_some(&only);
    let host_keys = trust::host_keys(&options.connection, &subject.network, only).await?;
    probe(subject, &host_keys, &options.connection, only).await
}

/// What a plan is made from: the compiled network, and the answer of each host.
pub(crate) struct Basis {
    pub(crate) planner: Planner,
    /// Plans the hosts that were deleted from the folder without having been retired.
    forgotten: Option<WithForgotten>,
    /// For each host, the probe.
    scripts: BTreeMap<HostName, SecretBytes>,
    probed: BTreeMap<HostName, Probed>,
    /// The answers that could be parsed.
    answers: BTreeMap<HostName, Untrusted>,
    /// For each host that was locked when it answered, the holder of the lock.
    holders: BTreeMap<HostName, Holder>,
    /// When all hosts had answered, in UTC.
    pub(crate) at: Printable,
    /// Masks the folder's secrets in text from hosts.
    pub(crate) redactor: Redactor,
}

impl Basis {
    fn new((planner, redactor): (Planner, Redactor), at: Printable) -> Self {
        Self {
            planner,
            forgotten: None,
            scripts: BTreeMap::new(),
            probed: BTreeMap::new(),
            answers: BTreeMap::new(),
            holders: BTreeMap::new(),
            at,
            redactor,
        }
    }

    /// Whether the folder wants no nodes on the host, so that no apply leaves a receipt there.
    pub(crate) fn is_idle(&self, host: &HostName) -> bool {
        self.planner.hosts().get(host).is_none_or(BTreeSet::is_empty)
    }

    /// Whether the receipt is of this network.
    pub(crate) fn is_ours(&self, receipt: &Receipt) -> bool {
        receipt.is_of(self.planner.network())
    }

    /// What is known about each host.
    pub(crate) fn probed(&self) -> &BTreeMap<HostName, Probed> {
        &self.probed
    }

    pub(crate) fn plan(&self) -> Result<Plan, CommandError> {
        let plan = match &self.forgotten {
            Some(forgotten) => forgotten.plan(&self.planner, &self.probed),
            None => self.planner.plan(&self.probed),
        };
        plan.map_err(|error| CommandError::because(error.to_string(), None, None))
    }

    /// Records a host's answer to its probe.
    fn answered(&mut self, name: HostName, answer: Result<Untrusted, Unplanned>) {
        self.holders.remove(&name);
        self.answers.remove(&name);
        let parsed = answer.and_then(|answer| {
            let facts = facts::parse(&answer, &self.redactor).map_err(Unplanned::Answer)?;
            self.answers.insert(name.clone(), answer);
            Ok(facts)
        });
        let probed = match parsed {
            Ok(facts) => {
                let holder = facts.holder.as_ref().map(|text| Holder::parse(text, &self.redactor));
                self.holders.extend(holder.map(|holder| (name.clone(), holder)));
                Probed::Facts(Box::new(facts))
            }
            Err(why) => Probed::Nothing(why),
        };
        self.probed.insert(name, probed);
    }

    /// The receipts of an apply after which the hosts have given these answers.
    pub(crate) fn receipts(
        &self,
        apply: &ApplyRecord,
        roster: &Roster,
        salt: impl FnMut() -> String,
    ) -> BTreeMap<HostName, Receipt> {
        self.planner.receipts(&self.probed, apply, roster, salt)
    }

    /// The roster that an apply leaves after which `again` was planned.
    pub(crate) fn roster_after(&self, again: &Plan, is_complete: bool) -> Roster {
        match is_complete {
            true => again.roster.clone(),
            false => self.planner.roster_of_incomplete(again, &self.probed),
        }
    }

    /// Records what hosts have answered earlier.
    fn recorded(&mut self, names: Vec<HostName>, gathered: &Gathered) {
        for name in names {
            let answer = match gathered.hosts.get(name.as_str()) {
                Some(HostAnswer::Answer(lines)) => Ok(HostAnswer::untrusted(lines)),
                Some(HostAnswer::Nothing { why, help }) => {
                    Err(Unplanned::Recorded { why: why.clone(), help: help.clone() })
                }
                None => Err(Unplanned::NotGathered),
            };
            self.answered(name, answer);
        }
    }

    /// Before the facts are saved: a host whose answer can't be saved without a secret counts as
    /// one that couldn't be planned, for that reason. Returns whether there is any.
    pub(crate) fn leave_out_unsaved(&mut self) -> bool {
        let can_be_saved =
            |(name, answer): (&HostName, &Untrusted)| stored(name, answer, &self.redactor).is_some();
        let unsaved = self.answers.iter().filter(|answer| !can_be_saved(*answer));
        let unsaved: Vec<HostName> = unsaved.map(|(name, _)| name.clone()).collect();
        for name in &unsaved {
            self.answers.remove(name);
            self.probed.insert(name.clone(), Probed::Nothing(Unplanned::Unsaved));
        }
        !unsaved.is_empty()
    }

    /// What the hosts have answered, for a file.
    pub(crate) fn gathered(&self) -> Gathered {
        let stored = |name: &HostName, probed: &Probed| match (probed, self.answers.get(name)) {
            (Probed::Facts(_), Some(answer)) => {
                Some(HostAnswer::Answer(stored(name, answer, &self.redactor)?))
            }
            (Probed::Nothing(Unplanned::NotGathered), _) | (Probed::Facts(_), None) => None,
            (Probed::Nothing(why), _) => {
                Some(HostAnswer::Nothing { why: render::why(why), help: render::help(why) })
            }
        };
        let hosts = self.probed.iter();
        let hosts = hosts.filter_map(|(name, probed)| Some((name.to_string(), stored(name, probed)?)));
        let roster = self.planner.known_roster().clone();
        Gathered { at: self.at.clone(), roster, hosts: hosts.collect() }
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
            self.answered(name, answer.map_err(Unplanned::from));
        }
        self.plan()
    }
}

/// Reads the folder and its binaries. With `retire`, only what is needed to retire that host is
/// to be planned.
///
/// # Errors
/// If the folder or a binary can't be used.
pub(crate) fn subject(
    args: &Args,
    options: &PlanOptions,
    secrets: Secrets,
    retire: Option<&RetireOptions>,
) -> miette::Result<Subject> {
    terminal::set_up_reports(args);
    let folder = folder::read(args, options.folder.outside(), secrets)?;
    if retire.is_some() && !options.targets.is_empty() {
        return Err(CommandError::new(
            "`retire` doesn't accept `--target`",
            "remove the option: `retire` changes only what the retirement needs",
        )
        .into());
    }
    Subject::of(folder, options.tau.as_deref(), narrowed(options, retire))
}

/// The planner's part of the options.
fn narrowed(options: &PlanOptions, retire: Option<&RetireOptions>) -> Options {
    Options {
        targets: options.targets.clone(),
        batch: options.batch.map(usize::from),
        take_over: options.take_over,
        no_revert: options.no_revert,
        purge_storage: options.purge_storage,
        prune: options.prune,
        fetch: options.fetch.map(Into::into),
        retire: retire.map(|RetireOptions { host, gone, .. }| Retire { host: host.clone(), gone: *gone }),
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
    let subject = subject(args, options, Secrets::Needed, retire)?;
    let host_keys = trust::host_keys(&options.connection, &subject.network, None).await?;
    survey_of(subject, &host_keys, &options.connection).await
}

/// Probes the hosts, and plans.
///
/// # Errors
/// If there is no plan at all. Problems with a single host are part of the plan.
pub(crate) async fn survey_of(
    subject: Subject,
    host_keys: &HostKeys,
    options: &ConnectionOptions,
) -> miette::Result<Survey> {
    let (basis, hosts) = probe(&subject, host_keys, options, None).await?;
    planned(subject, basis, hosts)
}

/// Plans from facts that were gathered earlier, and contacts no host.
///
/// # Errors
/// If there is no plan at all.
pub(crate) fn survey_offline(subject: Subject, gathered: &Gathered) -> miette::Result<Survey> {
    selectors(&subject.network, &subject.options)?;
    let mut basis = Basis::new(subject.planner(None)?, gathered.at.clone());
    basis.planner.knows(gathered.roster.clone());
    let names: Vec<HostName> = basis.planner.hosts().keys().cloned().collect();
    basis.recorded(names, gathered);
    if let Some(forgotten) = subject.forgotten(&basis)? {
        basis.recorded(forgotten.hosts().cloned().collect(), gathered);
        basis.forgotten = Some(forgotten);
    }
    planned(subject, basis, BTreeMap::new())
}

fn planned(subject: Subject, basis: Basis, hosts: BTreeMap<HostName, Connection>) -> miette::Result<Survey> {
    let plan = basis.plan()?;
    for selector in &plan.idle_targets {
        terminal::note(&format!(
            "note: `--target {selector}` selects nothing: neither the folder nor a host has such a node"
        ));
    }
    Ok(Survey { subject, basis, plan, hosts })
}

/// Probes all hosts, or only those in `only`.
///
/// # Errors
/// If no host can be probed at all. Problems with a single host are part of the result.
pub(crate) async fn probe(
    subject: &Subject,
    host_keys: &HostKeys,
    options: &ConnectionOptions,
    only: Option<&BTreeSet<HostName>>,
) -> miette::Result<(Basis, BTreeMap<HostName, Connection>)> {
    let sudo = sudo_password(options).await?;
    let mut basis = Basis::new(subject.planner(sudo.as_ref())?, Printable::default());
    let sudo = sudo.map(|password| Arc::new(SudoPassword::new(password)));
    selectors(&subject.network, &subject.options)?;
    let limits = RemoteLimits::with(&options.timeouts);
    let dialer = Arc::new(Dialer::new(limits.ssh, basis.redactor.clone()).attended(attendant()));
    let mut routes = Routes::new(host_keys, &subject.network, options);
    routes.prepare(&subject.network).await;
    // Loading the keys may prompt for a passphrase.
    let asked =
        block_in_place(|| targets(&subject.network, &basis.planner, &mut routes, options.rehash, only));
    let asked = with_sudo(asked, sudo.as_ref());
    let mut hosts = BTreeMap::new();
    ask(&mut basis, &mut hosts, asked, &dialer, &limits).await;
    // Only a receipt tells which hosts are forgotten, so they are asked afterwards.
    if only.is_none()
        && let Some(forgotten) = subject.forgotten(&basis)?
    {
        let names = forgotten.hosts().cloned().collect();
        let (network, planner) = (forgotten.network(), forgotten.planner());
        routes.prepare(network).await;
        let asked = block_in_place(|| targets(network, planner, &mut routes, options.rehash, Some(&names)));
        // A host that only a roster names gets no password.
        ask(&mut basis, &mut hosts, asked, &dialer, &limits).await;
        basis.forgotten = Some(forgotten);
    }
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    basis.at = Printable::composed(timestamp(at));
    Ok((basis, hosts))
}

/// The password that sudo may ask for on the hosts, if the user gives one.
///
/// # Errors
/// If there is no terminal to prompt on.
pub(super) async fn sudo_password(options: &ConnectionOptions) -> Result<Option<SecretBytes>, CommandError> {
    if let Some(typed) = options.sudo.get() {
        return Ok(Some(typed.clone()));
    }
    if let Some(password) = std::env::var_os("SPORE_SUDO_PASSWORD").filter(|password| !password.is_empty()) {
        return Ok(Some(SecretBytes::new(password.into_vec())));
    }
    if !options.ask_sudo_password {
        return Ok(None);
    }
    if !terminal::is_attended() {
        let help = "set SPORE_SUDO_PASSWORD to run unattended";
        return Err(CommandError::new("no terminal to prompt on for the sudo password", help));
    }
    let asked = tokio::task::spawn_blocking(|| terminal::ask_secret("sudo password on the hosts")).await;
    let typed = asked.map_err(std::io::Error::other).and_then(|typed| typed).map_err(|error| {
        CommandError::because("cannot prompt for the sudo password", None, Some(error.to_string()))
    })?;
    let typed = SecretBytes::new(typed);
    let _ = options.sudo.set(typed.clone());
    Ok(Some(typed))
}

fn with_sudo(
    (mut targets, probed): (Vec<Target>, BTreeMap<HostName, Probed>),
    sudo: Option<&Arc<SudoPassword>>,
) -> (Vec<Target>, BTreeMap<HostName, Probed>) {
    targets.iter_mut().for_each(|target| target.sudo = sudo.cloned());
    (targets, probed)
}

/// Probes these hosts. Adds those that answer to `hosts`.
async fn ask(
    basis: &mut Basis,
    hosts: &mut BTreeMap<HostName, Connection>,
    (targets, probed): (Vec<Target>, BTreeMap<HostName, Probed>),
    dialer: &Arc<Dialer>,
    limits: &RemoteLimits,
) {
    basis.scripts.extend(targets.iter().map(|target| (target.name.clone(), target.script.clone())));
    basis.probed.extend(probed);
    for (name, answer) in gather(targets, dialer, limits, |_, _| {}).await {
        let answer = answer.map(|(host, text)| {
            hosts.insert(name.clone(), host);
            text
        });
        basis.answered(name, answer.map_err(Unplanned::from));
    }
}

fn no_plan(error: PlanError) -> CommandError {
    let help = match &error {
        PlanError::NoSuchHost(_) => Some("retire a host before you delete it from the folder".to_owned()),
        PlanError::Compile(_) | PlanError::Cycle(_) => None,
    };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    CommandError::because(error.to_string(), help, source)
}

/// Refuses targets that can't select anything.
fn selectors(network: &Network, options: &Options) -> miette::Result<()> {
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
    Ok(())
}

/// Returns the hosts to probe, and those that can't be probed because no login is left.
fn targets(
    network: &Network,
    planner: &Planner,
    routes: &mut Routes,
    rehash: bool,
    only: Option<&BTreeSet<HostName>>,
) -> (Vec<Target>, BTreeMap<HostName, Probed>) {
    // Without the swarm key, digests are made with a key that nobody keeps, so that they are of no
    // use to anyone.
    let throw_away = SwarmKey::generate();
    let swarm_key = network.swarm_key.here().unwrap_or(&throw_away).line();
    let machines = DigestKey::for_machines(swarm_key);
    let roster = planner.known_roster().file_name();
    let mut targets = Vec::new();
    let mut probed = BTreeMap::new();
    for (name, shapes) in
        planner.hosts().iter().filter(|(name, _)| only.is_none_or(|only| only.contains(*name)))
    {
        let Some(host) = network.hosts.get(name) else { continue };
        let route = match routes.to(host) {
            Ok(route) => route,
            Err(why) => {
                probed.insert(name.clone(), Probed::Nothing(why));
                continue;
            }
        };
        let key = &DigestKey::derive(swarm_key, name.as_str());
        targets.push(Target {
            name: name.clone(),
            route,
            sudo: None,
            nodes: planner.greetings(name),
            script: Request {
                key,
                machines: &machines,
                shapes,
                ports: &planner.ports(name),
                roster: &roster,
                keyed: &planner.desired().keyed(name).collect::<Vec<_>>(),
                rehash,
            }
            .script(),
        });
    }
    (targets, probed)
}
