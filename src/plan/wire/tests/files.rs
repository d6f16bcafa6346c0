//! Tests of the actions on files, directories and links.

use super::*;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};

/// A mode as `stat` shows it, and the owner.
fn with_owner(mode: &str, host: &FakeHost) -> Printable {
    text(&format!("{mode} {}", host.access(0).owner))
}

#[test]
fn a_directory_is_made_once() {
    let host = FakeHost::new();
    let make = Action::MakeDirectory { path: "/tb/plugins".to_owned(), access: host.access(0o750) };
    assert_eq!(host.act(&make), Outcome::Done);
    assert_eq!(host.mode("/tb/plugins"), 0o750);
    assert_eq!(host.act(&make), Outcome::Already);
    host.chmod("/tb/plugins", 0o700);
    let access = with_owner("700", &host);
    let found = Found::WithAccess(Thing::Directory, access);
    let changed = Differs { what: text("/tb/plugins"), expected: Expected::Nothing, found };
    assert_eq!(differs(&host.act(&make)), &changed);
    assert_eq!(host.list("/tb"), ["bin", "config", "plugins", "storage"]);
}

/// The request that made the change may have been cut off before the sync.
#[test]
fn what_has_been_done_already_is_synced_too() {
    let host = FakeHost::new();
    host.stand_in("sync", "echo \"sync ${2#\"$SPORE_ROOT\"}\" >>\"$SPORE_ROOT/calls\"");
    let access = host.access(0o640);
    let big = vec![b'x'; 2_000_000];
    host.write("/tb/bin/tau", &big);
    host.chmod("/tb/bin/tau", 0o640);
    symlink("a", host.at("/etc/resolv.conf")).unwrap();
    host.write("/manager/enabled", b"enabled\n");
    host.write("/etc/systemd/system/multi-user.target.wants/x", b"");
    let path = |path: &str| path.to_owned();
    let memory = "/var/lib/spore/digests";
    let wants = "/etc/systemd/system/multi-user.target.wants";
    host.chmod("/tb/config", 0o640);
    for (action, synced) in [
        (Action::Place { file: staged("/tb/bin/tau", &big, &host), before: None, keep: false }, "/tb/bin"),
        (
            Action::Link { path: path("/etc/resolv.conf"), before: LinkBefore::Absent, target: path("a") },
            "/etc",
        ),
        (Action::MakeDirectory { path: path("/tb/config"), access: access.clone() }, "/tb"),
        (
            Action::SetAccess { path: path("/tb/bin/tau"), before: host.access(0o600), after: access },
            "/tb/bin/tau",
        ),
        (Action::Remove { path: path("/tb/bin/old"), before: Sha256::of(b"x") }, "/tb/bin"),
        (Action::Purge { path: path("/tb/storage/old"), before: "1:1".to_owned() }, "/tb/storage"),
        (Action::Enable { unit: path("tau@elders.service") }, wants),
    ] {
        assert_eq!(host.act(&action), Outcome::Already, "{action:?}");
        let calls = host.calls();
        assert!(calls.contains(&format!("sync {synced}")), "{action:?}: {calls:?}");
    }
    // The digest of the binary is noted as well, if that hasn't happened yet.
    assert!(host.read(memory).starts_with(&Sha256::of(&big).to_string()));
}

/// A partial file would be in the way of a later plan.
#[test]
fn a_directory_or_link_that_cannot_be_leaves_nothing() {
    let host = FakeHost::new();
    host.stand_in("mv", "echo 'mv: No space left on device' >&2; exit 1");
    host.stand_in("chown", "echo 'chown: Read-only file system' >&2; exit 1");
    let access = Access { mode: 0o700, owner: "nobody:nobody".into() };
    let make = Action::MakeDirectory { path: "/tb/config/keys/deep".to_owned(), access };
    assert!(failed(&host.act(&make)).ends_with("Read-only file system"));
    let link = Action::Link {
        path: "/etc/resolv.conf".to_owned(),
        before: LinkBefore::Absent,
        target: "a".to_owned(),
    };
    assert!(failed(&host.act(&link)).ends_with("No space left on device"));
    assert_eq!((host.list("/tb/config/keys"), host.list("/etc")), (vec!["deep".to_owned()], Vec::new()));
    assert_eq!(host.mode("/tb/config/keys/deep"), 0o700);
}

