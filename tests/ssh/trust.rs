//! Host keys of a real sshd.

use crate::pretend::{Run, World};
use crate::sshd::{Sshd, run, user};
use crate::world::{Front, fingerprint, keygen, public, sign};
use std::fs;
use std::process::Command;

const KINDS: &[&str] = &["ed25519", "ecdsa", "rsa"];

impl World {
    /// A command of a user whose own file has these known keys, and who knows h1.
    fn of_user(&self, known: &str, words: &[&str]) -> Run {
        let home = self.file(".home/.ssh");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("known_hosts"), known).unwrap();
        let mut command = self.command(words);
        Run::of(command.env_remove("SPORE_KNOWN_HOSTS").env("HOME", self.file(".home")))
    }
}

fn shown(sshd: &Sshd, kind: &str) -> String {
    fingerprint(sshd.known_by(kind).split_once(' ').unwrap().1)
}

pub(crate) fn all_keys_of_a_server_are_shown_and_added() {
    let world = World::new();
    let sshd = world.front_unknown(Front { kinds: KINDS, ..Front::default() });
    let plan = world.of_user("", &["plan"]).exits(3);
    plan.says(&format!(
        "h4: not planned: unknown host key: {}; compare the fingerprint",
        shown(&sshd, "ed25519")
    ));
    plan.says("then run `spore trust h4`");
    let all = format!(
        "h4  127.0.0.1:{}\n  {}\n  {}\n  {}\n",
        sshd.port,
        shown(&sshd, "ed25519"),
        shown(&sshd, "ecdsa"),
        shown(&sshd, "rsa")
    );
    let known = fs::read_to_string(world.file("known_hosts")).unwrap();
    world.of_user("", &["trust", "h4"]).exits(1).says(&all).says("no terminal to prompt on");
    let trust = world.of_user("", &["trust", "h4", "--yes"]).exits(0);
    trust.says(&all).says("trust: added 1 host to known_hosts\n");
    assert_eq!(fs::read_to_string(world.file("known_hosts")).unwrap(), known + &sshd.known_hosts());
    world.of_user("", &["plan"]).exits(2);
    assert_eq!(sshd.logged("Accepted publickey"), 1, "spore trust doesn't log in");
}

pub(crate) fn hashed_names_work() {
    let world = World::new();
    let sshd = world.front_unknown(Front::default());
    let file = world.file("hashed");
    fs::write(&file, sshd.known_hosts()).unwrap();
    run(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&file));
    let hashed = fs::read_to_string(file).unwrap();
    assert!(hashed.starts_with("|1|") && !hashed.contains("127.0.0.1"), "{hashed}");
    world.of_user(&hashed, &["plan"]).exits(2);
    // The same key at another port isn't known.
    let other = sshd.known_hosts().replace(&format!(":{}", sshd.port), ":2222");
    world.of_user(&other, &["plan"]).exits(3).says("h4: not planned: unknown host key: ssh-ed25519 ");
}

/// `/etc/ssh/ssh_known_hosts`, which this `spore` finds in another place.
pub(crate) fn the_systems_file_counts() {
    let world = World::new();
    let sshd = world.front_unknown(Front::default());
    fs::create_dir(world.file("system")).unwrap();
    let known = world.file("system/ssh_known_hosts");
    let facts = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/ssh && exec \"$@\""]);
        let facts = world.facts();
        unshare.arg(world.file("system")).arg(facts.get_program()).args(facts.get_args());
        unshare.current_dir(world.folder()).env("HOME", world.folder()).env_remove("SPORE_KNOWN_HOSTS");
        Run::of(unshare.env("SPORE_NO_SSH_CONFIG", "true").env_remove("SSH_AUTH_SOCK"))
    };
    facts().exits(3).says("unknown host key: ssh-ed25519 ");
    fs::write(&known, sshd.known_hosts()).unwrap();
    facts().exits(0);
    fs::write(known, format!("@revoked * {}\n", sshd.key())).unwrap();
    facts().exits(3).says("(revoked in /etc/ssh/ssh_known_hosts:1)");
}

