//! Network faults: a short cut, a permanent cut, a cut after a request was sent, and a
//! stall without a cut.

use std::time::{Duration, Instant};

use super::bench::{Bench, TIME_OUTS, converges, settled, starts, wipe};
use super::controller::Controller;
use super::table::Came;
use super::trip::{Side, Trip};
use crate::host::{LabHost, Suite, wait_until};
use crate::run::Run;

const FAULT: &str = "network";

/// The places where a fault is injected: the command and pattern for [`Trip`], and the
/// action that is running then.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("chmod", "*/tb/bin/.spore-tau-*.part*", "stage /tb/bin/tau"),
    ("mv", "*/.spore-tau-*\\ /tb/bin/tau", "write /tb/bin/tau"),
    ("systemctl", "daemon-reload", "systemctl daemon-reload"),
    ("systemctl", "*start\\ --\\ tau@all*", "start tau@all.service"),
];

pub(crate) fn cut(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let network = bench.network(&[elder], &[member]);
    for &(command, pattern, action) in bench.some(ACTIONS.to_vec(), 1).iter() {
        wipe(&hosts);
        bench.begin(FAULT, &format!("cut for 2 s: {action}"));
        let trip = Trip::lay(member, command, pattern, Side::Before);
        let controller = Controller::apply(&network, &[]);
        trip.wait();
        member.cut();
        pass(Duration::from_secs(2));
        member.heal();
        trip.go();
        controller.end().exits(0);
        settled(&network, &hosts);
        bench.came(Came::Through);
    }
    for &(command, pattern, action) in bench.some(ACTIONS.to_vec(), 1).iter() {
        wipe(&hosts);
        bench.begin(FAULT, &format!("cut for good: {action}"));
        let trip = Trip::lay(member, command, pattern, Side::Before);
        let controller = Controller::apply(&network, &[]);
        trip.wait();
        member.cut();
        let run = lost(controller, member, action);
        // The host kills the paused command before it releases the lock.
        member.heal();
        drop(trip);
        reachable(member);
        converges(&network, &hosts);
        assert!(run.lines_with("resume with: spore apply").count() == 1, "{run}");
        bench.came(Came::ClearError);
    }
    for &(command, pattern, action) in bench.some(ACTIONS.to_vec(), 1).iter() {
        wipe(&hosts);
        bench.begin(FAULT, &format!("answer lost: {action}"));
        let before = starts(member);
        let trip = Trip::lay(member, command, pattern, Side::After);
        let controller = Controller::apply(&network, &[]);
        trip.wait();
        member.cut();
        trip.go();
        lost(controller, member, action);
        member.heal();
        drop(trip);
        reachable(member);
        let again = converges(&network, &hosts);
        assert_eq!(starts(member), before + 1, "the node must not be started again: {again}");
        bench.came(Came::Converged);
    }
}

/// The connection stays open, but no data arrives.
pub(crate) fn stalled(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let mut network = bench.network(&[elder], &[member]);
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},stall=5,action=10"));
    for &(command, pattern, action) in bench.some(ACTIONS.to_vec(), 2).iter() {
        wipe(&hosts);
        bench.begin(FAULT, &format!("stalled: {action}"));
        let trip = Trip::lay(member, command, pattern, Side::Before);
        let controller = Controller::apply(&network, &[]);
        trip.wait();
        let sessions = "pgrep -f '^sshd(-session)?: '";
        member.sh(&format!("kill -STOP $({sessions})"));
        trip.go();
        lost(controller, member, action);
        member.sh(&format!("kill -CONT $({sessions})"));
        drop(trip);
        converges(&network, &hosts);
        bench.came(Came::ClearError);
    }
}

/// Asserts that the apply detects the loss in time and reports the running action.
#[track_caller]
fn lost(controller: Controller<'_>, host: &LabHost, action: &str) -> Run {
    let begun = Instant::now();
    let run = controller.end().exits(1);
    assert!(begun.elapsed() < Duration::from_secs(25), "it took {:?}: {run}", begun.elapsed());
    run.says_in_one_line(&[host.name(), action, "the action may not have completed"])
}

/// Waits until the host can be reached again, which takes a moment after a cut.
pub(crate) fn reachable(host: &LabHost) {
    let answers = || std::net::TcpStream::connect((host.addr(), 22)).is_ok();
    wait_until(Duration::from_secs(20), "the host can be reached", answers);
}

/// Waits for a fixed time, for tests of time-outs.
pub(crate) fn pass(time: Duration) {
    let begun = Instant::now();
    wait_until(time * 2, "time passes", || begun.elapsed() >= time);
}
