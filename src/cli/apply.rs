//! `spore apply`, and `spore retire`, which applies only the changes that a retirement
//! needs.

use super::args::{ApplyOptions, Args, RetireOptions};
use super::events::EventLog;
use super::lock::{self, Taken};
use super::plan::{note_age, shown};
use super::progress::{self, Watched};
use super::receipts::{Record, Unchanged};
use super::supplies::Binaries;
use super::survey::{Basis, Subject, Survey, probe, survey};
use super::terminal::Interrupts;
use super::{CommandError, Exit, folder, node_keys, receipts, saved, terminal, trust};
use crate::desired::Desired;
use crate::network::Secrets;
use crate::plan::action::{Action, Staged};
use crate::plan::{HostReceipt, Plan, Probed};
use crate::remote::{Connection, Locks, Payload, Payloads, Program, RemoteLimits, Stop, apply};
use crate::render;
use crate::resource::{FileSource, HostName, ResourceId, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;

pub(crate) async fn run(
    args: &Args,
    options: &ApplyOptions,
    saved: Option<&Path>,
    retire: Option<&RetireOptions>,
) -> miette::Result<Exit> {
    let patience = Instant::now() + Duration::from_secs(options.lock_wait);
    if options.events.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        terminal::leave_stdout();
    }
    if let (Some(events), Some(saved)) = (&options.events, saved)
        && events.canonicalize().is_ok_and(|events| saved.canonicalize().is_ok_and(|saved| saved == events))
    {
        let what = format!("the events would overwrite the plan in {}", saved.display());
        return Err(CommandError::new(what, "choose another place for the events").into());
    }
    let mut log = options.events.as_deref().map(EventLog::open).transpose()?;
    let mut interrupts = Interrupts::listen();
    // What generating keys has done before the plan.
    let keys = Arc::new(OnceLock::new());
    let preparing = {
        let (args, options) = (args.clone(), options.clone());
        let (saved, retire) = (saved.map(Path::to_owned), retire.cloned());
        let keys = Arc::clone(&keys);
        async move { prepare(&args, &options, saved.as_deref(), retire.as_ref(), patience, &keys).await }
    };
    let unchanged = match interrupts.unless(preparing).await {
        None => Unchanged::failed(Exit::Interrupted, "interrupted"),
        Some(Ok(Prepared::Apply(ready))) => {
            let (job, locks) = *ready;
            let exit = carry_out(args, options, job, locks, log, interrupts).await;
            terminal::out(&retire.map(|retire| retired(retire, exit, true)).unwrap_or_default());
            return Ok(exit);
        }
        Some(Ok(Prepared::Record(ready))) => {
            let (record, locks) = *ready;
            record.leave(locks).await
        }
        Some(Ok(Prepared::Over(over))) => over,
        Some(Err(report)) => {
            terminal::error(&report);
            Unchanged::failed(Exit::Failed, "failed")
        }
    };
    let Unchanged { exit, line } = match keys.get() {
        Some(done) => unchanged.but(done),
        None => unchanged,
    };
    if let Some(log) = &mut log {
        log.not_begun(&line);
    }
    match retire {
        // An error was printed, and the last line says the rest.
        Some(retire) if exit == Exit::Failed => terminal::out(&retired(retire, exit, false)),
        Some(retire) => terminal::out(&format!("{line}\n{}", retired(retire, exit, false))),
        None => terminal::out(&format!("{line}\n")),
    }
    Ok(exit)
}

/// Returns the last line of `spore retire`: whether the host is retired, and what to do
/// next.
fn retired(retire: &RetireOptions, exit: Exit, began: bool) -> String {
    let RetireOptions { host, gone, apply: _ } = retire;
    match (exit, began) {
        (Exit::Done, _) => {
            let done = match gone {
                true => format!("the other hosts' configurations no longer name {host}"),
                false => format!("{host} is retired"),
            };
            format!(
                "retire: {done}; now delete {host} from the folder, and from `p2p.bootstrap` if it is listed \
                 there; until then, a plan would add it again\n"
            )
        }
        (_, true) => format!(
            "retire: {host} is only partly retired; keep it in the folder until `spore retire {host}{}` has \
             succeeded\n",
            if *gone { " --gone" } else { "" }
        ),
        (_, false) => format!("retire: {host} was not retired; nothing was changed\n"),
    }
}

/// The result of planning and of asking for confirmation.
enum Prepared {
    /// The apply can begin.
    Apply(Box<(Job, Locks)>),
    /// There is nothing to do but to leave receipts.
    Record(Box<(Record, Locks)>),
    /// The command ends here: there is nothing to do, no host can be planned, or the user
    /// declined.
    Over(Unchanged),
}

