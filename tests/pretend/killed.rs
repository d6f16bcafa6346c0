//! The controller is killed during an apply, and the next apply resumes.

use crate::instants::wait_for_unlock;
use crate::world::{APPLY, Run, World};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

#[test]
fn an_apply_resumes_after_kills() {
    let world = World::new();
    for milliseconds in [150, 250, 350, 450, 600, 900, 1_500, 2_100] {
        let mut apply = world.command(APPLY);
        let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(milliseconds));
        apply.kill().unwrap();
        apply.wait().unwrap();
    }
    world.applied_in_the_end();
}

impl World {
    /// Applies as soon as the hosts are unlocked. After the controller was killed, the host
    /// first finishes the running action.
    pub(crate) fn apply_when_free(&self) -> Run {
        let begun = Instant::now();
        loop {
            let run = self.spore(APPLY);
            if !run.text.contains("locked by") || begun.elapsed() > Duration::from_secs(20) {
                return run;
            }
            sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn applied_in_the_end(&self) {
        self.apply_when_free().exits(0);
        self.spore(&["plan"]).exits(0);
        self.spore(&["verify"]).exits(0);
    }

    /// Applies until the `nth` action begins (or, with one more, until the last has ended), and
    /// kills the controller there. Returns the number of actions that have begun.
    fn killed_at(&self, nth: usize) -> usize {
        let mut apply = self.command(&[APPLY, &["--events", "-"]].concat());
        let mut apply = apply.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut begun, mut ended) = (0, 0);
        for line in BufReader::new(apply.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            begun += usize::from(line.contains("\"event\":\"started\""));
            ended += usize::from(line.contains("\"event\":\"done\""));
            if begun == nth || ended + 1 == nth && begun == ended {
                // It may have ended already.
                let _ = apply.kill();
                break;
            }
        }
        apply.wait().unwrap();
        begun
    }

    /// Waits until the locks of a killed controller are released.
    pub(crate) fn wait_for_unlock(&self) {
        self.hosts.iter().for_each(|host| wait_for_unlock(&self.host(host).root().join("run")));
    }

    /// Asserts that no receipt that counts says something that isn't true, and that nothing that
    /// an apply has changed is attributed to a host. Nothing else has changed the hosts.
    pub(crate) fn no_receipt_is_ahead(&self, what: &str) {
        self.wait_for_unlock();
        for command in ["verify", "drift"] {
            let run = self.spore(&[command]);
            assert!(matches!(run.code, Some(0 | 3)), "{what}: {command}: {run}");
        }
    }
}

/// The controller is killed at each action of an update, and after the last. No receipt is ahead
/// of the disk then, and after the next apply the receipts are true.
#[test]
fn no_receipt_is_ahead_of_the_disk() {
    /// Changes the port of every node.
    fn update(world: &World, turn: usize) {
        let ports = [["main: 4242", "main: 5242"], ["main: 4342", "main: 5342"]];
        for (from, to) in ports[turn % 2].iter().zip(ports[(turn + 1) % 2]) {
            world.change("shapes.yaml", from, to);
        }
    }
    let world = World::new();
    world.spore(APPLY).exits(0);
    update(&world, 0);
    let actions = world.killed_at(usize::MAX);
    world.no_receipt_is_ahead("not killed");
    world.spore(&["verify"]).exits(0);
    assert!(actions >= 8, "{actions}");
    let next = AtomicUsize::new(1);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let world = World::new();
                world.spore(APPLY).exits(0);
                for turn in 0.. {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth > actions + 1 {
                        return;
                    }
                    update(&world, turn);
                    world.killed_at(nth);
                    world.no_receipt_is_ahead(&format!("killed at action {nth} of {actions}"));
                    world.applied_in_the_end();
                    world.spore(&["drift"]).exits(0);
                }
            });
        }
    });
}

/// `--target` changes no other host. (The others are probed, too.)
#[test]
fn a_target_changes_no_other_host() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let shapes = world.folder().join("shapes.yaml");
    let text = std::fs::read_to_string(&shapes).unwrap();
    std::fs::write(shapes, text.replace("main: 5242", "main: 5342")).unwrap();
    let target = ["--target", "store@h4"];
    let run = world.spore(&[APPLY, &target].concat()).exits(0);
    run.says("restart tau@store.service");
    world.spore(&["plan"]).exits(0);
    world.spore(&["plan", "--target", "elders@h4"]).exits(0).says("selects nothing");
    world.spore(&["retire", "h4", "--yes", "--target", "@h1"]).exits(1).says("doesn't accept `--target`");
}