#[test]
fn a_directory_may_be_on_another_disk() {
    let host = FakeHost::new();
    host.write("/disk/x", b"");
    host.chmod("/disk", 0o750);
    symlink(host.at("/disk"), host.at("/tb/cache")).unwrap();
    let access = host.access(0o750);
    let make = Action::MakeDirectory { path: "/tb/cache".to_owned(), access: access.clone() };
    assert_eq!(host.act(&make), Outcome::Already);
    let change =
        Action::SetAccess { path: "/tb/cache".to_owned(), before: access, after: host.access(0o700) };
    assert_eq!(host.act(&change), Outcome::Done);
    assert_eq!(host.mode("/disk"), 0o700);
    assert_eq!(host.act(&change), Outcome::Already);
}

#[test]
fn access_changes_from_what_was_planned_on() {
    let host = FakeHost::new();
    host.write("/tb/config/a.yaml", b"x");
    host.chmod("/tb/config/a.yaml", 0o644);
    let change = Action::SetAccess {
        path: "/tb/config/a.yaml".to_owned(),
        before: host.access(0o644),
        after: host.access(0o600),
    };
    assert_eq!(host.act(&change), Outcome::Done);
    assert_eq!(host.mode("/tb/config/a.yaml"), 0o600);
    assert_eq!(host.act(&change), Outcome::Already);
    host.chmod("/tb/config/a.yaml", 0o666);
    let found = Found::WithAccess(Thing::File(None), with_owner("666", &host));
    let expected = Expected::Access(with_owner("644", &host));
    let changed = Differs { what: text("/tb/config/a.yaml"), expected, found };
    assert_eq!(differs(&host.act(&change)), &changed);
    fs::remove_file(host.at("/tb/config/a.yaml")).unwrap();
    assert_eq!(differs(&host.act(&change)), &Differs { found: Found::Nothing, ..changed });
}

/// A directory with the setgid bit hands its group and this bit down to directories in it.
#[test]
fn a_directory_that_hands_its_group_down_converges() {
    let host = FakeHost::new();
    host.chmod("/tb", 0o2775);
    let make = Action::MakeDirectory { path: "/tb/plugins".to_owned(), access: host.access(0o750) };
    assert_eq!(host.act(&make), Outcome::Done);
    assert_eq!(host.mode("/tb/plugins"), 0o750);
    let change = |path: &str, before| Action::SetAccess {
        path: path.to_owned(),
        before: host.access(before),
        after: host.access(0o750),
    };
    assert_eq!(host.act(&change("/tb", 0o2775)), Outcome::Done);
    assert_eq!(host.mode("/tb"), 0o750);
    assert_eq!(host.act(&change("/tb", 0o2775)), Outcome::Already);
}

#[test]
fn access_that_cannot_be_set_is_a_failure() {
    let host = FakeHost::new();
    host.write("/tb/config/a.yaml", b"x");
    host.chmod("/tb/config/a.yaml", 0o644);
    host.stand_in("chmod", "exit 0");
    let change = Action::SetAccess {
        path: "/tb/config/a.yaml".to_owned(),
        before: host.access(0o644),
        after: host.access(0o600),
    };
    assert!(failed(&host.act(&change)).contains(": they are still 644 "));
}

#[test]
fn a_file_is_staged_once() {
    let host = FakeHost::new();
    let file = staged("/tb/config/a.yaml", b"new", &host);
    assert!(host.needs(&file));
    assert_eq!(host.send(&[(&file, b"new", Encoding::Raw)]), [Outcome::Done]);
    assert!(!host.needs(&file));
    let name = file.staged_path();
    assert_eq!((host.read(&name).as_str(), host.mode(&name)), ("new", 0o640));
    assert!(!host.exists("/tb/config/a.yaml"));
    // The name of a staged file alone isn't believed.
    host.write(&name, b"half");
    assert!(host.needs(&file));
    // A file that is in place already isn't staged.
    host.write("/tb/config/a.yaml", b"new");
    assert!(!host.needs(&file));
}

