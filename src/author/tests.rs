//! Tests with the folders of `fixtures`: what is written means what was asked for, in each dialect.

use super::{Edits, FileChange, Impossible, NewHost, NewKey, NewLogin, NewNode, NewShape, ShapeChange};
use crate::artifact::Pin;
use crate::check;
use crate::edit::Why;
use crate::identity::NodeKey;
use crate::network::{Draft, Files, Links, Secrets};
use crate::resource::Sha256;
use std::path::{Path, PathBuf};

/// The folders with the same network in different dialects and styles.
const SAME: [&str; 6] =
    ["same-today", "same-manual", "same-mixed", "same-folders", "same-anchors", "same-crlf-and-bom"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folders").join(name).join("folder")
}

fn files(name: &str) -> Files {
    Files::read(&fixture(name), &Links::Inside.into()).unwrap()
}

fn host() -> (NewHost, String) {
    let key = NodeKey::generate();
    let text = String::from_utf8_lossy(key.expose().expose()).into_owned();
    let node = NewNode {
        shape: "all".parse().unwrap(),
        key: Some(NewKey { id: key.peer_id().to_string(), file: "keys/all@h9.key".to_owned() }),
    };
    let host = NewHost {
        name: "h9".parse().unwrap(),
        addresses: vec!["10.77.0.9".to_owned(), "fd00::9".to_owned()],
        ssh_address: "h9.example.org".to_owned(),
        ssh_port: Some(2222),
        jumps: vec!["jump.example.org:2200".to_owned()],
        logins: vec!["deploy".to_owned(), "fallback".to_owned()],
        location: Some(["-1.5".to_owned(), "20".to_owned()]),
        nodes: vec![node],
    };
    (host, text)
}

fn shape() -> NewShape {
    let more = ShapeChange {
        services: Some(vec!["tns".to_owned(), "hoarder".to_owned()]),
        lite: Some(7001),
        ipfs: Some(7002),
        plugins: Some(vec!["p1@v0.1".to_owned()]),
        main: None,
    };
    NewShape { name: "mem".parse().unwrap(), main: 7000, more }
}