/// Plans, asks for confirmation, fetches the files to send, and locks the hosts. If another
/// apply holds a lock, waits for it until `patience` and plans again, because the hosts may
/// have changed.
async fn prepare(
    args: &Args,
    options: &ApplyOptions,
    saved: Option<&Path>,
    retire: Option<&RetireOptions>,
    patience: Instant,
    keys: &OnceLock<String>,
) -> miette::Result<Prepared> {
    let command = if retire.is_some() { "spore retire" } else { "spore apply" };
    if saved.is_none() && retire.is_none() && !node_keys::before_apply(args, options, keys).await? {
        return Ok(Prepared::Over(Unchanged::failed(Exit::Declined, "declined")));
    }
    loop {
        let Found { survey, digest, applied } = match saved {
            Some(path) => saved_plan(args, options, path).await?,
            None => {
                let survey = survey(args, &options.plan, retire).await?;
                let page = shown(&survey.page(), &survey.basis.at, None, terminal::style(args));
                terminal::out(&page);
                Found { digest: survey.digest(), survey, applied: None }
            }
        };
        let plan = &survey.plan;
        let is_applied = applied.is_some();
        let is_idle = plan.is_empty() && plan.refusals.is_empty() && !plan.drops_hosts();
        if !is_applied && !is_idle && !agreed(plan, options).await? {
            return Ok(Prepared::Over(Unchanged::failed(Exit::Declined, "declined")));
        }
        if is_applied || plan.is_empty() {
            let due = applied.unwrap_or_else(|| plan.receipts_due().cloned().collect());
            if due.is_empty() {
                return Ok(Prepared::Over(Unchanged::new(plan, is_applied, None)));
            }
            let Survey { basis, plan, hosts, .. } = survey;
            match lock::take(hosts, &due.iter().collect(), command, digest, patience).await {
                Ok(Taken::Locked(locks)) => {
                    let record = Record { plan, is_applied, digest, basis, due };
                    return Ok(Prepared::Record(Box::new((record, locks))));
                }
                Ok(Taken::Waited) => terminal::note("the lock was released; planning again"),
                // The next apply leaves the receipts.
                Err(why) => {
                    let why = format!("no receipts were written: {why}");
                    return Ok(Prepared::Over(Unchanged::new(&plan, is_applied, Some(why))));
                }
            }
            continue;
        }
        let (job, hosts) = Job::of(survey, digest, saved)?;
        match lock::take(hosts, &job.plan.hosts(), command, digest, patience).await? {
            Taken::Locked(locks) => return Ok(Prepared::Apply(Box::new((job, locks)))),
            Taken::Waited => terminal::note("the lock was released; planning again"),
        }
    }
}

/// A plan to apply.
struct Found {
    survey: Survey,
    /// The digest of its file.
    digest: Sha256,
    /// If everything that the plan changes is already in place, the hosts that lack a receipt.
    applied: Option<BTreeSet<HostName>>,
}

/// Reads a saved plan, makes it again from its facts to see that it is the same, shows it, and
/// connects to the hosts.
///
/// # Errors
/// If the plan can't be applied as it is, or a host that it needs doesn't answer.
async fn saved_plan(args: &Args, options: &ApplyOptions, path: &Path) -> miette::Result<Found> {
    terminal::set_up_reports(args);
    let saved = saved::plan(path)?;
    let folder = folder::read(args, options.plan.folder.outside(), Secrets::Needed)?;
    let subject = Subject::of(folder, options.plan.tau.as_deref(), saved::options(path, &saved)?)?;
    let planned = saved::replay(path, &saved, subject)?;
    note_age(&saved.plan.facts);
    let (page, at) = (&saved.plan.plan, &saved.plan.facts.at);
    terminal::out(&shown(page, at, Some(saved.sha256), terminal::style(args)));

    let connection = &options.plan.connection;
    let Survey { subject, plan, .. } = planned;
    let host_keys = trust::host_keys(connection, &subject.network, None).await?;
    let (basis, hosts) = probe(&subject, &host_keys, connection, None).await?;
    for host in plan.hosts() {
        if let Some(Probed::Nothing(why)) = basis.probed().get(host) {
            let what = format!("{host}: {}; nothing was changed", render::why(why));
            return Err(CommandError::new(what, render::help(why).to_string()).into());
        }
    }
    let now = basis.plan()?;
    let is_lost = |host: &HostName| {
        now.forgotten.iter().any(|forgotten| forgotten.host == *host && forgotten.unreachable.is_some())
    };
    let is_in_place = |id: &ResourceId| {
        now.changes.get(id).is_none() && !now.unplanned.contains_key(&id.host) && !is_lost(&id.host)
    };
    let is_applied = !plan.is_empty() && plan.changes.iter().all(|(id, _)| is_in_place(id));
    let applied = is_applied.then(|| {
        // An apply of this plan may have been cut off before it left them.
        let lacks = |host: &&HostName| now.receipts.get(host).is_some_and(HostReceipt::is_missing);
        let changed = plan.leaves_receipts_on().into_iter().filter(lacks);
        changed.chain(now.receipts_due()).cloned().collect()
    });
    let survey = Survey { subject, basis, plan, hosts };
    Ok(Found { survey, digest: saved.sha256, applied })
}