#[test]
fn what_was_staged_before_goes() {
    let host = FakeHost::new();
    let old = host.stage("/tb/config/a.yaml", b"old");
    host.write(&format!("{}.part", old.staged_path()), b"o");
    let other = host.stage("/tb/config/a.yaml-b", b"other");
    let new = host.stage("/tb/config/a.yaml", b"new");
    let names = [&new, &other].map(|file| file.staged_path()["/tb/config/".len()..].to_owned());
    let mut expected = vec![names[0].clone(), names[1].clone(), "keys".to_owned()];
    expected.sort();
    assert_eq!(host.list("/tb/config"), expected);
}

#[test]
fn a_compressed_file_arrives() {
    let host = FakeHost::new();
    let content = vec![b'x'; 3 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&content).unwrap();
    let gzip = gzip.finish().unwrap();
    let big = staged("/tb/bin/tau", &content, &host);
    let small = staged("/tb/config/a.yaml", b"after it", &host);
    let outcomes = host.send(&[(&big, &gzip, Encoding::Gzip), (&small, b"after it", Encoding::Raw)]);
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
    assert_eq!(host.at(&big.staged_path()).metadata().unwrap().len(), 3 << 20);
}

#[test]
fn the_host_names_the_best_encoding() {
    let host = FakeHost::new();
    let file = staged("/tb/bin/tau", b"tau", &host);
    host.stand_in("zstd", "exit 1");
    assert_eq!(host.best_encoding(&file), Encoding::Zstd);
    host.without("zstd");
    assert_eq!(host.best_encoding(&file), Encoding::Gzip);
    host.without("gzip");
    assert_eq!(host.best_encoding(&file), Encoding::Raw);
}

#[test]
fn a_file_that_cannot_arrive_leaves_the_session_in_step() {
    let host = FakeHost::new();
    let content = vec![7; 1 << 20];
    let after = staged("/tb/config/a.yaml", b"x", &host);
    let damaged = Staged { sha256: Sha256::of(b"else"), ..staged("/tb/bin/tau", &content, &host) };
    let nowhere = staged("/nowhere/tau", &content, &host);
    // `FakeHost::shell` checks that nothing of the input is left.
    for (file, encoding, why) in [
        (&damaged, Encoding::Raw, "/tb/bin/tau was damaged in transit"),
        (&nowhere, Encoding::Raw, "cannot write /nowhere/.spore-tau-"),
        (&damaged, Encoding::Gzip, "not in gzip format"),
    ] {
        let outcomes = host.send(&[(file, &content, encoding), (&after, b"x", Encoding::Raw)]);
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert!(failed(&outcomes[0]).contains(why), "{outcomes:?}");
        assert!(host.list("/tb/bin").is_empty());
    }
}

#[test]
fn a_full_disk_fails_the_file_and_nothing_else() {
    let host = FakeHost::new();
    host.stand_in("gzip", "exec cat >/dev/full");
    let content = vec![7; 1 << 20];
    let file = staged("/tb/bin/tau", &content, &host);
    let outcomes = host.send(&[(&file, &content, Encoding::Gzip)]);
    assert!(failed(&outcomes[0]).ends_with("No space left on device"), "{outcomes:?}");
    assert!(host.list("/tb/bin").is_empty());
}

#[test]
fn a_staged_file_takes_its_place_once() {
    let host = FakeHost::new();
    host.write("/tb/config/a.yaml", b"old");
    let file = host.stage("/tb/config/a.yaml", b"new");
    let place = Action::Place { file: file.clone(), before: Some(Sha256::of(b"old")), keep: false };
    let inode = host.at(&file.staged_path()).metadata().unwrap().ino();
    assert_eq!(host.act(&place), Outcome::Done);
    assert_eq!(host.read("/tb/config/a.yaml"), "new");
    assert_eq!(host.at("/tb/config/a.yaml").metadata().unwrap().ino(), inode);
    assert_eq!(host.act(&place), Outcome::Already);
    assert_eq!(host.list("/tb/config"), ["a.yaml", "keys"]);
    // The state after the action includes the mode, and not only the bytes.
    host.chmod("/tb/config/a.yaml", 0o666);
    assert_eq!(host.act(&place), Outcome::Done);
    assert_eq!(host.mode("/tb/config/a.yaml"), 0o640);
}

