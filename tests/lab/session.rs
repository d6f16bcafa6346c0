//! The session in README.md that creates a network from nothing, on real hosts: the commands are run
//! as they are written there, with the addresses of the lab's hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::binary;
use crate::host::{Lab, Suite};
use crate::watch::meshed;

#[path = "../support/session.rs"]
mod readme;

pub(crate) fn from_init(lab: &Lab) {
    let hosts = lab.up([
        ("h1", Suite::Bookworm.machine()),
        ("h2", Suite::Trixie.machine()),
        ("h3", Suite::Bookworm.machine()),
        ("h4", Suite::Trixie.machine()),
        ("h5", Suite::Bookworm.machine()),
    ]);
    let steps = readme::shown(&readme::readme(), "console lab");
    assert!(steps.len() > 10, "the README's session isn't found");
    let home = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let key = home.path().join(".ssh/id_ed25519");
    copy(&lab.key(), &key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap_or_else(|error| panic!("{error}"));
    copy(binary::any(), &home.path().join("tau-linux-amd64"));
    let mut here = home.path().to_owned();
    for step in &steps {
        if let Some(folder) = step.command.strip_prefix("cd ") {
            here = here.join(folder);
            continue;
        }
        let mut command = step.command.clone();
        for (nth, host) in hosts.iter().enumerate() {
            command = command.replace(&format!("203.0.113.{}", nth + 1), &host.addr().to_string());
        }
        let found = run(&command, &here, home.path());
        assert!(
            readme::fits(&step.output, &found),
            "README.md:{}: $ {command}\n{}\ninstead of\n{}",
            step.line,
            found.join("\n"),
            step.output.join("\n")
        );
        assert!(!found.concat().contains("CAESQ"), "a key was printed: {command}");
    }
    // The network runs, and no key of a node has left its host.
    let [h1, h2, h3, h4, h5] = &hosts;
    meshed(&[h4, h5], &[h1, h2, h3], 4242);
    for entry in fs::read_dir(&here).unwrap_or_else(|error| panic!("{error}")).flatten() {
        let text = fs::read(entry.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains("CAESQ"), "{}", entry.path().display());
    }
    for (host, shape) in [(h1, "elders"), (h2, "elders"), (h3, "elders"), (h4, "members"), (h5, "members")] {
        assert_eq!(host.sh(&format!("stat -c '%a %U' /tb/config/keys/{shape}.key")), "600 root\n");
    }
}

fn copy(from: &Path, to: &Path) {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

fn run(command: &str, here: &Path, home: &Path) -> Vec<String> {
    let spore = Path::new(env!("CARGO_BIN_EXE_spore"));
    let programs = spore.parent().unwrap_or(spore).display();
    let path = std::env::var("PATH").unwrap_or_default();
    let out = Command::new("timeout")
        .args(["--kill-after=5", "300", "sh", "-c", command])
        .current_dir(here)
        .env_clear()
        .env("PATH", format!("{programs}:{path}"))
        .env("HOME", home)
        .env("USER", "tester")
        // Nodes in the lab don't exit after their start.
        .env("SPORE_TIMEOUT", "settle=1")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command}: {error}"));
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}
