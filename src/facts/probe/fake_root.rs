//! A simulated host for tests: a folder that the probe uses as `/`, and stand-ins for the
//! programs that would query this machine's own systemd.

use super::super::{AnswerError, Facts};
use super::Request;
use crate::resource::{DigestKey, Port, Redactor, SecretBytes, ShapeName, Untrusted};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Parses an answer.
pub(super) fn parse(answer: &str) -> Result<Facts, AnswerError> {
    super::super::parse(&Untrusted::new(answer), &Redactor::default())
}

pub(super) struct FakeRoot {
    directory: tempfile::TempDir,
    /// The ports of which the owners are asked.
    pub(super) ports: BTreeSet<Port>,
}

/// The loop that reads requests on a host.
const DRIVER: &str = r#"while IFS= read -r n; do eval "$(head -c "$n")"; done"#;

/// Prints one text the first time, and another from then on if there is another.
const STAND_IN: &str = r#"#!/bin/sh
echo "$*" >>"$0.asked"
cat "$0.says"
status=$?
[ ! -e "$0.then" ] || mv "$0.then" "$0.says"
exit "$status"
"#;

impl FakeRoot {
    pub(super) fn new() -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap(), ports: BTreeSet::new() };
        host.file("/etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        host.file("/proc/uptime", "1000.50 3999.00\n");
        host.directory("/proc/self");
        host.directory("/proc/net");
        // Another process copies the file; see `pretend::root::make_programs`.
        let text = host.directory.path().join("stand-in");
        fs::write(&text, STAND_IN).unwrap();
        fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
        for program in ["systemctl", "journalctl", "dpkg-query"] {
            let path = host.directory.path().join(program);
            assert!(Command::new("cp").arg("-p").arg(&text).arg(path).status().unwrap().success());
        }
        host
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path.trim_start_matches('/'))
    }

    pub(super) fn directory(&self, path: &str) {
        fs::create_dir_all(self.at(path)).unwrap();
    }

    pub(super) fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
        self.mode(path, 0o600);
    }

    pub(super) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: impl AsRef<Path>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
    }

    /// Replaces a command with a script.
    pub(super) fn command(&self, name: &str, script: &str) {
        let text = self.directory.path().join("stand-in");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Another process copies the file, as in `new`.
        let path = self.directory.path().join(name);
        assert!(Command::new("cp").arg("-p").arg(&text).arg(path).status().unwrap().success());
    }

    /// Simulates systemd, and makes `program` print a text.
    pub(super) fn says(&self, program: &str, text: &str) {
        self.directory("/run/systemd/system");
        fs::write(self.directory.path().join(format!("{program}.says")), text).unwrap();
    }

    /// Sets what `program` prints from the second time on.
    pub(super) fn then_says(&self, program: &str, text: &str) {
        fs::write(self.directory.path().join(format!("{program}.then")), text).unwrap();
    }

    /// The arguments with which `program` was run, one line per run.
    pub(super) fn asked(&self, program: &str) -> String {
        fs::read_to_string(self.directory.path().join(format!("{program}.asked"))).unwrap_or_default()
    }

    pub(super) fn answer(&self, shapes: &[&str], rehash: bool) -> String {
        let shapes = shapes.iter().map(|shape| shape.parse::<ShapeName>().unwrap()).collect();
        let request = Request {
            key: &key(),
            machines: &machines(),
            shapes: &shapes,
            ports: &self.ports,
            roster: "",
            keyed: &[],
            rehash,
        };
        let root = self.at("/");
        let root = shlex::try_quote(root.to_str().unwrap().trim_end_matches('/')).unwrap();
        let script = request.below(root.as_bytes());
        let path = format!("{}:/usr/bin:/bin", self.directory.path().display());
        let mut shell = Command::new("sh")
            .args(["-c", DRIVER])
            .env_clear()
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        let script = script.expose().to_vec();
        let writer = std::thread::spawn(move || {
            writeln!(input, "{}", script.len()).unwrap();
            input.write_all(&script).unwrap();
            // The next request must find the shell unchanged by the first one.
            input.write_all(b"11\necho again\n").unwrap();
        });
        let output = shell.wait_with_output().unwrap();
        writer.join().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer = answer.strip_suffix("again\n").expect("the second request is answered too");
        answer.to_owned()
    }

    pub(super) fn facts(&self, shapes: &[&str]) -> Facts {
        let answer = self.answer(shapes, false);
        parse(&answer).unwrap_or_else(|error| panic!("{error:?}\n{answer}"))
    }
}

pub(super) fn machines() -> DigestKey {
    DigestKey::for_machines(&SecretBytes::new("swarm key"))
}

pub(super) fn key() -> DigestKey {
    DigestKey::derive(&SecretBytes::new("swarm key"), "h1")
}