/// A confirmed plan, and everything needed to apply it.
struct Job {
    plan: Plan,
    /// The digest of the plan's file.
    digest: Sha256,
    /// The plan's file, if it was saved.
    saved: Option<PathBuf>,
    basis: Basis,
    payloads: Payloads,
}

impl Job {
    /// Fetches the files that the plan sends.
    fn of(
        survey: Survey,
        digest: Sha256,
        saved: Option<&Path>,
    ) -> miette::Result<(Self, BTreeMap<HostName, Connection>)> {
        let Survey { subject, basis, plan, hosts } = survey;
        let desired = basis.planner.desired();
        let files = tokio::task::block_in_place(|| payloads(&plan, desired, &subject.binaries))?;
        let payloads = Payloads { files, swarm_key: subject.network.swarm_key.here().cloned() };
        Ok((Self { plan, digest, saved: saved.map(Path::to_owned), basis, payloads }, hosts))
    }
}

/// Applies a plan to simulated hosts, without asking for confirmation.
///
/// # Errors
/// If a file can't be fetched, or another process holds a host's lock.
pub(super) async fn unasked(args: &Args, options: &ApplyOptions, survey: Survey) -> miette::Result<Exit> {
    let digest = survey.digest();
    let (job, hosts) = Job::of(survey, digest, None)?;
    match lock::take(hosts, &job.plan.hosts(), "spore rehearse", job.digest, Instant::now()).await? {
        Taken::Locked(locks) => Ok(carry_out(args, options, job, locks, None, Interrupts::listen()).await),
        Taken::Waited => Ok(Exit::Failed),
    }
}

async fn carry_out(
    args: &Args,
    options: &ApplyOptions,
    job: Job,
    locks: Locks,
    log: Option<EventLog>,
    mut interrupts: Interrupts,
) -> Exit {
    let Job { plan, digest, saved, mut basis, payloads } = job;
    let style = terminal::style(args);
    let (sender, receiver) = unbounded_channel();
    let stop = Stop::default();
    let watched = Watched::new(&plan, style, options.plan.connection.verbose);
    let RemoteLimits { remind, interrupt, .. } = RemoteLimits::with(&options.plan.connection.timeouts);
    let mut log = log;
    if let Some(log) = &mut log {
        log.planned(&plan, digest);
    }
    let shown = tokio::spawn(progress::show(receiver, watched, log, remind));
    let payloads = Arc::new(payloads);
    // Whether a second plan could be made to check the result.
    let mut is_checked = true;
    let applying = async {
        let most = options.max_failures;
        let (mut applied, mut hosts) = apply(&plan, locks, payloads, &stop, most, sender).await;
        // The display task ends when the last sender is dropped.
        let log = shown.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let applied_plan = (&plan, digest);
        if let Err(error) =
            receipts::check(applied_plan, &mut applied, &mut basis, &mut hosts, (&stop, interrupt)).await
        {
            terminal::error(&error.into());
            is_checked = false;
        }
        let releasing = async {
            for host in lock::release(hosts).await.into_values() {
                host.close().await;
            }
        };
        // A host that doesn't answer in time releases its lock when it misses the
        // heartbeat.
        let _ = stop.wait(receipts::RELEASE, releasing).await;
        (applied, log)
    };
    let (mut applied, log) = tokio::select! {
        applied = applying => applied,
        () = interrupted_twice(&mut interrupts, &stop, interrupt) => {
            terminal::out(&format!(
                "apply: aborted; hosts may finish a running action, and stay locked for about a minute; resume \
                 with: {}\n",
                with_lock_wait(&command())
            ));
            return Exit::Interrupted;
        }
    };
    // The interrupt may have abandoned the last action, so that nothing was left to skip.
    applied.interrupted |= stop.is_asked() && !applied.is_complete(&plan);
    let mut is_logged = true;
    if let Some(mut log) = log {
        log.ended(&applied, &plan);
        if let Some(error) = log.error() {
            terminal::out(&format!("the events are incomplete: {error}\n"));
            is_logged = false;
        }
    }
    // A host has changed, so this plan will never fit again.
    let command = match saved.filter(|_| applied.is_only_stale() && !applied.failed.is_empty()) {
        Some(path) => format!("spore plan -o {}", path.display()),
        None if applied.has_lost_hosts() => with_lock_wait(&command()),
        None => command(),
    };
    terminal::out(&render::conclusion(&applied, &plan, &command, style));
    let all = is_checked && is_logged && applied.is_complete(&plan) && plan.reaches_everything();
    match (applied.interrupted, all) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    }
}

