//! Concurrent changes: a manual edit, a second apply, and another host at the same address.

use super::bench::{Bench, LOCK_WAIT, converges, members_shape, pictures, settled};
use super::controller::Controller;
use super::table::Came;
use super::trip::{Side, Trip};
use crate::host::{LabHost, Suite};
use crate::network::Network;
use crate::watch::{start, starts};

const FAULT: &str = "others";

pub(crate) fn edited(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let mut network = bench.network(&[elder], &[member]);
    network.apply(&[]).exits(0);

    bench.begin(FAULT, "configuration edited between plan and apply");
    network.shape("all", members_shape(5342));
    // When the lock is taken, the plan has been made.
    edited_while(&network, member, Trip::lay(member, "mktemp", "*spore-beat*", Side::Before));
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "configuration edited between two waves");
    network.shape("all", members_shape(5242));
    network.shape("elders", crate::network::Shape::new(4342));
    let trip = Trip::lay(elder, "systemctl", "*start\\ --\\ tau@elders*", Side::Before);
    edited_while(&network, member, trip);
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "node restarted between plan and apply");
    network.shape("all", members_shape(5342));
    let trip = Trip::lay(member, "mktemp", "*spore-beat*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    member.sh("systemctl restart tau@all.service");
    let before = starts("all", &[member]);
    trip.go();
    let run = controller.end().exits(1);
    run.says_in_one_line(&[member.name(), "restart tau@all.service", "changed on the host since the plan"]);
    assert_eq!(starts("all", &[member]), before, "a node that was restarted meanwhile is left alone");
    drop(trip);
    converges(&network, &hosts);
    bench.came(Came::ClearError);
}

/// A node's configuration is edited while an apply is paused. The apply stops at this file,
/// reports the difference and doesn't change the file.
fn edited_while(network: &Network, member: &LabHost, trip: Trip<'_>) {
    let controller = Controller::apply(network, &[]);
    trip.wait();
    member.sh("sed -i 's/lat: .*/lat: 2.5/' /tb/config/all.yaml; grep -q 'lat: 2.5' /tb/config/all.yaml");
    let looks = || (member.sh("sha256sum /tb/config/all.yaml"), start("all", member));
    let before = looks();
    trip.go();
    let run = controller.end().exits(1);
    let run =
        run.says_in_one_line(&[member.name(), "/tb/config/all.yaml", "not done; run `spore plan` again"]);
    run.says_in_one_line(&[
        "changed on the host since the plan: /tb/config/all.yaml (expected a file",
        "found a file",
    ]);
    assert_eq!(looks(), before, "nothing should be changed");
}

pub(crate) fn two_at_once(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let network = bench.network(&[elder], &[member]);
    bench.begin(FAULT, "two at once: the second reports the first, or waits");
    let trip = Trip::lay(member, "mv", "*/.spore-tau-*\\ /tb/bin/tau", Side::Before);
    let first = Controller::apply(&network, &[]);
    trip.wait();
    let who = ["locked by tester@", "(process ", "`spore apply`, plan "];
    let told = network.apply(&[]).exits(1);
    told.says_in_one_line(&who).says("nothing was changed").says("--lock-wait");
    let told = network.apply(&["--lock-wait", "2"]).exits(1);
    told.says_in_one_line(&who);
    let mut second = Controller::apply(&network, &LOCK_WAIT);
    second.says("waiting for it");
    trip.go();
    first.end().exits(0);
    let before = [start("elders", elder), start("all", member)];
    second.says("planning again");
    second.end().exits(0);
    assert_eq!([start("elders", elder), start("all", member)], before, "the second apply restarts nothing");
    drop(trip);
    settled(&network, &hosts);
    bench.came(Came::Through);
}

/// A host is rebooted, reinstalled, or replaced by another host.
pub(crate) fn another_machine(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([
        ("elder", Suite::Trixie.machine()),
        ("member", Suite::Bookworm.machine()),
        ("other", Suite::Bookworm.machine()),
    ]);
    let [elder, member, other] = &hosts;
    let hosts = [elder, member];
    let mut network = bench.network(&[elder], &[member]);
    network.apply(&[]).exits(0);

    bench.begin(FAULT, "host rebooted between plan and lock");
    network.shape("all", members_shape(5442));
    let trip = Trip::lay(member, "mktemp", "*spore-beat*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    member.power_cut();
    trip.lift_from_disk();
    let run = controller.end().exits(1);
    run.says_in_one_line(&[member.name(), "lost while locking the host"]);
    member.boot();
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "host rebooted between two waves");
    network.shape("all", members_shape(5342));
    network.shape("elders", crate::network::Shape::new(4342));
    let trip = Trip::lay(elder, "systemctl", "*start\\ --\\ tau@elders*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    member.power_cut();
    member.boot();
    trip.go();
    let run = controller.end().exits(1);
    run.says_in_one_line(&[member.name(), "lost while"]);
    drop(trip);
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "host reinstalled: another host key");
    let before = pictures(&hosts);
    network.shape("all", members_shape(5242));
    member.sh("rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh");
    let plan = network.plan(&[]).exits(3);
    plan.says_in_one_line(&[member.name(), "not planned", "key"]);
    assert_eq!(pictures(&[member]), before[1..], "nothing should be changed");
    let known =
        format!("{} {}", member.addr(), member.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub"));
    network.know(member, &known);
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "another machine at the same address");
    let before = pictures(&[other]);
    network.shape("all", members_shape(5342));
    network.reach_at(member, &other.addr().to_string(), 22);
    network.know(member, &known.replace(&member.addr().to_string(), &other.addr().to_string()));
    let run = network.apply(&[]);
    run.exits(1).says_in_one_line(&[member.name(), "not planned", "key"]);
    assert_eq!(pictures(&[other]), before, "nothing should be changed");
    network.reach_at(member, &member.addr().to_string(), 22);
    network.know(member, &known);
    converges(&network, &hosts);
    assert_eq!(starts("all", &[member]).len(), 1);
    bench.came(Came::ClearError);
}
