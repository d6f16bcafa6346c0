//! `spore rehearse`: the folder's plan and apply, from nothing, on pretended
//! hosts. What leads to anything real is taken out of the network once it has
//! been read; from there on it goes as it always goes.

use super::args::{ApplyOptions, Args};
use super::pretended::{failure, unless_interrupted, written};
use super::survey::survey_of;
use super::{Exit, Failure, apply, folder, terminal};
use crate::artifact::{Architecture, Pin, Source};
use crate::identity::SshKeyKind;
use crate::network::{At, KeyFile, Login, Network, Ssh};
use crate::pretend::{Fleet, here, program};
use crate::remote::TimeOut;
use crate::render::{self, Style, Tone};
use crate::resource::Sha256;
use crate::ssh::KnownHosts;
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub(crate) async fn run(args: &Args) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let style = terminal::style(args);
    let network = folder::read(args, &folder::find(args.network.as_deref())?)?;
    if network.hosts.is_empty() {
        return Err(Failure::new("there is no host to pretend", "add one to hosts.yaml first").into());
    }
    unless_interrupted(rehearse(args, network, style)).await
}

async fn rehearse(args: &Args, network: Network, style: Style) -> miette::Result<Exit> {
    let mut fleet = Fleet::begin().map_err(failure)?;
    let architecture = network.tau.keys().next().copied().unwrap_or_else(here);
    terminal::out(&format!("{}\n\n", style.paint(Tone::Strong, "a rehearsal: no host of yours is reached")));
    terminal::out(&assumptions(&network, architecture));
    let network = pretended(network, architecture, &mut fleet).await?;
    let known = KnownHosts::parse(Path::new("known_hosts"), &fleet.known_hosts());

    let mut options = ApplyOptions::default();
    // Nodes that are pretended don't die seconds after they have started.
    options.plan.timeouts.extend("settle=0.5".parse::<TimeOut>());
    let survey = survey_of(network.clone(), &known, &options.plan, None).await?;
    terminal::out(&render::plan(&survey.plan, style));
    if !survey.plan.unplanned.is_empty() || !survey.plan.refusals.is_empty() {
        terminal::out(
            "\nrehearsal: it can't be applied as it is, and would not be; your hosts were not touched\n",
        );
        return Ok(Exit::Failed);
    }
    if !survey.plan.is_empty() {
        terminal::out("\n");
        let applied = apply::unasked(args, &options, survey).await?;
        if applied != Exit::Done {
            terminal::out("rehearsal: it failed; your hosts were not touched\n");
            return Ok(applied);
        }
    }
    terminal::out("\nand planned again:\n");
    let survey = survey_of(network, &known, &options.plan, None).await?;
    terminal::out(&render::plan(&survey.plan, style));
    if !survey.plan.is_empty() {
        terminal::out("rehearsal: something is left to do; your hosts were not touched\n");
        return Ok(Exit::Failed);
    }
    terminal::out(
        "rehearsal: it went well; your hosts were not touched. `spore plan` looks at them, and changes nothing\n",
    );
    Ok(Exit::Done)
}

/// What isn't known of the real hosts, and what is taken for it.
fn assumptions(network: &Network, architecture: Architecture) -> String {
    let count = network.hosts.len();
    let mut text = format!(
        "{count} {} named as yours, each a Debian for {architecture} as it is after installation: with systemd
and apt, without a firewall, a resolver on port 53, a container engine or another tau.
They are directories of this machine, with SSH servers on 127.0.0.1; your SSH keys and
passwords are not used.
",
        if count == 1 { "host is" } else { "hosts are" }
    );
    let plugins = network.shapes.values().flat_map(|shape| &shape.plugins).any(|plugin| plugin.is_there);
    let files = if plugins { "tau and plugins are" } else { "tau is" };
    text.push_str(&format!(
        "In the place of files, {files} a few bytes that are never run: so nothing is downloaded, and\nit isn't tau that judges configurations.\n",
    ));
    if network.tau.is_empty() {
        text.push_str(
            "The folder names no tau: this takes one for granted (`spore tau pin URL|FILE` names it).\n",
        );
    }
    text.push('\n');
    text
}

/// The network, of hosts that are pretended: the same in everything but how
/// they are reached and what the programs are.
async fn pretended(
    mut network: Network,
    architecture: Architecture,
    fleet: &mut Fleet,
) -> miette::Result<Network> {
    let place = |file: &str| fleet.directory().join(file);
    let (ssh_key, tau, plugins) = (place("ssh_key"), place("tau"), place("plugins"));
    fs::write(&ssh_key, fleet.user_key().map_err(failure)?).map_err(written)?;

    let bytes = program(architecture, "\nThis is no tau: `spore rehearse` puts it where one would be.\n");
    let source = Source::Path(tau.to_string_lossy().into_owned());
    network.tau = [(architecture, Pin { source, sha256: Sha256::of(&bytes), binary: None })].into();
    fs::write(tau, bytes).map_err(written)?;

    fs::create_dir(&plugins).map_err(written)?;
    for plugin in network.shapes.values_mut().flat_map(|shape| &mut shape.plugins) {
        plugin.value.file = plugins.join(&plugin.name);
        fs::write(&plugin.file, program(architecture, &plugin.name)).map_err(written)?;
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
        host.ssh = Ssh { address: ssh_address, port: address.port, logins: vec![Arc::new(login)] };
    }
    Ok(network)
}
