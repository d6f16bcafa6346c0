//! A real sshd on a loopback address.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The number of the user of an [`Account`], and of its group.
const ACCOUNT: u32 = 64_999;

/// Binds the files to the places after them, and then runs sshd with the arguments after `--`.
/// These mounts belong to this process and its children only.
const WITH_FILES: &str = r#"while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done; shift; exec /usr/sbin/sshd "$@""#;

/// How an sshd is set up.
pub(crate) struct Setup<'a> {
    pub(crate) ip: &'a str,
    /// The private key that is accepted from the user.
    pub(crate) user_key: &'a Path,
    /// The kinds of the host keys.
    pub(crate) kinds: &'a [&'a str],
    /// Further lines of its configuration.
    pub(crate) more: &'a str,
    /// A user that exists for this sshd only. This needs root.
    pub(crate) account: Option<Account<'a>>,
}

/// The user `planter`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Account<'a> {
    /// The login shell; `/bin/bash` if empty.
    pub(crate) shell: &'a str,
    /// The password for logins and for sudo.
    pub(crate) password: Option<&'a str>,
    /// The text of `/etc/sudoers`.
    pub(crate) sudoers: &'a str,
    /// The text of `/etc/pam.d/sshd`.
    pub(crate) pam: &'a str,
    /// The text of `~/.bashrc`.
    pub(crate) bashrc: &'a str,
}

/// An sshd that accepts a key from the user who runs the tests. It ends with this value.
pub(crate) struct Sshd {
    process: Child,
    folder: TempDir,
    kinds: Vec<String>,
    /// The IP address.
    pub(crate) ip: String,
    pub(crate) port: u16,
}

impl Sshd {
    /// Starts an sshd. `user_key` is the accepted private key, `more` are further lines of its
    /// configuration.
    pub(crate) fn start(ip: &str, user_key: &Path, more: &str) -> Self {
        Self::set_up(&Setup { ip, user_key, kinds: &["ed25519"], more, account: None })
    }

    pub(crate) fn set_up(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The user of the account reads the accepted keys.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut keys = String::new();
        for kind in setup.kinds {
            let file = at(&format!("host_key_{kind}"));
            run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&file));
            keys += &format!("HostKey {}\n", file.display());
        }
        let public = run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(setup.user_key));
        fs::write(at("authorized_keys"), public).unwrap();
        if user() == "root" {
            // sshd wants this folder when it runs as root; usually its service creates it.
            let _ = fs::DirBuilder::new().mode(0o755).create("/run/sshd");
        }
        let files = setup.account.map(|account| files(folder.path(), account)).unwrap_or_default();
        // Another process may take the port before sshd does, so this is repeated.
        loop {
            let port = TcpListener::bind((setup.ip, 0)).unwrap().local_addr().unwrap().port();
            let configuration = format!(
                "ListenAddress {}\nPort {port}\n{keys}AuthorizedKeysFile {}\nPidFile none\n\
                 StrictModes no\nPermitRootLogin yes\nLogLevel VERBOSE\n{}\nUsePAM no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\n",
                setup.ip,
                at("authorized_keys").display(),
                setup.more
            );
            fs::write(at("sshd_config"), configuration).unwrap();
            let mut sshd = match files.is_empty() {
                true => Command::new("/usr/sbin/sshd"),
                false => {
                    let mut unshare = Command::new("unshare");
                    unshare.args(["--mount", "sh", "-c", WITH_FILES, "sh"]).args(&files).arg("--");
                    unshare
                }
            };
            sshd.args(["-D", "-E"]).arg(at("log")).arg("-f").arg(at("sshd_config"));
            sshd.stderr(File::create(at("stderr")).unwrap());
            let mut process = match sshd.stdin(Stdio::null()).spawn() {
                Ok(process) => process,
                Err(error) => panic!("/usr/sbin/sshd (package openssh-server): {error}"),
            };
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect((setup.ip, port)).is_ok() {
                    let kinds = setup.kinds.iter().map(|kind| (*kind).to_owned()).collect();
                    return Self { process, folder, kinds, ip: setup.ip.to_owned(), port };
                }
            }
            let log = fs::read_to_string(at("log")).unwrap_or_default();
            let said = fs::read_to_string(at("stderr")).unwrap_or_default();
            assert!(log.contains("Address already in use"), "{log}{said}");
        }
    }

    /// The lines for `known_hosts`.
    pub(crate) fn known_hosts(&self) -> String {
        self.kinds.iter().map(|kind| self.known_by(kind)).collect()
    }

    /// The line for `known_hosts` with its key of this kind.
    pub(crate) fn known_by(&self, kind: &str) -> String {
        format!("[{}]:{} {}\n", self.ip, self.port, self.key_of(kind))
    }

    /// The first public host key.
    pub(crate) fn key(&self) -> String {
        self.key_of(&self.kinds[0])
    }

    fn key_of(&self, kind: &str) -> String {
        let text = fs::read_to_string(self.folder.path().join(format!("host_key_{kind}.pub"))).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// The process that accepts connections.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// A file that belongs to this server.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
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

/// The files of an account, each with the place to which it is bound.
fn files(folder: &Path, account: Account<'_>) -> Vec<PathBuf> {
    let home = folder.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".bashrc"), account.bashrc).unwrap();
    chown(&home, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
    let shell = if account.shell.is_empty() { "/bin/bash" } else { account.shell };
    let password =
        account.password.map(|password| run(Command::new("openssl").args(["passwd", "-6", password])));
    let hash = password.as_deref().map_or("*", str::trim);
    let system = |file: &str| fs::read_to_string(file).unwrap();
    let texts = [
        (
            "/etc/passwd",
            format!("{}planter:x:{ACCOUNT}:{ACCOUNT}::{}:{shell}\n", system("/etc/passwd"), home.display()),
        ),
        ("/etc/group", format!("{}planter:x:{ACCOUNT}:\n", system("/etc/group"))),
        ("/etc/shadow", format!("{}planter:{hash}:19000:0:99999:7:::\n", system("/etc/shadow"))),
        ("/etc/sudoers", account.sudoers.to_owned()),
        ("/etc/pam.d/sshd", account.pam.to_owned()),
    ];
    let mut bound = Vec::new();
    for (place, text) in texts {
        if text.is_empty() {
            continue;
        }
        let file = folder.join(place.replace('/', "_"));
        fs::write(&file, text).unwrap();
        let mode = fs::metadata(place).unwrap().permissions();
        fs::set_permissions(&file, mode).unwrap();
        bound.extend([file, PathBuf::from(place)]);
    }
    bound
}

/// The user who runs the tests.
pub(crate) fn user() -> String {
    run(Command::new("id").arg("-un")).trim().to_owned()
}

/// Runs a command, which must succeed, and returns its output.
pub(crate) fn run(command: &mut Command) -> String {
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
