//! Logins with keys, certificates and agents at a real sshd.

use crate::fake_agent::FakeAgent;
use crate::pretend::{Run, World};
use crate::ssh_agent::Agent;
use crate::sshd::{run, ssh_of_home, user};
use crate::world::{Front, fingerprint, keygen, on_terminal, public, sign};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

impl World {
    /// Replaces the fields of the login.
    pub(crate) fn log_in_with(&self, fields: &str) {
        fs::write(self.file("auth.yaml"), format!("planter: {{{fields}}}\n")).unwrap();
    }
}

/// A key, as the list of what was tried shows it.
fn key(public: &str) -> String {
    fingerprint(public).replace(' ', " key ")
}

/// The keys of a login are tried in order, each once, and all are listed if none was accepted.
pub(crate) fn each_key_is_tried_once() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        keygen(&world.file(name));
    }
    let sshd = world.front(Front::default());
    let [name, a, b] = [user(), key(&public(&world.file("a"))), key(&public(&world.file("b")))];
    world.log_in_with(&format!("username: {name}, key: [a, b, keys/ssh]"));
    Run::of(&mut world.facts()).exits(0);
    assert_eq!((sshd.logged("Failed publickey"), sshd.logged("Accepted publickey")), (2, 1));

    world.log_in_with(&format!("username: {name}, key: [a, b]"));
    let refused = Run::of(&mut world.command(&["plan"])).exits(3);
    refused.says(&format!(
        "h4: not planned: login as {name} refused: tried {a}, {b}; the host accepts publickey: check that the \
         public key is in {name}'s authorized_keys on the host, and that the user is allowed to log in"
    ));
    assert_eq!(sshd.logged("Failed publickey"), 4);
    assert_eq!(
        sshd.logged(&format!("Connection closed by authenticating user {name}")),
        1,
        "it isn't repeated"
    );
}

/// sshd ends a connection after `MaxAuthTries` attempts.
pub(crate) fn too_many_attempts() {
    let world = World::new();
    let sshd = world.front(Front { more: "MaxAuthTries 2", ..Front::default() });
    for name in ["a", "b", "c"] {
        keygen(&world.file(name));
    }
    world.log_in_with(&format!("username: {}, key: [a, b, c, keys/ssh]", user()));
    let refused = Run::of(&mut world.command(&["plan"])).exits(3);
    let [a, b] = ["a", "b"].map(|name| key(&public(&world.file(name))));
    refused.says(&format!(
        "h4: not planned: login as {} refused: tried {a}, {b}; then the host disconnected: Too many \
         authentication failures",
        user()
    ));
    refused.says("spore may have offered too many keys (`MaxAuthTries`), or the user is locked out");
    assert_eq!(sshd.logged("Connection from"), 2, "one of spore, after that of the test");
}

