//! Which files git has committed, or would commit.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What git does with a file that it doesn't ignore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InGit {
    /// It is in the index.
    Tracked,
    /// `git add .` would add it.
    NotIgnored,
}

/// Which of the files git doesn't ignore, by the key that they are given under.
///
/// Files outside of any work tree are left out. So are all files if git isn't
/// installed or refuses the repository, and files with a filter, such as
/// git-crypt's: git stores those encrypted.
pub(super) fn unignored(files: BTreeMap<String, PathBuf>) -> BTreeMap<String, InGit> {
    let mut folders: BTreeMap<PathBuf, Vec<(String, PathBuf)>> = BTreeMap::new();
    for (key, path) in files {
        // Of a link, git stores the target's name and not its contents.
        let Ok(path) = fs::canonicalize(path) else { continue };
        let Some((folder, name)) = path.parent().zip(path.file_name()) else { continue };
        if folder.ancestors().any(|above| above.join(".git").exists()) {
            folders.entry(folder.to_owned()).or_default().push((key, name.into()));
        }
    }
    let mut found = BTreeMap::new();
    for (folder, files) in folders {
        let names: Vec<&OsStr> = files.iter().map(|(_, name)| name.as_os_str()).collect();
        let list = ["ls-files", "-t", "-z", "--cached", "--others", "--exclude-standard", "--"];
        let Some(listed) = git(&folder, &list, &names) else { continue };
        let Some(filters) = git(&folder, &["check-attr", "-z", "filter", "--"], &names) else { continue };
        let is_filtered = |name: &[u8]| {
            let fields: Vec<&[u8]> = filters.split(|&byte| byte == 0).collect();
            let mut attributes = fields.chunks_exact(3);
            attributes
                .any(|found| found[0] == name && !matches!(found[2], b"unspecified" | b"unset" | b"lfs"))
        };
        for line in listed.split(|&byte| byte == 0) {
            // `H name`, `? name`
            let Some((tag, name)) = line.split_first_chunk::<2>() else { continue };
            let standing = if tag == b"? " { InGit::NotIgnored } else { InGit::Tracked };
            let files = files.iter().filter(|(_, file)| file.as_os_str().as_bytes() == name);
            found.extend(files.filter(|_| !is_filtered(name)).map(|(key, _)| (key.clone(), standing)));
        }
    }
    found
}

/// The output of git in `folder`, run so that no setting of a repository in the folder
/// can make git run a program.
fn git(folder: &Path, arguments: &[&str], names: &[&OsStr]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.args(["--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"]);
    command.arg("-C").arg(folder).args(arguments).args(names);
    // A hook runs with these, and they would name another work tree.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}
