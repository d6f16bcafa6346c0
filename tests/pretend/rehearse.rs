//! `spore rehearse`: a person's folder, and nothing real.

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

/// Its logins, addresses, pins and plugins lead nowhere; what it says has none
/// of its secrets; and what it wrote is gone.
#[test]
fn a_folder_of_ones_own() {
    let directory = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("folders/same-today/folder"), folder.path());
    // Git keeps no such mode, and `check` would say so.
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
fn services_that_need_more_of_a_host() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("plans/first/folder"), folder.path());
    let shapes = folder.path().join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap().replace("[tns, hoarder]", "[seer, monkey]");
    let text = text.replace("[auth, patrick]", "[patrick]");
    fs::write(shapes, text).unwrap();
    let run = Run::of(&mut spore(&["rehearse", "-n", folder.path().to_str().unwrap()])).exits(0);
    run.says("docker.io").says("rehearsal: it went well").says("names no tau");
}
