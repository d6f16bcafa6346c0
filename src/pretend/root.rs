//! Creates the directory that serves as a simulated host's `/`, and the stand-ins.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

macro_rules! stand_ins {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("stand-ins/", $name, ".sh")))),*] };
}

/// The stand-ins, by the name of the command. `machine` and `units` aren't commands; the
/// other stand-ins source them.
pub(super) const STAND_INS: &[(&str, &str)] = stand_ins! {
    "apt-get" "chown" "dpkg" "dpkg-query" "id" "journalctl" "readlink" "stat" "sudo" "sync" "systemctl"
    "tau" "timeout" "ufw" "uname" "machine" "units"
};

/// The stand-in for the commands that write files, on a disk that fills up.
const FILLING: &str = include_str!("stand-ins/filling.sh");

/// Writes the stand-ins into `directory`.
pub(super) fn make_stand_ins(directory: &Path) -> io::Result<()> {
    // The two files that are sourced keep the suffix `.sh`.
    let stand_ins = STAND_INS.iter().map(|(name, text)| match *name {
        "machine" | "units" => (format!("{name}.sh"), *text),
        name => (name.to_owned(), *text),
    });
    make_programs(&directory.join("stand-ins"), stand_ins)?;
    let filling = [
        ("cat", FILLING),
        ("gzip", FILLING),
        ("zstd", FILLING),
        ("machine.sh", include_str!("stand-ins/machine.sh")),
    ];
    make_programs(&directory.join("filling"), filling.map(|(name, text)| (name.to_owned(), text)))
}

/// Creates `directory` with these programs in it.
///
/// Another process (`cp`) creates the programs, because a file can't be run while any
/// process has it open for writing ("text file busy"). If this process opened the file,
/// even briefly, a child that another thread starts at the same time would inherit the
/// descriptor and keep it open until the child's `execve`.
pub(super) fn make_programs<'a>(
    directory: &Path,
    programs: impl IntoIterator<Item = (String, &'a str)>,
) -> io::Result<()> {
    let texts = directory.with_extension("texts");
    fs::create_dir(&texts)?;
    for (name, text) in programs {
        let path = texts.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let copied = Command::new("cp").arg("-Rp").arg("--").arg(&texts).arg(directory).output()?;
    if !copied.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&copied.stderr).into_owned()));
    }
    fs::remove_dir_all(texts)
}

const OS_RELEASE: &str = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux (simulated)\"\n";

/// The files `/proc/1/status` and `/proc/1/limits` of a service manager without limits.
const STATUS: &str = "Name:\tsystemd\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n";
const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max core file size        unlimited            unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max open files            1073741816           1073741816           files     
Max address space         unlimited            unlimited            bytes     
";
/// `/proc/net/tcp` of a host where only sshd listens.
const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1000
";
const NO_SOCKETS: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// Fills `root` with the files of a freshly installed Debian with systemd.
pub(super) fn make(root: &Path, machine: &str) -> io::Result<()> {
    for directory in [
        "etc/systemd/system/multi-user.target.wants",
        "etc/ufw",
        "lib/systemd/system",
        "proc/1",
        "proc/net",
        "proc/self",
        "root",
        "run/pretend/journal",
        "run/pretend/packages",
        "run/pretend/units",
        "run/systemd/system",
        "tmp",
        "usr/bin",
        "var/lib",
    ] {
        fs::create_dir_all(root.join(directory))?;
    }
    for (path, text) in [
        ("etc/os-release", OS_RELEASE),
        ("proc/1/cmdline", "/sbin/init\0"),
        ("proc/1/status", STATUS),
        ("proc/1/limits", LIMITS),
        ("proc/net/tcp", TCP),
        ("proc/net/tcp6", NO_SOCKETS),
        ("proc/net/udp", NO_SOCKETS),
        ("proc/net/udp6", NO_SOCKETS),
        ("usr/bin/apt-get", ""),
    ] {
        fs::write(root.join(path), text)?;
    }
    fs::write(root.join("run/pretend/machine"), format!("{machine}\n"))?;
    ["uptime", "locks"]
        .iter()
        .try_for_each(|name| symlink(format!("/proc/{name}"), root.join("proc").join(name)))
}

/// The commands without which a host is sent what it could fetch itself, or more bytes, or can't
/// generate the keys of its nodes.
const OPTIONAL: [&str; 6] = ["curl", "openssl", "ssh-keygen", "tar", "wget", "zstd"];

/// The commands that the scripts need from this machine and that `path` doesn't have.
pub(super) fn missing_commands(path: &OsStr) -> impl Iterator<Item = &'static str> {
    let table = include_str!("../plan/scripts/commands.txt").lines();
    let commands =
        table.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next());
    let real = |name: &&str| ["stat", "timeout", "readlink"].contains(name) || !stands_in(name);
    commands
        .filter(|name| !OPTIONAL.contains(name))
        .filter(real)
        .filter(|name| !std::env::split_paths(path).any(|directory| directory.join(name).is_file()))
}

fn stands_in(name: &str) -> bool {
    STAND_INS.iter().any(|(stand_in, _)| *stand_in == name)
}
