//! `spore verify` and `spore history`, which read the receipts that applies leave on the hosts.
//! They change nothing.

use super::args::{Args, HostsOptions};
use super::survey::{Basis, Subject};
use super::{Exit, folder, survey, terminal};
use crate::facts::{Current, Facts, interpret};
use crate::plan::{Options, Probed};
use crate::render;
use crate::resource::HostName;

/// Recomputes the digests of everything that receipts name, and compares.
pub(crate) async fn verify(args: Args, mut options: HostsOptions) -> miette::Result<Exit> {
    // A remembered digest proves nothing here.
    options.connection.rehash = true;
    let basis = gathered(&args, &options).await?;
    let (mut same, mut differ, mut unknown) = (0, 0, 0);
    for (host, probed) in basis.probed() {
        if basis.is_idle(host) {
            continue;
        }
        let Some(facts) = known(host, probed) else {
            unknown += 1;
            continue;
        };
        let Current { receipt, graph, asked, .. } = interpret(host, facts);
        let receipt = receipt.filter(|receipt| basis.is_ours(receipt));
        let compared = receipt.as_ref().map(|receipt| (receipt, receipt.compare(&graph, &asked)));
        terminal::out(&render::verified(host, compared.as_ref()));
        match compared.filter(|(receipt, _)| !receipt.superseded) {
            Some((_, compared)) if !compared.changed.is_empty() => differ += 1,
            Some((_, compared)) if compared.unknown.is_empty() => same += 1,
            Some(_) | None => unknown += 1,
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
pub(crate) async fn history(args: Args, options: HostsOptions) -> miette::Result<Exit> {
    let basis = gathered(&args, &options).await?;
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

/// Probes the hosts that the options name, or all.
///
/// # Errors
/// If the folder can't be read, or doesn't have one of the hosts.
async fn gathered(args: &Args, options: &HostsOptions) -> miette::Result<Basis> {
    terminal::set_up_reports(args);
    let folder = folder::read(args, options.folder.outside())?;
    let subject = Subject::of(folder, None, Options::default())?;
    survey::probe_some(&subject, options).await
}
