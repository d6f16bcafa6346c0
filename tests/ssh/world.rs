//! A simulated host behind a real sshd.

use crate::pretend::{Run, World};
use crate::sshd::{Account, Setup, Sshd, run, user};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a test changes about the sshd.
#[derive(Clone, Copy, Default)]
pub(crate) struct Front<'a> {
    /// The kinds of its host keys; ed25519 if empty.
    pub(crate) kinds: &'a [&'a str],
    /// Further lines of its configuration.
    pub(crate) more: &'a str,
    /// Log in as `planter`, who exists for this sshd only.
    pub(crate) account: Option<Account<'a>>,
    /// The only private key that it accepts, if it isn't the folder's.
    pub(crate) user_key: Option<&'a Path>,
    /// Directories in which its commands are looked up first.
    pub(crate) path: &'a str,
    /// Another address than 127.0.0.1.
    pub(crate) ip: &'a str,
}

impl World {
    /// Starts a real sshd in front of h4, whose sessions run on the simulated host, and lets the
    /// folder name it. Its key isn't known.
    pub(crate) fn front_unknown(&self, front: Front<'_>) -> Sshd {
        let root = self.host("h4").root();
        let fleet = root.ancestors().nth(2).unwrap();
        // Only root has the simulated host: another user has this machine's programs, and its `sudo`.
        fs::set_permissions(fleet, fs::Permissions::from_mode(0o700)).unwrap();
        let path = format!(
            "{}{}/stand-ins:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            front.path,
            fleet.display()
        );
        // The nodes of a simulated host listen on no port of this machine.
        let more = format!(
            "{}\nAllowTcpForwarding no\nSetEnv SPORE_ROOT={} PATH={path} TMPDIR=/tmp",
            front.more,
            root.display()
        );
        let sshd = Sshd::set_up(&Setup {
            ip: if front.ip.is_empty() { "127.0.0.1" } else { front.ip },
            user_key: front.user_key.unwrap_or(&self.folder().join("keys/ssh")),
            kinds: if front.kinds.is_empty() { &["ed25519"] } else { front.kinds },
            more: &more,
            account: front.account,
        });
        let name = if front.account.is_some() { "planter".to_owned() } else { user() };
        fs::write(self.file("auth.yaml"), format!("planter: {{username: {name}, key: keys/ssh}}\n")).unwrap();
        self.set_ssh(&format!("addr: \"{}\", port: {}", sshd.ip, sshd.port));
        sshd
    }

    /// The same with a key that is known.
    pub(crate) fn front(&self, front: Front<'_>) -> Sshd {
        let sshd = self.front_unknown(front);
        self.know(&sshd.known_hosts());
        sshd
    }

    /// Adds lines to the file with the known keys.
    pub(crate) fn know(&self, lines: &str) {
        let known = fs::read_to_string(self.file("known_hosts")).unwrap_or_default();
        fs::write(self.file("known_hosts"), known + lines).unwrap();
    }

    /// A file of the folder.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder().join(name)
    }

    /// Replaces the SSH section of h4 except for its login.
    pub(crate) fn set_ssh(&self, ssh: &str) {
        let path = self.file("hosts/h4.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| match line.starts_with("ssh:") {
            true => format!("ssh: {{{ssh}, auth: [planter]}}\n"),
            false => format!("{line}\n"),
        });
        let text: String = lines.collect();
        fs::write(path, text).unwrap();
    }

    /// A command for h4 only, in which h4 is planned completely or not at all.
    pub(crate) fn facts(&self) -> Command {
        self.command(&["facts", "h4"])
    }
}

/// Runs `spore` on a terminal, and types `answer`.
pub(crate) fn on_terminal(spore: &Command, answer: &str) -> Run {
    let words = [spore.get_program()].into_iter().chain(spore.get_args());
    let line = shlex::try_join(words.map(|word| word.to_str().unwrap())).unwrap();
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env("NO_COLOR", "1")
        .current_dir(spore.get_current_dir().unwrap());
    for (name, value) in spore.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The terminal buffers the answer until `spore` reads it.
    std::io::Write::write_all(script.stdin.as_mut().unwrap(), answer.as_bytes()).unwrap();
    let out = script.wait_with_output().unwrap();
    Run { code: out.status.code(), text: String::from_utf8(out.stdout).unwrap().replace("\r\n", "\n") }
}

/// Generates a key without a passphrase.
pub(crate) fn keygen(file: &Path) {
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file));
}

/// Signs a public key with the authority's, with further options of `ssh-keygen`.
pub(crate) fn sign(authority: &Path, options: &[&str], public: &Path) {
    run(Command::new("ssh-keygen")
        .arg("-q")
        .arg("-s")
        .arg(authority)
        .args(["-I", "id"])
        .args(options)
        .arg(public));
}

/// The public key of a file.
pub(crate) fn public(file: &Path) -> String {
    run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(file))
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The algorithm and the fingerprint of a public key, as messages show it.
pub(crate) fn fingerprint(public: &str) -> String {
    let key = spore_drive::ssh::PublicKey::from_openssh(public.trim()).unwrap();
    format!("{} {}", key.algorithm(), key.fingerprint(Default::default()))
}

/// Sends a signal to a process.
pub(crate) fn kill(signal: &str, process: &str) {
    // The process may have ended already.
    let _ = Command::new("kill").args(["-s", signal, process]).stderr(Stdio::null()).status();
}
