//! Updates after which a node doesn't become healthy: its old files are restored and it
//! runs with them again, even if the controller or the power is cut off meanwhile.

use std::{path::PathBuf, time::Duration};

use crate::binary;
use crate::faults::controller::Controller;
use crate::faults::trip::{Side, Trip};
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::{SOON, meshed, start, starts};

/// A running network, and a tau with which its members exit.
fn network(lab: &Lab, elder: &LabHost, members: &[&LabHost]) -> (Network, PathBuf) {
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    network.elder("elders", elder);
    members.iter().for_each(|member| network.node("all", member));
    network.apply(&[]).exits(0);
    for member in members {
        member.sh("printf 'only dying\\ndie-after 0.1\\n' >/tb/config/all.fault");
    }
    let dying = binary::another(binary::stand_in(), "dying", network.home());
    (network, dying)
}

/// Asserts that both the binary on the disk and the binary that the process runs have this
/// digest.
fn runs(host: &LabHost, tau: &str) {
    let script = "sha256sum /tb/bin/tau /proc/$(systemctl show -P MainPID tau@all.service)/exe";
    let found = host.sh(script);
    assert!(found.lines().count() == 2 && found.lines().all(|line| line.starts_with(tau)), "{tau}: {found}");
}

fn digest_of_binary(host: &LabHost) -> String {
    host.sh("sha256sum </tb/bin/tau").split_whitespace().next().unwrap_or_default().to_owned()
}

fn rolled_back(run: Run, host: &LabHost) {
    run.says_in_one_line(&[
        "tau@all.service is not healthy: it crashed 2 times",
        "rolled back: restored /tb/bin/tau (the new files are staged as /tb/bin/.spore-tau-",
        "tau@all.service is healthy again with the old files",
    ]);
    let names = host.sh("ls -A /tb/bin");
    let names: Vec<&str> = names.lines().collect();
    assert!(
        matches!(names[..], [staged, "tau"] if staged.starts_with(".spore-tau-") && !staged.contains("kept")),
        "{names:?}"
    );
}

pub(crate) fn an_update(lab: &Lab) {
    let hosts = lab.up_many(3, &Suite::Bookworm.machine());
    let [elder, first, second] = &hosts[..] else { panic!("three hosts") };
    let (mut network, dying) = network(lab, elder, &[first, second]);
    let (old, before) = (digest_of_binary(first), starts("all", &[first, second]));
    network.pin(&dying);
    let plan = network.plan(&[]).exits(2);
    plan.says("a node that doesn't become healthy with its new files is rolled back to its old ones");

    let run = network.apply(&[]).exits(1).says("dying, as the fault file says");
    rolled_back(run, first);
    runs(first, &old);
    assert_ne!(start("all", first), before[0], "it was restarted with its old binary");
    assert_eq!(start("all", second), before[1], "the second is skipped");
    meshed(&[first, second], &[elder], 4242);

    // The next plan shows the change again, and its apply ends in the same way.
    let plan = network.plan(&[]).exits(2);
    assert!(plan.of_host(first).iter().any(|line| line.contains("~ /tb/bin/tau")), "{plan}");
    rolled_back(network.apply(&[]).exits(1), first);
    runs(first, &old);

    first.sh("rm /tb/config/all.fault");
    second.sh("rm /tb/config/all.fault");
    network.apply(&[]).exits(0);
    network.is_in_place(&["--rehash"]);
    assert_eq!(first.sh("ls -A /tb/bin /tb/config"), second.sh("ls -A /tb/bin /tb/config"));
    assert!(!first.sh("ls -A /tb/bin /tb/config").contains(".spore-"));
    assert_ne!(digest_of_binary(first), old);
}

