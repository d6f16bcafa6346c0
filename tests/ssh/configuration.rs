//! Options of the user's SSH configuration, at a real sshd.

use crate::pretend::{Run, World};
use crate::ssh_agent::Agent;
use crate::sshd::{ssh_of_home, user};
use crate::world::Front;
use std::fs;

/// `spore facts h4` with this SSH configuration, of a user who knows no hosts.
fn facts(world: &World, configuration: &str, words: &[&str]) -> Run {
    let home = world.file(".home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".ssh/config"), configuration).unwrap();
    let path = format!("{}:{}", ssh_of_home(&home).display(), std::env::var("PATH").unwrap());
    let mut spore = world.command(&[&["facts", "h4"], words].concat());
    spore.env("HOME", &home).env("PATH", &path);
    Run::of(spore.env_remove("SPORE_NO_SSH_CONFIG").env_remove("SPORE_KNOWN_HOSTS"))
}

pub(crate) fn identities_and_known_files() {
    let world = World::new();
    let sshd = world.front_unknown(Front::default());
    let agent = Agent::start(world.folder());
    assert_eq!(agent.add(&[world.file("keys/ssh").to_str().unwrap()]), Some(0));
    fs::rename(world.file("keys/ssh"), world.file("elsewhere")).unwrap();
    world.set_ssh("addr: h4.test");
    world.log_in_with(&format!("username: {}", user()));
    fs::write(world.file("global"), sshd.known_hosts()).unwrap();
    let folder = world.folder().display();
    // The rest is in an included file.
    let port = sshd.port;
    fs::write(world.file("included"), format!("Host h4.test\n\tHostName 127.0.0.1\n\tPort {port}\n"))
        .unwrap();
    let known = format!("\tUserKnownHostsFile none\n\tGlobalKnownHostsFile {folder}/global\n");
    let agent_only = format!("\tIdentityAgent {}\n", agent.socket.display());
    let with = |more: &str| {
        let text = format!("Include {folder}/included\nMatch exec \"test %h = 127.0.0.1\"\n{more}");
        facts(&world, &text, &[])
    };
    with(&(known.clone() + &agent_only)).exits(0);
    // Without these options.
    with(&agent_only).exits(3).says("unknown host key: ssh-ed25519 SHA256:");
    with(&known).exits(3).says("no login has a key or a password, and no keys were found in an SSH agent");
    // Only named files, even if the agent has the key.
    let only = known.clone() + &agent_only + "\tIdentitiesOnly yes\n";
    with(&only).exits(3).says("no login has a key or a password");
    with(&format!("{only}\tIdentityFile {folder}/elsewhere\n")).exits(0);
    assert_eq!(sshd.logged("Accepted publickey"), 2);
    let no_config = facts(&world, "Host *\n\tHostName 127.0.0.1\n", &["--no-ssh-config"]).exits(3);
    no_config.says("no login has a key or a password, and no keys were found in an SSH agent");
}

/// `ConnectTimeout` counts unless `--timeout` sets another.
pub(crate) fn the_time_out_for_connecting() {
    let world = World::new();
    let _sshd = world.front(Front::default());
    let text = "Host *\n\tConnectTimeout 1\n\tProxyCommand sleep 1000\n";
    let late =
        |after: &str| format!("through the ProxyCommand: no answer within {after} s while connecting; ");
    facts(&world, text, &[]).exits(3).says(&late("1"));
    facts(&world, text, &["--timeout", "connect=0.3"]).exits(3).says(&late("0.3"));
}
