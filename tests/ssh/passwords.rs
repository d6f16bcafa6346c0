//! Passwords and questions of a real sshd.

use crate::pretend::{Run, World};
use crate::sshd::Account;
use crate::world::{Front, on_terminal};

const PASSWORD: &str = "apricot-shelf-lemon";

fn account() -> Account<'static> {
    Account { password: Some(PASSWORD), ..Account::default() }
}

/// A wrong password is one failed attempt, because more might lock the account.
pub(crate) fn a_wrong_one_is_tried_once() {
    let world = World::new();
    let more = "PasswordAuthentication yes\nPubkeyAuthentication no";
    let sshd = world.front(Front { more, account: Some(account()), ..Front::default() });
    world.log_in_with(&format!("username: planter, password: {PASSWORD}"));
    // The user isn't root, and sudo wants a password.
    let plan = Run::of(&mut world.command(&["plan"])).exits(3);
    plan.says("h4: not planned: no password-less sudo");
    assert_eq!((sshd.logged("Accepted password"), sshd.logged("Failed password")), (1, 0));

    world.log_in_with("username: planter, password: walnut-glacier");
    let plan = Run::of(&mut world.command(&["plan"])).exits(3);
    plan.says(
        "h4: not planned: login as planter refused: tried password; check the password, and that the user is \
         allowed to log in\n",
    );
    assert!(!plan.text.contains("walnut"), "{plan}");
    assert_eq!(sshd.logged("Failed password"), 1);
    assert_eq!(sshd.logged("Connection from"), 3, "one of the test, and two of spore");
    // A password isn't tried if the server accepts only keys.
    let keys = world.front(Front { account: Some(account()), ..Front::default() });
    world.log_in_with("username: planter, password: walnut-glacier");
    let plan = Run::of(&mut world.command(&["plan"])).exits(3);
    plan.says("h4: not planned: login as planter refused: tried password; ");
    assert!(keys.logged("Failed password") <= 1);
}

/// `keyboard-interactive`, through PAM.
pub(crate) fn questions_are_answered() {
    let world = World::new();
    let more = "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods keyboard-interactive";
    let pam = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
    let account = Account { pam, ..account() };
    let sshd = world.front(Front { more, account: Some(account), ..Front::default() });
    world.log_in_with(&format!("username: planter, password: {PASSWORD}"));
    Run::of(&mut world.command(&["plan"])).exits(3).says("h4: not planned: no password-less sudo");
    assert_eq!(sshd.logged("Accepted keyboard-interactive/pam"), 1);

    world.log_in_with("username: planter, password: walnut-glacier");
    let plan = Run::of(&mut world.command(&["plan"])).exits(3);
    plan.says("h4: not planned: login as planter refused: tried password; ");
    assert_eq!(sshd.logged("Failed keyboard-interactive/pam"), 1, "it is tried once");

    // After a key, the server asks for the password, which is in no folder.
    let more = more.replace("Methods ", "Methods publickey,");
    let sshd = world.front(Front { more: &more, account: Some(account), ..Front::default() });
    let plan = Run::of(&mut world.command(&["plan"])).exits(3);
    plan.says("refused: tried ssh-ed25519 key SHA256:")
        .says("its question `Password:`, which nobody answered");
    plan.says("the host accepted one credential and requires another");
    let plan = on_terminal(&world.command(&["plan"]), &format!("{PASSWORD}\n")).exits(3);
    plan.says("h4: Password: ").says("h4: not planned: no password-less sudo");
    assert_eq!(sshd.logged("Accepted keyboard-interactive/pam"), 1);
}
