//! Each fault is reported in the line of the faulty host, and doesn't prevent planning the
//! other host. Once the fault is gone, an apply succeeds. `quick` tests more faults,
//! without the command line.

use crate::world::{APPLY, World};
use spore_drive::pretend::{Disk, Faults};
use std::time::Duration;

#[test]
fn a_faulty_host_is_not_planned() {
    let world = World::new();
    let table: [(Faults, &[&str]); 3] = [
        (Faults { refuses_key: true, ..Faults::default() }, &["login as planter refused", "key SHA256:"]),
        (
            Faults { no_sudo: true, ..Faults::default() },
            &["no password-less sudo: sudo: a password is required", "NOPASSWD"],
        ),
        (Faults { disk: Disk::Full, ..Faults::default() }, &["0 bytes free", "free some space"]),
    ];
    for (faults, words) in table {
        world.faults(faults);
        let plan = world.spore(&["plan"]).exits(3);
        plan.says("could not be planned").says("h1\n  + /tb/");
        let lines: Vec<&str> = plan.text.lines().filter(|line| line.contains("h4: not planned:")).collect();
        let [line] = lines[..] else { panic!("{plan}") };
        for word in words {
            assert!(line.contains(word), "not said: {word}\n{line}");
        }
    }
    world.spore(APPLY).exits(1).says("could not be planned");
    world.faults(Faults::default());
    world.applied_in_the_end();
}

#[test]
fn the_disk_fills_up() {
    let world = World::new();
    world.faults(Faults { disk: Disk::Filling, ..Faults::default() });
    let apply = world.spore(APPLY).exits(1);
    apply.says("No space left on device").says("failed h4 stage /");
    // The partial file was removed.
    assert_eq!(world.sh("h4", "find \"$SPORE_ROOT\" -name '.spore-*'"), "");
    world.faults(Faults::default());
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}

#[test]
fn a_login_greeting_and_slow_output_do_no_harm() {
    let world = World::new();
    let slow = Some(Duration::from_millis(30));
    world.faults(Faults { noisy: true, slow, ..Faults::default() });
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}

/// Wherever the connection breaks, the loss is reported and the next apply resumes.
#[test]
fn the_connection_breaks() {
    let world = World::new();
    for bytes in [10, 25_000, 45_000] {
        world.faults(Faults { drops_after: Some(bytes), ..Faults::default() });
        let run = world.apply_when_free();
        let run = run.exits(1);
        let lost = ["closed the connection", "connection lost", "lost while"]
            .iter()
            .any(|words| run.text.contains(words));
        assert!(lost, "after {bytes}: {run}");
    }
    world.faults(Faults::default());
    world.applied_in_the_end();
}

/// Such a host doesn't keep the others from being planned.
#[test]
fn a_host_that_falls_silent_after_the_login() {
    let world = World::new();
    world.faults(Faults { mute: true, ..Faults::default() });
    let plan = world.spore(&["plan", "--timeout", "ready=1"]).exits(3);
    plan.says("h4: not planned: no answer within 1 s while starting a shell").says("h1\n  + /tb/");
}