/// Makes an edit of a fixture, and reads the result, which has no errors.
fn edited(name: &str, make: impl FnOnce(&mut Edits<'_>)) -> (Draft, Vec<FileChange>) {
    let before = files(name);
    let mut edits = Edits::new(&before);
    make(&mut edits);
    let changes = edits.finish();
    // The folder is sound after each change, so that a kill leaves it sound.
    for some in (1..=changes.len()).map(|count| &changes[..count]) {
        let draft = with(name, some);
        let errors: Vec<_> = draft.problems().into_iter().filter(|problem| problem.is_error()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    (with(name, &changes), changes)
}

fn with(name: &str, changes: &[FileChange]) -> Draft {
    let after =
        changes.iter().map(|change| (change.path.as_str(), change.after.as_ref().map(String::as_bytes)));
    let files = Files::read_with(&fixture(name), &Links::Inside.into(), after).unwrap();
    let mut draft = Draft::from_files(&files, Secrets::Needed);
    let found = check::check(&draft);
    draft.report(found);
    draft
}

#[test]
fn a_host_that_is_added_is_read_as_it_was_meant() {
    for name in SAME.into_iter().chain(["no-hosts-yet"]) {
        let (host, key) = host();
        let (draft, _) = edited(name, |edits| {
            edits.secret("keys/all@h9.key", key).unwrap();
            edits.add_host(&host).unwrap();
        });
        let added = &draft.hosts[&host.name];
        let addresses: Vec<String> = added.addresses.iter().map(|address| address.ip.to_string()).collect();
        let ssh = added.ssh.as_ref().unwrap();
        let logins: Vec<&str> = ssh.logins.iter().map(|login| login.value.as_str()).collect();
        assert_eq!(addresses, host.addresses, "{name}");
        assert_eq!(
            (ssh.address.value.as_str(), ssh.port, ssh.jumps.len()),
            ("h9.example.org", 2222, 1),
            "{name}"
        );
        assert_eq!(logins, ["deploy", "fallback"], "{name}");
        let location = added.location.as_ref().unwrap();
        assert_eq!((location.lat.value, location.long.value), (-1.5, 20.0), "{name}");
        let node = &added.nodes[&host.nodes[0].shape];
        assert_eq!(node.id.as_ref().unwrap().to_string(), host.nodes[0].key.as_ref().unwrap().id, "{name}");
        assert!(node.key.is_some(), "{name}");
    }
}

#[test]
fn keys_of_several_hosts_are_written_before_the_file_that_names_them() {
    for name in SAME {
        let (_, changes) = edited(name, |edits| {
            for n in 1..=3 {
                let (mut host, key) = host();
                host.name = format!("h9{n}").parse().unwrap();
                host.ssh_port = Some(2000 + n);
                let file = format!("keys/all@h9{n}.key");
                host.nodes[0].key.as_mut().unwrap().file.clone_from(&file);
                edits.secret(&file, key).unwrap();
                edits.add_host(&host).unwrap();
            }
        });
        assert!(changes.len() > 3 && changes[..3].iter().all(|change| change.is_secret), "{name}");
    }
}

#[test]
fn what_is_added_and_removed_again_leaves_the_same_bytes() {
    for name in SAME {
        let (host, key) = host();
        let (_, changes) = edited(name, |edits| {
            edits.secret("keys/all@h9.key", key).unwrap();
            edits.add_host(&host).unwrap();
            edits.add_elder("all", "h9").unwrap();
            edits.remove_host(&host.name).unwrap();
            edits.add_shape(&shape()).unwrap();
            edits.remove_shape(&shape().name).unwrap();
        });
        let changed: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        // The list of elders that was added stays, empty.
        let network = changes.iter().find(|change| change.path.starts_with(['n', 'c'])).unwrap();
        assert!(network.after.as_ref().unwrap().contains("all: []"), "{name}: {network:?}");
        assert_eq!(changed.len(), 2, "{name}: {changed:?}");
    }
}

#[test]
fn shapes_are_added_and_changed_in_each_dialect() {
    let change = ShapeChange {
        services: Some(vec!["tns".to_owned(), "patrick".to_owned()]),
        main: Some(6000),
        lite: Some(6001),
        ipfs: Some(6002),
        plugins: Some(Vec::new()),
    };
    for name in SAME {
        let (draft, _) = edited(name, |edits| {
            edits.set_shape(&"all".parse().unwrap(), &change).unwrap();
            edits.add_shape(&shape()).unwrap();
        });
        let read = |shape: &str| {
            let shape = &draft.shapes[&shape.parse().unwrap()];
            let ports = [&shape.main, &shape.lite, &shape.ipfs].map(|port| port.as_ref().unwrap().value);
            let services: Vec<String> = shape.services.iter().map(|service| service.value.clone()).collect();
            (ports, services.join(" "), shape.plugins.len())
        };
        assert_eq!(read("all"), ([6000, 6001, 6002], "tns patrick".to_owned(), 0), "{name}");
        assert_eq!(read("mem"), ([7000, 7001, 7002], "tns hoarder".to_owned(), 1), "{name}");
    }
}

#[test]
fn ports_that_were_not_there_are_added_in_the_dialect_of_the_shape() {
    for (before, after) in [
        ("a: {ports: {main: 1}}\n", "a: {ports: {main: 1, lite: 2, ipfs: 3}}\n"),
        ("a: {ports: {main: {p2p: 1}}}\n", "a: {ports: {main: {p2p: 1}, lite: {p2p: 2, ipfs: 3}}}\n"),
        (
            "a: {ports: {main: {p2p: 1}, lite: {ipfs: 9}}}\n",
            "a: {ports: {main: {p2p: 1}, lite: {ipfs: 3, p2p: 2}}}\n",
        ),
    ] {
        let mut files = Files::new("folder");
        files.insert("shapes.yaml", before);
        let mut edits = Edits::new(&files);
        let change = ShapeChange { lite: Some(2), ipfs: Some(3), ..ShapeChange::default() };
        edits.set_shape(&"a".parse().unwrap(), &change).unwrap();
        assert_eq!(edits.finish()[0].after.as_deref(), Some(after));
    }
}

#[test]
fn logins_are_added_in_each_dialect() {
    for name in SAME {
        let login = NewLogin {
            name: "admin".to_owned(),
            user: "root".to_owned(),
            keys: vec!["~/.ssh/a".to_owned(), "~/.ssh/b".to_owned()],
            password_file: None,
        };
        let (draft, _) = edited(name, |edits| edits.add_login(&login).unwrap());
        let added = &draft.logins["admin"];
        let keys: Vec<&str> = added.keys.iter().map(|key| key.written.as_str()).collect();
        assert_eq!(
            (added.user.as_ref().unwrap().value.as_str(), keys),
            ("root", vec!["~/.ssh/a", "~/.ssh/b"]),
            "{name}"
        );
    }
}

#[test]
fn a_file_that_is_not_text_is_left_alone() {
    let mut files = Files::new("folder");
    files.insert("shapes.yaml", b"a: {ports: {main: 1}}\n# \xff\n".to_vec());
    let error = Edits::new(&files).add_shape(&shape()).unwrap_err();
    assert_eq!(error, Impossible::Unreadable("shapes.yaml".to_owned()));
}

#[test]
fn what_cannot_be_done_is_said() {
    let files = files("same-anchors");
    let mut edits = Edits::new(&files);
    assert_eq!(
        edits.add_elder("elders", "h1").unwrap_err().to_string(),
        "`elders@h1` already exists in p2p.bootstrap"
    );
    for error in [
        edits.remove_elder("all", "h1").unwrap_err(),
        edits.remove_host(&"h7".parse().unwrap()).unwrap_err(),
        edits.set_shape(&"none".parse().unwrap(), &ShapeChange::default()).unwrap_err(),
    ] {
        assert!(matches!(error, Impossible::Missing(_)), "{error}");
    }
    let (host, _) = host();
    let again = NewHost { name: "h1".parse().unwrap(), ..host };
    assert_eq!(edits.add_host(&again).unwrap_err().to_string(), "`h1` already exists in hosts.yaml");
    // Other shapes use these ports by an alias.
    let change = ShapeChange { main: Some(1), ..ShapeChange::default() };
    let shared = "a: {ports: &p {main: 4242}}\nb: {ports: *p}\n";
    let mut files = Files::new("folder");
    files.insert("shapes.yaml", shared);
    let mut edits = Edits::new(&files);
    let error = edits.set_shape(&"a".parse().unwrap(), &change).unwrap_err();
    assert!(matches!(&error, Impossible::Refused { refused, .. } if refused.why == Why::Anchor), "{error}");
    assert_eq!(
        error.by_hand().unwrap(),
        "edit the file by hand; write in shapes.yaml, under `a.ports`:\nmain: 1"
    );
}

fn pin(source: &str, bytes: &[u8]) -> Pin {
    Pin { size: Some(9), ..Pin::new(source.parse().unwrap(), Sha256::of(bytes)) }
}

/// The text of `tau.yaml` after pins of amd64 were written.
fn pinned(text: &str, pin: &Pin) -> Result<String, Impossible> {
    let mut files = Files::new("");
    files.insert("tau.yaml", text);
    let mut edits = Edits::new(&files);
    edits.pin("amd64".parse().unwrap(), pin)?;
    let changes = edits.finish();
    Ok(changes.into_iter().find_map(|change| change.after).unwrap_or_else(|| text.to_owned()))
}

#[test]
fn a_pin_changes_only_its_own_fields() {
    let (old, new) = (Sha256::of(b"1"), Sha256::of(b"2"));
    let text = format!(
        "# Ours.\namd64:  # the usual\n  sha256: {old}  # from the release page\n  # Our mirror is slow.\n  url: https://a.example/1\n  mirrors: [https://b.example/1]\n  size: 9\n\narm64: {{path: 'tau-arm', sha256: {old}}} # later\n"
    );
    let mirrored =
        Pin { mirrors: vec!["https://b.example/1".parse().unwrap()], ..pin("https://a.example/1", b"1") };
    assert_eq!(pinned(&text, &mirrored).unwrap(), text);
    let after = pinned(&text, &pin("https://a.example/2", b"2")).unwrap();
    let expected = text
        .replacen(&old.to_string(), &new.to_string(), 1)
        .replace("https://a.example/1", "\"https://a.example/2\"")
        .replace("  mirrors: [https://b.example/1]\n", "");
    assert_eq!(after, expected);
    // From a URL to a path, and with fields that weren't there.
    let more = Pin { binary: Some(new), version: Some("v1.2.3".parse().unwrap()), ..pin("bin/tau", b"2") };
    let after = pinned(&text, &more).unwrap();
    for line in
        ["# Ours.\namd64:  # the usual\n", "  # Our mirror is slow.\n", "  path: bin/tau\n", "# later\n"]
    {
        assert!(after.contains(line), "{line}: {after}");
    }
    assert!(!after.contains("url:"), "{after}");
}

#[test]
fn a_pin_is_added_in_every_layout() {
    let new = pin("https://a.example/2", b"2");
    for text in ["# Nothing yet.\n", "{}\n", "arm64: {path: x, sha256: '00'}\n", "arm64:\n  path: x\n"] {
        let after = pinned(text, &new).unwrap();
        assert!(after.starts_with(text.trim_end_matches("{}\n").trim_end()), "{after}");
        assert!(after.contains("amd64") && after.contains("https://a.example/2"), "{after}");
    }
    // Without a file, it is the one that explains itself.
    let files = Files::new("");
    let mut edits = Edits::new(&files);
    edits.pin("amd64".parse().unwrap(), &new).unwrap();
    let change = edits.finish().remove(0);
    assert_eq!((change.path.as_str(), change.before), ("tau.yaml", None));
    assert!(change.after.unwrap().starts_with("# The tau that runs"));
    // One file for each architecture.
    let mut files = Files::new("");
    files.insert("tau/amd64.yaml", "# Ours.\npath: x\nsha256: '00'\n");
    let mut edits = Edits::new(&files);
    edits.pin("amd64".parse().unwrap(), &new).unwrap();
    let change = edits.finish().remove(0);
    assert_eq!(change.path, "tau/amd64.yaml");
    assert!(change.after.unwrap().starts_with("# Ours.\nsha256: "));
}

#[test]
fn a_pin_that_cannot_be_edited_is_shown_in_full() {
    let text = format!("arm64: &a\n  path: x\n  sha256: {}\namd64: *a\n", Sha256::of(b"1"));
    let error = pinned(&text, &pin("bin/tau", b"2")).unwrap_err();
    let by_hand = error.by_hand().unwrap();
    for line in ["amd64:", "path: bin/tau", "sha256: ", "size: 9"] {
        assert!(by_hand.contains(line), "{by_hand}");
    }
}

/// The text of `hosts.yaml` after the id of a node was written.
fn identified(text: &str) -> Result<String, Impossible> {
    let mut files = Files::new("");
    files.insert("hosts.yaml", text);
    let mut edits = Edits::new(&files);
    edits.set_id("h1", "all", "12D3KooWx")?;
    let changes = edits.finish();
    Ok(changes.into_iter().find_map(|change| change.after).unwrap_or_else(|| text.to_owned()))
}

#[test]
fn an_id_is_written_wherever_its_node_is() {
    for (before, after) in [
        ("h1:\n  shapes:\n    all:  # new\n", "h1:\n  shapes:\n    all: {id: 12D3KooWx}  # new\n"),
        ("h1: {shapes: {all: }} # x\n", "h1: {shapes: {all: {id: 12D3KooWx}}} # x\n"),
        ("h1:\n  shapes:\n    all: {}\n", "h1:\n  shapes:\n    all: {id: 12D3KooWx}\n"),
        ("h1:\n  shapes:\n    all: {id: }\n", "h1:\n  shapes:\n    all: {id: 12D3KooWx}\n"),
        ("h1:\n  shapes:\n    all: {id: 12D3KooWx}\n", "h1:\n  shapes:\n    all: {id: 12D3KooWx}\n"),
    ] {
        assert_eq!(identified(before).unwrap(), after);
    }
    let other = identified("h1: {shapes: {all: {id: 12D3KooWy}}}\n").unwrap_err();
    assert_eq!(other.to_string(), "another id of `all@h1` already exists in hosts.yaml");
    assert!(matches!(identified("h1: {shapes: {}}\n"), Err(Impossible::Missing(_))));
    let shared = identified("x: &x {all: {}}\nh1: {shapes: *x}\n").unwrap_err();
    assert!(shared.by_hand().unwrap().contains("id: 12D3KooWx"), "{shared}");
}
