//! `spore verify` and `spore history`, which read the receipts that applies leave on the hosts.
//! They change nothing.

use super::args::{Args, HostsOptions};
use super::survey::{Basis, Subject};
use super::{Exit, folder, survey, terminal};
use crate::facts::{Current, Facts, interpret};
use crate::network::Secrets;
use crate::plan::{Options, Probed};
use crate::render;
use crate::resource::HostName;

/// Recomputes the digests of everything that receipts name, and compares.
pub(crate) async fn verify(args: &Args, options: &HostsOptions) -> miette::Result<Exit> {
    let mut options = options.clone();
    // A remembered digest proves nothing here.
    options.connection.rehash = true;
    let Some(basis) = gathered(args, &options, "verify").await? else { return Ok(Exit::Interrupted) };
    let (mut same, mut differ, mut unknown) = (0, 0, 0);
    for (host, probed) in basis.probed() {
        if basis.is_idle(host) {
            continue;
        }
        let state = known(host, probed).map(|facts| interpret(host, facts));
        let ours = |state: &Current| state.receipt.clone().filter(|receipt| basis.is_ours(receipt));
        match state.as_ref().map(|state| (state, ours(state))) {
            Some((state, Some(receipt))) => {
                let differing = receipt.differing(&state.graph);
                terminal::out(&render::verified(host, &receipt, &differing));
                if differing.is_empty() { same += 1 } else { differ += 1 }
            }
            Some((_, None)) => {
                unknown += 1;
                terminal::out(&format!("{host}: unknown, because it has no receipt of an apply\n"));
            }
            None => unknown += 1,
        }
    }
    let hosts = |n| render::counted(n, "host");
    let mut parts =
        vec![format!("{} as the last apply left {}", hosts(same), if same == 1 { "it" } else { "them" })];
    parts.extend((differ > 0).then(|| format!("{} changed", hosts(differ))));
    parts.extend((unknown > 0).then(|| format!("{} unknown", hosts(unknown))));
    terminal::out(&format!("verify: {}\n", parts.join("; ")));
    Ok(match (differ, unknown) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Unplanned,
        (_, _) => Exit::Changes,
    })
}

/// Lists the applies that the receipts name.
pub(crate) async fn history(args: &Args, options: &HostsOptions) -> miette::Result<Exit> {
    let Some(basis) = gathered(args, options, "history").await? else { return Ok(Exit::Interrupted) };
    let (mut listed, mut without) = (0, 0);
    for (host, probed) in basis.probed() {
        if basis.is_idle(host) {
            continue;
        }
        let receipt = known(host, probed).and_then(Facts::receipt).filter(|receipt| basis.is_ours(receipt));
        match receipt {
            Some(receipt) => {
                listed += 1;
                terminal::out(&render::history(host, &receipt.applies()));
            }
            None => without += 1,
        }
    }
    let mut conclusion = format!("history: {}", render::counted(listed, "host"));
    if without > 0 {
        conclusion += &format!("; {} without a receipt", render::counted(without, "host"));
    }
    terminal::out(&format!("{conclusion}\n"));
    Ok(if without > 0 { Exit::Unplanned } else { Exit::Done })
}

/// The facts of a host, if it has given any. Otherwise says why not.
fn known<'a>(host: &HostName, probed: &'a Probed) -> Option<&'a Facts> {
    match probed {
        Probed::Facts(facts) => Some(facts),
        Probed::Nothing(why) => {
            terminal::out(&format!("{host}: unknown: {}; {}\n", render::why(why), render::help(why)));
            None
        }
    }
}

/// Probes the hosts. `None` if the user interrupted `command`.
async fn gathered(args: &Args, options: &HostsOptions, command: &str) -> miette::Result<Option<Basis>> {
    terminal::set_up_reports(args);
    let mut interrupts = terminal::Interrupts::listen();
    let (for_work, options) = (args.clone(), options.clone());
    match interrupts.unless(async move { probe(&for_work, &options).await }).await {
        Some(basis) => basis.map(Some),
        None => {
            terminal::out(&format!("{command}: interrupted\n"));
            Ok(None)
        }
    }
}

/// Probes the hosts that the options name, or all.
///
/// # Errors
/// If the folder can't be read, or doesn't have one of the hosts.
async fn probe(args: &Args, options: &HostsOptions) -> miette::Result<Basis> {
    let folder = folder::read(args, options.folder.outside(), Secrets::Needed)?;
    let subject = Subject::of(folder, None, Options::default())?;
    survey::probe_some(&subject, options).await
}
