//! The prompts before an apply, with and without a terminal, and the output of a
//! retirement.

use crate::world::{APPLY, Run, World};
use spore_drive::pretend::Faults;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

impl World {
    /// Runs `spore` on a terminal, and types `answer`.
    pub(crate) fn typed(&self, words: &[&str], answer: &str) -> Run {
        let spore = self.command(words);
        let words = [spore.get_program()].into_iter().chain(spore.get_args());
        let line = shlex::try_join(words.map(|word| word.to_str().unwrap())).unwrap();
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(self.folder());
        script.env("SPORE_KNOWN_HOSTS", "known_hosts").env("NO_COLOR", "1").env_remove("SPORE_NETWORK");
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // The terminal buffers the answer until `spore` reads it.
        script.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        let out = script.wait_with_output().unwrap();
        Run { code: out.status.code(), text: String::from_utf8(out.stdout).unwrap().replace("\r\n", "\n") }
    }

    fn replace(&self, file: &str, old: &str, new: &str) {
        let path = self.folder().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{file} doesn't say {old}");
        fs::write(path, text.replace(old, new)).unwrap();
    }

    /// Replaces the swarm key in the folder, so that the plan is destructive.
    fn rotate_swarm_key(&self) {
        let key = self.spore(&["key", "swarm"]).exits(0).text;
        fs::write(self.folder().join("keys/swarm.key"), key).unwrap();
    }
}

#[test]
fn a_plan_is_agreed_to_or_declined() {
    let world = World::new();
    world.typed(&["apply"], "no\n").exits(4).says("apply this plan? [yes/no]").says("apply: declined");
    world.typed(&["apply"], "\u{4}").exits(4).says("apply: declined; nothing was changed");
    let run = world.spore(&["apply"]).exits(1);
    run.says("no terminal to prompt on").says("pass `--yes` to run unattended");
    assert!(!world.is_up("h1"), "something was changed");
    world.typed(&APPLY[..1], "yes\n").exits(0).says("0 failed; 0 skipped");

    // Typing `y` out of habit must not confirm destructive changes.
    world.rotate_swarm_key();
    for answer in ["y\n", "yes\n", "net\n", "\n"] {
        let run = world.typed(&["apply"], answer).exits(4);
        run.says("including the destructive changes? To confirm, type the network's name (net.test):");
    }
    // Without a terminal, both options are needed.
    world.spore(&["apply"]).exits(1).says("pass `--yes` and `--allow-destructive`");
    world.spore(&["apply", "--allow-destructive"]).exits(1).says("pass `--yes` to run unattended");
    world.spore(&["apply", "--yes"]).exits(1).says("pass `--allow-destructive` as well");
    world.typed(&["apply"], "net.test\n").exits(0).says("0 failed; 0 skipped");
    world.spore(&["plan"]).exits(0);
}

/// A retirement leaves other differences alone, and reports how it ended.
#[test]
fn a_host_is_retired_and_nothing_else() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.sh("h1", "chmod 644 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    world.replace("shapes.yaml", "main: 4242", "main: 4342");
    world.spore(&["retire", "h5"]).exits(1).says("the folder has no host `h5`").says("h5 was not retired");
    let run = world.spore(&["retire", "h4", "--yes", "--allow-destructive"]).exits(0);
    run.says("network net.test, ").says(", 1 host\n").says("retire: h4 is retired; now delete h4");
    assert!(!run.text.contains("h1"), "{run}");
    let mode = world.sh("h1", "stat -c %a \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    assert_eq!(mode, "644\n", "it was changed, too");

    // h1 is now the last host of the network.
    fs::remove_file(world.folder().join("hosts/h4.yaml")).unwrap();
    let run = world.typed(&["retire", "h1"], "no\n").exits(4);
    run.says("retire: h1 was not retired; nothing was changed");
    world.spore(&["retire", "h1", "--yes", "--allow-destructive"]).exits(0).says("retire: h1 is retired");
}

/// A host that doesn't answer isn't retired, and the other hosts aren't changed. With
/// `--gone`, the host is only removed from the other hosts' configurations.
#[test]
fn a_dead_host_is_retired_only_if_it_is_gone() {
    let world = World::new();
    world.replace("cloud.yaml", "elders: [h1]", "elders: [h1]\n    store: [h4]");
    world.replace("shapes.yaml", "[tns, hoarder]", "[tns]");
    world.spore(APPLY).exits(0);
    let peers = || world.sh("h1", "grep -c 'tcp/5242/p2p' \"$SPORE_ROOT/tb/config/elders.yaml\" || :");
    assert_eq!(peers(), "1\n");
    world.faults(Faults { refuses_key: true, ..Faults::default() });
    let retire = &["retire", "h4", "--yes", "--allow-destructive"][..];
    let run = world.spore(retire).exits(1);
    run.says("h4: not planned").says("refused: h4 can't be retired").says("`spore retire h4 --gone`");
    run.says("plan: can't be applied as it is; 1 of 2 hosts could not be planned");
    run.says("\nretire: h4 was not retired; nothing was changed\n");
    assert_eq!(peers(), "1\n");

    // With `--gone`, the host isn't contacted.
    let run = world.spore(&[retire, &["--gone"]].concat()).exits(0);
    run.says("note: h4 isn't contacted").says("store@h4 rejoins the network with its key");
    run.says("retire: the other hosts' configurations no longer name h4");
    assert_eq!(peers(), "0\n");
    assert!(world.is_up("h4"), "it was stopped");
    world.replace("cloud.yaml", "\n    store: [h4]", "");
    fs::remove_file(world.folder().join("hosts/h4.yaml")).unwrap();
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
}