pub(crate) fn no_revert(lab: &Lab) {
    let [elder, member] =
        &lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let (mut network, dying) = network(lab, elder, &[member]);
    let old = digest_of_binary(member);
    network.pin(&dying);
    let plan = network.plan(&["--no-revert"]).exits(2);
    plan.says("is left as it is (--no-revert)");
    let run = network.apply(&["--no-revert"]).exits(1).says("tau@all.service is not healthy");
    run.is_silent_on("rolled back");
    assert_ne!(digest_of_binary(member), old);
    let restarts =
        || member.sh("systemctl show -P NRestarts tau@all.service").trim().parse().unwrap_or(0_u32);
    let first = restarts();
    wait_until(SOON, "systemd restarts it again", || restarts() > first);
    // There is no working state to roll back to, so the node isn't rolled back: a first
    // start doesn't count as an update.
    network.apply(&[]).exits(1).says("tau@all.service is not healthy").is_silent_on("rolled back");
    member.sh("rm /tb/config/all.fault");
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
}

/// The controller is killed, or the power cut, at each step of a failing switch and of
/// its rollback.
pub(crate) fn cut_off(lab: &Lab) {
    let [elder, member] =
        &lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let (mut network, dying) = network(lab, elder, &[member]);
    let old = digest_of_binary(member);
    network.pin(&dying);
    let staged = "*/tb/bin/tau\\ */tb/bin/.spore-tau-????????????????";
    let points = [
        ("kept, not replaced", "ln", "*/tb/bin/.spore-tau-*.kept", Side::After),
        ("replaced, not started", "systemctl", "restart\\ --\\ tau@all*", Side::Before),
        ("the new one isn't staged yet", "ln", staged, Side::Before),
        ("both have two names", "ln", "*/tb/bin/.spore-tau-*.part", Side::After),
        ("put back", "mv", "*.part\\ /tb/bin/tau", Side::After),
        ("healthy, and still kept", "rm", "*/tb/bin/.spore-tau-*.kept", Side::Before),
    ];
    for (i, (situation, command, pattern, side)) in points.into_iter().enumerate() {
        let trip = Trip::lay(member, command, pattern, side);
        let controller = Controller::apply(&network, &[]);
        trip.wait();
        if i % 2 == 0 {
            member.power_cut();
            trip.lift_from_disk();
            controller.end().exits(1);
            member.boot();
        } else {
            controller.kill();
            drop(trip);
            let is_free = || member.try_sh("[ ! -e /run/spore/.holder ]").is_ok();
            wait_until(Duration::from_secs(90), "the host is unlocked", is_free);
        }
        network.plan(&[]).exits(2);
        let run = network.apply(&[]).exits(1);
        assert!(run.to_string().contains("rolled back"), "{situation}: {run}");
        rolled_back(run, member);
        runs(member, &old);
    }
    member.sh("rm /tb/config/all.fault");
    network.apply(&[]).exits(0);
    network.is_in_place(&["--rehash"]);
    assert_eq!(member.sh("ls -A /tb/bin"), "tau\n");
}

/// Setgid directories, and programs from other packages (busybox) that come first in
/// root's PATH.
pub(crate) fn odd_hosts(lab: &Lab) {
    let [host] = &lab.up([("host", Suite::Bookworm.machine())]);
    host.sh("mkdir -p /tb/config /opt/odd; chmod 2775 /tb /tb/config
        for name in stat mv head sha256sum base64 sync; do
            printf '#!/bin/sh\\necho \"$0: unrecognized option\" >&2; exit 1\\n' >/opt/odd/$name; chmod 755 /opt/odd/$name
        done
        echo 'PATH=/opt/odd:$PATH' >>/root/.bashrc; echo 'PATH=/opt/odd:$PATH' >>/root/.profile
        echo 'SetEnv PATH=/opt/odd:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' >>/etc/ssh/sshd_config
        systemctl restart ssh.service");
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.elder("elders", host);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    host.sh("chmod 2775 /tb /tb/config /tb/storage");
    network.plan(&[]).exits(2).last_says("3 to change");
    network.apply(&[]).exits(0);
    assert_eq!(host.sh("stat -c %a /tb /tb/config /tb/storage"), "755\n750\n750\n");
    network.is_in_place(&[]);

    // No journal is stored, so the node's port is the only evidence.
    host.sh("mkdir -p /etc/systemd/journald.conf.d
        printf '[Journal]\\nStorage=none\\n' >/etc/systemd/journald.conf.d/none.conf
        rm -rf /run/log/journal/* /var/log/journal/*; systemctl restart systemd-journald.service");
    network.shape("elders", Shape::new(4342));
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
}
