//! `spore verify` and `spore history`, which read the receipts that applies leave on the hosts.
//! They change nothing. `verify` also completes the handshake with every node that should be
//! running.

use super::args::{Args, HostsOptions};
use super::survey::{Basis, Subject};
use super::{Exit, folder, survey, terminal};
use crate::facts::{Current, Facts, interpret};
use crate::identity::SwarmKey;
use crate::network::Secrets;
use crate::plan::{Handshakes, Options, Probed};
use crate::remote::Connection;
use crate::render;
use crate::resource::{Contact, HostName, NodeName};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// Recomputes the digests of everything that receipts name, compares, and completes the handshake
/// with the nodes.
pub(crate) async fn verify(args: Args, mut options: HostsOptions) -> miette::Result<Exit> {
    // A remembered digest proves nothing here.
    options.connection.rehash = true;
    let (basis, met) = probe_and_greet(&args, &options).await?;
    let mut tally = render::Verified::default();
    for (host, probed) in basis.probed() {
        if basis.is_idle(host) {
            continue;
        }
        let Some(facts) = known(host, probed) else {
            tally.unknown();
            continue;
        };
        let Current { receipt, graph, asked, .. } = interpret(host, facts);
        let receipt = receipt.filter(|receipt| basis.is_ours(receipt));
        let compared = receipt.as_ref().map(|receipt| (receipt, receipt.compare(&graph, &asked)));
        let greeted = met.get(host).cloned().unwrap_or_default();
        terminal::out(&tally.host(host, compared.as_ref(), &greeted));
    }
    terminal::out(&tally.conclusion());
    Ok(match (tally.is_sound(), tally.is_complete()) {
        (true, true) => Exit::Done,
        (true, false) => Exit::Unplanned,
        (false, _) => Exit::Changes,
    })
}

/// Probes the hosts that the options name, or all, and completes the handshake with their nodes.
///
/// # Errors
/// If the folder can't be read, or doesn't have one of the hosts.
async fn probe_and_greet(
    args: &Args,
    options: &HostsOptions,
) -> miette::Result<(Basis, BTreeMap<HostName, render::Greeted>)> {
    let subject = subject(args, options)?;
    let (basis, hosts) = survey::probe_some(&subject, options).await?;
    let expected = basis.planner.handshakes(basis.probed());
    let met = match subject.network.swarm_key.here() {
        Some(key) => greet(hosts, expected, key).await,
        None => BTreeMap::new(),
    };
    Ok((basis, met))
}

/// Completes the handshakes on all hosts at the same time.
async fn greet(
    mut hosts: BTreeMap<HostName, Connection>,
    expected: BTreeMap<HostName, Handshakes>,
    key: &SwarmKey,
) -> BTreeMap<HostName, render::Greeted> {
    let mut greeting = JoinSet::new();
    for (name, Handshakes { due, rekeyed, starting }) in expected {
        let Some(host) = hosts.remove(&name) else { continue };
        let key = key.clone();
        greeting.spawn(async move {
            let mut nodes: BTreeMap<NodeName, Contact> = host.handshakes(due, &key).await;
            nodes.retain(|node, contact| match contact {
                Contact::Failed(why) => !(starting.contains(node) && why.may_pass()),
                _ => true,
            });
            (name, render::Greeted { nodes, rekeyed })
        });
    }
    greeting.join_all().await.into_iter().collect()
}

/// Lists the applies that the receipts name.
pub(crate) async fn history(args: Args, options: HostsOptions) -> miette::Result<Exit> {
    let (basis, _) = survey::probe_some(&subject(&args, &options)?, &options).await?;
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

/// Reads the folder.
///
/// # Errors
/// If the folder can't be read.
fn subject(args: &Args, options: &HostsOptions) -> miette::Result<Subject> {
    terminal::set_up_reports(args);
    let folder = folder::read(args, options.folder.outside(), Secrets::Needed)?;
    Subject::of(folder, None, Options::default())
}