/// `KEY-cert.pub` next to the key, and `CertificateFile` in the SSH configuration.
pub(crate) fn certificates_of_users() {
    let world = World::new();
    let [ca, other] = ["ca", "other"].map(|name| world.file(name));
    keygen(&ca);
    keygen(&other);
    let lines = format!("TrustedUserCAKeys {}.pub", ca.display());
    let sshd = world.front(Front { more: &lines, user_key: Some(&other), ..Front::default() });
    let key = world.file("keys/ssh");
    fs::write(world.file("keys/ssh.pub"), public(&key)).unwrap();
    let (name, shown) = (user(), self::key(&public(&key)));
    Run::of(&mut world.command(&["plan"]))
        .exits(3)
        .says(&format!("h4: not planned: login as {name} refused: tried {shown}; "));

    sign(&ca, &["-n", &name, "-V", "20200101:20200102"], &world.file("keys/ssh.pub"));
    Run::of(&mut world.command(&["plan"])).exits(3).says(&format!(
        "h4: not planned: login as {name} refused: tried expired certificate for {shown}, {shown}; "
    ));

    sign(&ca, &["-n", &name], &world.file("keys/ssh.pub"));
    Run::of(&mut world.facts()).exits(0);
    assert_eq!(sshd.logged("Accepted publickey"), 1);
    assert_eq!(sshd.logged("ED25519-CERT"), 2, "the expired one, and the valid one");

    // The agent takes the certificate along.
    let agent = Agent::start(world.folder());
    assert_eq!(agent.add(&[key.to_str().unwrap()]), Some(0));
    let files =
        ["ssh", "ssh.pub", "ssh-cert.pub"].map(|name| (format!("keys/{name}"), format!("gone-{name}")));
    files.iter().for_each(|(here, gone)| fs::rename(world.file(here), world.file(gone)).unwrap());
    Run::of(world.facts().env("SSH_AUTH_SOCK", &agent.socket)).exits(0);
    assert_eq!(sshd.logged("Accepted publickey"), 2);
    files.iter().for_each(|(here, gone)| fs::rename(world.file(gone), world.file(here)).unwrap());

    fs::rename(world.file("keys/ssh-cert.pub"), world.file("elsewhere-cert.pub")).unwrap();
    let home = world.folder().join(".home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    let configuration =
        format!("Host 127.0.0.1\n\tCertificateFile {}/elsewhere-cert.pub\n", world.folder().display());
    fs::write(home.join(".ssh/config"), configuration).unwrap();
    let path = format!("{}:{}", ssh_of_home(&home).display(), std::env::var("PATH").unwrap());
    let mut facts = world.facts();
    Run::of(facts.env("HOME", &home).env("PATH", path).env_remove("SPORE_NO_SSH_CONFIG")).exits(0);
    assert_eq!(sshd.logged("Accepted publickey"), 3);
}

const PASSPHRASE: &str = "apricot-shelf";

pub(crate) fn encrypted_keys() {
    let world = World::new();
    let sshd = world.front(Front::default());
    run(Command::new("ssh-keygen").args(["-q", "-p", "-N", PASSPHRASE, "-f"]).arg(world.file("keys/ssh")));
    let with = |passphrase: &str| Run::of(world.facts().env("SPORE_SSH_PASSPHRASE", passphrase));
    with(PASSPHRASE).exits(0);
    let wrong = with("walnut-glacier").exits(3);
    wrong.says("wrong passphrase for ./keys/ssh; check the passphrase with `ssh-keygen -y -f ./keys/ssh`");
    assert!(!wrong.text.contains("walnut"), "{wrong}");
    Run::of(&mut world.facts())
        .exits(3)
        .says("./keys/ssh is encrypted, and no passphrase was given; run spore on a terminal, or set SPORE_SSH_PASSPHRASE");
    // On a terminal, it may be typed again.
    let typed = on_terminal(&world.facts(), &format!("walnut-glacier\n{PASSPHRASE}\n")).exits(0);
    assert_eq!(typed.text.matches("passphrase for ./keys/ssh: ").count(), 2, "{typed}");
    typed.says("wrong passphrase for ./keys/ssh\n");
    let typed = on_terminal(&world.facts(), "a\nb\nc\n").exits(3);
    assert_eq!(typed.text.matches("passphrase for ./keys/ssh: ").count(), 3, "{typed}");
    for run in [typed, with(PASSPHRASE)] {
        assert!(!run.text.contains(PASSPHRASE), "{run}");
    }
    assert_eq!(sshd.logged("Failed"), 0, "nothing was tried with a wrong passphrase");
}

/// One person has the key in a file, the other in an agent.
pub(crate) fn two_people() {
    let world = World::new();
    let sshd = world.front(Front::default());
    let agent = Agent::start(world.folder());
    Run::of(&mut world.facts()).exits(0);
    assert_eq!(agent.add(&[world.file("keys/ssh").to_str().unwrap()]), Some(0));
    fs::rename(world.file("keys/ssh"), world.file("elsewhere")).unwrap();
    Run::of(world.facts().env("SSH_AUTH_SOCK", &agent.socket)).exits(0);
    assert_eq!(sshd.logged("Accepted publickey"), 2);
    // Neither an agent nor the file.
    Run::of(&mut world.facts()).exits(3).says("cannot read the key ./keys/ssh: No such file or directory");
}

/// A security key signs after it was touched.
pub(crate) fn a_touch_is_waited_for() {
    let world = World::new();
    let agent = FakeAgent::start(world.folder());
    let sshd = world.front(Front::default());
    fs::write(sshd.file("authorized_keys"), agent.public.to_openssh().unwrap() + "\n").unwrap();
    world.log_in_with(&format!("username: {}", user()));
    let mut facts = world.facts();
    facts.env("SSH_AUTH_SOCK", &agent.socket).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut facts = facts.spawn().unwrap();
    let mut said = BufReader::new(facts.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "touch the key for h4"));
    assert_eq!(sshd.logged("Accepted publickey"), 0);
    agent.touch();
    assert_eq!(facts.wait().unwrap().code(), Some(0));
    assert_eq!(sshd.logged("Accepted publickey"), 1);

    // Nobody touches it.
    let mut plan = world.command(&["plan", "--timeout", "touch=0.2"]);
    let plan = Run::of(plan.env("SSH_AUTH_SOCK", &agent.socket)).exits(3);
    plan.says("touch the key for h4\n");
    plan.says(", which wasn't touched within 0.2 s");
}
