//! `spore apply`, and `spore retire`, which is an apply of a cleared host.

use super::args::{ApplyOptions, Args};
use super::progress::{self, Watched};
use super::survey::{Survey, survey};
use super::{Exit, Failure, terminal};
use crate::plan::Plan;
use crate::plan::action::Action;
use crate::remote::{Applied, Holder, Host, Locked, Payload, Payloads, Redactor, Stop, apply};
use crate::render::{self, Style, Tone};
use crate::resource::{HostName, Secret, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

pub(crate) async fn run(
    args: &Args,
    options: &ApplyOptions,
    retire: Option<&HostName>,
) -> miette::Result<Exit> {
    let survey = tokio::select! {
        survey = survey(args, &options.plan, retire) => survey?,
        _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
    };
    let style = terminal::style(args);
    terminal::out(&render::plan(&survey.plan, style));
    if survey.plan.is_empty() {
        return Ok(if survey.plan.unplanned.is_empty() { Exit::Done } else { Exit::Failed });
    }
    if !agreed(&survey.plan, options)? {
        terminal::note("nothing was changed");
        return Ok(Exit::Failed);
    }
    let stop = Stop::default();
    tokio::select! {
        exit = carry_out(survey, style, &stop) => exit,
        () = interrupted_twice(&stop) => Ok(Exit::Interrupted),
    }
}

/// Does what the plan says, until `stop` is asked, and shows how it goes and
/// how it ended.
pub(super) async fn carry_out(survey: Survey, style: Style, stop: &Stop) -> miette::Result<Exit> {
    let Survey { network, stock, desired, plan, hosts } = survey;
    let payloads =
        tokio::task::block_in_place(|| payloads(&plan, &desired.payloads, &stock, &network.folder))?;
    let redactor = Redactor::new(secrets(&network).iter());
    let locked = lock(hosts, &plan).await?;
    if stop.is_asked() {
        unlock(locked).await;
        return Ok(Exit::Interrupted);
    }

    let (sender, receiver) = unbounded_channel();
    let shown = tokio::spawn(progress::show(receiver, Watched::new(&plan, style)));
    let (applied, hosts) = apply(&plan, locked, Arc::new(payloads), Arc::new(redactor), stop, sender).await;
    // It ends when the last sender is gone.
    let _ = shown.await;
    unlock(hosts).await;
    terminal::out(&conclusion(&applied, &plan, style));
    Ok(match (applied.interrupted, applied.failed.is_empty() && plan.unplanned.is_empty()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    })
}

/// Whether a person, or the command line, has agreed to the plan.
fn agreed(plan: &Plan, options: &ApplyOptions) -> miette::Result<bool> {
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
    Ok(terminal::confirm(question))
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
    let staged = plan.stage.values().flatten().filter_map(|action| match action {
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

/// Locks every host that the plan touches, or none.
async fn lock(hosts: BTreeMap<HostName, Host>, plan: &Plan) -> miette::Result<BTreeMap<HostName, Locked>> {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let holder = Holder {
        who: format!("{user}@{}", machine.trim()),
        pid: std::process::id(),
        command: "spore apply".to_owned(),
        since: String::new(),
    };
    let touched: BTreeSet<&HostName> =
        plan.stage.keys().chain(plan.waves.iter().flat_map(|wave| wave.hosts.keys())).collect();
    let mut locking = tokio::task::JoinSet::new();
    for (name, host) in hosts {
        if touched.contains(&name) {
            let holder = holder.clone();
            locking.spawn(async move { (name, host.lock(&holder).await) });
        }
    }
    let mut locked = BTreeMap::new();
    let mut refused = Vec::new();
    while let Some(joined) = locking.join_next().await {
        match joined {
            Ok((name, Ok(host))) => {
                locked.insert(name, host);
            }
            Ok((name, Err(refusal))) => refused.push((name, refusal.error)),
            Err(_) => {}
        }
    }
    refused.sort_by(|a, b| a.0.cmp(&b.0));
    match refused.first() {
        None => Ok(locked),
        Some((name, error)) => {
            let (what, help) = (format!("{name}: {error}; nothing was changed"), error.help());
            for host in locked.into_values() {
                let _ = host.unlock().await;
            }
            Err(Failure::new(what, help).into())
        }
    }
}

async fn unlock(hosts: BTreeMap<HostName, Locked>) {
    for host in hosts.into_values() {
        // A host that can't be told lets go by itself.
        if let Ok(host) = host.unlock().await {
            host.close().await;
        }
    }
}

/// The first Ctrl-C lets what runs end; the second ends at once.
async fn interrupted_twice(stop: &Stop) {
    let _ = tokio::signal::ctrl_c().await;
    stop.ask();
    terminal::note("interrupted: what runs is let end, nothing new begins; once more to end at once");
    let _ = tokio::signal::ctrl_c().await;
}

/// What was done, what failed, what wasn't reached, and how to go on.
fn conclusion(applied: &Applied, plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    for (host, what) in &applied.failed {
        let first = what.lines().next().unwrap_or_default();
        out.push_str(&format!("{} {host}: {first}\n", style.paint(Tone::Bad, "failed")));
    }
    let mut line = format!("apply: {} done", applied.done);
    if applied.already > 0 {
        line.push_str(&format!(" ({} of them before)", applied.already));
    }
    line.push_str(&format!("; {} failed; {} not reached", applied.failed.len(), applied.not_reached));
    if !plan.unplanned.is_empty() {
        let hosts = if plan.unplanned.len() == 1 { "host" } else { "hosts" };
        line.push_str(&format!("; {} {hosts} not planned", plan.unplanned.len()));
    }
    out.push_str(&line);
    out.push('\n');
    if !applied.failed.is_empty() || applied.not_reached > 0 {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let command = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        out.push_str(&format!("to go on from there, mend what failed and run: spore {command}\n"));
    }
    out
}
