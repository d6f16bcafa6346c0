//! How an apply continues when something fails: the rules of `plan::scheduler`, on real
//! hosts.

use std::time::Duration;

use crate::binary;
use crate::faults::{Controller, Side, Trip};
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::{healthy_at, start, starts};

/// A network of running elders, and members that dial them.
fn running(lab: &Lab, elders: &[&LabHost], members: &[&LabHost]) -> Network {
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("worker", Shape::new(5242).services(&["hoarder"]));
    elders.iter().for_each(|host| network.elder("elders", host));
    members.iter().for_each(|host| network.node("worker", host));
    network.apply(&[]).exits(0).says("0 failed; 0 skipped");
    network
}

/// Makes a host's configurations read-only, as a failing disk does, or writable again.
fn read_only(host: &LabHost, is_read_only: bool) {
    host.sh(match is_read_only {
        true => "mount --bind /tb/config /tb/config && mount -o remount,bind,ro /tb/config",
        false => "umount /tb/config",
    });
}

/// Asserts what the last line begins with.
#[track_caller]
fn concludes(run: Run, text: &str) -> Run {
    let last = run.last_line();
    assert!(last.starts_with(text), "expected the last line to begin with `{text}`: {run}");
    run
}

pub(crate) fn hosts_that_cannot_be_staged(lab: &Lab) {
    let hosts = lab.up_many(5, &Suite::Bookworm.machine());
    let [e1, e2, w1, w2, w3] = &hosts[..] else { panic!("five hosts") };
    let (elders, members) = ([e1, e2], [w1, w2, w3]);
    let mut network = running(lab, &elders, &members);
    let before = (starts("elders", &elders), starts("worker", &members));
    let untouched = || (starts("elders", &elders), starts("worker", &members)) == before;

    // The host of the canary can't be staged, and then that of an elder: nothing is
    // switched on any host.
    network.shape("worker", Shape::new(5342).services(&["hoarder"]));
    for (host, port) in [(w1, 4342), (e1, 4352)] {
        // With another port, all files have to be staged again.
        network.shape("elders", Shape::new(port));
        read_only(host, true);
        let run =
            network.apply(&[]).exits(1).says_in_one_line(&["skipped", "nothing is switched", host.name()]);
        concludes(run, &format!("apply: 1 host failed ({})", host.name())).is_silent_on("wave 1 of");
        assert!(untouched(), "{} can't be staged, and something was restarted", host.name());
        read_only(host, false);
    }

    // If a failure is allowed, another worker is the canary and is updated alone, before
    // the rest.
    network.shape("elders", Shape::new(4242));
    read_only(w1, true);
    let run = network.apply(&["--max-failures", "1"]).exits(1);
    concludes(run, &format!("apply: 1 host failed ({})", w1.name()));
    assert_eq!(start("worker", w1), before.1[0]);
    assert!(healthy_at("worker", w2) < start("worker", w3).at, "the second worker is the canary");
    assert_eq!(starts("elders", &elders), before.0);

    // One worker is gone and another can't be staged: the last healthy worker isn't
    // restarted.
    network.shape("worker", Shape::new(5442).services(&["hoarder"]));
    w2.power_cut();
    let last = start("worker", w3);
    let run = network.apply(&["--max-failures", "1"]).exits(1);
    run.says_in_one_line(&["skipped", w3.name(), "the last healthy node of shape worker"]);
    assert_eq!(start("worker", w3), last, "the last healthy worker was restarted");

    read_only(w1, false);
    w2.boot();
    w2.wait();
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
}

