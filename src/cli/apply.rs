//! `spore apply`, and `spore retire`, which is an apply of a cleared host.

use super::args::{ApplyOptions, Args};
use super::lock::{self, Taken};
use super::progress::{self, Watched};
use super::survey::{Survey, survey};
use super::terminal::Interrupts;
use super::{Exit, Failure, terminal};
use crate::plan::Plan;
use crate::plan::action::Action;
use crate::remote::{Applied, Host, Locks, Payload, Payloads, Redactor, Stop, apply};
use crate::render::{self, Style, Tone};
use crate::resource::{HostName, Secret, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;

pub(crate) async fn run(
    args: &Args,
    options: &ApplyOptions,
    retire: Option<&HostName>,
) -> miette::Result<Exit> {
    let patience = Instant::now() + Duration::from_secs(options.lock_wait);
    let mut interrupts = Interrupts::listen();
    let preparing = {
        let (args, options, retire) = (args.clone(), options.clone(), retire.cloned());
        async move { prepare(&args, &options, retire.as_ref(), patience).await }
    };
    let Some(prepared) = interrupts.unless(preparing).await else {
        terminal::out("apply: interrupted; nothing was changed\n");
        return Ok(Exit::Interrupted);
    };
    let (exit, began) = match prepared? {
        Ok((prepared, locks)) => (carry_out(args, options, prepared, locks, interrupts).await, true),
        Err(exit) => (exit, false),
    };
    match (exit, retire) {
        (Exit::Done, Some(host)) => terminal::out(&format!(
            "now delete {host} from the folder, and from `p2p.bootstrap` where it is named: until then a plan puts it back\n"
        )),
        (_, Some(host)) if began => {
            terminal::out(&format!("keep {host} in the folder until `spore retire {host}` has ended well\n"))
        }
        _ => {}
    }
    Ok(exit)
}

/// Plans, asks, fetches what will be sent, and locks the hosts; where somebody
/// else has one, waits for it and begins again, for it will have changed.
async fn prepare(
    args: &Args,
    options: &ApplyOptions,
    retire: Option<&HostName>,
    patience: Instant,
) -> miette::Result<Result<(Prepared, Locks), Exit>> {
    loop {
        let survey = survey(args, &options.plan, retire).await?;
        let plan = &survey.plan;
        terminal::out(&render::plan(plan, terminal::style(args)));
        if plan.is_empty() {
            return Ok(Err(if plan.reaches_everything() { Exit::Done } else { Exit::Failed }));
        }
        if !agreed(plan, options).await? {
            terminal::note("nothing was changed");
            return Ok(Err(Exit::Failed));
        }
        let (prepared, hosts) = Prepared::of(survey)?;
        match lock::take(hosts, &prepared.plan, patience).await? {
            Taken::Locked(locks) => return Ok(Ok((prepared, locks))),
            Taken::Waited => terminal::note("the hosts are free now; planning again"),
        }
    }
}

/// A plan that was agreed to, and what it takes to apply it.
struct Prepared {
    plan: Plan,
    payloads: Payloads,
    redactor: Redactor,
}

impl Prepared {
    /// Fetches what will be sent.
    fn of(survey: Survey) -> miette::Result<(Self, BTreeMap<HostName, Host>)> {
        let Survey { network, stock, desired, plan, hosts } = survey;
        let payloads =
            tokio::task::block_in_place(|| payloads(&plan, &desired.payloads, &stock, &network.folder))?;
        let redactor = Redactor::new(secrets(&network).iter());
        Ok((Self { plan, payloads, redactor }, hosts))
    }
}

/// Applies a plan that nobody has to agree to, to hosts that are nobody else's.
///
/// # Errors
/// Where something can't be fetched, or a host not be locked.
pub(super) async fn unasked(args: &Args, options: &ApplyOptions, survey: Survey) -> miette::Result<Exit> {
    let (prepared, hosts) = Prepared::of(survey)?;
    match lock::take(hosts, &prepared.plan, Instant::now()).await? {
        Taken::Locked(locks) => Ok(carry_out(args, options, prepared, locks, Interrupts::listen()).await),
        Taken::Waited => Ok(Exit::Failed),
    }
}

async fn carry_out(
    args: &Args,
    options: &ApplyOptions,
    prepared: Prepared,
    locks: Locks,
    mut interrupts: Interrupts,
) -> Exit {
    let Prepared { plan, payloads, redactor } = prepared;
    let style = terminal::style(args);
    let (sender, receiver) = unbounded_channel();
    let stop = Stop::default();
    let shown = tokio::spawn(progress::show(receiver, Watched::new(&plan, style, options.verbose)));
    let (payloads, redactor) = (Arc::new(payloads), Arc::new(redactor));
    let applying = async {
        let most = options.max_failures;
        let (applied, hosts) = apply(&plan, locks, payloads, redactor, &stop, most, sender).await;
        // It ends when the last sender is gone.
        let _ = shown.await;
        for host in lock::release(hosts).await.into_values() {
            host.close().await;
        }
        applied
    };
    let applied = tokio::select! {
        applied = applying => applied,
        () = interrupted_twice(&mut interrupts, &stop) => {
            terminal::out(&format!("apply: ended at once; to go on from there, run: {}\n", command()));
            return Exit::Interrupted;
        }
    };
    terminal::out(&conclusion(&applied, &plan, style));
    let all = applied.failed.is_empty() && applied.skipped(&plan) == 0 && plan.reaches_everything();
    match (applied.interrupted, all) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    }
}

