//! The Debian package that `fixtures/packaging/deb` makes: hosts install it, run it, and are left without it.

use crate::host::{Lab, LabHost, Suite};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Both releases of Debian install the package and remove it again.
pub(crate) fn installed_and_removed(lab: &Lab) {
    let hosts = lab.up([("h1", Suite::Bookworm.machine()), ("h2", Suite::Trixie.machine())]);
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let package = package(directory.path());
    for host in &hosts {
        copy(lab, host, &package, directory.path());
        install(host);
        remove(host);
    }
}

/// Makes the package of a program without debug information, as a release has.
fn package(directory: &Path) -> PathBuf {
    let spore = directory.join("spore");
    said(Command::new("strip").arg("-o").arg(&spore).arg(env!("CARGO_BIN_EXE_spore")));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/packaging/deb");
    let mut deb = Command::new(script);
    deb.arg(&spore).arg(directory);
    deb.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    PathBuf::from(said(&mut deb).trim())
}

/// The output of a command that succeeds.
fn said(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn copy(lab: &Lab, host: &LabHost, package: &Path, directory: &Path) {
    let known = directory.join(host.name());
    fs::write(&known, host.known_hosts()).unwrap_or_else(|error| panic!("{error}"));
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o"])
        .arg(format!("UserKnownHostsFile={}", known.display()));
    ssh.arg("-i").arg(lab.key()).arg(format!("root@{}", host.addr())).arg("cat >/root/spore.deb");
    ssh.stdin(File::open(package).unwrap_or_else(|error| panic!("{error}")));
    said(&mut ssh);
}

fn install(host: &LabHost) {
    // The lab's hosts leave manuals out, unlike most others.
    host.sh("rm -f /etc/dpkg/dpkg.cfg.d/*; dpkg -i /root/spore.deb");
    let version = host.sh("cd /root && spore --version");
    assert_eq!(version, format!("spore {}\n", env!("CARGO_PKG_VERSION")));
    // What dpkg installed is what the package has.
    assert_eq!(host.sh("dpkg --verify spore-drive"), "");
    for page in ["spore", "spore-plan", "spore-lsp"] {
        let text = host.sh(&format!("zcat /usr/share/man/man1/{page}.1.gz"));
        assert!(text.contains(&format!(".TH {page} 1")), "{page}");
    }
    let completed = host.sh("bash -c 'source /usr/share/bash-completion/completions/spore
        COMP_WORDS=(spore \"\"); COMP_CWORD=1; _spore spore \"\" spore; echo ${COMPREPLY[*]}'");
    assert!(completed.contains("rehearse") && completed.contains("lsp"), "{completed}");
    // It does more than start.
    host.sh("cd /root && spore init example.org network --user root && spore -n network && rm -r network");
}

fn remove(host: &LabHost) {
    let files = host.sh("dpkg -L spore-drive");
    host.sh("dpkg -r spore-drive");
    let gone = "while read -r path; do [ -d \"$path\" ] || [ ! -e \"$path\" ] || echo \"$path\"; done";
    let left = host.sh(&format!(
        "{gone} <<'LIST'\n{files}LIST\nls -d /usr/share/doc/spore-drive 2>&1 | grep -v 'No such file' || true"
    ));
    assert_eq!(left, "", "{} still has this", host.name());
    assert!(host.try_sh("command -v spore").is_err());
    assert!(host.try_sh("dpkg -s spore-drive").is_err());
}
