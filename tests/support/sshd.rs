//! A real sshd on a loopback address.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// An sshd that accepts a key from the user who runs the tests. It ends with this value.
pub(crate) struct Sshd {
    process: Child,
    folder: TempDir,
    /// The IP address.
    pub(crate) ip: String,
    pub(crate) port: u16,
}

impl Sshd {
    /// Starts an sshd. `user_key` is the accepted private key, `more` are further lines of its
    /// configuration.
    pub(crate) fn start(ip: &str, user_key: &Path, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at("host_key")));
        let public = run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(user_key));
        fs::write(at("authorized_keys"), public).unwrap();
        if user() == "root" {
            // sshd wants this folder when it runs as root; usually its service creates it.
            let _ = fs::DirBuilder::new().mode(0o755).create("/run/sshd");
        }
        // Another process may take the port before sshd does, so this is repeated.
        loop {
            let port = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port();
            let configuration = format!(
                "ListenAddress {ip}\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
                 StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nLogLevel VERBOSE\n{more}\n",
                at("host_key").display(),
                at("authorized_keys").display()
            );
            fs::write(at("sshd_config"), configuration).unwrap();
            let mut sshd = Command::new("/usr/sbin/sshd");
            sshd.args(["-D", "-E"]).arg(at("log")).arg("-f").arg(at("sshd_config"));
            let mut process = match sshd.stdin(Stdio::null()).spawn() {
                Ok(process) => process,
                Err(error) => panic!("/usr/sbin/sshd (package openssh-server): {error}"),
            };
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect((ip, port)).is_ok() {
                    return Self { process, folder, ip: ip.to_owned(), port };
                }
            }
            let log = fs::read_to_string(at("log")).unwrap_or_default();
            assert!(log.contains("Address already in use"), "{log}");
        }
    }

    /// The line for `known_hosts`.
    pub(crate) fn known_hosts(&self) -> String {
        format!("[{}]:{} {}\n", self.ip, self.port, self.key())
    }

    /// The public host key.
    pub(crate) fn key(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("host_key.pub")).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// How many lines of the log contain this text.
    pub(crate) fn logged(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The user who runs the tests.
pub(crate) fn user() -> String {
    run(Command::new("id").arg("-un")).trim().to_owned()
}

fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A folder with a program `ssh` that reads the user's configuration from `HOME`. The real one
/// finds the user's home elsewhere.
pub(crate) fn ssh_of_home(folder: &Path) -> PathBuf {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs).unwrap();
    let ssh = programs.join("ssh");
    fs::write(&ssh, "#!/bin/sh\nexec /usr/bin/ssh -F \"$HOME/.ssh/config\" \"$@\"\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    programs
}
