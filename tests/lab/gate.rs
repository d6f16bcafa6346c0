//! Several nodes on a host; and nodes that fail to start: later waves aren't started, the
//! apply reports the reason, and the next plan still contains the change.

use std::time::Duration;

use crate::alive::{hold, let_go};
use crate::binary;
use crate::host::{Lab, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::watch::{meshed, start, starts};

pub(crate) fn two_shapes_on_one_host(lab: &Lab) {
    let [elder, both] = &lab.up([("elder", Suite::Trixie.machine()), ("both", Suite::Bookworm.machine())]);
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.shape("store", Shape::new(6242).services(&["hoarder"]));
    network.elder("elders", elder);
    network.node("all", both);
    network.node("store", both);
    network.apply(&[]).exits(0);
    let (all, store) = (start("all", both), start("store", both));
    assert_ne!(all.pid, store.pid);
    let connections = || both.sh("ss -Htn state established 'dport = :4242' | wc -l");
    wait_until(Duration::from_secs(20), "both are connected", || connections() == "2\n");
    network.is_in_place(&[]);

    // Changing or removing one of the nodes doesn't restart the other.
    network.shape("store", Shape::new(6342).services(&["hoarder"]));
    network.apply(&[]).exits(0);
    assert_eq!(start("all", both), all);
    let store_now = start("store", both);
    assert_ne!(store_now, store);
    network.remove_node("all", both);
    network.apply(&["--allow-destructive"]).exits(0);
    assert_eq!(start("store", both), store_now);
    both.sh("! systemctl is-active --quiet tau@all.service; [ ! -e /tb/config/all.yaml ]; [ -e /tb/config/keys/swarm.key ]");
    network.is_in_place(&[]);

    // A new node uses the port of a removed node.
    network.remove_node("store", both);
    network.shape("web", Shape::new(6342).services(&["substrate"]));
    network.node("web", both);
    network.apply(&["--allow-destructive"]).exits(0);
    meshed(&[both], &[elder], 4242);
    network.is_in_place(&[]);
}

pub(crate) fn a_node_that_cannot_start(lab: &Lab) {
    let hosts = lab.up_many(4, &Suite::Bookworm.machine());
    let [elder, first, second, third] = &hosts[..] else { panic!("four hosts") };
    let members = [first, second, third];
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    network.elder("elders", elder);
    members.iter().for_each(|host| network.node("all", host));

    // The elder exits at its first start, so no node that dials it is started.
    elder.sh("mkdir -p /tb/config; echo die-after 0.1 >/tb/config/elders.fault");
    let run = network.apply(&[]).exits(1).says("dying, as the fault file says");
    let run = run.says_in_one_line(&["skipped"]).says("fix the failure, then resume with: spore apply");
    assert!(run.lines_with(elder.name()).any(|line| line.contains("failed")), "{run}");
    for host in members {
        host.sh("! systemctl is-active --quiet tau@all.service");
    }
    // The elder is stopped, and stays stopped instead of crash-looping.
    run.says("stopped to end the crash loop");
    assert_eq!(elder.sh("systemctl show -P ActiveState tau@elders.service"), "inactive\n");
    network.plan(&[]).exits(2);
    elder.sh("rm /tb/config/elders.fault");
    network.apply(&[]).exits(0);
    meshed(&members, &[elder], 4242);
    network.is_in_place(&[]);

    // The first member exits after an update: the others aren't updated.
    let before = starts("all", &members);
    network.shape("all", Shape::new(5342).services(&["tns", "hoarder"]));
    // A plan would name who holds the port, so this one was made before.
    let planned = network.home().join("plan.json");
    let planned = planned.to_string_lossy();
    network.plan(&["-o", &planned]).exits(2);
    hold(first, "STREAM", "0.0.0.0", 5342);
    network.plan(&[]).exits(3).says("tau@all.service needs port 5342/tcp, but perl (process ");
    let run = network.apply(&[&planned]).exits(1).says("address already in use");
    run.says_in_one_line(&["skipped"]).says_in_one_line(&[
        "TCP port 5342 is held by ",
        "rolled back: restored /tb/config/all.yaml",
        "healthy again",
    ]);
    first.sh("grep -q 5242 /tb/config/all.yaml; ss -Htln 'sport = :5242' | grep -q .
        [ -e /tb/config/.spore-all.yaml-* ]");
    assert_ne!(start("all", first), before[0], "it was restarted with its old files");
    assert_eq!(starts("all", &[second, third]), before[1..], "later waves aren't started");
    for host in [second, third] {
        host.sh("grep -q 5242 /tb/config/all.yaml; ss -Htln 'sport = :5242' | grep -q .");
    }
    // The next plan begins with the same node.
    let_go(first);
    let plan = network.plan(&[]).exits(2);
    assert!(plan.of_host(first).iter().any(|line| line.contains("tau@all.service")), "{plan}");
    // Applying the previous version of the folder undoes the update.
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    network.apply(&[]).exits(0);
    assert_eq!(starts("all", &[second, third]), before[1..], "the other members were never restarted");
    network.is_in_place(&[]);
    network.shape("all", Shape::new(5342).services(&["tns", "hoarder"]));
    network.apply(&[]).exits(0);
    meshed(&members, &[elder], 4242);
    network.is_in_place(&[]);
}
