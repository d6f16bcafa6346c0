//! A real sudo that asks for a password.

use crate::pretend::{Run, World};
use crate::sshd::{Account, Sshd};
use crate::world::{Front, on_terminal};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "apricot-shelf-lemon";

/// The users' `PATH` leads to the simulated host.
pub(crate) const KEPT: &str =
    "Defaults env_keep += \"SPORE_ROOT SPORE_FAULTS PATH\", !secure_path, !syslog, loglinelen=0\n";

fn front(world: &World) -> Sshd {
    front_with(world, "planter ALL=(ALL) ALL")
}

fn front_with(world: &World, rule: &str) -> Sshd {
    let log = world.file("sudo.log");
    let sudoers = format!("{KEPT}Defaults logfile={}\n{rule}\n", log.display());
    let account = Account { password: Some(PASSWORD), sudoers: &sudoers, ..Account::default() };
    world.front(Front { account: Some(account), ..Front::default() })
}

fn with(world: &World, password: &str) -> Run {
    Run::of(world.command(&["plan"]).env("SPORE_SUDO_PASSWORD", password))
}

/// How many commands sudo has run, or how often it has said this.
fn logged(world: &World, text: &str) -> usize {
    let log = fs::read_to_string(world.file("sudo.log")).unwrap_or_default().replace("\n    ", " ");
    log.matches(text).count()
}

pub(crate) fn the_password_is_sent_once() {
    let world = World::new();
    let _sshd = front(&world);
    let plan = Run::of(&mut world.command(&["plan"])).exits(3);
    plan.says(
        "h4: not planned: no password-less sudo: sudo: a password is required; log in as root, pass \
         `--ask-sudo-password`, or give this user `NOPASSWD: ALL` in /etc/sudoers.d\n",
    );
    let plan = with(&world, PASSWORD).exits(2);
    assert!(!plan.text.contains(PASSWORD), "{plan}");
    assert_eq!(logged(&world, "COMMAND=/"), 2, "the refused one and this one");
    let words = ["apply", "--yes", "--timeout", "settle=0.5"];
    Run::of(world.command(&words).env("SPORE_SUDO_PASSWORD", PASSWORD)).exits(0);
    with(&world, PASSWORD).exits(0).says("plan: nothing to do");
    let asked =
        on_terminal(&world.command(&["plan", "--ask-sudo-password"]), &format!("{PASSWORD}\n")).exits(0);
    asked.says("sudo password on the hosts: ").says("plan: nothing to do");
}

pub(crate) fn a_wrong_password_is_tried_once() {
    let world = World::new();
    let _sshd = front(&world);
    let plan = with(&world, "walnut-glacier").exits(3);
    plan.says(
        "h4: not planned: wrong sudo password; check the password given at the prompt of `--ask-sudo-password` or \
         in SPORE_SUDO_PASSWORD; it was tried once\n",
    );
    assert!(!plan.text.contains("walnut"), "{plan}");
    // sudo writes it when it notices that nobody answers.
    let begun = Instant::now();
    while logged(&world, "incorrect password attempt") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "sudo logs nothing");
        std::thread::yield_now();
    }
    assert_eq!(logged(&world, "1 incorrect password attempt ;"), 1);
    assert_eq!(logged(&world, "COMMAND="), 1);
}

pub(crate) fn a_refusal_is_quoted() {
    let cases = [
        (
            "",
            "sudo refused to make the user root: planter is not in the sudoers file.; log in as root, or give this \
             user `ALL` in /etc/sudoers.d\n",
        ),
        (
            "Defaults requiretty\nplanter ALL=(ALL) ALL",
            "you must have a tty to run sudo; on the host, remove `requiretty` from the defaults in /etc/sudoers: \
             spore has no terminal there\n",
        ),
    ];
    for (rule, expected) in cases {
        let world = World::new();
        let _sshd = front_with(&world, rule);
        with(&world, PASSWORD).exits(3).says(expected);
    }
}

/// Every program that sshd starts, with its arguments and its environment.
pub(crate) fn the_password_is_in_no_arguments() {
    let world = World::new();
    let sshd = front(&world);
    let trace = world.file("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-v", "-s", "1000000", "-e", "trace=execve", "-p", &sshd.process().to_string(), "-o"]);
    let mut strace = strace.arg(&trace).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
    let attached = said.next().unwrap().unwrap();
    assert!(attached.contains("attached"), "{attached}");
    with(&world, PASSWORD).exits(2);
    drop(sshd);
    strace.wait().unwrap();
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("/sudo") && trace.contains("\"-S\""), "{trace}");
    assert!(!trace.contains(PASSWORD));
}
