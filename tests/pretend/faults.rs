//! Each fault gives its message, in the one line of the host that has it, and
//! the other host is planned all the same; once it is gone, all goes well.
//! `quick` has more of them, without the command line.

use crate::world::{APPLY, World};
use spore_drive::pretend::{Disk, Faults};
use std::time::Duration;

#[test]
fn keep_a_host_from_being_planned() {
    let world = World::new();
    let table: [(Faults, &[&str]); 3] = [
        (Faults { refuses_key: true, ..Faults::default() }, &["refuses planter", "key SHA256:"]),
        (
            Faults { no_sudo: true, ..Faults::default() },
            &["no password-less sudo: sudo: a password is required", "NOPASSWD"],
        ),
        (Faults { disk: Disk::Full, ..Faults::default() }, &["0 bytes are free there", "free some space"]),
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
fn its_disk_fills_up() {
    let world = World::new();
    world.faults(Faults { disk: Disk::Filling, ..Faults::default() });
    let apply = world.spore(APPLY).exits(1);
    apply.says("No space left on device").says("failed h4 stage /");
    // What had arrived so far isn't left there.
    assert_eq!(world.sh("h4", "find \"$SPORE_ROOT\" -name '.spore-*'"), "");
    world.faults(Faults::default());
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}

#[test]
fn greets_and_is_slow() {
    let world = World::new();
    let slow = Some(Duration::from_millis(30));
    world.faults(Faults { noisy: true, slow, ..Faults::default() });
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}

/// Wherever the connection breaks, it is said, and the next apply goes on.
#[test]
fn the_connection_breaks() {
    let world = World::new();
    for bytes in [10, 25_000, 45_000] {
        world.faults(Faults { drops_after: Some(bytes), ..Faults::default() });
        let run = world.apply_when_free();
        let run = run.exits(1);
        let lost = ["hung up", "connection lost", "lost while"].iter().any(|words| run.text.contains(words));
        assert!(lost, "after {bytes}: {run}");
    }
    world.faults(Faults::default());
    world.applied_in_the_end();
}
