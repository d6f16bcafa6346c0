//! The effect of a host's failure on the other hosts, and interrupting an apply.

use super::bench::{Bench, TIME_OUTS, another_tau, converges, settled, wipe};
use super::cable::reachable;
use super::controller::Controller;
use super::table::Came;
use super::trip::{Side, Trip};
use crate::host::Suite;
use crate::watch::start;

const FAULT: &str = "one host fails";

pub(crate) fn hosts(bench: &mut Bench<'_>) {
    let machine = Suite::Bookworm.machine();
    let hosts = bench.lab.up_many(4, &machine);
    let [elder, first, second, third] = &hosts[..] else { panic!("four hosts") };
    let all: Vec<_> = hosts.iter().collect();
    let mut network = bench.network(&[elder], &[first, second, third]);
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},healthy=15"));

    bench.begin(FAULT, "one can't be reached, one can't be staged: skipped");
    second.cut();
    let trip = Trip::lay(third, "mktemp", "*spore-beat*", Side::Before);
    // Without `--max-failures`, nothing would be switched on any host.
    let controller = Controller::apply(&network, &["--max-failures", "1"]);
    trip.wait();
    third.sh("mkdir -p /tb; mount -t tmpfs -o ro,mode=755 tmpfs /tb");
    trip.go();
    let run = controller.end().exits(1);
    let run = run.says_in_one_line(&[second.name(), "not planned"]);
    let run = run.says_in_one_line(&["failed", third.name(), "Read-only file system"]);
    run.says("could not be planned");
    drop(trip);
    let pid = start("all", first);
    third.sh("umount /tb; rmdir /tb");
    second.heal();
    reachable(second);
    converges(&network, &all);
    assert_eq!(start("all", first), pid, "a node that was applied before isn't restarted");
    bench.came(Came::ClearError);

    // The canary is the first host by name; in the other cases a later host fails.
    for (situation, failing, options, reached) in [
        (
            "canary fails: no other is restarted, whatever is allowed",
            first,
            &["--max-failures", "3"][..],
            false,
        ),
        ("a later one fails: later waves are skipped", second, &[][..], false),
        ("a later one fails, and that is allowed", second, &["--max-failures", "1"][..], true),
    ] {
        bench.begin(FAULT, situation);
        let before = start("all", third);
        network.pin(&another_tau(&network, &situation.replace([' ', ':', ','], "-")));
        failing.sh("echo die-after 0.2 >/tb/config/all.fault");
        let options = [options, &["--batch", "1"]].concat();
        let run = network.apply(&options).exits(1);
        let run = run.says_in_one_line(&["failed", failing.name(), "restart tau@all.service"]);
        run.says("dying, as the fault file says");
        assert_eq!(start("all", third) != before, reached, "whether the last host was restarted");
        failing.sh("rm /tb/config/all.fault");
        converges(&network, &all);
        bench.came(Came::ClearError);
    }

    bench.begin(FAULT, "an elder fails: what dials it isn't started");
    let before = start("all", first);
    network.pin(&another_tau(&network, "elder"));
    elder.sh("echo die-after 0.2 >/tb/config/elders.fault");
    let run = network.apply(&["--max-failures", "3"]).exits(1);
    run.says_in_one_line(&["failed", elder.name(), "restart tau@elders.service"]);
    assert_eq!(start("all", first), before);
    elder.sh("rm /tb/config/elders.fault");
    converges(&network, &all);
    bench.came(Came::ClearError);
}

pub(crate) fn interrupted(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let network = bench.network(&[elder], &[member]);
    let signals: &[_] = if bench.short { &["INT"] } else { &["INT", "TERM", "HUP"] };
    for signal in signals {
        for (situation, command, pattern) in [
            ("while staging", "chmod", "*/tb/bin/.spore-tau-*.part*"),
            ("during a start", "systemctl", "*start\\ --\\ tau@elders*"),
        ] {
            for times in [1, 2] {
                wipe(&hosts);
                bench.begin("interrupted", &format!("SIG{signal} {times} ×, {situation}"));
                let trip = Trip::lay(elder, command, pattern, Side::Before);
                let mut controller = Controller::apply(&network, &[]);
                trip.wait();
                controller.signal(signal);
                controller.says("interrupted: finishing running actions");
                if times == 2 {
                    controller.signal(signal);
                    controller.says("apply: aborted");
                } else {
                    trip.go();
                    controller.says("skipped");
                }
                let run = controller.end().exits(130);
                assert!(member.try_sh("systemctl is-active --quiet tau@all.service").is_err(), "{run}");
                if times == 1 && situation == "during a start" {
                    start("elders", elder);
                }
                drop(trip);
                converges(&network, &hosts);
                bench.came(Came::Converged);
            }
        }
    }
    settled(&network, &hosts);
}