#[test]
fn a_replaced_file_is_kept_until_it_is_known_whether_it_is_needed() {
    let host = FakeHost::new();
    host.write("/tb/config/a.yaml", b"old");
    let old = Sha256::of(b"old");
    let file = host.stage("/tb/config/a.yaml", b"new");
    let inode = host.at("/tb/config/a.yaml").metadata().unwrap().ino();
    let place = Action::Place { file, before: Some(old), keep: true };
    assert_eq!(host.act(&place), Outcome::Done);
    let kept = kept_path("/tb/config/a.yaml", &old);
    assert_eq!(host.read("/tb/config/a.yaml"), "new");
    assert_eq!(host.at(&kept).metadata().unwrap().ino(), inode);
    assert_eq!(host.act(&place), Outcome::Already);
    // Staging another version doesn't remove the kept one.
    host.stage("/tb/config/a.yaml", b"newer");
    assert_eq!(host.read(&kept), "old");
}

#[test]
fn a_meddled_file_stays() {
    let host = FakeHost::new();
    let file = host.stage("/tb/config/a.yaml", b"new");
    let fresh = Action::Place { file: file.clone(), before: None, keep: false };
    let replace = Action::Place { file, before: Some(Sha256::of(b"old")), keep: false };
    assert_eq!(*found(&host.act(&replace)), Found::Nothing);
    host.write("/tb/config/a.yaml", b"edited");
    let old = Expected::File(Some(Sha256::of(b"old")));
    for (place, expected) in [(&fresh, Expected::Nothing), (&replace, old)] {
        let changed = Differs { what: text("/tb/config/a.yaml"), expected, found: is_file(b"edited") };
        assert_eq!(differs(&host.act(place)), &changed);
        assert_eq!(host.read("/tb/config/a.yaml"), "edited");
    }
    fs::remove_file(host.at("/tb/config/a.yaml")).unwrap();
    symlink("elsewhere", host.at("/tb/config/a.yaml")).unwrap();
    let changed = host.act(&fresh);
    assert_eq!(
        (&differs(&changed).expected, found(&changed)),
        (&Expected::File(None), &is_link("elsewhere"))
    );
}

#[test]
fn what_is_staged_is_checked_again() {
    let host = FakeHost::new();
    let file = host.stage("/tb/config/a.yaml", b"new");
    let place = Action::Place { file: file.clone(), before: None, keep: false };
    host.write(&file.staged_path(), b"nEw");
    let (what, of) = (text(&file.staged_path()), text("/tb/config/a.yaml"));
    let expected = Expected::Staged { of: of.clone(), sha256: Some(file.sha256) };
    let changed = Differs { what, expected, found: is_file(b"nEw") };
    assert_eq!(differs(&host.act(&place)), &changed);
    fs::remove_file(host.at(&file.staged_path())).unwrap();
    let expected = Expected::Staged { of, sha256: None };
    assert_eq!(differs(&host.act(&place)), &Differs { expected, found: Found::Nothing, ..changed });
    assert!(!host.exists("/tb/config/a.yaml"));
}

