//! Each fault gives its message, in the one line of the host that has it, and
//! the other host is planned all the same; once it is gone, all goes well.

use crate::world::World;
use spore_drive::pretend::{Disk, Faults};
use std::time::Duration;

#[track_caller]
fn not_planned(faults: Faults, words: &[&str]) {
    let world = World::new();
    world.faults(faults);
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("1 host not planned").says("h1\n  + /tb/");
    let lines: Vec<&str> = plan.text.lines().filter(|line| line.contains("not planned:")).collect();
    let [line] = lines[..] else { panic!("{plan}") };
    for word in words {
        assert!(line.contains(word), "not said: {word}\n{line}");
    }
    world.faults(Faults::default());
    world.spore(&["apply", "--yes"]).exits(0);
    world.spore(&["plan"]).exits(0);
}

#[test]
fn refuses_the_key() {
    let faults = Faults { refuses_key: true, ..Faults::default() };
    not_planned(faults, &["h4", "refuses planter", "key SHA256:"]);
}

#[test]
fn has_no_sudo() {
    let faults = Faults { no_sudo: true, ..Faults::default() };
    not_planned(faults, &["h4", "no password-less sudo: sudo: a password is required", "NOPASSWD"]);
}

#[test]
fn has_no_space() {
    let faults = Faults { disk: Disk::Full, ..Faults::default() };
    not_planned(faults, &["h4", "0 bytes are free there"]);
}

#[test]
fn its_disk_fills_up() {
    let world = World::new();
    world.faults(Faults { disk: Disk::Filling, ..Faults::default() });
    let apply = world.spore(&["apply", "--yes"]).exits(1);
    apply.says("No space left on device").says("failed h4: cannot write /");
    // What had arrived so far isn't left there.
    assert_eq!(world.sh("h4", "find \"$SPORE_ROOT\" -name '.spore-*'"), "");
    world.faults(Faults::default());
    world.spore(&["apply", "--yes"]).exits(0);
    world.spore(&["plan"]).exits(0);
}

#[test]
fn greets_and_is_slow() {
    let world = World::new();
    let slow = Some(Duration::from_millis(30));
    world.faults(Faults { noisy: true, slow, ..Faults::default() });
    world.spore(&["apply", "--yes"]).exits(0);
    world.spore(&["plan"]).exits(0);
}

/// Wherever the connection breaks, it is said, and the next apply goes on.
#[test]
fn the_connection_breaks() {
    let world = World::new();
    for bytes in [10, 1_000, 5_000, 12_000, 25_000, 40_000, 60_000] {
        world.faults(Faults { drops_after: Some(bytes), ..Faults::default() });
        let run = world.apply_when_free();
        if run.code == Some(0) {
            break;
        }
        let run = run.exits(1);
        let lost = ["hung up", "connection lost", "lost while"].iter().any(|words| run.text.contains(words));
        assert!(lost, "after {bytes}: {run}");
    }
    world.faults(Faults::default());
    world.applied_in_the_end();
}
