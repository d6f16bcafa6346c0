//! Determines which files git has committed, or would commit. The entry points are
//! [`unignored`] and [`exposes`].

use crate::finding::InGit;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long git may take in all. Git reads files of the folder, such as `.gitignore`, and
/// would wait forever if one of them is a pipe.
const PATIENCE: Duration = Duration::from_secs(5);

/// The files that git doesn't ignore, by their keys in `files`.
///
/// Files outside of any work tree are left out. If git isn't installed, refuses the
/// repository or takes too long, all files are. Files with a filter, such as git-crypt's,
/// are left out as well, because git stores them encrypted.
pub(super) fn unignored(files: BTreeMap<String, PathBuf>) -> BTreeMap<String, InGit> {
    unignored_until(Instant::now() + PATIENCE, files)
}

fn unignored_until(end: Instant, files: BTreeMap<String, PathBuf>) -> BTreeMap<String, InGit> {
    let mut folders: BTreeMap<PathBuf, Vec<(String, PathBuf)>> = BTreeMap::new();
    for (key, path) in files {
        // For a link, git stores the target's path, not the target's contents.
        let Ok(path) = fs::canonicalize(path) else { continue };
        let Some((folder, name)) = path.parent().zip(path.file_name()) else { continue };
        if folder.ancestors().any(|above| above.join(".git").exists()) {
            folders.entry(folder.to_owned()).or_default().push((key, name.into()));
        }
    }
    let mut found = BTreeMap::new();
    for (folder, files) in folders {
        let names: Vec<&OsStr> = files.iter().map(|(_, name)| name.as_os_str()).collect();
        let list = [
            "--literal-pathspecs",
            "ls-files",
            "-t",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
        ];
        let Some(listed) = git(end, &folder, &list, &names) else { continue };
        let attributes = ["check-attr", "-z", "filter", "--"];
        let Some(filters) = git(end, &folder, &attributes, &names) else { continue };
        for line in listed.split(|&byte| byte == 0) {
            // Each line is `H name` for a tracked file, or `? name` for another one.
            let Some((tag, name)) = line.split_first_chunk::<2>() else { continue };
            let standing = if tag == b"? " { InGit::NotIgnored } else { InGit::Tracked };
            let files = files.iter().filter(|(_, file)| file.as_os_str().as_bytes() == name);
            found.extend(
                files.filter(|_| !is_filtered(&filters, name)).map(|(key, _)| (key.clone(), standing)),
            );
        }
    }
    found
}

/// Whether git ignores or encrypts the file `old` of a folder, but neither ignores nor encrypts `new`,
/// which may not exist yet. `false` if git can't tell.
pub(crate) fn exposes(folder: &Path, old: &str, new: &str) -> bool {
    let end = Instant::now() + PATIENCE;
    let Ok(folder) = fs::canonicalize(folder) else { return false };
    if !folder.ancestors().any(|above| above.join(".git").exists()) {
        return false;
    }
    // They have no special characters: `check-ignore` doesn't support literal ones.
    let names = [OsStr::new(old), OsStr::new(new)];
    let Some(ignored) = git(end, &folder, &["check-ignore", "--"], &names) else { return false };
    let Some(filters) = git(end, &folder, &["check-attr", "-z", "filter", "--"], &names) else {
        return false;
    };
    let is_safe = |name: &str| {
        let name = name.as_bytes();
        ignored.split(|&byte| byte == b'\n').any(|ignored| ignored == name) || is_filtered(&filters, name)
    };
    is_safe(old) && !is_safe(new)
}

/// Whether a file has a filter, such as git-crypt's, in the output of `git check-attr -z filter`.
fn is_filtered(filters: &[u8], name: &[u8]) -> bool {
    let fields: Vec<&[u8]> = filters.split(|&byte| byte == 0).collect();
    let mut attributes = fields.chunks_exact(3);
    attributes.any(|found| found[0] == name && !matches!(found[2], b"unspecified" | b"unset" | b"lfs"))
}

/// The output of git in `folder`. Git is run so that no setting of a repository in the
/// folder can make it run another program, and is killed at `end`.
fn git(end: Instant, folder: &Path, arguments: &[&str], names: &[&OsStr]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.args(["-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"]);
    command.arg("-C").arg(folder).args(arguments).args(names);
    // These are set if spore is run by a git hook, and would name another work tree.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let (done, output) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map(|mut stdout| stdout.read_to_end(&mut bytes));
        // The receiver is gone if git took too long.
        let _ = done.send(matches!(read, Some(Ok(_))).then_some(bytes));
    });
    let bytes = output.recv_timeout(end.saturating_duration_since(Instant::now())).ok().flatten();
    if bytes.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    // `check-ignore` ends with 1 if it ignores none of the files.
    bytes.filter(|_| matches!(status.code(), Some(0 | 1)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_gitignore_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let init = Command::new("git").arg("-C").arg(folder.path()).args(["init", "--quiet"]).status();
        assert!(init.unwrap().success());
        fs::write(at("key"), "secret").unwrap();
        let files = || BTreeMap::from([("key".to_owned(), at("key"))]);
        assert_eq!(unignored(files()), BTreeMap::from([("key".to_owned(), InGit::NotIgnored)]));
        rustix::fs::mkfifoat(rustix::fs::CWD, at(".gitignore"), 0o600.into()).unwrap();
        let soon = Instant::now() + Duration::from_millis(300);
        assert_eq!(unignored_until(soon, files()), BTreeMap::new());
        assert!(soon.elapsed() < Duration::from_secs(60));
    }
}
