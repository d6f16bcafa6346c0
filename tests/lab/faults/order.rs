//! The order of an update, which keeps the network available.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::bench::{Bench, another_tau, converges, members_shape, settled};
use super::table::Came;
use crate::host::{LabHost, Suite, wait_until};
use crate::network::Shape;
use crate::run::Run;
use crate::watch::{healthy_at, meshed, start, starts};

const FAULT: &str = "order";

pub(crate) fn elders_and_batches(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up_many(8, &Suite::Trixie.machine());
    let all: Vec<&LabHost> = hosts.iter().collect();
    let (elders, members) = all.split_at(2);
    let (many, few) = members.split_at(4);
    let mut network = bench.network(elders, many);
    network.shape("few", few_shape(6242));
    few.iter().for_each(|host| network.node("few", host));

    bench.begin(FAULT, "two elders, then the canaries, then a quarter at a time");
    network.apply(&[]).exits(0);
    meshed(&all, elders, 4242);
    // The default settle time gives members the time to reconnect to an elder before the
    // next elder is restarted.
    network.set("SPORE_TIMEOUT", "settle=5");
    network.pin(&another_tau(&network, "new"));
    let waves = waves(&network.plan(&[]).exits(2));
    let node = |shape: &str, host: &LabHost| format!("{shape}@{}", host.name());
    let wanted = [
        vec![node("elders", elders[0])],
        vec![node("elders", elders[1])],
        vec![node("all", many[0]), node("few", few[0])],
        vec![node("all", many[1]), node("all", many[2])],
        vec![node("all", many[3]), node("few", few[1])],
    ];
    assert_eq!(waves, wanted);
    let addresses: BTreeSet<_> = elders.iter().map(|host| host.addr()).collect();
    let (over, alone) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        // Watch one of the last members, which is restarted after all elders.
        let watching = many[3];
        let pid = start("all", watching);
        let (over, alone, addresses) = (&over, &alone, &addresses);
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let peers = watching.peers_connected(4242);
                if peers.is_disjoint(addresses) && watching.pid_of("tau@all.service") == Some(pid.pid) {
                    alone.store(true, Ordering::SeqCst);
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        network.apply(&[]).exits(0);
        over.store(true, Ordering::SeqCst);
    });
    assert!(!alone.load(Ordering::SeqCst), "a member was without an elder");
    // The waves were carried out as planned: each began when all nodes of the previous one
    // were healthy.
    let host = |node: &str| all.iter().find(|host| node.ends_with(&format!("@{}", host.name())));
    let times = |wave: &Vec<String>| -> Vec<(u64, u64)> {
        let nodes = wave.iter().filter_map(|node| Some((node.split('@').next()?, host(node)?)));
        nodes.map(|(shape, host)| (start(shape, host).at, healthy_at(shape, host))).collect()
    };
    let times: Vec<_> = waves.iter().map(times).collect();
    for pair in times.windows(2) {
        let healthy = pair[0].iter().map(|time| time.1).max();
        let next = pair[1].iter().map(|time| time.0).min();
        assert!(healthy < next, "each wave is healthy before the next begins: {times:?}");
    }
    settled(&network, &all);
    wait_until(Duration::from_secs(20), "all are connected again", || {
        members.iter().all(|host| addresses.is_subset(&host.peers_connected(4242)))
    });
    bench.came(Came::Through);

    bench.begin(FAULT, "one of two canaries fails: the others aren't restarted");
    network.shape("all", members_shape(5342));
    network.shape("few", few_shape(6342));
    let before = (starts("elders", elders), starts("all", &many[1..]), starts("few", few));
    many[0].sh("echo die-after 0.2 >/tb/config/all.fault");
    let run = network.apply(&["--max-failures", "3"]).exits(1);
    run.says_in_one_line(&["failed", many[0].name(), "restart tau@all.service"]);
    let now = (starts("elders", elders), starts("all", &many[1..]), starts("few", few));
    assert_eq!(
        (&now.0, &now.1, &now.2[1]),
        (&before.0, &before.1, &before.2[1]),
        "the others aren't restarted"
    );
    assert_ne!(now.2[0], before.2[0], "the other canary is in the same wave");
    many[0].sh("rm /tb/config/all.fault");
    converges(&network, &all);
    bench.came(Came::ClearError);
}

fn few_shape(main: u16) -> Shape {
    Shape::new(main).services(&["hoarder"])
}

/// The nodes that are started or restarted in each wave of a plan.
fn waves(plan: &Run) -> Vec<Vec<String>> {
    let nodes = |line: &str| -> Vec<String> {
        let (_, nodes) = line.rsplit_once(": ").unwrap_or_default();
        nodes.split_whitespace().filter(|node| node.contains('@')).map(str::to_owned).collect()
    };
    let waves = plan.lines_with("  wave ").map(nodes);
    waves.filter(|nodes| !nodes.is_empty()).collect()
}
