//! sudo with a password.

use crate::world::{APPLY, Run, World};
use spore_drive::pretend::Faults;
use std::fs;

const PASSWORD: &str = "apricot-shelf-lemon";

impl World {
    /// Makes sudo on both hosts ask for the password.
    fn asks_for_password(&self) {
        for host in ["h1", "h4"] {
            let faults = Faults { sudo_password: Some(PASSWORD), ..Faults::default() };
            self.host(host).set_faults(faults);
        }
    }

    /// Runs `spore` with this password in the environment.
    fn with_password(&self, password: &str, words: &[&str]) -> Run {
        Run::of(self.command(words).env("SPORE_SUDO_PASSWORD", password))
    }

    /// The passwords that sudo has got on a host since the last time.
    fn got(&self, host: &str) -> String {
        let file = self.host(host).root().join("run/pretend/sudo-passwords");
        let got = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        got
    }
}

#[test]
fn sudo_gets_the_password_once_on_each_connection() {
    let world = World::new();
    world.asks_for_password();
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("no password-less sudo: sudo: a password is required").says("pass `--ask-sudo-password`");
    let plan = world.with_password(PASSWORD, &["plan"]).exits(2);
    assert!(!plan.text.contains(PASSWORD), "{plan}");
    assert_eq!([world.got("h1"), world.got("h4")], [format!("{PASSWORD}\n"), format!("{PASSWORD}\n")]);
    world.with_password(PASSWORD, APPLY).exits(0).says("0 failed; 0 skipped");
    world.got("h1");
    world
        .typed(&["plan", "--ask-sudo-password"], &format!("{PASSWORD}\n"))
        .exits(0)
        .says("sudo password on the hosts: ");
    assert_eq!(world.got("h1"), format!("{PASSWORD}\n"));
    world
        .spore(&["plan", "--ask-sudo-password"])
        .exits(1)
        .says("no terminal to prompt on")
        .says("SPORE_SUDO_PASSWORD");
}

/// If sudo asks for no password, none is sent: the shell would run it.
#[test]
fn a_password_that_is_not_asked_for_is_not_sent() {
    let world = World::new();
    let plan = world.with_password("touch \"$SPORE_ROOT/tb-is-touched\"", &["plan"]).exits(2);
    assert!(!plan.text.contains("not planned"), "{plan}");
    assert_eq!(world.got("h1") + &world.got("h4"), "");
    assert!(!world.host("h1").root().join("tb-is-touched").exists());
    // Root needs no sudo.
    world.change("auth.yaml", "username: planter", "username: root");
    world.asks_for_password();
    world.with_password(PASSWORD, &["plan"]).exits(2);
    assert_eq!(world.got("h1") + &world.got("h4"), "");
}

/// A wrong password is one failed attempt on one host, so it locks nobody out.
#[test]
fn a_wrong_password_is_tried_once() {
    let world = World::new();
    world.asks_for_password();
    let plan = world.with_password("walnut-glacier", &["plan"]).exits(3);
    plan.says("not planned: wrong sudo password; check the password");
    plan.says("the given one wasn't tried, because h")
        .says(" rejected it; use a password that all hosts accept");
    assert!(!plan.text.contains("walnut"), "{plan}");
    assert_eq!(world.got("h1") + &world.got("h4"), "walnut-glacier\n");
    // Only one host has another password.
    world.host("h1").set_faults(Faults::default());
    world.with_password("walnut-glacier", &["plan"]).exits(3).says("h4: not planned: wrong sudo password");
    assert_eq!(world.got("h4"), "walnut-glacier\n");
    // The user may not use sudo.
    world.host("h4").set_faults(Faults { no_sudo: true, ..Faults::default() });
    world.with_password(PASSWORD, &["plan"]).exits(3).says("no password-less sudo");
}
