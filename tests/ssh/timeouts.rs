//! Each time-out says what it was for.

use crate::faults::{Then, cable, through};
use crate::pretend::{Run, World};
use crate::sshd::{ssh_of_home, user};
use crate::world::{Front, keygen, kill};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

fn plan(world: &World, timeout: &str) -> Run {
    let begun = Instant::now();
    let run = world.spore(&["plan", "--timeout", timeout]);
    assert!(begun.elapsed() < Duration::from_secs(25), "{run}");
    run.exits(3)
}

pub(crate) fn each_says_what_it_was_for() {
    let world = World::new();
    let sshd = world.front(Front::default());
    // sshd accepts nothing, but the system does.
    kill("STOP", &sshd.process().to_string());
    let silent = plan(&world, "handshake=0.5");
    kill("CONT", &sshd.process().to_string());
    silent.says(
        "h4: not planned: no answer within 0.5 s while waiting for the SSH banner; the port is open but silent: check \
         that it is the SSH port, and that the host isn't overloaded\n",
    );

    through(&world, &sshd.key(), cable(sshd.port, |_| Then::Lose, |_| Then::Forward));
    plan(&world, "handshake=0.5").says(
        "h4: not planned: no answer within 0.5 s while exchanging keys; the network may be dropping large packets \
         (check the MTU), or the host is overloaded\n",
    );

    let other = world.file("other");
    keygen(&other);
    let more = format!("AuthorizedKeysCommand /usr/bin/sleep 5\nAuthorizedKeysCommandUser {}", user());
    let _slow = world.front(Front { more: &more, user_key: Some(&other), ..Front::default() });
    plan(&world, "login=0.5").says(
        "h4: not planned: no answer within 0.5 s while logging in; sshd may be waiting for DNS (set `UseDNS no` in its \
         sshd_config) or for PAM, or the SSH agent for a touch or a confirmation\n",
    );

    let help = "; the host may be overloaded, or a program on it may hang\n";
    let _silent = world.front(Front { more: "ForceCommand cat >/dev/null", ..Front::default() });
    plan(&world, "ready=0.5")
        .says(&format!("h4: not planned: no answer within 0.5 s while starting a shell{help}"));

    let slow = world.file("slow");
    fs::create_dir(&slow).unwrap();
    fs::write(slow.join("uname"), "#!/bin/sh\nexec sleep 3\n").unwrap();
    fs::set_permissions(slow.join("uname"), fs::Permissions::from_mode(0o755)).unwrap();
    let _hangs = world.front(Front { path: &format!("{}:", slow.display()), ..Front::default() });
    plan(&world, "answer=0.5")
        .says(&format!("h4: not planned: no answer within 0.5 s while collecting facts{help}"));
}

/// The time-out for connecting ends a silent `ProxyCommand` in front of a real sshd, and the command
/// is gone.
pub(crate) fn a_silent_proxy_command() {
    let world = World::new();
    let sshd = world.front(Front::default());
    kill("STOP", &sshd.process().to_string());
    let home = world.file(".home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    let (pid, port) = (world.file("pid"), sshd.port);
    let command =
        format!("bash -c 'echo $$ >{}; exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3'", pid.display());
    fs::write(home.join(".ssh/config"), format!("Host 127.0.0.1\n\tProxyCommand {command}\n")).unwrap();
    let path = format!("{}:{}", ssh_of_home(&home).display(), std::env::var("PATH").unwrap());
    let run = |words: &[&str]| {
        let mut spore = world.command(words);
        Run::of(spore.env("HOME", &home).env("PATH", &path).env_remove("SPORE_NO_SSH_CONFIG"))
    };
    let plan = run(&["facts", "h4", "--timeout", "connect=0.5"]).exits(3);
    kill("CONT", &sshd.process().to_string());
    plan.says("through the ProxyCommand: no answer within 0.5 s while connecting; check the ProxyCommand");
    let process = fs::read_to_string(&pid).unwrap();
    assert!(!Path::new("/proc").join(process.trim()).exists(), "{process}");
    run(&["facts", "h4"]).exits(0);
}
