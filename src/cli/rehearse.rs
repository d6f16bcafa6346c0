//! `spore rehearse`: plans and applies the folder on simulated, freshly installed hosts.
//! Once the network has been read, its logins, SSH addresses and artifacts are replaced;
//! from then on, the code is the same as for `plan` and `apply`.

use super::args::{ApplyOptions, Args, FolderOptions};
use super::known_hosts::HostKeys;
use super::pretended::{failure, unless_interrupted, written};
use super::survey::{Subject, survey_of};
use super::{CommandError, Exit, apply, folder, terminal};
use crate::artifact::{Architecture, Pin, Source};
use crate::identity::{NodeKey, SshKeyKind};
use crate::network::{At, Keeper, KeyFile, Login, Network, Place, Secrets, Ssh};
use crate::plan::Options;
use crate::pretend::{Fleet, here, program};
use crate::remote::TimeOut;
use crate::render::{self, Style, Tone};
use crate::resource::Sha256;
use crate::ssh::KnownHosts;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) async fn run(args: &Args, options: FolderOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let style = terminal::style(args);
    let (network, _) = folder::read(args, options.outside(), Secrets::Needed)?;
    if network.hosts.is_empty() {
        return Err(CommandError::new("the folder has no hosts to simulate", "add one to hosts.yaml").into());
    }
    unless_interrupted(rehearse(args, network, style)).await
}

async fn rehearse(args: &Args, network: Network, style: Style) -> miette::Result<Exit> {
    let mut fleet = Fleet::begin().map_err(failure)?;
    let architecture = network.tau.keys().next().copied().unwrap_or_else(here);
    terminal::out(&format!(
        "{}\n\n",
        style.paint(Tone::Strong, "rehearsal on simulated hosts; your hosts are not contacted")
    ));
    terminal::out(&assumptions(&network, architecture));
    let network = pretended(network, architecture, &mut fleet).await?;
    let file = PathBuf::from("known_hosts");
    let host_keys = HostKeys::of(KnownHosts::parse(&file, &fleet.known_hosts()), file);

    let mut options = ApplyOptions::default();
    // A simulated node never exits seconds after its start, so a short settle time is
    // enough.
    options.plan.connection.timeouts.extend("settle=0.5".parse::<TimeOut>());
    options.plan.connection.no_ssh_config = true;
    let subject = || Subject::of((network.clone(), BTreeMap::new()), None, Options::default());
    let survey = survey_of(subject()?, &host_keys, &options.plan.connection).await?;
    terminal::out(&render::plan(&survey.plan, style));
    if !survey.plan.unplanned.is_empty() || !survey.plan.refusals.is_empty() {
        terminal::out(
            "\nrehearsal: failed, because the plan above can't be applied; your hosts were not contacted\n",
        );
        return Ok(Exit::Failed);
    }
    if !survey.plan.is_empty() {
        terminal::out("\n");
        let applied = apply::unasked(args, &options, survey).await?;
        if applied != Exit::Done {
            terminal::out("rehearsal: the apply failed; your hosts were not contacted\n");
            return Ok(applied);
        }
    }
    terminal::out("\nplanning again:\n");
    let survey = survey_of(subject()?, &host_keys, &options.plan.connection).await?;
    terminal::out(&render::plan(&survey.plan, style));
    if !survey.plan.is_empty() {
        terminal::out(
            "rehearsal: failed, because the plan isn't empty after the apply; your hosts were not contacted\n",
        );
        return Ok(Exit::Failed);
    }
    terminal::out(
        "rehearsal: succeeded; your hosts were not contacted. Run `spore plan` to compare them with the folder\n",
    );
    Ok(Exit::Done)
}

/// Returns the text on what the rehearsal assumes about the hosts, and what it doesn't
/// check.
fn assumptions(network: &Network, architecture: Architecture) -> String {
    let count = network.hosts.len();
    let mut text = format!(
        "Simulating {count} {}, each as a freshly installed Debian on {architecture}: it has systemd and apt,
but no firewall, no resolver on port 53, no container engine and no tau.
Each is a directory on this machine with an SSH server on 127.0.0.1. Your SSH keys and
passwords are not used.
",
        if count == 1 { "host" } else { "hosts" }
    );
    let plugins = network.shapes.values().flat_map(|shape| &shape.plugins).any(|plugin| plugin.is_there);
    let files = if plugins {
        "A placeholder stands in for tau and for each plugin"
    } else {
        "A placeholder stands in for tau"
    };
    text.push_str(&format!(
        "{files}: nothing is downloaded, and\ntau doesn't validate the configurations.\n",
    ));
    if network.tau.is_empty() {
        text.push_str(
            "The folder pins no tau; the rehearsal assumes one (pin it with `spore tau pin URL|FILE`).\n",
        );
    }
    text.push('\n');
    text
}

/// Adds a simulated host to the fleet for each host of the network, and returns the network
/// with their SSH addresses and logins, and with placeholders for tau and the plugins.
/// Nothing else is replaced.
async fn pretended(
    mut network: Network,
    architecture: Architecture,
    fleet: &mut Fleet,
) -> miette::Result<Network> {
    let place = |file: &str| fleet.directory().join(file);
    let (ssh_key, tau, plugins) = (place("ssh_key"), place("tau"), place("plugins"));
    fs::write(&ssh_key, fleet.user_key().map_err(failure)?).map_err(written)?;

    let bytes = program(
        architecture,
        "\nThis isn't tau: it is the placeholder that `spore rehearse` installs instead.\n",
    );
    let source = Source::Path(tau.to_string_lossy().into_owned());
    let pin = Pin::new(source, Sha256::of(&bytes));
    let pinned = network.tau.remove(&architecture);
    let place = pinned.map_or_else(|| Place::of("tau.yaml"), |pinned| pinned.place);
    network.tau = [(architecture, At { value: pin, place })].into();
    fs::write(tau, bytes).map_err(written)?;

    fs::create_dir(&plugins).map_err(written)?;
    for plugin in network.shapes.values_mut().flat_map(|shape| &mut shape.plugins) {
        plugin.value.file = plugins.join(&plugin.name);
        fs::write(&plugin.file, program(architecture, &plugin.name)).map_err(written)?;
    }

    // A simulated host doesn't have the keys of the real one.
    for node in network.hosts.values_mut().flat_map(|host| host.nodes.values_mut()) {
        if node.keeper == Keeper::Host {
            let (key, place) = (NodeKey::generate(), node.shape.place.clone());
            node.id = Some(At { value: key.peer_id(), place: place.clone() });
            node.key = Some(At { value: key, place });
            node.keeper = Keeper::Folder;
        }
    }
    for (name, host) in &mut network.hosts {
        let address = fleet.add(name, architecture).await.map_err(failure)?.address().clone();
        let Some(theirs) = host.ssh.logins.first() else { continue };
        let key = KeyFile {
            written: "ssh_key".to_owned(),
            path: ssh_key.clone(),
            kind: Some(SshKeyKind::Plain),
            is_open: false,
        };
        let login = Login {
            name: theirs.name.clone(),
            user: theirs.user.clone(),
            keys: vec![At { value: key, place: theirs.name.place.clone() }],
            password: None,
        };
        let ssh_address = At { value: address.host, place: host.ssh.address.place.clone() };
        host.ssh = Ssh {
            address: ssh_address,
            more: Vec::new(),
            port: address.port,
            names_port: true,
            jumps: Vec::new(),
            unreadable_jump: None,
            logins: vec![Arc::new(login)],
        };
    }
    Ok(network)
}
