//! `spore rehearse` uses the user's folder, but none of its hosts, SSH keys or downloads.

use crate::page::{compare, normal};
use crate::world::{Run, spore};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The fixture's SSH keys, hosts, pinned files and plugins don't exist, so the rehearsal
/// can't have used them. It prints none of the folder's secrets and leaves no files behind.
#[test]
fn rehearse_uses_nothing_real_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("folders/same-today/folder"), folder.path());
    // Git doesn't store this mode, and `check` would complain about the default one.
    fs::set_permissions(folder.path().join("keys/id_ed25519"), fs::Permissions::from_mode(0o600)).unwrap();
    let before = listing(folder.path());
    let mut command = spore(&["rehearse", "-n", folder.path().to_str().unwrap()]);
    let run = Run::of(command.env("TMPDIR", directory.path())).exits(0);
    compare("rehearse", &normal(&run.text, directory.path()));
    for secret in fs::read_to_string(fixture("folders/secrets.txt")).unwrap().lines() {
        let secret = secret.trim();
        assert!(
            secret.is_empty() || secret.starts_with('#') || !run.text.contains(secret),
            "{secret}\n{run}"
        );
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(listing(folder.path()), before);
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn services_with_requirements_on_the_host() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("plans/first/folder"), folder.path());
    let shapes = folder.path().join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap().replace("[tns, hoarder]", "[seer, monkey]");
    let text = text.replace("[auth, patrick]", "[patrick]");
    fs::write(shapes, text).unwrap();
    let run = Run::of(&mut spore(&["rehearse", "-n", folder.path().to_str().unwrap()])).exits(0);
    run.says("docker.io").says("rehearsal: succeeded").says("pins no tau");
}
