//! What the output of a plan and an apply tells someone who reads it later, in an e-mail or
//! a log.

use crate::world::{APPLY, World};
use spore_drive::pretend::Faults;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// During a long wave, the apply reports what it is waiting for, and a plan names the
/// running apply. Afterwards, a plan names no apply.
#[test]
fn while_an_apply_is_running() {
    let world = World::new();
    let words = ["apply", "--yes", "--timeout", "settle=6,remind=0.2"];
    let mut apply = world.command(&words);
    let mut apply = apply.env("USER", "ana").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(apply.stdout.take().unwrap()).lines().map(Result::unwrap);
    // While h1 settles, h4 gets its files. When it has them, only h1 is waited for.
    let expected = " s: h1 (start tau@elders.service, until healthy)";
    let waiting = lines.find(|line| line.ends_with(expected)).unwrap();
    assert!(waiting.starts_with("  … still waiting after "), "{waiting}");
    let plan = world.spore(&["plan"]);
    let said: Vec<&str> = plan.text.lines().take(2).collect();
    let [network, locked] = said[..] else { panic!("{plan}") };
    assert!(network.starts_with("network net.test, 2") && network.ends_with("Z, 2 hosts"), "{plan}");
    assert!(locked.starts_with("note: h1 is locked by ana@") && locked.contains(", `spore apply`, plan "));
    assert!(locked.ends_with(" UTC; the plan may show an unfinished apply"), "{plan}");
    let rest: Vec<String> = lines.collect();
    assert!(apply.wait().unwrap().success(), "{rest:#?}");
    let after = world.spore(&["plan"]).exits(0);
    assert!(!after.text.contains("locked"), "{after}");
    // A killed apply may leave this file behind, but it holds no lock.
    world.sh("h1", "printf 'who ana@laptop\\n' >\"$SPORE_ROOT/run/spore/.holder\"");
    let after = world.spore(&["plan"]).exits(0);
    assert!(!after.text.contains("locked"), "{after}");
}

/// The last line begins with the worst result.
#[test]
fn hosts_that_cannot_be_planned() {
    let world = World::new();
    let last = |words: &[&str], code| {
        let out = world.command(words).output().unwrap();
        assert_eq!(out.status.code(), Some(code));
        String::from_utf8(out.stdout).unwrap().lines().last().unwrap().to_owned()
    };
    world.spore(APPLY).exits(0);
    world.faults(Faults { refuses_key: true, ..Faults::default() });
    let plan = "plan: 1 of 2 hosts could not be planned; no changes on the other hosts; 17 in place";
    assert_eq!(last(&["plan"], 3), plan);
    assert_eq!(last(APPLY, 1), "apply: 1 of 2 hosts could not be planned; nothing was changed");
    let target = last(&["plan", "--target", "@h4"], 3);
    assert_eq!(target, "plan: 1 of 1 host could not be planned");
    world.sh("h1", "chmod 644 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    let apply = "apply: 1 of 2 hosts could not be planned (h4); 1 changed; 0 failed; 0 skipped";
    assert_eq!(last(APPLY, 1), apply);
}

#[test]
fn a_word_that_is_no_command() {
    let world = World::new();
    world.spore(&["destroy"]).exits(1).says("there is no command `destroy`").says("spore retire HOST");
    let foo = world.spore(&["foo"]).exits(1);
    foo.says("`spore --help` lists the commands");
    assert!(!foo.text.contains("similar") && !foo.text.contains("did you mean"), "{foo}");
}
