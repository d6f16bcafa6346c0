//! Runs `spore plan` with a hostile host, for each file in `fixtures/answers/hostile`.

use crate::hostile_cases::{cases, is_harmless};
use crate::world::World;
use spore_drive::pretend::Faults;
use std::fs;
use std::process::Command;

/// The maximum CPU time. A debug build needs ten times as long.
const MOST_SECONDS: f64 = if cfg!(debug_assertions) { 10.0 } else { 1.0 };
/// The maximum size of the program's data, in kilobytes, with the answers of both hosts.
const MOST_MEMORY: usize = 200_000;

#[test]
fn a_hostile_host_harms_nothing_else() {
    let world = World::new();
    let file = world.folder().join("answer");
    world.faults(Faults { answers: Some(file.clone()), ..Faults::default() });
    let mut wrong = Vec::new();
    for case in cases() {
        fs::write(&file, &case.answer).unwrap();
        // The shell reports the CPU time of its children in the last line.
        let program = world.command(&["plan"]);
        let mut shell = Command::new("bash");
        let script = format!(
            "ulimit -d {MOST_MEMORY}; TIMEFORMAT='%U %S'; time {} plan </dev/null",
            program.get_program().display()
        );
        shell.args(["-c", &script]).current_dir(world.folder()).env("SPORE_KNOWN_HOSTS", "known_hosts");
        let out = shell.env_remove("SPORE_NETWORK").output().unwrap();
        let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        let (user, system) = text.lines().last().and_then(|time| time.split_once(' ')).unwrap();
        let seconds = user.parse::<f64>().unwrap() + system.parse::<f64>().unwrap();
        let mut fail = |what: &str| wrong.push(format!("{}: {what}\n{text:.3000}", case.name));
        if let Err(found) = is_harmless(&text) {
            fail(&found);
        }
        if seconds > MOST_SECONDS {
            fail("it took long");
        }
        if !text.contains("\nh1\n  + /tb/") {
            fail("h1 isn't planned");
        }
        let said = text.lines().find(|line| line.starts_with("h4: not planned: "));
        let expected = match (&case.says, said) {
            (None, None) => true,
            (Some(says), Some(said)) => said.contains(says.as_str()),
            _ => false,
        };
        if !expected {
            fail(&format!("says {said:?} instead of {:?}", case.says));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n\n"));
}
