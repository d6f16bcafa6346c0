//! Keys of a real `ssh-agent`.

use crate::ssh_agent::Agent;
use crate::world::{APPLY, World};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

fn with(world: &World, agent: &Agent, words: &[&str], code: i32) -> String {
    let out = world.command(words).env("SSH_AUTH_SOCK", &agent.socket).output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert_eq!(out.status.code(), Some(code), "{text}");
    text
}

fn keygen(arguments: &[&str]) {
    let done = Command::new("ssh-keygen").args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(done.success());
}

/// One person has the key in a file, the other in an agent: the same folder works for both.
#[test]
fn a_key_can_be_in_the_agent() {
    let world = World::new();
    let agent = Agent::start(world.folder());
    let key = world.folder().join("keys/ssh");
    world.spore(&["plan"]).exits(2);
    assert_eq!(agent.add(&[key.to_str().unwrap()]), Some(0));
    fs::rename(&key, world.folder().join("elsewhere")).unwrap();
    world.spore(&["check"]).exits(0).says("the key of login `planter` is missing");
    world.spore(&["plan"]).exits(3).says("cannot read the key");
    with(&world, &agent, APPLY, 0);
    assert!(with(&world, &agent, &["plan"], 0).contains("plan: nothing to do"));

    // A login that names no key at all.
    fs::write(world.folder().join("auth.yaml"), "planter: {username: planter}\n").unwrap();
    with(&world, &agent, &["plan"], 0);
    world
        .spore(&["plan"])
        .exits(3)
        .says("no login has a key or a password, and no keys were found in an SSH agent");

    // The agent has only a key that the hosts don't know.
    assert_eq!(agent.add(&["-D"]), Some(0));
    let stranger = world.folder().join("stranger");
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", stranger.to_str().unwrap()]);
    assert_eq!(agent.add(&[stranger.to_str().unwrap()]), Some(0));
    let plan = with(&world, &agent, &["plan"], 3);
    assert!(plan.contains("(SSH agent)"), "{plan}");
}

/// The agent has the key of an encrypted file, so nobody is asked for its passphrase.
#[test]
fn the_passphrase_of_a_key_in_the_agent_is_not_needed() {
    let world = World::new();
    let agent = Agent::start(world.folder());
    let key = world.folder().join("keys/ssh");
    assert_eq!(agent.add(&[key.to_str().unwrap()]), Some(0));
    keygen(&["-q", "-p", "-N", "apricot-shelf", "-f", key.to_str().unwrap()]);
    world.spore(&["plan"]).exits(3).says("passphrase");
    with(&world, &agent, &["plan"], 2);
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

/// The agent isn't asked unless it is needed, and then it is named if it has ended.
#[test]
fn an_agent_that_is_gone_is_named_if_it_is_needed() {
    let world = World::new();
    let plan = || {
        let output = world.command(&["plan"]).env("SSH_AUTH_SOCK", "gone.sock").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = plan();
    assert!(code == Some(2) && !said.contains("gone.sock"), "{said}");
    fs::rename(world.folder().join("keys/ssh"), world.folder().join("elsewhere")).unwrap();
    let (code, said) = plan();
    assert_eq!(code, Some(3));
    assert_eq!(said.matches("the SSH agent at gone.sock can't be used").count(), 1, "{said}");
}
