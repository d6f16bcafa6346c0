//! The Debian package and the image that `fixtures/packaging` makes. `tests/lab/package.rs` installs the
//! former on hosts.

use crate::page::{installed, not_run};
use crate::world::Run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/packaging").join(file)
}

/// A directory with a program `spore` without debug information, as a release has.
fn built() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let spore = directory.path().join("spore");
    let run = Command::new("strip").arg("-o").arg(&spore).arg(env!("CARGO_BIN_EXE_spore")).status();
    if !run.is_ok_and(|status| status.success()) {
        fs::copy(env!("CARGO_BIN_EXE_spore"), &spore).unwrap();
    }
    directory
}

#[test]
fn the_debian_package_has_the_program_its_manuals_and_completions() {
    let test = "packages::the_debian_package_has_the_program_its_manuals_and_completions";
    let Some(_) = installed(&["dpkg-deb"], test) else { return };
    let directory = built();
    let mut deb = Command::new(packaging("deb"));
    deb.arg(directory.path().join("spore")).arg(directory.path().join("new/dist"));
    // The best compression takes half a minute.
    deb.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    let package = Run::of(&mut deb).exits(0).text.trim().to_owned();
    let version = env!("CARGO_PKG_VERSION");
    let name = Path::new(&package).file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!("spore-drive_{version}_")) && name.ends_with(".deb"), "{name}");

    let fields = Run::of(Command::new("dpkg-deb").arg("--field").arg(&package)).exits(0);
    fields.says("Package: spore-drive").says(&format!("Version: {version}")).says("Depends: libc6 (>= 2.");
    let listed = Run::of(Command::new("dpkg-deb").arg("--contents").arg(&package)).exits(0);
    assert!(listed.text.lines().all(|line| line.contains(" root/root ")), "{listed}");
    let tree = directory.path().join("tree");
    Run::of(Command::new("dpkg-deb").arg("--raw-extract").arg(&package).arg(&tree)).exits(0);
    Run::of(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(&tree))
        .exits(0);
    for file in [
        "man/man1/spore.1.gz",
        "man/man1/spore-lsp.1.gz",
        "bash-completion/completions/spore",
        "zsh/vendor-completions/_spore",
        "fish/vendor_completions.d/spore.fish",
        "doc/spore-drive/copyright",
    ] {
        assert!(tree.join("usr/share").join(file).metadata().unwrap().len() > 100, "{file}");
    }
    let run = Run::of(Command::new(tree.join("usr/bin/spore")).arg("--version")).exits(0);
    assert_eq!(run.text, format!("spore {version}\n"));
}

#[test]
fn what_cannot_be_packaged_is_an_error() {
    Run::of(&mut Command::new(packaging("deb"))).exits(2).says("usage: deb SPORE DIRECTORY");
}

/// The image is built with a base that has only the libraries, as the real one does, which would have to be
/// downloaded.
#[test]
fn the_image_runs_spore_in_the_mounted_folder() {
    let test = "packages::the_image_runs_spore_in_the_mounted_folder";
    let Some(_) = installed(&["buildah"], test) else { return };
    if !rustix::process::geteuid().is_root() {
        return not_run(test, "without root, buildah needs a user namespace");
    }
    let directory = built();
    let spore = directory.path().join("spore");
    let store = directory.path().join("store");
    let buildah = |words: &[&str]| {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(store.join("root")).arg("--runroot").arg(store.join("run"));
        command.args(["--storage-driver", "vfs"]).args(words).stdin(Stdio::null()).stderr(Stdio::null());
        Run::of(&mut command).exits(0).text.trim().to_owned()
    };
    let base = directory.path().join("base");
    fs::create_dir(&base).unwrap();
    for word in Run::of(Command::new("ldd").arg(&spore)).exits(0).text.split_whitespace() {
        if word.starts_with('/') {
            let to = base.join(word.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(word, to).unwrap();
        }
    }
    let container = buildah(&["from", "scratch"]);
    buildah(&["copy", &container, base.to_str().unwrap(), "/"]);
    buildah(&["commit", &container, "localhost/libraries"]);
    let context = directory.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::rename(spore, context.join("spore")).unwrap();
    let file = packaging("Containerfile");
    let words = [
        "build",
        "--isolation",
        "chroot",
        "--build-arg",
        "BASE=localhost/libraries",
        "-t",
        "localhost/spore",
        "-f",
    ];
    buildah(&[&words[..], &[file.to_str().unwrap(), context.to_str().unwrap()]].concat());

    let network = directory.path().join("network");
    let folder = network.to_str().unwrap();
    Run::of(&mut crate::world::spore(&["init", "example.org", folder, "--user", "root"])).exits(0);
    let container = buildah(&["from", "localhost/spore"]);
    let run = |words: &[&str]| {
        let volume = format!("{folder}:/network");
        let first = ["run", "--isolation", "chroot", "-v", &volume, &container, "/usr/bin/spore"];
        buildah(&[&first[..], words].concat())
    };
    assert_eq!(run(&["--version"]), format!("spore {}", env!("CARGO_PKG_VERSION")));
    let summary = run(&[]);
    assert!(summary.contains("network  example.org, in ."), "{summary}");
    let settings =
        buildah(&["inspect", "--type", "image", "--format", "{{.OCIv1.Config}}", "localhost/spore"]);
    assert!(settings.contains("[/usr/bin/spore]") && settings.contains("/network"), "{settings}");
    buildah(&["rm", "--all"]);
}