#[test]
fn a_big_files_digest_is_remembered_until_it_changes() {
    let host = FakeHost::new();
    let content = vec![7; 1 << 20];
    let file = host.stage("/tb/bin/tau", &content);
    let place = Action::Place { file: file.clone(), before: None, keep: false };
    assert_eq!(host.act(&place), Outcome::Done);
    assert_eq!(host.mode("/var/lib/spore"), 0o700);
    let noted = host.read("/var/lib/spore/digests");
    assert_eq!(noted.lines().count(), 1, "{noted}");
    assert!(noted.starts_with(&file.sha256.to_string()), "{noted}");
    // The file isn't digested again.
    host.stand_in("sha256sum", "echo read >&2; exit 1");
    assert_eq!(host.act(&place), Outcome::Already);
    host.link_command("sha256sum");
    fs::OpenOptions::new().append(true).open(host.at("/tb/bin/tau")).unwrap().write_all(b"!").unwrap();
    let changed = host.act(&place);
    assert_eq!((&*differs(&changed).what, &differs(&changed).expected), ("/tb/bin/tau", &Expected::Nothing));
    assert_eq!(*found(&changed), is_file(&fs::read(host.at("/tb/bin/tau")).unwrap()));
}

#[test]
fn a_judge_is_heard() {
    let host = FakeHost::new();
    let file = staged("/tb/config/a.yaml", b"new", &host);
    let judge = |text: &str| {
        host.write("/tb/bin/judge", text.as_bytes());
        host.chmod("/tb/bin/judge", 0o755);
    };
    let verify = |status: &str| Action::Verify {
        command: ["/tb/bin/judge", status, "it's", "/tb", "-p", "/tb/config/a.yaml"]
            .map(ToOwned::to_owned)
            .to_vec(),
        staged: [("/tb/config/a.yaml".to_owned(), file.staged_path())].into(),
        version: None,
    };
    judge(
        "#!/bin/sh\n: >\"$TMPDIR/left\"\n[ \"$5\" != /dev/null ] || exit 1\necho \"judged $2 in $3, ${5##*/}\"; exit \"$1\"\n",
    );
    assert_eq!(host.act(&verify("0")), Outcome::Already, "there is nothing to judge");
    host.stage("/tb/config/a.yaml", b"new");
    assert_eq!(host.act(&verify("0")), Outcome::Done);
    let staged = file.staged_path();
    assert_eq!(
        failed(&host.act(&verify("3"))),
        format!(
            "/tb/bin/judge rejects /tb/config/a.yaml: judged it's in /run/spore/.verify/tb, {}",
            &staged["/tb/config/".len()..]
        )
    );
    assert!(!host.exists("/run/spore/.verify"), "what it left is gone");
    // Programs that can't be tau, or that can't run on this host.
    for (program, why) in [
        ("#!/bin/sh\n", "/tb/bin/judge isn't tau: it accepts an empty file as a configuration"),
        (
            "#!/lib/ld-other.so.1\n",
            "/tb/bin/judge needs the loader /lib/ld-other.so.1, which this host doesn't have",
        ),
        ("\x7fELF no program", "/tb/bin/judge is built for another architecture than this host's, "),
        ("no program", "/tb/bin/judge isn't a program"),
        (
            "#!/bin/sh\necho 'x: error while loading shared libraries: liba.so.1: cannot open'; exit 127\n",
            "/tb/bin/judge needs liba.so.1, which this host doesn't have",
        ),
        (
            "#!/bin/sh\necho 'Error loading shared library libb.so: No such file or directory (needed by x)'; exit 127\n",
            "/tb/bin/judge needs libb.so, which this host doesn't have",
        ),
    ] {
        judge(program);
        let outcome = host.act(&verify("0"));
        let text = failed(&outcome);
        assert!(text.starts_with(why), "{text}");
    }
    judge("#!/bin/sh\n");
    host.chmod("/tb/bin/judge", 0o644);
    assert!(failed(&host.act(&verify("0"))).contains("noexec"));
}

#[test]
fn the_version_of_a_program_is_noted() {
    let host = FakeHost::new();
    host.write("/tb/config/a.yaml", b"old");
    let mut program = b"#!/bin/sh\n[ \"$2\" != /dev/null ]; exit\n".to_vec();
    let mut noted = Vec::new();
    for version in ["v1", "v2", "v3"] {
        program.resize(program.len() + (1 << 20), b'#');
        let file = host.stage("/tb/bin/tau", &program);
        host.chmod(&file.staged_path(), 0o755);
        let verify = Action::Verify {
            command: ["/tb/bin/tau", "-p", "/tb/config/a.yaml"].map(ToOwned::to_owned).to_vec(),
            staged: [("/tb/bin/tau".to_owned(), file.staged_path())].into(),
            version: Some(version.parse().unwrap()),
        };
        for _ in 0..2 {
            assert_eq!(host.act(&verify), Outcome::Done);
        }
        noted.push(format!("{} version {version}", file.sha256));
        let lines = host.read("/var/lib/spore/digests");
        let lines: Vec<&str> = lines.lines().map(str::trim).filter(|line| line.contains("version")).collect();
        assert_eq!(lines, noted);
    }
}

