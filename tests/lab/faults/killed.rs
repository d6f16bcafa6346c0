//! The controller is killed after an action, each in its turn, and after each
//! file that was staged: plan and apply then lead to the same end, with no start
//! too many and none too few.

use std::{fs, path::Path};

use super::bench::{
    Bench, Picture, another_tau, converges, look_like, members_shape, pictures, settled, starts, wipe,
};
use super::controller::{Controller, LIMIT};
use super::table::Came;
use crate::host::{Host, Suite, wait_until};
use crate::network::Network;

/// When it is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Instant {
    /// So many actions have ended, the last of which is this one.
    Ended(usize, String),
    /// So many files are staged on the last host.
    Staged(usize),
}

pub(crate) fn first_apply(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let mut network = bench.network(&[elder], &[member]);
    network.log_in_as(member, "tau");
    bench.begin("controller killed, first apply", "reference");
    let run = network.apply(&[]).exits(0);
    let hosts = [elder, member];
    settled(&network, &hosts);
    let wanted = pictures(&hosts);
    let mut instants = instants(&run.to_string(), &hosts);
    instants.extend((1..5).map(Instant::Staged));
    for instant in bench.some(instants, 3) {
        wipe(&hosts);
        bench.begin("controller killed, first apply", &instant.to_string());
        killed_at(&network, &hosts, &instant, &wanted);
        bench.came(Came::Converged);
    }
}

pub(crate) fn update(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let mut network = bench.network(&[elder], &[member]);
    network.log_in_as(elder, "tau");
    network.plant_passphrase();
    let shape = |main| members_shape(main).services(&["tns", "auth", "accounts"]);
    network.shape("all", shape(5242));
    member.sh("mkdir -p /tb/config; echo enterprise >/tb/config/all.fault");
    bench.begin("controller killed, update", "reference");
    network.apply(&[]).exits(0);
    // There and back again: everything changes each time.
    let taus = ["one", "two"].map(|mark| another_tau(&network, mark));
    let mut wanted = Vec::new();
    let mut found = Vec::new();
    for (tau, port) in taus.iter().zip([5342, 5242]) {
        network.pin(tau);
        network.shape("all", shape(port));
        let run = network.apply(&[]).exits(0);
        settled(&network, &hosts);
        wanted.push(pictures(&hosts));
        found = instants(&run.to_string(), &hosts);
    }
    found.extend((1..3).map(Instant::Staged));
    for (turn, instant) in bench.some(found, 3).into_iter().enumerate() {
        network.pin(&taus[turn % 2]);
        network.shape("all", shape([5342, 5242][turn % 2]));
        bench.begin("controller killed, update", &instant.to_string());
        killed_at(&network, &hosts, &instant, &wanted[turn % 2]);
        bench.came(Came::Converged);
    }
}

/// Each action that was said to have ended, in the order that the plan has;
/// side by side, hosts may come in another.
fn instants(said: &str, hosts: &[&Host]) -> Vec<Instant> {
    let ended = said.lines().filter(|line| line.contains('✓'));
    let name = |line: &str| {
        let words = line.trim().trim_start_matches('✓').trim();
        hosts.iter().fold(words.to_owned(), |words, host| words.replace(host.name(), "").trim().to_owned())
    };
    ended.enumerate().map(|(i, line)| Instant::Ended(i + 1, name(line))).collect()
}

fn killed_at(network: &Network, hosts: &[&Host], instant: &Instant, wanted: &[Picture]) {
    let before: Vec<usize> = hosts.iter().map(|host| starts(host)).collect();
    let mut controller = Controller::apply(network, &[]);
    match instant {
        Instant::Ended(count, _) => (0..*count).for_each(|_| drop(controller.says("✓"))),
        Instant::Staged(count) => {
            let last = hosts[hosts.len() - 1];
            wait_until(LIMIT, "files are staged", || staged(&last.disk()) >= *count || !controller.runs());
        }
    }
    controller.kill();
    converges(network, hosts);
    look_like(hosts, wanted);
    let after: Vec<usize> = hosts.iter().map(|host| starts(host)).collect();
    let due: Vec<usize> = before.iter().map(|count| count + 1).collect();
    assert_eq!(after, due, "starts, where each node was due to be started once");
}

/// How many files stand beside their places on a host's disk.
fn staged(disk: &Path) -> usize {
    let folders = ["tb/bin", "tb/config", "tb/config/keys", "etc/systemd/system"];
    let entries =
        folders.iter().filter_map(|folder| fs::read_dir(disk.join(folder)).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".spore-") && !name.ends_with(".part")).count()
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended(_, action) => write!(f, "after: {action}"),
            Self::Staged(count) => write!(f, "after: staging of {count} files"),
        }
    }
}
