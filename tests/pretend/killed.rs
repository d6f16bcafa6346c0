//! The controller is killed during an apply, and the next apply resumes.

use crate::world::{APPLY, Run, World};
use std::process::Stdio;
use std::thread::sleep;
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
    }
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