#[test]
fn a_link_is_made_over_what_was_there() {
    let host = FakeHost::new();
    let path = "/etc/resolv.conf".to_owned();
    let link = |before, target: &str| Action::Link { path: path.clone(), before, target: target.to_owned() };
    let pointing = || fs::read_link(host.at(&path)).unwrap();
    assert_eq!(host.act(&link(LinkBefore::Absent, "a")), Outcome::Done);
    assert_eq!(host.act(&link(LinkBefore::Absent, "a")), Outcome::Already);
    assert_eq!(*found(&host.act(&link(LinkBefore::Absent, "b"))), is_link("a"));
    assert_eq!(host.act(&link(LinkBefore::Link("a".to_owned()), "b")), Outcome::Done);
    assert_eq!(pointing().to_str(), Some("b"));
    // A replaced file is kept, and doesn't replace an earlier kept file.
    for (content, times) in [(b"one", 1), (b"two", 2)] {
        fs::remove_file(host.at(&path)).unwrap();
        host.write(&path, content);
        let before = LinkBefore::File(Sha256::of(content));
        assert_eq!(host.act(&link(before, "c")), Outcome::Done);
        assert_eq!(host.list("/etc").len(), 1 + times, "{:?}", host.list("/etc"));
    }
    assert_eq!(host.read("/etc/resolv.conf.before-spore"), "two");
    assert_eq!(host.read("/etc/resolv.conf.before-spore.~1~"), "one");
}

#[test]
fn a_file_is_removed_if_it_is_the_one() {
    let host = FakeHost::new();
    host.write("/tb/config/a.yaml", b"x");
    let remove =
        |content: &[u8]| Action::Remove { path: "/tb/config/a.yaml".to_owned(), before: Sha256::of(content) };
    assert_eq!(*found(&host.act(&remove(b"y"))), is_file(b"x"));
    assert_eq!(host.act(&remove(b"x")), Outcome::Done);
    assert_eq!(host.act(&remove(b"x")), Outcome::Already);
}

#[test]
fn only_storage_is_purged() {
    let host = FakeHost::new();
    host.write("/tb/storage/elders/deep/file", b"x");
    let before = host.identity("/tb/storage/elders");
    let purge = |path: &str| Action::Purge { path: path.to_owned(), before: before.clone() };
    for path in
        ["/", "/tb", "/tb/storage", "/tb/storage/", "/tb/storage/..", "/tb/storage/../config", "", "/etc"]
            .into_iter()
            .chain(["/tb/storage/a/../../x", "/tb/storage//", "/tb/storage/."])
    {
        assert!(failed(&host.act(&purge(path))).starts_with("refusing to remove "), "{path}");
    }
    assert!(host.exists("/tb/storage/elders/deep/file"));
    assert_eq!(host.act(&purge("/tb/storage/elders")), Outcome::Done);
    assert_eq!(host.act(&purge("/tb/storage/elders")), Outcome::Already);
    assert!(host.list("/tb/storage").is_empty());
}