pub(crate) fn elders_that_die(lab: &Lab) {
    let hosts = lab.up_many(3, &Suite::Bookworm.machine());
    let elders: Vec<&LabHost> = hosts.iter().collect();
    let [e1, e2, e3] = elders[..] else { panic!("three hosts") };
    let mut network = running(lab, &elders, &[]);

    // The first elder crashes after its turn, during the second elder's turn.
    let third = start("elders", e3);
    network.shape("elders", Shape::new(4342));
    let trip = Trip::lay(e2, "systemctl", "*restart*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    e1.sh("systemctl kill -s KILL tau@elders.service");
    wait_until(Duration::from_secs(30), "systemd has restarted the first elder", || {
        e1.try_sh(
            "systemctl show -P NRestarts tau@elders.service | grep -qx 1 &&
            systemctl is-active --quiet tau@elders.service",
        )
        .is_ok()
    });
    trip.go();
    let run = controller.end().exits(1).says_in_one_line(&[e1.name(), "crashed or was restarted"]);
    concludes(run, &format!("apply: 1 host failed ({})", e1.name()));
    assert_eq!(start("elders", e3), third, "the third elder was restarted although the first had died");
    network.apply(&[]).exits(0);

    // Two elders are stopped by hand after the plan was made: the last one isn't restarted.
    network.shape("elders", Shape::new(4442));
    let last = start("elders", e1);
    let trip = Trip::lay(e1, "sync", "*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    for host in [e2, e3] {
        host.sh("systemctl stop tau@elders.service");
    }
    trip.go();
    controller.end().exits(1).says_in_one_line(&["skipped", e1.name(), "the last healthy elder"]);
    assert_eq!(start("elders", e1), last, "the last elder was restarted");
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
}

pub(crate) fn targets_at_once(lab: &Lab) {
    let hosts = lab.up_many(3, &Suite::Bookworm.machine());
    let elders: Vec<&LabHost> = hosts.iter().collect();
    let [e1, e2, e3] = elders[..] else { panic!("three hosts") };
    let mut network = running(lab, &elders, &[]);

    // Three pipelines, each with one elder as its target, take turns.
    network.shape("elders", Shape::new(4342));
    let targets: Vec<String> = elders.iter().map(|host| format!("elders@{}", host.name())).collect();
    let applies: Vec<Controller<'_>> = targets
        .iter()
        .map(|target| {
            let mut apply = Controller::apply(&network, &["--target", target, "--lock-wait", "140"]);
            // By now this apply has read the folder, which starting the next one rewrites.
            apply.says("plan: ");
            apply
        })
        .collect();
    for apply in applies {
        apply.end().exits(0);
    }
    let mut turns: Vec<(u64, u64)> =
        elders.iter().map(|host| (start("elders", host).at, healthy_at("elders", host))).collect();
    turns.sort_unstable();
    assert!(turns.is_sorted_by(|first, next| first.1 < next.0), "two elders were down together: {turns:?}");
    network.is_in_place(&[]);

    // Restarting the last healthy elder is destructive.
    network.shape("elders", Shape::new(4442));
    e2.power_cut();
    e3.sh("systemctl stop tau@elders.service");
    let before = start("elders", e1);
    let target = ["--target", &targets[0]];
    network.plan(&target).exits(2).says_in_one_line(&["! elders@", "the last healthy elder", e2.name()]);
    network.apply(&target).exits(1);
    assert_eq!(start("elders", e1), before);
    network.apply(&[&target[..], &["--allow-destructive"]].concat()).exits(0);
    assert_ne!(start("elders", e1), before);
}

/// If an action succeeds, but its effect is gone by the end of the apply, the apply fails.
pub(crate) fn a_change_that_does_not_last(lab: &Lab) {
    let [host] = &lab.up([("undone", Suite::Bookworm.machine())]);
    let mut network = running(lab, &[host], &[]);
    host.sh("chmod 644 /tb/config/keys/swarm.key");
    network.shape("elders", Shape::new(4342));
    let trip = Trip::lay(host, "systemctl", "restart\\ --\\ tau@elders*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    let mode = || host.stat("/tb/config/keys/swarm.key").map(|stat| stat.mode);
    assert_eq!(mode(), Some(0o600), "the first wave has set it");
    network.plan(&[]).says_in_one_line(&["note: ", host.name(), "is locked by", "`spore apply`"]);
    host.sh("chmod 644 /tb/config/keys/swarm.key");
    trip.go();
    let run = concludes(controller.end().exits(1), &format!("apply: 1 host failed ({})", host.name()));
    drop(trip);
    run.says_in_one_line(&[
        "failed",
        "/tb/config/keys/swarm.key",
        "still differs from the plan after the apply",
    ]);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
}
