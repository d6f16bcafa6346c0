//! The lock of a host: when it is released, and that nothing is done without it.

use std::time::{Duration, Instant};

use super::bench::{Bench, LOCK_WAIT, TIME_OUTS, another_tau, converges, look_like, pictures, settled, wipe};
use super::controller::Controller;
use super::table::Came;
use super::trip::{Side, Trip};
use crate::host::{Suite, wait_until};
use crate::network::Shape;

const FAULT: &str = "locks";

pub(crate) fn let_go(bench: &mut Bench<'_>) {
    let [host] = &bench.lab.up([("host", Suite::Bookworm.machine())]);
    let mut network = bench.network(&[host], &[]);
    network.log_in_as(host, "tau");

    // The actions of a killed controller never run at the same time as the actions of the
    // next one.
    for (situation, cut) in
        [("controller killed, its shell hangs", false), ("network cut, its shell hangs", true)]
    {
        wipe(&[host]);
        bench.begin(FAULT, situation);
        let trip = Trip::lay(host, "mv", "*/.spore-tau-*\\ /tb/bin/tau", Side::Before);
        let first = Controller::apply(&network, &[]);
        trip.wait();
        let begun = Instant::now();
        if cut {
            host.cut();
            first.kill();
            host.heal();
            super::cable::reachable(host);
        } else {
            first.kill();
        }
        network.pin(&another_tau(&network, if cut { "two" } else { "one" }));
        let mut next = Controller::apply(&network, &LOCK_WAIT);
        // If the controller was killed, the host may have released its lock before the next
        // apply needs it.
        let mut line = next.says_one_of(&["waiting for it", "✓"]);
        if line.contains("waiting for it") {
            line = next.says("planning again");
        }
        assert!(!cut || line.contains("planning again"), "the host wasn't locked after the cut");
        let free = begun.elapsed();
        assert!(host.try_sh("pgrep -f 'mv.*[.]spore-tau'").is_err(), "the first one's shell still runs");
        assert!(free < Duration::from_secs(20), "the host was locked for {free:?}");
        trip.go();
        next.end().exits(0);
        drop(trip);
        settled(&network, &[host]);
        bench.came(Came::Converged);
    }

    // A long action isn't interrupted while the heartbeat arrives.
    wipe(&[host]);
    bench.begin(FAULT, "apt takes three times as long as let-go");
    network.shape("elders", Shape::new(4242));
    network.shape("build", Shape::new(5242).services(&["monkey"]));
    network.node("build", host);
    let trip = Trip::lay(host, "apt-get", "*install*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    super::cable::pass(Duration::from_secs(12));
    assert!(trip.is_tripped() && host.try_sh("pgrep -f '[a]pt-get.*install'").is_ok(), "apt was interrupted");
    trip.go();
    controller.end().exits(0);
    drop(trip);
    settled(&network, &[host]);
    host.sh("dpkg -s docker.io | grep -q 'ok installed'");
    bench.came(Came::Through);

    // A hanging apt is killed after its controller was killed, and the next apply fixes the
    // package.
    bench.begin(FAULT, "controller killed, apt hangs");
    host.sh("apt-get -qq purge -y docker.io >/dev/null 2>&1");
    let trip = Trip::lay(host, "apt-get", "*install*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    controller.kill();
    wait_until(Duration::from_secs(20), "apt is killed", || {
        host.try_sh("pgrep -f '[a]pt-get.*install'").is_err()
    });
    drop(trip);
    converges(&network, &[host]);
    bench.came(Came::Converged);
}

/// The release of locks with the default time-outs; skipped by `--short`.
pub(crate) fn by_default(bench: &mut Bench<'_>) {
    if bench.leaves_out("locks::by_default") {
        return;
    }
    let [host] = &bench.lab.up([("host", Suite::Bookworm.machine())]);
    let mut network = bench.network(&[host], &[]);
    network.shape("build", Shape::new(5242).services(&["monkey"]));
    network.node("build", host);
    network.set("SPORE_TIMEOUT", "settle=1");

    bench.begin(FAULT, "by default: apt takes five minutes");
    let trip = Trip::lay(host, "apt-get", "*install*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    super::cable::pass(Duration::from_secs(300));
    assert!(host.try_sh("pgrep -f '[a]pt-get.*install'").is_ok(), "apt was interrupted");
    trip.go();
    controller.end().exits(0);
    drop(trip);
    settled(&network, &[host]);
    bench.came(Came::Through);

    bench.begin(FAULT, "by default: network cut for good, its shell hangs");
    wipe(&[host]);
    let trip = Trip::lay(host, "mv", "*/.spore-tau-*\\ /tb/bin/tau", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    host.cut();
    let begun = Instant::now();
    controller.kill();
    let is_free = || host.try_sh("[ ! -e /run/spore/.holder ]").is_ok();
    wait_until(Duration::from_secs(100), "the host is unlocked", is_free);
    let held = begun.elapsed().as_secs();
    assert!((50..80).contains(&held), "the host was locked for {held} s");
    host.heal();
    super::cable::reachable(host);
    drop(trip);
    converges(&network, &[host]);
    bench.came(Came::Converged);
}

/// Nothing is done without the lock, and a missing answer never counts as success.
pub(crate) fn given_up(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let mut network = bench.network(&[elder], &[member]);
    // `let-go` must be longer than a start takes.
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},let-go=12"));

    // The controller is suspended: its locks are released, and another user applies.
    bench.begin(FAULT, "controller asleep for longer than let-go");
    let trip = Trip::lay(elder, "systemctl", "*start\\ --\\ tau@elders*", Side::Before);
    let first = Controller::apply(&network, &[]);
    trip.wait();
    first.signal("STOP");
    trip.go();
    let free = "[ ! -e /run/spore/.holder ] && systemctl is-active --quiet tau@elders.service";
    wait_until(Duration::from_secs(40), "the elder is unlocked", || elder.try_sh(free).is_ok());
    let free = "[ ! -e /run/spore/.holder ]";
    wait_until(Duration::from_secs(20), "the member is unlocked", || member.try_sh(free).is_ok());
    drop(trip);
    let another = another_tau(&network, "somebody-else's").display().to_string();
    network.apply(&["--tau", &another]).exits(0);
    let before = pictures(&hosts);
    first.signal("CONT");
    let run = first.end().exits(1);
    // The elder's script may have been killed while it waited for the handshake. Otherwise the
    // apply next talks to the elder, to check its nodes, or to the member. Each reports that the
    // lock is lost.
    run.says_in_one_line(&["connection lost while", "released the lock"]);
    look_like(&hosts, &before);
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "the lock's holder on the host is killed");
    wipe(&hosts);
    let trip = Trip::lay(member, "mv", "*/.spore-tau-*\\ /tb/bin/tau", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    member.sh("pkill -9 -o -f 'flock -n [9]'");
    trip.go();
    let run = controller.end().exits(1);
    run.says_in_one_line(&[
        member.name(),
        "connection lost while running this action",
        "was killed (status 137)",
    ]);
    drop(trip);
    converges(&network, &hosts);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "sshd allows one session on a connection");
    network.pin(&another_tau(&network, "next"));
    let before = pictures(&[member]);
    member.sh("echo MaxSessions 1 >/etc/ssh/sshd_config.d/one.conf; systemctl reload ssh");
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&[member.name(), "can't be locked", "MaxSessions"]);
    look_like(&[member], &before);
    member.sh("rm /etc/ssh/sshd_config.d/one.conf; systemctl reload ssh");
    converges(&network, &hosts);
    bench.came(Came::ClearError);
}
