//! `spore trust` and `--accept-new-host-keys`, on simulated hosts.

use crate::world::{APPLY, Run, World};
use spore_drive::ssh::{KnownHosts, ServerAddress};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

impl World {
    /// A command that doesn't get `--known-hosts`, of a user whose `~/.ssh/known_hosts` has this text.
    fn of_user(&self, known: &str, words: &[&str]) -> Command {
        let home = self.folder().join(".home");
        fs::create_dir_all(home.join(".ssh")).unwrap();
        fs::write(home.join(".ssh/known_hosts"), known).unwrap();
        let mut command = self.command(words);
        command.env_remove("SPORE_KNOWN_HOSTS").env("HOME", home);
        command
    }

    fn newcomer(&self, words: &[&str]) -> Run {
        Run::of(&mut self.of_user("", words))
    }

    fn known_hosts(&self) -> String {
        fs::read_to_string(self.folder().join("known_hosts")).unwrap_or_default()
    }

    /// Removes the file, and returns its lines for each host.
    fn forget(&self) -> [String; 2] {
        let text = self.known_hosts();
        fs::remove_file(self.folder().join("known_hosts")).unwrap();
        ["h1", "h4"].map(|host| {
            let port = format!("]:{} ", self.host(host).address().port);
            text.lines().find(|line| line.contains(&port)).unwrap().to_owned()
        })
    }
}

/// The fingerprint of the key in a line, as `ssh-keygen` shows it.
fn fingerprint(line: &str) -> String {
    let key = spore_drive::ssh::PublicKey::from_openssh(line.split_once(' ').unwrap().1).unwrap();
    key.fingerprint(Default::default()).to_string()
}

