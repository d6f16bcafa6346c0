//! Sessions of a real sshd: what login shells and their start files write, and addresses.

use crate::pretend::{APPLY, Run, World};
use crate::sshd::{Account, run};
use crate::sudo::KEPT;
use crate::world::Front;
use std::fs;
use std::process::Command;

fn sudoers() -> String {
    format!("{KEPT}planter ALL=(ALL) NOPASSWD: ALL\n")
}

pub(crate) fn an_apply() {
    let world = World::new();
    let sshd = world.front(Front::default());
    world.spore(APPLY).exits(0).says("0 failed; 0 skipped");
    assert!(world.is_up("h4"));
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    assert_eq!(sshd.logged("Accepted publickey"), 2, "one connection for each command");
}

/// A banner before the login, a message of the day after it, and whatever `.bashrc` does.
pub(crate) fn banner_and_noise() {
    let world = World::new();
    for name in ["banner", "motd"] {
        fs::write(world.file(name), format!("{name}: authorized users only\n").repeat(50)).unwrap();
    }
    let pam = format!(
        "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\nsession optional pam_motd.so motd={}\n",
        world.file("motd").display()
    );
    let bashrc = "echo welcome, you have mail\nprintf 'no line break'\necho $RANDOM >&2\nstty -a\nset -u\numask 077\n\
                  export LC_ALL=de_DE.UTF-8 GREP_OPTIONS=-v CDPATH=/\nalias head=true\nseq 2000\n";
    let account = Account { sudoers: &sudoers(), pam: &pam, bashrc, ..Account::default() };
    let more = format!("UsePAM yes\nPrintMotd yes\nBanner {}", world.file("banner").display());
    let _sshd = world.front(Front { more: &more, account: Some(account), ..Front::default() });
    let plan = world.spore(&["plan"]).exits(2);
    assert!(!plan.text.contains("authorized users") && !plan.text.contains("welcome"), "{plan}");
    world.spore(APPLY).exits(0).says("0 failed; 0 skipped");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
}

/// A user with this login shell becomes root with sudo.
pub(crate) fn login_shell(name: &str) {
    let world = World::new();
    let program = run(Command::new("sh").args(["-c", "command -v \"$1\"", "sh", name]));
    let account = Account { shell: program.trim(), sudoers: &sudoers(), ..Account::default() };
    let _sshd = world.front(Front { account: Some(account), ..Front::default() });
    world.spore(APPLY).exits(0).says("0 failed; 0 skipped");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
}

/// An apply needs a second session for its heartbeat, a plan doesn't.
pub(crate) fn one_session_only() {
    let world = World::new();
    let _sshd = world.front(Front { more: "MaxSessions 1", ..Front::default() });
    world.spore(&["plan"]).exits(2);
    world.spore(APPLY).exits(1).says(
        "failed h4: can't be locked: cannot open a second session on the connection: the host refused to open a \
         channel: ",
    );
}

pub(crate) fn no_login_shell() {
    let help = "check the user's login shell, and that sh, head and base64 are installed\n";
    let cases = [
        ("/usr/sbin/nologin", format!("no usable shell: This account is currently not available.; {help}")),
        ("/bin/false", format!("no usable shell; {help}")),
        ("/nowhere/sh", "login as planter refused: tried ssh-ed25519 key SHA256:".to_owned()),
    ];
    let plan = |account: Account<'_>, more: &str, expected: &str| {
        let world = World::new();
        let _sshd = world.front(Front { account: Some(account), more, ..Front::default() });
        world.spore(&["plan"]).exits(3).says(&format!("h4: not planned: {expected}"));
    };
    for (shell, expected) in cases {
        plan(Account { shell, ..Account::default() }, "", &expected);
    }
    let bashrc = "echo this host is closed; exit 1";
    let expected = format!("no usable shell: this host is closed; {help}");
    plan(Account { bashrc, ..Account::default() }, "", &expected);
    plan(
        Account::default(),
        "ForceCommand internal-sftp",
        &format!("no usable shell: This service allows sftp connections only.; {help}"),
    );
}

pub(crate) fn ipv6_and_several_addresses() {
    let world = World::new();
    let sshd = world.front(Front { ip: "::1", ..Front::default() });
    Run::of(&mut world.facts()).exits(0);
    let port = sshd.port;
    world.set_ssh(&format!("addr: [127.0.0.1, \"::1\"], port: {port}"));
    Run::of(&mut world.facts()).exits(0);
    assert_eq!(sshd.logged("Accepted publickey"), 2);
    drop(sshd);
    world.spore(&["plan"]).exits(3).says(&format!(
        "h4: not planned: no address can be reached: 127.0.0.1:{port}: cannot connect to 127.0.0.1:{port}; \
         [::1]:{port}: cannot connect to [::1]:{port}; check that the host is up and reachable from here\n"
    ));
    world.set_ssh(&format!("addr: 127.0.0.1, port: {port}"));
    world.spore(&["plan"]).exits(3).says(&format!(
        "h4: not planned: cannot connect to 127.0.0.1:{port}; nothing listens on port {port}: check that sshd is \
         running and that its port is {port}\n"
    ));
}
