//! Applies that are cut off. The controller is killed after each action; or the controller
//! is killed, or the power of a host is cut, before a random command that changes
//! something. The next apply must reach the same state, with the same number of starts.

use std::{collections::BTreeSet, fs, time::Duration};

use super::bench::{
    Bench, Picture, another_tau, converges_with, look_like, members_shape, no_receipt_is_ahead, pictures,
    settled, starts, wipe,
};
use super::controller::{Controller, LIMIT};
use super::table::Came;
use super::trip::Turnstile;
use crate::host::{LabHost, Suite, wait_until};
use crate::keys::peer_id;
use crate::network::{Network, Shape};
use crate::takeover;
use crate::watch::each;

/// The number of commands that are chosen for each story, without `--short`.
const COMMANDS: usize = 12;

/// A situation that is applied repeatedly and cut off at a different point each time.
struct Story<'a> {
    name: &'static str,
    hosts: &'a [&'a LabHost],
    /// Options for the apply.
    options: &'static [&'static str],
    /// The number of instants with `--short`.
    short: usize,
    /// Whether the hosts are changed by hand, too.
    drifts: bool,
    /// Whether the hosts generate the keys of their nodes each time, so that their files differ.
    makes_keys: bool,
    /// Prepares hosts and folder. Even and odd turns may lead to different states, so that
    /// the story can go back and forth.
    begin: &'a dyn Fn(&mut Network, usize),
}

/// The end of the host's nth action.
struct Instant<'a> {
    host: &'a LabHost,
    nth: usize,
    action: String,
}

/// The instant before the host's nth command that changes something.
#[derive(Clone)]
struct Command<'a> {
    host: &'a LabHost,
    nth: usize,
}

/// What fails at an instant: the controller or the host's power.
#[derive(Clone, Copy, PartialEq)]
enum Gone {
    Controller,
    Power,
}

/// The result of an uninterrupted apply.
struct Whole {
    pictures: Vec<Picture>,
    /// The number of starts on each host.
    starts: Vec<usize>,
}

