//! The cases in `fixtures/folders` and `fixtures/hostile`; `tests/folders.rs` describes them.

use spore_drive::check;
use spore_drive::network::{Draft, Links, Secrets};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

pub(crate) fn cases_in(folder: &str, more_than: usize) -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert!(cases.len() > more_than);
    cases
}

/// Copies a folder, with modes that don't depend on the checkout: only the owner may read
/// the files, except for those in `open`.
pub(crate) fn copy(from: &Path, to: &Path, open: &[String]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_symlink() {
            symlink(fs::read_link(&from).unwrap(), &to).unwrap();
        } else if from.is_dir() {
            copy(&from, &to, open);
        } else {
            fs::copy(&from, &to).unwrap();
            let is_open = open.iter().any(|path| to.ends_with(path));
            let mode = if is_open { 0o644 } else { 0o600 };
            fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let run = std::process::Command::new("git").arg("-C").arg(folder).args(arguments).output().unwrap();
    assert!(run.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
}

pub(crate) fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Reads and checks a copy of a case, with its options. The copy is `folder` in the
/// temporary directory.
pub(crate) fn read(case: &Path) -> (tempfile::TempDir, Draft) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    copy(&case.join("folder"), &folder, &lines(&case.join("open")));
    if case.join("outside").exists() {
        copy(&case.join("outside"), &scratch.path().join("outside"), &[]);
    }
    if case.join("repository").exists() {
        git(&folder, &["init", "--quiet"]);
        for file in ["gitignore", "gitattributes"] {
            fs::copy(case.join(file), folder.join(format!(".{file}"))).unwrap();
        }
        lines(&case.join("repository")).iter().for_each(|file| git(&folder, &["add", "--force", file]));
    }
    let has = |option: &str| lines(&case.join("options")).iter().any(|line| line == option);
    let secrets = if has("--without-secrets") { Secrets::Elsewhere } else { Secrets::Needed };
    let links = if has("--follow-links") { Links::Followed } else { Links::Inside };
    let mut draft = check::read(&folder, secrets, links);
    if has("binaries") {
        draft.report(check::binaries(&draft));
    }
    (scratch, draft)
}