#[test]
fn only_the_directory_that_was_planned_on_is_purged() {
    let host = FakeHost::new();
    host.write("/tb/storage/elders/file", b"x");
    let purge =
        Action::Purge { path: "/tb/storage/elders".to_owned(), before: host.identity("/tb/storage/elders") };
    fs::rename(host.at("/tb/storage/elders"), host.at("/tb/storage/saved")).unwrap();
    host.write("/tb/storage/elders/other", b"y");
    let found = Found::AnotherDirectory;
    let changed = Differs { what: text("/tb/storage/elders"), expected: Expected::Directory, found };
    assert_eq!(differs(&host.act(&purge)), &changed);
    assert!(host.exists("/tb/storage/elders/other"));
    fs::remove_dir_all(host.at("/tb/storage/elders")).unwrap();
    symlink("saved", host.at("/tb/storage/elders")).unwrap();
    assert_eq!(differs(&host.act(&purge)), &Differs { found: is_link("saved"), ..changed });
    fs::remove_file(host.at("/tb/storage/elders")).unwrap();
    // The contents of the directory may have changed.
    fs::rename(host.at("/tb/storage/saved"), host.at("/tb/storage/elders")).unwrap();
    host.write("/tb/storage/elders/later", b"z");
    assert_eq!(host.act(&purge), Outcome::Done);
    assert_eq!(host.list("/tb/storage"), [""; 0]);
}

/// Once a node's configuration is gone, only the note proves that the storage belongs to a
/// node.
#[test]
fn a_removed_node_is_remembered_as_long_as_its_storage_is_there() {
    let host = FakeHost::new();
    let remove = |path: &str| Action::Remove { path: path.to_owned(), before: Sha256::of(b"x") };
    let purge = |path: &str| Action::Purge { path: path.to_owned(), before: host.identity(path) };
    for shape in ["a", "b"] {
        host.write(&format!("/tb/config/{shape}.yaml"), b"x");
    }
    host.write("/tb/storage/a_client/data", b"x");
    host.write("/tb/raft/a/main/snapshot", b"x");
    for shape in ["a", "b"] {
        assert_eq!(host.act(&remove(&format!("/tb/config/{shape}.yaml"))), Outcome::Done);
    }
    assert_eq!(host.list("/var/lib/spore/removed"), ["a"]);
    host.write("/var/lib/spore/digests", b"x");
    assert_eq!(host.act(&purge("/tb/raft/a")), Outcome::Done);
    assert_eq!(host.list("/var/lib/spore/removed"), ["a"], "its client's is there still");
    assert!(!host.exists("/tb/raft"), "tau made it");
    assert_eq!(host.act(&purge("/tb/storage/a_client")), Outcome::Done);
    assert_eq!(host.list("/var/lib/spore"), ["digests"]);
    assert!(host.exists("/tb/storage"));
    assert_eq!(host.act(&remove("/var/lib/spore/digests")), Outcome::Done);
    assert!(!host.exists("/var/lib/spore"));
}

/// A leftover in /tmp with the expected bytes is removed. Anything else that a user puts at
/// that path is left alone: a pipe isn't waited for, and a link isn't followed.
#[test]
fn what_others_put_into_tmp_is_left_alone() {
    const KEY: &str = "/tmp/swarm.key";
    let host = FakeHost::new();
    let remove = Action::Remove { path: KEY.to_owned(), before: Sha256::of(b"swarm") };
    host.write(KEY, b"swarm");
    host.chmod(KEY, 0o600);
    assert_eq!(host.act(&remove), Outcome::Done);
    assert_eq!(host.act(&remove), Outcome::Already);
    host.write("/etc/shadow", b"swarm");
    for other in ["mkfifo $key", "ln -s /etc/shadow $key", "mkdir $key", "head -c 2000000 /dev/zero >$key"] {
        assert!(machine(&format!("key={}; {other}", host.at(KEY).display())).is_empty());
        assert_eq!(host.act(&remove), Outcome::Already, "{other}");
        assert!(host.exists(KEY), "{other}");
        assert!(machine(&format!("rm -r {}", host.at(KEY).display())).is_empty());
    }
    // The file becomes a pipe after it has been examined.
    host.write(KEY, b"swarm");
    let stat = host.real("stat");
    let key = host.at(KEY);
    let key = key.display();
    host.link_command("mkfifo");
    host.stand_in("stat", &format!("{stat} \"$@\"; if [ ! -p {key} ]; then rm {key}; mkfifo {key}; fi"));
    assert_eq!(host.act(&remove), Outcome::Already);
}
