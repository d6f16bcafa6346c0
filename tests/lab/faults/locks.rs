//! Who holds a host, and for how long.

use std::time::{Duration, Instant};

use super::bench::{Bench, LOCK_WAIT, another_tau, converges, settled, wipe};
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

    // What the dead controller began never acts beside the next one.
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
        if cut || next.runs() {
            next.says("waiting for it");
        }
        next.says("planning again");
        let free = begun.elapsed();
        assert!(host.try_sh("pgrep -f 'mv.*[.]spore-tau'").is_err(), "the first one's shell is gone");
        assert!(free < Duration::from_secs(20), "it held the host for {free:?}");
        trip.go();
        next.end().exits(0);
        drop(trip);
        settled(&network, &[host]);
        bench.came(Came::Converged);
    }

    // What takes long and is heard of is let be.
    wipe(&[host]);
    bench.begin(FAULT, "apt takes three times as long as let-go");
    network.shape("elders", Shape::new(4242));
    network.shape("build", Shape::new(5242).services(&["monkey"]));
    network.node("build", host);
    let trip = Trip::lay(host, "apt-get", "*install*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    super::cable::pass(Duration::from_secs(12));
    assert!(trip.is_tripped() && host.try_sh("pgrep -f '[a]pt-get.*install'").is_ok(), "it is still there");
    trip.go();
    controller.end().exits(0);
    drop(trip);
    settled(&network, &[host]);
    host.sh("dpkg -s docker.io | grep -q 'ok installed'");
    bench.came(Came::Through);

    // apt goes on by itself when the controller is killed; it is mended.
    bench.begin(FAULT, "controller killed, apt hangs");
    host.sh("apt-get -qq purge -y docker.io >/dev/null 2>&1");
    let trip = Trip::lay(host, "apt-get", "*install*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    controller.kill();
    wait_until(Duration::from_secs(20), "apt is ended", || {
        host.try_sh("pgrep -f '[a]pt-get.*install'").is_err()
    });
    drop(trip);
    converges(&network, &[host]);
    bench.came(Came::Converged);
}