/// Returns whether the user agrees to the plan, at a prompt or on the command line.
///
/// # Errors
/// If the plan has refusals, if its destructive changes weren't allowed on the command
/// line, or if there is no terminal to prompt on.
async fn agreed(plan: &Plan, options: &ApplyOptions) -> miette::Result<bool> {
    if !plan.refusals.is_empty() {
        let help = "see the lines above that begin with `refused`";
        return Err(CommandError::new("the plan can't be applied as it is", help).into());
    }
    let destructive = plan.destructive().count() > 0 || plan.drops_hosts();
    match (options.yes, destructive && !options.allow_destructive) {
        (true, false) => Ok(true),
        (true, true) => Err(CommandError::new(
            "the plan has destructive changes, which `--yes` alone doesn't cover",
            "see `destructive` above; pass `--allow-destructive` as well to make these changes",
        )
        .into()),
        (false, needs_both) if !terminal::is_attended() => {
            let help = match needs_both {
                true => {
                    "see `destructive` above; pass `--yes` and `--allow-destructive` to make these changes \
                     unattended"
                }
                false => "pass `--yes` to run unattended",
            };
            Err(CommandError::new("no terminal to prompt on", help).into())
        }
        (false, _) => {
            let network = plan.network.clone();
            let ask = move || match destructive {
                true => terminal::confirm_by_name(
                    "apply this plan, including the destructive changes? To confirm, type the network's name",
                    &network,
                ),
                false => terminal::confirm("apply this plan?"),
            };
            // The task fails only if the program is ending after an interrupt; the answer
            // no longer matters.
            Ok(tokio::task::spawn_blocking(ask).await.unwrap_or(false))
        }
    }
}

/// Returns the bytes that the plan sends. Artifacts are fetched and compressed here, once
/// for all hosts, except those that hosts download: they are needed only if a host can't.
fn payloads(
    plan: &Plan,
    desired: &Desired,
    binaries: &Binaries,
) -> miette::Result<BTreeMap<FileSource, Payload>> {
    let mut payloads = BTreeMap::new();
    let staged = plan.stage.values().flatten().filter_map(|planned| {
        let Staged { source, sha256, .. } = planned.action.staged()?;
        Some((source, sha256, matches!(planned.action, Action::Fetch { .. })))
    });
    for (source, sha256, is_downloaded) in staged.collect::<BTreeSet<_>>() {
        let payload = match source {
            FileSource::Rendered(_) | FileSource::Keyed(_) | FileSource::Folder(_) | FileSource::Fixed(_) => {
                desired.payload(source, sha256).map(|bytes| Payload::Secret(bytes.clone()))
            }
            FileSource::Program(_) if is_downloaded => {
                binaries.on_demand(source).map(|program| Payload::OnDemand(Arc::new(program)))
            }
            FileSource::Program(_) | FileSource::Plugin(_) => binaries
                .artifact(source)?
                .map(|artifact| Payload::Artifact(Arc::new(Program::new(artifact.bytes().clone())))),
            FileSource::Host => None,
        };
        payloads.extend(payload.map(|payload| (source.clone(), payload)));
    }
    Ok(payloads)
}

/// Returns at the second interrupt. The first asks the apply to stop; running actions may
/// then finish within `grace`.
async fn interrupted_twice(interrupts: &mut Interrupts, stop: &Stop, grace: Duration) {
    interrupts.next().await;
    stop.ask();
    let seconds = grace.as_secs_f32();
    terminal::note(&format!(
        "interrupted: finishing running actions, for at most {seconds} s (a rotation of the swarm key is \
         finished in any case); press Ctrl-C again to abort"
    ));
    interrupts.next().await;
}

/// Adds `--lock-wait` to the command, because the apply has left its locks on hosts: it was
/// aborted, or has lost them.
fn with_lock_wait(command: &str) -> String {
    if command.contains("--lock-wait") { command.to_owned() } else { format!("{command} --lock-wait 120") }
}

/// Returns this process's command line in a form that can be typed into a shell.
fn command() -> String {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    format!("spore {}", shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default())
}
