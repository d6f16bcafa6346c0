//! Updates are safe by their order.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::bench::{Bench, another_tau, settled};
use super::table::Came;
use crate::host::{Host, Suite, wait_until};
use crate::watch::{healthy_at, meshed, start};

pub(crate) fn elders_and_batches(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up_many(5, &Suite::Trixie.machine());
    let all: Vec<&Host> = hosts.iter().collect();
    let [one, two, members @ ..] = &all[..] else { panic!("five hosts") };
    let mut network = bench.network(&[one, two], members);
    bench.begin("order", "two elders, then a canary, then batches");
    network.apply(&[]).exits(0);
    meshed(&all, &[one, two], 4242);
    // As long as it takes by default: that is what gives members the time to
    // find an elder again before the next one goes.
    network.set("SPORE_TIMEOUT", "settle=5");
    network.pin(&another_tau(&network, "new"));
    let (over, alone) = (AtomicBool::new(false), AtomicBool::new(false));
    let elders = BTreeSet::from([one.addr(), two.addr()]);
    thread::scope(|scope| {
        // The last one watches: it is restarted when all elders have been.
        let watching = members[members.len() - 1];
        let pid = start("all", watching);
        let (over, alone, elders) = (&over, &alone, &elders);
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let peers = watching.peers_connected(4242);
                if peers.is_disjoint(elders) && watching.pid_of("tau@all.service") == Some(pid.pid) {
                    alone.store(true, Ordering::SeqCst);
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        network.apply(&["--batch", "1"]).exits(0);
        over.store(true, Ordering::SeqCst);
    });
    assert!(!alone.load(Ordering::SeqCst), "a member was without an elder");
    // One after the other: each was healthy before the next began.
    let shape = |host: &Host| if elders.contains(&host.addr()) { "elders" } else { "all" };
    let mut turns: Vec<_> = all
        .iter()
        .map(|host| (start(shape(host), host).at, healthy_at(shape(host), host), shape(host)))
        .collect();
    turns.sort_unstable();
    for pair in turns.windows(2) {
        assert!(pair[0].1 < pair[1].0, "each is healthy before the next begins: {turns:?}");
    }
    assert_eq!(
        turns.iter().map(|turn| turn.2).collect::<Vec<_>>(),
        ["elders", "elders", "all", "all", "all"]
    );
    settled(&network, &all);
    wait_until(Duration::from_secs(20), "all are connected again", || {
        members.iter().all(|host| elders.is_subset(&host.peers_connected(4242)))
    });
    bench.came(Came::Through);
}