/// Everything that a first apply may have to do: packages, firewall, port 53.
pub(crate) fn first_apply(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let mut network = bench.network(&[elder], &[member]);
    network.log_in_as(member, "tau");
    network.shape("all", members_shape(5242).services(&["tns", "auth", "seer", "monkey"]).plugins(&["p@v1"]));
    network.write("plugins/p@v1", "a plugin\n");
    firewall(member);
    let story = Story {
        name: "first apply",
        hosts: &[elder, member],
        options: &[],
        short: 3,
        drifts: false,
        makes_keys: false,
        begin: &|_, _| {
            wipe(&[elder, member]);
            member.sh("dpkg --purge docker.io >/dev/null 2>&1; rm -rf /var/lib/apt/lists/*
                mkdir -p /tb/config; chmod 0711 /tb/config");
            resolver(member);
        },
    };
    story.told(bench, &mut network);
}

/// An update to a new binary and a new port, with drift.
pub(crate) fn update(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let mut network = bench.network(&[elder], &[member]);
    network.log_in_as(elder, "tau");
    network.plant_passphrase();
    let shape = |main| members_shape(main).services(&["tns", "auth", "accounts"]);
    network.shape("all", shape(5242));
    member.sh("mkdir -p /tb/config; echo enterprise >/tb/config/all.fault");
    firewall(member);
    bench.begin("controller killed, update", "before");
    network.apply(&[]).exits(0);
    let taus = ["one", "two"].map(|mark| another_tau(&network, mark));
    let story = Story {
        name: "update",
        hosts: &[elder, member],
        options: &[],
        short: 3,
        drifts: true,
        makes_keys: false,
        begin: &|network, turn| {
            network.pin(&taus[turn % 2]);
            network.shape("all", shape([5342, 5242][turn % 2]));
            member.sh("sed -i 's/^RestartSec=.*/RestartSec=9/' /etc/systemd/system/tau@.service; systemctl daemon-reload
                systemctl -q disable tau@all.service
                chmod 644 /tb/config/keys/swarm.key; rm /tb/config/keys/dv_public.key");
        },
    };
    story.told(bench, &mut network);
}

/// A node is removed with everything that it needed, and replaced by another one.
pub(crate) fn removal(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let mut network = bench.network(&[elder], &[member]);
    network.shape("all", members_shape(5242).services(&["tns", "seer"]).plugins(&["p@v1"]));
    network.write("plugins/p@v1", "a plugin\n");
    network.shape("next", Shape::new(6242).services(&["hoarder"]));
    network.node("next", member);
    let keys = ["all", "next"].map(|shape| network.key(shape, member).to_owned());
    network.remove_node("next", member);
    firewall(member);
    let story = Story {
        name: "removal",
        hosts: &[elder, member],
        options: &["--allow-destructive", "--purge-storage"],
        short: 2,
        drifts: false,
        makes_keys: false,
        begin: &|network, _| {
            resolver(member);
            network.remove_node("next", member);
            network.node_with_key("all", member, &keys[0]);
            network.apply(&["--allow-destructive", "--purge-storage"]).exits(0);
            member.sh("mkdir -p /tb/storage/all; echo data >/tb/storage/all/data");
            network.remove_node("all", member);
            network.node_with_key("next", member, &keys[1]);
        },
    };
    story.told(bench, &mut network);
}

/// Hosts that were set up by upstream's tool, with changes to their nodes. The apply has to
/// record what the nodes were started with before it changes anything.
pub(crate) fn takeover(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let mut network = bench.network(&[elder], &[member]);
    network.shape("elders", Shape::new(4342));
    network.shape("all", Shape::new(5342).services(&["tns", "hoarder"]));
    network.put_swarm_key_on_one_line();
    let tau = another_tau(&network, "of-upstream");
    let story = Story {
        name: "take-over",
        hosts: &[elder, member],
        options: &[],
        short: 2,
        drifts: false,
        makes_keys: false,
        begin: &|network, _| {
            wipe(&[elder, member]);
            takeover::plant_all(network, &[elder], &[member], &tau);
            // This file isn't secret, so spore doesn't remove it. No other file may be
            // left.
            each(&[elder, member], |host| drop(host.sh("rm /tmp/dv_public.key")));
        },
    };
    story.told(bench, &mut network);
}

/// All nodes are restarted with a new swarm key, elders first.
pub(crate) fn rotation(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let mut network = bench.network(&[elder], &[member]);
    bench.begin("controller killed, rotation", "before");
    network.apply(&[]).exits(0);
    let one = network.rotate_swarm_key();
    let two = network.put_swarm_key(one.clone());
    let story = Story {
        name: "rotation",
        hosts: &[elder, member],
        options: &["--allow-destructive"],
        short: 2,
        drifts: false,
        makes_keys: false,
        begin: &|network, turn| drop(network.put_swarm_key([&two, &one][turn % 2].clone())),
    };
    story.told(bench, &mut network);
}

/// A first apply of three elders and two members, whose keys their hosts generate first.
pub(crate) fn keyless(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([
        ("member", Suite::Bookworm.machine()),
        ("elder", Suite::Trixie.machine()),
        ("elder-2", Suite::Bookworm.machine()),
        ("elder-3", Suite::Bookworm.machine()),
        ("member-2", Suite::Trixie.machine()),
    ]);
    let [member, elder, elder2, elder3, member2] = &hosts;
    let all = [member, elder, elder2, elder3, member2];
    let mut network = bench.network(&[elder, elder2, elder3], &[member, member2]);
    network.log_in_as(member, "tau");
    let story = Story {
        name: "keyless",
        hosts: &all,
        options: &[],
        short: 3,
        drifts: false,
        makes_keys: true,
        begin: &|network, _| {
            wipe(&all);
            network.forget_keys();
        },
    };
    story.told(bench, &mut network);
}

/// The keys that the hosts have generated so far.
#[derive(Debug)]
struct Keys(Vec<String>);

impl Keys {
    fn of(hosts: &[&LabHost]) -> Self {
        Self(each(hosts, |host| {
            host.sh("cat /tb/config/keys/elders.key /tb/config/keys/all.key 2>/dev/null || true")
        }))
    }

    /// Asserts that these keys are still there, that every host has one by now, and that the folder
    /// has their ids and nothing else of them.
    #[track_caller]
    fn are_in_use(&self, network: &Network, hosts: &[&LabHost]) {
        let folder = fs::read_to_string(network.folder().join("hosts.yaml")).unwrap_or_default();
        assert!(!folder.contains("CAESQ"), "{folder}");
        for ((host, before), now) in hosts.iter().zip(&self.0).zip(Self::of(hosts).0) {
            assert!(before.is_empty() || *before == now, "{} has another key", host.name());
            assert_eq!(now.lines().count(), 1, "{} has one key", host.name());
            let id = peer_id(now.trim());
            assert!(folder.contains(&id), "{}: {id} isn't in the folder: {folder}", host.name());
        }
    }
}

/// Enables the firewall, with SSH allowed.
fn firewall(host: &LabHost) {
    host.sh("ufw allow 22/tcp >/dev/null; ufw --force enable >/dev/null");
}

/// Resets the resolver, whose stub listens on port 53, as on a new host.
fn resolver(host: &LabHost) {
    host.sh("rm -f /etc/systemd/resolved.conf.d/* /etc/resolv.conf*
        ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
        systemctl restart systemd-resolved.service");
    let stub = || host.sh("ss -Hulnp 'sport = :53'").contains("resolve");
    wait_until(Duration::from_secs(20), "the stub listens", stub);
}

impl Story<'_> {
    fn told(&self, bench: &mut Bench<'_>, network: &mut Network) {
        let (mut said, mut commands) = (String::new(), Vec::new());
        let wholes = [0, 1].map(|turn| {
            bench.begin(&format!("controller killed, {}", self.name), "not interrupted");
            (self.begin)(network, turn);
            let counting: Vec<_> =
                self.hosts.iter().map(|&host| (host, Turnstile::lay(host, None))).collect();
            let (whole, run) = self.whole(network, || {
                let passed = counting.into_iter().map(|(host, counting)| (host, counting.passed()));
                commands = passed
                    .flat_map(|(host, count)| (1..=count).map(move |nth| Command { host, nth }))
                    .collect();
            });
            said = run;
            whole
        });
        let mut turns = (0..2).cycle();
        for instant in bench.some(self.instants(&said), self.short) {
            let turn = turns.next().unwrap_or_default();
            bench.begin(&format!("controller killed, {}", self.name), &format!("after: {}", instant.action));
            (self.begin)(network, turn);
            self.killed_after(network, &instant, &wholes[turn]);
            bench.came(Came::Converged);
        }
        for command in bench.random.some(commands, if bench.short { 1 } else { COMMANDS }) {
            let turn = turns.next().unwrap_or_default();
            let gone = [Gone::Controller, Gone::Power][bench.random.below(2)];
            let fault = match gone {
                Gone::Controller => format!("controller killed, {}", self.name),
                Gone::Power => format!("power cut, {}", self.name),
            };
            bench.begin(&fault, &format!("before command {} of {}", command.nth, command.host.name()));
            (self.begin)(network, turn);
            match self.gone_before(network, &command, gone, &wholes[turn]) {
                Some(held) => {
                    bench.rename(&fault, &format!("before: {}", line(&held)));
                    bench.came(Came::Converged);
                }
                None => bench.came(Came::Through),
            }
        }
    }

    fn apply(&self) -> Vec<&'static str> {
        [self.options, &["--verbose"]].concat()
    }

    /// Applies without an interruption. Calls `over` after the apply and before the checks.
    fn whole(&self, network: &Network, over: impl FnOnce()) -> (Whole, String) {
        let before = self.starts();
        let run = network.apply(&self.apply()).exits(0);
        over();
        settled(network, self.hosts);
        (Whole { pictures: pictures(self.hosts), starts: self.starts_since(&before) }, run.to_string())
    }

    fn killed_after(&self, network: &Network, instant: &Instant<'_>, whole: &Whole) {
        let before = self.starts();
        let mut controller = Controller::apply(network, &self.apply());
        for _ in 0..instant.nth {
            controller.says(&format!("✓ {} ", instant.host.name()));
        }
        controller.kill();
        if !self.drifts {
            no_receipt_is_ahead(network);
        }
        let keys = Keys::of(self.hosts);
        converges_with(network, self.hosts, self.options);
        self.looks(network, whole, &keys);
        assert_eq!(self.starts_since(&before), whole.starts, "each node is started as often as necessary");
    }

    /// Lets the controller or the power fail before a command. Returns the command line of
    /// the command; `None` if the apply ended without running that many commands.
    fn gone_before(
        &self,
        network: &Network,
        command: &Command<'_>,
        gone: Gone,
        whole: &Whole,
    ) -> Option<String> {
        let before = self.starts();
        let wires = Turnstile::lay(command.host, Some(command.nth));
        let mut controller = Controller::apply(network, &self.apply());
        wait_until(LIMIT, "a command is paused", || wires.held().is_some() || !controller.runs());
        let Some(held) = wires.held() else {
            controller.end().exits(0);
            drop(wires);
            settled(network, self.hosts);
            self.looks(network, whole, &Keys::of(self.hosts));
            return None;
        };
        match gone {
            Gone::Controller => {
                controller.kill();
                // The host kills the paused command before it releases the lock, so the
                // command doesn't run later, unless it is the command that releases the
                // lock.
                if !held.contains("/run/spore/.holder") {
                    let is_free = || command.host.try_sh("[ ! -e /run/spore/.holder ]").is_ok();
                    wait_until(Duration::from_secs(30), "the host is unlocked", is_free);
                }
                drop(wires);
            }
            Gone::Power => {
                command.host.power_cut();
                wires.lift_from_disk();
                controller.end();
                command.host.boot();
            }
        }
        if !self.drifts {
            no_receipt_is_ahead(network);
        }
        let keys = Keys::of(self.hosts);
        converges_with(network, self.hosts, self.options);
        self.looks(network, whole, &keys);
        // The journal is in memory, so after a power cut starts can't be counted.
        if gone == Gone::Controller {
            assert_eq!(
                self.starts_since(&before),
                whole.starts,
                "each node is started as often as necessary"
            );
        }
        Some(held)
    }

    /// Asserts that the hosts look as after an apply that wasn't interrupted.
    #[track_caller]
    fn looks(&self, network: &Network, whole: &Whole, keys: &Keys) {
        match self.makes_keys {
            true => keys.are_in_use(network, self.hosts),
            false => look_like(self.hosts, &whole.pictures),
        }
    }

    /// The end of each action in the output, without duplicates. The actions of one host are
    /// in the order of the plan, but those of different hosts interleave.
    fn instants(&self, said: &str) -> Vec<Instant<'_>> {
        let mut known = BTreeSet::new();
        let of_host = |host| {
            let sign = format!("✓ {} ", LabHost::name(host));
            let ended = said.lines().filter_map(move |line| line.trim().strip_prefix(&sign).map(name));
            ended.enumerate().map(move |(i, action)| Instant { host, nth: i + 1, action }).collect::<Vec<_>>()
        };
        let all = self.hosts.iter().flat_map(|&host| of_host(host));
        all.filter(|instant| known.insert(instant.action.clone())).collect()
    }

    fn starts(&self) -> Vec<usize> {
        each(self.hosts, starts)
    }

    fn starts_since(&self, before: &[usize]) -> Vec<usize> {
        self.starts().iter().zip(before).map(|(now, before)| now - before).collect()
    }
}

/// The name of an action, without the parts that differ between runs.
fn name(action: &str) -> String {
    match action.split_once(": ") {
        Some((verb, command)) => {
            let file = command.split_whitespace().find_map(|word| word.strip_prefix("/tb/config/"));
            let file = file.map(|file| file.trim_start_matches(".spore-").split('-').next().unwrap_or(file));
            format!("{verb} {}", file.unwrap_or_default())
        }
        None => action.to_owned(),
    }
}

/// A command line, without the parts that differ between runs.
fn line(command: &str) -> String {
    let words = command.split_whitespace().filter(|word| *word != "--").map(|word| {
        let digest = |part: &str| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let parts = word.split('-').map(|part| match part.split_once('.') {
            Some((start, end)) if digest(start) && word.contains(".spore-") => format!("….{end}"),
            None if digest(part) && word.contains("spore-") => "…".to_owned(),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("-")
    });
    words.collect::<Vec<_>>().join(" ").chars().take(90).collect()
}