/// Whichever key of a server is known, it isn't reported as changed because it has others.
pub(crate) fn the_listed_kind_of_key_is_asked_for() {
    let world = World::new();
    let sshd = world.front_unknown(Front { kinds: KINDS, ..Front::default() });
    for kind in KINDS {
        let plan = world.of_user(&sshd.known_by(kind), &["plan"]).exits(2);
        assert!(!plan.text.contains("host key"), "{plan}");
        world.of_user(&sshd.known_by(kind), &["trust", "h4"]).exits(0).says("h4  already known\n");
    }
}

pub(crate) fn a_changed_key_is_always_refused() {
    let world = World::new();
    let sshd = world.front_unknown(Front { kinds: KINDS, ..Front::default() });
    keygen(&world.file("other"));
    let other = format!("[127.0.0.1]:{} {}\n", sshd.port, public(&world.file("other")));
    let before = fs::read_to_string(world.file("known_hosts")).unwrap();
    let expected = format!(
        "changed host key: {} doesn't match {}/.home/.ssh/known_hosts:1; possible man-in-the-middle attack, or the \
         host was reinstalled.",
        shown(&sshd, "ed25519"),
        world.folder().display()
    );
    let home = world.file(".home/.ssh/known_hosts");
    let remove = format!("(`ssh-keygen -f {} -R '[127.0.0.1]:{}'`", home.display(), sshd.port);
    let cases: [(&[&str], i32); 4] = [
        (&["plan"], 3),
        (&["plan", "--accept-new-host-keys"], 3),
        (&["trust", "h4", "--yes"], 1),
        (&["trust", "--yes"], 0),
    ];
    for (words, code) in cases {
        let run = world.of_user(&other, words).exits(code);
        // Without a name, `trust` is about hosts that no line lists.
        if code != 0 {
            run.says(&expected).says(&remove);
        }
    }
    assert_eq!(fs::read_to_string(world.file("known_hosts")).unwrap(), before);
    assert_eq!(sshd.logged("Accepted"), 0);
    // As the message says.
    run(Command::new("ssh-keygen").arg("-f").arg(&home).args(["-R", &format!("[127.0.0.1]:{}", sshd.port)]));
    let left = fs::read_to_string(home).unwrap();
    world.of_user(&left, &["trust", "h4", "--yes"]).exits(0).says("trust: added 1 host to known_hosts\n");
    world.of_user("", &["plan"]).exits(2);
}

pub(crate) fn a_revoked_key_is_refused() {
    let world = World::new();
    let sshd = world.front(Front::default());
    let key = sshd.key();
    let expected = format!("revoked host key: {} (revoked in ", fingerprint(&key));
    let revoked = format!("@revoked * {key}\n");
    let plan = world.of_user(&revoked, &["plan"]).exits(3);
    plan.says(&format!("h4: not planned: {expected}"))
        .says("known_hosts:1); don't log in: this key was revoked");
    for words in [&["plan", "--accept-new-host-keys"][..], &["trust", "h4", "--yes"]] {
        let run = world.of_user(&revoked, words);
        assert_ne!(run.code, Some(0), "{run}");
        run.says(&expected);
    }
    assert_eq!(sshd.logged("Accepted"), 0);
}