/// Whether a person, or the command line, has agreed to the plan.
async fn agreed(plan: &Plan, options: &ApplyOptions) -> miette::Result<bool> {
    if !plan.refusals.is_empty() {
        return Err(Failure::new(
            "the plan can't be applied as it is",
            "see `refused` above: apply to all hosts, when all of them can be planned",
        )
        .into());
    }
    let destructive = plan.destructive().count() > 0;
    if options.yes {
        if destructive && !options.allow_destructive {
            return Err(Failure::new(
                "the plan is destructive, and --yes alone doesn't agree to that",
                "see `destructive` above; add `--allow-destructive` if that is what you want",
            )
            .into());
        }
        return Ok(true);
    }
    if !terminal::is_attended() {
        return Err(Failure::new("nobody is there to be asked", "add `--yes` where nobody watches").into());
    }
    let question =
        if destructive { "apply this plan, its destructive part included?" } else { "apply this plan?" };
    // Whoever interrupts the run needn't answer.
    Ok(tokio::task::spawn_blocking(move || terminal::confirm(question)).await.unwrap_or(false))
}

/// The bytes that the plan sends: artifacts are fetched and compressed here,
/// once for all hosts.
fn payloads(
    plan: &Plan,
    small: &BTreeMap<Sha256, Secret>,
    stock: &super::supplies::Stock,
    folder: &std::path::Path,
) -> miette::Result<Payloads> {
    let mut payloads = Payloads::new();
    let staged = plan.stage.values().flatten().filter_map(|step| match &step.action {
        Action::Stage(file) => Some(file.sha256),
        _ => None,
    });
    for sha256 in staged.collect::<BTreeSet<_>>() {
        if let Some(secret) = small.get(&sha256) {
            payloads.insert(sha256, Payload::Secret(secret.clone()));
        } else if let Some(artifact) = stock.artifact(sha256, folder)? {
            let (raw, gzip) = (artifact.bytes().clone(), artifact.gzip().clone());
            payloads.insert(sha256, Payload::Artifact { raw, gzip });
        }
    }
    Ok(payloads)
}

/// Every secret of the folder by itself, so that none gets out with what a
/// host says.
fn secrets(network: &crate::network::Network) -> Vec<Secret> {
    let mut secrets = vec![network.swarm_key.line().clone()];
    secrets.extend(network.domain.validation.private().cloned());
    let keys =
        network.hosts.values().flat_map(|host| host.nodes.values()).filter_map(|node| node.key.as_ref());
    secrets.extend(keys.map(|key| key.expose().clone()));
    secrets
        .extend(network.logins.values().filter_map(|login| login.password.as_ref()).map(|p| (**p).clone()));
    let app = network.tenancy.as_ref().and_then(|tenancy| tenancy.app.as_ref());
    secrets.extend(app.and_then(|app| app.key.as_ref()).map(|key| (**key).clone()));
    secrets.extend(network.accounts.iter().flat_map(|accounts| scalars(accounts.expose())));
    secrets
}

fn scalars(yaml: &serde_yaml::Value) -> Vec<Secret> {
    match yaml {
        serde_yaml::Value::String(text) => vec![Secret::new(text.as_str())],
        serde_yaml::Value::Sequence(items) => items.iter().flat_map(scalars).collect(),
        serde_yaml::Value::Mapping(entries) => entries.values().flat_map(scalars).collect(),
        _ => Vec::new(),
    }
}

/// The first interruption lets what runs end; the second ends at once.
async fn interrupted_twice(interrupts: &mut Interrupts, stop: &Stop) {
    interrupts.next().await;
    stop.ask();
    terminal::note("interrupted: what runs is let end, nothing new begins; once more to end at once");
    interrupts.next().await;
}

/// What was done, what failed, what wasn't reached, and how to go on.
fn conclusion(applied: &Applied, plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    for (host, failure) in &applied.failed {
        let action = failure.action.as_ref().map(|action| format!(" {}", render::action(action)));
        // More was said where it happened.
        let what = failure.what.lines().next().unwrap_or_default().trim_end_matches("; its journal ends:");
        let sign = style.paint(Tone::Bad, "failed");
        out.push_str(&format!("{sign} {host}{}: {what}\n", action.unwrap_or_default()));
    }
    if applied.without_elder {
        out.push_str("not started: what dials an elder, for no elder is up\n");
    }
    let skipped = applied.skipped(plan);
    let mut line = format!(
        "apply: {}; {} failed; {skipped} skipped",
        render::applied(plan, &applied.done),
        applied.failed.len(),
    );
    if !plan.unplanned.is_empty() {
        let names: Vec<&str> = plan.unplanned.keys().take(NAMED).map(HostName::as_str).collect();
        let more = match plan.unplanned.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        line.push_str(&format!("; not planned: {}{more}", names.join(", ")));
    }
    if !plan.overridden.is_empty() {
        line.push_str(&format!("; {}", render::overridden(plan.overridden.len())));
    }
    out.push_str(&line);
    out.push('\n');
    let mend =
        if applied.failed.values().all(|failure| failure.is_stale) { "" } else { "mend what failed and " };
    if !applied.failed.is_empty() || skipped > 0 {
        out.push_str(&format!("to go on from there, {mend}run: {}\n", command()));
    }
    out
}

/// How many hosts are named at the end; all are where it began.
const NAMED: usize = 5;

/// What was typed.
fn command() -> String {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    format!("spore {}", shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default())
}