#[test]
fn unknown_hosts_are_shown_and_trusted() {
    let world = World::new();
    let lines = world.forget();
    let plan = world.newcomer(&["plan"]).exits(3);
    plan.says("unknown host key: ssh-ed25519").says("run `spore trust h1`").says("run `spore trust h4`");

    let run = world.newcomer(&["trust"]).exits(1);
    for line in &lines {
        run.says(&format!("\n  ssh-ed25519 {}\n", fingerprint(line)));
    }
    run.says("no terminal to prompt on").says("--yes").says("ssh-keygen -lf -");
    assert!(world.known_hosts().is_empty(), "nothing was added");
    world.newcomer(&["trust", "h9", "--yes"]).exits(1).says("the folder has no host `h9`");

    world.newcomer(&["trust", "h1", "--yes"]).exits(0).says("trust: added 1 host to known_hosts\n");
    assert_eq!(world.known_hosts(), format!("{}\n", lines[0]));
    world.newcomer(&["plan"]).exits(3).says("run `spore trust h4`");
    world.newcomer(&["trust", "--yes"]).exits(0).says("trust: added 1 host to known_hosts\n");
    assert_eq!(world.known_hosts(), format!("{}\n", lines.join("\n")));
    let mode = fs::metadata(world.folder().join("known_hosts")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    world.newcomer(&["trust"]).exits(0).says("trust: nothing to add\n");
    world.newcomer(&["trust", "h4"]).exits(0).says("h4  already known\n").says("trust: nothing to add\n");
    world.newcomer(&["plan"]).exits(2);
    world.newcomer(&["check"]).exits(0).says("check: 2 warnings");
}

#[test]
fn it_is_asked_on_a_terminal() {
    let world = World::new();
    let [_, h4] = world.forget();
    fs::write(world.folder().join("known_hosts"), "# ours").unwrap();
    world
        .typed(&["trust", "h4"], "no\n")
        .exits(4)
        .says("trust these host keys? [yes/no]")
        .says("trust: declined");
    assert_eq!(world.known_hosts(), "# ours");
    world.typed(&["trust", "h4"], "yes\n").exits(0).says("trust: added 1 host to known_hosts");
    assert_eq!(world.known_hosts(), format!("# ours\n{h4}\n"));
}

/// Neither a changed nor a revoked key is added, by any command.
#[test]
fn a_key_that_has_changed_or_is_revoked_is_never_added() {
    let world = World::new();
    let [h1, h4] = world.forget();
    let other = h1.replacen(
        &world.host("h1").address().port.to_string(),
        &world.host("h4").address().port.to_string(),
        1,
    );
    let revoked = format!("@revoked * {}", h1.split_once(' ').unwrap().1);
    let known = format!("{other}\n{revoked}\n");
    fs::write(world.folder().join("known_hosts"), &known).unwrap();
    for words in
        [&["trust", "--yes"][..], &["trust", "h1", "h4", "--yes"], &["plan", "--accept-new-host-keys"]]
    {
        let run = world.newcomer(words);
        assert_ne!(run.code, Some(0), "{run}");
        run.says("revoked host key: ssh-ed25519").says("(revoked in known_hosts:2)");
        if words.len() != 2 {
            run.says(&format!(
                "changed host key: ssh-ed25519 {} doesn't match known_hosts:1",
                fingerprint(&h4)
            ));
            run.says("possible man-in-the-middle").says("ssh-keygen -f known_hosts -R '[127.0.0.1]:");
            run.says("run `spore trust h4`");
        }
        assert_eq!(world.known_hosts(), known);
    }
    fs::write(world.folder().join("known_hosts"), "").unwrap();
    world.newcomer(&["trust", "h4", "--yes"]).exits(0);
    assert_eq!(world.known_hosts(), format!("{h4}\n"));
}

/// A pipeline meets its hosts for the first time.
#[test]
fn new_host_keys_are_accepted_and_kept() {
    let world = World::new();
    let [h1, h4] = world.forget();
    let run = world.newcomer(&["plan", "--accept-new-host-keys"]).exits(2);
    for (host, line) in [("h1", &h1), ("h4", &h4)] {
        let key = format!("new host key of {host}: ssh-ed25519 {}; added to known_hosts", fingerprint(line));
        run.says(&format!("note: accepted the {key}\n"));
    }
    assert_eq!(world.known_hosts(), format!("{h1}\n{h4}\n"));
    // From now on, the hosts are known.
    let again = world.newcomer(&["plan", "--accept-new-host-keys"]).exits(2);
    assert!(!again.text.contains("accepted"), "{again}");
    world.newcomer(&[APPLY, &["--accept-new-host-keys"]].concat()).exits(0);

    // Only the hosts that the command is about.
    world.forget();
    world.newcomer(&["facts", "h1", "--accept-new-host-keys"]).exits(0).says("new host key of h1");
    assert_eq!(world.known_hosts(), format!("{h1}\n"));

    // A host with an authority has to have a certificate.
    let authority = format!("@cert-authority * {}\n", h1.split_once(' ').unwrap().1);
    fs::write(world.folder().join("known_hosts"), &authority).unwrap();
    let run = world.newcomer(&["plan", "--accept-new-host-keys"]).exits(3);
    run.says("the host has no certificate from the authority at known_hosts:1");
    let run = world.newcomer(&["trust", "--yes"]).exits(1);
    run.says("no certificate from the authority at known_hosts:1").says("2 hosts not added (h1, h4)");
    assert_eq!(world.known_hosts(), authority);

    // With `--known-hosts`, the folder's file doesn't count, and isn't changed.
    let given = ["--known-hosts", "given", "--accept-new-host-keys"];
    world.newcomer(&[&["plan"], &given[..1], &given[1..2]].concat()).exits(1).says("given isn't a file");
    world.newcomer(&[&["plan"], &given[..]].concat()).exits(0).says("added to given");
    assert_eq!(world.known_hosts(), authority);
    world.newcomer(&["plan", "--known-hosts", "given"]).exits(0);
}

/// The keys may be in the user's files, hashed, or in the folder.
#[test]
fn the_files_of_the_user_and_of_the_folder_are_searched() {
    let world = World::new();
    let [h1, h4] = world.forget();
    fs::write(world.folder().join("known_hosts"), &h4).unwrap();
    Run::of(&mut world.of_user(&h1, &["plan"])).exits(2);
    Run::of(&mut world.of_user(&h1, &["trust"])).exits(0).says("trust: nothing to add");
    let home = world.folder().join(".home/.ssh");
    let mut command = world.of_user(&h1, &["plan"]);
    let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(home.join("known_hosts")).output();
    assert!(hashed.unwrap().status.success());
    let known = fs::read_to_string(home.join("known_hosts")).unwrap();
    assert!(known.starts_with("|1|"), "{known}");
    Run::of(&mut command).exits(2);
    fs::rename(home.join("known_hosts"), home.join("known_hosts2")).unwrap();
    Run::of(&mut command).exits(2);
    let address = ServerAddress::new("127.0.0.1", world.host("h1").address().port);
    assert!(KnownHosts::read(&[home.join("known_hosts2")]).unwrap().lists(&address));
}

/// What answers at one address of a host says nothing about its other addresses.
#[test]
fn each_address_is_trusted_by_itself() {
    let world = World::new();
    let [_, h4] = world.forget();
    let port = world.host("h4").address().port;
    world.change("hosts/h4.yaml", "{addr: 127.0.0.1,", "{addr: [127.0.0.2, 127.0.0.1],");
    let other = h4.replacen("[127.0.0.1]", "[127.0.0.2]", 1);
    fs::write(world.folder().join("known_hosts"), format!("{other}\n")).unwrap();
    let run = world.newcomer(&["trust", "h4", "--yes"]).exits(0);
    run.says(&format!("h4  127.0.0.1:{port}\n")).says("trust: added 1 host to known_hosts\n");
    assert_eq!(world.known_hosts(), format!("{other}\n{h4}\n"));
    world.newcomer(&["trust", "h4", "--yes"]).exits(0).says("h4  already known\n");
}