/// Certificates that `ssh-keygen` has signed, with `@cert-authority`.
pub(crate) fn certificates_of_hosts() {
    let world = World::new();
    let [ca, host] = ["ca", "host"].map(|name| world.file(name));
    keygen(&ca);
    keygen(&host);
    let certificate = world.file("host-cert.pub");
    let authority = format!("@cert-authority 127.0.0.1,[127.0.0.1]:* {}\n", public(&ca));
    let lines = format!("HostKey {}\nHostCertificate {}", host.display(), certificate.display());
    let plan = |options: &[&str], known: &str, code: i32| {
        sign(&ca, &[&["-h"], options].concat(), &world.file("host.pub"));
        let sshd = world.front_unknown(Front { more: &lines, kinds: &["rsa"], ..Front::default() });
        let run = world.of_user(known, &["plan"]).exits(code);
        (run, sshd)
    };
    plan(&["-n", "127.0.0.1"], &authority, 2);
    let signed =
        format!(" (signed by the authority in {}/.home/.ssh/known_hosts:1); ", world.folder().display());
    let cases = [
        (&["-n", "h1.test"][..], "it is only for h1.test", "use one of these names in the folder"),
        (&["-n", "127.0.0.1", "-V", "20200101:20200102"], "it has expired", "check this machine's clock"),
        (&["-n", "127.0.0.1", "-V", "20990101:20990102"], "it isn't valid yet", "check this machine's clock"),
    ];
    for (options, flaw, help) in cases {
        let (run, _) = plan(options, &authority, 3);
        run.says(&format!("h4: not planned: invalid host certificate: {flaw}{signed}{help}"));
    }
    // A revoked authority vouches for nobody.
    let revoked = format!("{authority}@revoked * {}\n", public(&ca));
    plan(&["-n", "127.0.0.1"], &revoked, 3).0.says("h4: not planned: revoked host key: ");
    // A host without a certificate isn't added on its own.
    fs::remove_file(&certificate).unwrap();
    let _sshd = world.front_unknown(Front::default());
    let run = world.of_user(&authority, &["plan", "--accept-new-host-keys"]).exits(3);
    run.says("then run `spore trust h4` (the host has no certificate from the authority at ");
    world.of_user(&authority, &["trust", "h4", "--yes"]).exits(1).says("; 1 host not added (h4)");
}

pub(crate) fn new_keys_are_accepted() {
    let world = World::new();
    let sshd = world.front_unknown(Front { kinds: KINDS, ..Front::default() });
    let run = world.of_user("", &["plan", "--accept-new-host-keys"]).exits(2);
    let all = KINDS.iter().map(|kind| shown(&sshd, kind)).collect::<Vec<_>>().join(", ");
    run.says(&format!("note: accepted the new host key of h4: {all}; added to known_hosts\n"));
    let run = world.of_user("", &["plan", "--accept-new-host-keys"]).exits(2);
    assert!(!run.text.contains("accepted"), "{run}");
}

/// The jump host comes first, because the other can be reached only through it.
pub(crate) fn unknown_hosts_behind_an_unknown_jump_host() {
    let world = World::new();
    let host = world.front_unknown(Front::default());
    let gate = Sshd::start("127.0.0.1", &world.file("keys/ssh"), "");
    world.set_ssh(&format!(
        "addr: 127.0.0.1, port: {}, jump: \"{}@127.0.0.1:{}\"",
        host.port,
        user(),
        gate.port
    ));
    let plan = world.of_user("", &["plan"]).exits(3);
    plan.says(&format!(
        "h4: not planned: jump host 127.0.0.1: unknown host key: {}",
        fingerprint(&gate.key())
    ));
    plan.says("run `spore trust h4`");
    // The host can't be asked for its key before that of the jump host is trusted.
    let trust = world.of_user("", &["trust", "h4"]).exits(1);
    trust.says(&format!("127.0.0.1  127.0.0.1:{}\n  {}\n", gate.port, fingerprint(&gate.key())));
    assert!(!trust.text.contains(&fingerprint(&host.key())), "{trust}");
    assert_eq!(host.logged("Connection from"), 1, "only this test's own");
    let trust = world.of_user("", &["trust", "h4", "--yes"]).exits(0);
    trust.says(&format!("h4  127.0.0.1:{}\n  {}\n", host.port, fingerprint(&host.key())));
    trust.says("trust: added 2 hosts to known_hosts\n");
    let known = fs::read_to_string(world.file("known_hosts")).unwrap();
    assert!(known.ends_with(&(gate.known_hosts() + &host.known_hosts())), "{known}");
    world.of_user("", &["plan"]).exits(2);
}
