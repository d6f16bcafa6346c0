//! Nodes whose private keys only their hosts have.

use crate::world::{APPLY, Run, World};
use spore_drive::identity::NodeKey;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The world, in whose folder the nodes have neither a key nor an id.
fn keyless() -> World {
    let world = World::new();
    for host in ["h1", "h4"] {
        forget(&world, host, "key");
    }
    world
}

/// Deletes the key or the id of the host's only node. What is left is a comment.
fn forget(world: &World, host: &str, field: &str) {
    let path = world.folder().join(format!("hosts/{host}.yaml"));
    let text = fs::read_to_string(&path).unwrap();
    let line = |line: &str| match line.split_once(" {id: ") {
        _ if line.trim_start().starts_with(&format!("{field}: ")) => "    # nothing here\n".to_owned(),
        Some((node, _)) => format!("{node}\n"),
        None => format!("{line}\n"),
    };
    fs::write(path, text.lines().map(line).collect::<String>()).unwrap();
}

/// The id of the host's only node, as the folder has it.
fn id(world: &World, host: &str) -> String {
    let text = fs::read_to_string(world.folder().join(format!("hosts/{host}.yaml"))).unwrap();
    let (_, id) = text.split_once("id: ").unwrap_or_else(|| panic!("{host} has no id: {text}"));
    id.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Whether any file below a folder contains a node's private key.
fn has_private_key(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => has_private_key(&path),
        false => String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("CAESQ"),
    })
}

fn apply(world: &World) -> Run {
    world.spore(APPLY).exits(0)
}

/// The private keys never leave the hosts, and the folder gets the ids.
#[test]
fn hosts_generate_the_keys_of_their_nodes() {
    let world = keyless();
    let planned = world.spore(&["plan"]).exits(2);
    planned.says("peer id known after key generation: the key of elders@h1, which its host generates");
    planned.says("peer id known after key generation: the key of store@h4").says("nodes come up: store@h4");
    world.sh("h1", "[ ! -e \"$SPORE_ROOT/tb\" ]");
    world.spore(&["check"]).exits(0).says("`spore apply` has the host generate the key");

    let applied = world.spore(&[APPLY, &["--verbose"]].concat()).exits(0);
    applied.says("generating keys on h1, h4; their ids will be written to hosts/h1.yaml, hosts/h4.yaml");
    applied.says("0 failed");
    assert!(!applied.text.contains("CAESQ"), "{applied}");
    assert!(!has_private_key(world.folder()));
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    for (host, shape) in [("h1", "elders"), ("h4", "store")] {
        let text = fs::read_to_string(world.folder().join(format!("hosts/{host}.yaml"))).unwrap();
        assert!(text.contains("    # nothing here\n"), "{text}");
        let key = world.sh(host, &format!("cat \"$SPORE_ROOT/tb/config/keys/{shape}.key\""));
        assert_eq!(key.parse::<NodeKey>().unwrap().peer_id().to_string(), id(&world, host));
        let first = world.sh(host, &format!("head -n 1 \"$SPORE_ROOT/tb/config/{shape}.yaml\""));
        assert_eq!(first, format!("privatekey: {key}"));
        world.sh(host, &format!("[ \"$(stat -c %a \"$SPORE_ROOT/tb/config/keys/{shape}.key\")\" = 600 ]"));
        world.sh(host, "[ -z \"$(find \"$SPORE_ROOT/tb\" -name '.spore-key*')\" ]");
    }
    // Later changes go the same way.
    world.change("shapes.yaml", "main: 5242", "main: 5243");
    let ids = ["h1", "h4"].map(|host| id(&world, host));
    world.spore(&["plan"]).exits(2).says("restart");
    let applied = apply(&world);
    assert!(!applied.text.contains("generating") && !applied.text.contains("CAESQ"), "{applied}");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    assert_eq!(["h1", "h4"].map(|host| id(&world, host)), ids);
    world.spore(&["verify"]).exits(0);
}

/// If the apply is cut off after a host has generated a key and before its id is written, the next
/// one finds the key.
#[test]
fn a_key_whose_id_was_not_written_is_found() {
    let world = keyless();
    let made = world.spore(&["keys", "make"]).exits(0);
    made.says("generated").says("wrote 2 ids to hosts/h1.yaml, hosts/h4.yaml");
    let ids = ["h1", "h4"].map(|host| id(&world, host));
    made.says(&format!("store@h4  {}", ids[1]));
    world.spore(&["keys", "make"]).exits(0).says("nothing to generate");
    forget(&world, "h4", "id");
    world.spore(&["keys", "make", "h4"]).exits(0).says(&format!("store@h4  {}  found on the host", ids[1]));
    forget(&world, "h1", "id");
    // A temporary file that was left is removed by the apply.
    world.sh("h1", "echo secret >\"$SPORE_ROOT/tb/config/keys/.spore-key-1\"");
    apply(&world).says("generating keys on h1").says("wrote 1 id to hosts/h1.yaml");
    assert_eq!(["h1", "h4"].map(|host| id(&world, host)), ids);
    world.sh("h1", "[ ! -e \"$SPORE_ROOT/tb/config/keys/.spore-key-1\" ]");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
}

/// Nodes that run already keep their keys, wherever these are, and aren't touched.
#[test]
fn keys_of_running_nodes_stay_where_they_are() {
    let world = World::new();
    apply(&world);
    let find = "stat -c '%i %Y' \"$SPORE_ROOT\"/tb/config/*.yaml";
    let before = ["h1", "h4"].map(|host| world.sh(host, find));
    for host in ["h1", "h4"] {
        forget(&world, host, "key");
    }
    apply(&world).says("generating keys on h1, h4").says("nothing to do");
    assert_eq!(["h1", "h4"].map(|host| world.sh(host, find)), before);
    world.sh("h4", "[ ! -e \"$SPORE_ROOT/tb/config/keys/store.key\" ]");
    // The configuration is written anew with the key that is in it.
    world.change("shapes.yaml", "main: 5242", "main: 5243");
    apply(&world).says("0 failed");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    // A key that is gone can't be replaced by another one.
    world.sh("h4", "rm \"$SPORE_ROOT/tb/config/store.yaml\"");
    let lost = world.spore(&["plan"]).exits(3);
    lost.says("it doesn't have the private key of store@h4, and the folder has only its id");
}

#[test]
fn a_host_that_cannot_generate_a_key_is_named() {
    let world = keyless();
    world.spore(&["plan", "-o", "plan.json"]).exits(2);
    let refused = world.spore(&["apply", "plan.json", "--yes"]).exits(1);
    refused.says("it was made without these secrets").says("the key of store@h4, which its host generates");
    let known = fs::read_to_string(world.folder().join("known_hosts")).unwrap();
    let port = world.host("h4").address().port.to_string();
    let without: String =
        known.lines().filter(|line| !line.contains(&port)).map(|line| format!("{line}\n")).collect();
    fs::write(world.folder().join("known_hosts"), without).unwrap();
    let failed = world.spore(APPLY).exits(1);
    failed.says("h4: ").says("1 node key could not be generated or recorded");
    // That of the other host was recorded, and can be applied alone.
    id(&world, "h1");
    world.spore(&[APPLY, &["--target", "@h1"]].concat()).exits(0).says("0 failed");
    fs::write(world.folder().join("known_hosts"), known).unwrap();
    // A node of another network is there.
    world.sh("h4", "mkdir -p \"$SPORE_ROOT/tb/config\" && echo 'network-fqdn: other.test' >\"$SPORE_ROOT/tb/config/x.yaml\"");
    world.spore(APPLY).exits(1).says("its configurations name the network other.test");
    world.sh("h4", "[ ! -e \"$SPORE_ROOT/tb/config/keys\" ]");
}

/// Keys that were generated are a change, even if their ids can't be written.
#[test]
fn keys_whose_ids_cannot_be_written_are_counted() {
    let world = keyless();
    let h4 = world.folder().join("hosts/h4.yaml");
    let text = fs::read_to_string(&h4).unwrap();
    let (above, _) = text.split_once("shapes:").unwrap();
    fs::write(&h4, format!("{above}shapes:\n  store: &node {{}}\n  elders: *node\n")).unwrap();
    let refused = world.spore(APPLY).exits(1);
    refused.says("store@h4: its key is on the host, but hosts/h4.yaml:5: ");
    refused.says("2 node keys could not be generated or recorded");
    refused.says("3 keys generated, 1 id written to the folder");
    // The next apply finds them.
    fs::write(&h4, format!("{above}shapes:\n  store: {{}}\n  elders: {{}}\n")).unwrap();
    apply(&world).says("wrote 2 ids to hosts/h4.yaml");
}

#[test]
fn a_rehearsal_needs_no_keys_of_hosts() {
    let world = keyless();
    world.spore(&["rehearse"]).exits(0).says("rehearsal: succeeded");
}

/// A key that only its host has is replaced there, and the apply puts it into use.
#[test]
fn a_host_replaces_the_key_of_its_node() {
    let world = keyless();
    apply(&world);
    let old = id(&world, "h1");
    let key = || world.sh("h1", "cat \"$SPORE_ROOT/tb/config/keys/elders.key\"");
    let in_use = || world.sh("h1", "head -n 1 \"$SPORE_ROOT/tb/config/elders.yaml\"");
    let (first, running) = (key(), in_use());
    world.spore(&["identity", "rotate", "elders@h1", "--dry-run"]).exits(0).says("dry run: nothing was done");
    assert_eq!((key(), id(&world, "h1")), (first.clone(), old.clone()));

    let rotated = world.spore(&["identity", "rotate", "elders@h1"]).exits(2);
    rotated.says("generating another key of elders@h1 on h1; its id will be written to hosts/h1.yaml");
    rotated.says("the node of /tb/config/elders.yaml on h1 gets a new identity").says("store@h4");
    rotated.says(&format!("      -  - /ip4/10.0.0.1/tcp/4242/p2p/{old}"));
    let new = id(&world, "h1");
    assert_ne!(new, old);
    assert_eq!(key().parse::<NodeKey>().unwrap().peer_id().to_string(), new);
    assert_eq!(in_use(), running, "the node has its old key until the apply");
    // The answer or the id was lost: the same key is found, and nothing has changed for the node.
    world.change("hosts/h1.yaml", &new, &old);
    world.spore(&["plan"]).exits(0).says("nothing to do");
    world.spore(&["identity", "rotate", "elders@h1"]).exits(2);
    assert_eq!(id(&world, "h1"), new);
    // A key that isn't in use yet isn't replaced.
    world.spore(&["identity", "rotate", "elders@h1"]).exits(1).says("run `spore apply` first");
    world.spore(APPLY).exits(1).says("--allow-destructive");
    world.spore(&[APPLY, &["--allow-destructive"]].concat()).exits(0).says("0 failed");
    assert_eq!(in_use(), format!("privatekey: {}", key()));
    world.spore(&["plan"]).exits(0).says("nothing to do");
    world.spore(&["verify"]).exits(0);
    assert!(!rotated.text.contains("CAESQ"), "{rotated}");
}

/// A key that the folder has is replaced there, in place or in a file of its own.
#[test]
fn a_key_in_the_folder_is_replaced() {
    let world = World::new();
    apply(&world);
    let rotate = |node: &str| world.spore(&["identity", "rotate", node]).exits(2);
    let read = |file: &str| fs::read_to_string(world.folder().join(file)).unwrap();
    let whole = read("hosts/h4.yaml");
    let (above, key) = whole.split_once("key: ").unwrap();
    let (key, below) = key.split_once('\n').unwrap();
    // A key that can't be edited safely isn't shown either.
    fs::write(world.folder().join("hosts/h4.yaml"), format!("{above}key: >-\n        {key}\n{below}"))
        .unwrap();
    for options in [&["--dry-run"][..], &[]] {
        let refused = world.spore(&[&["identity", "rotate", "store@h4"], options].concat()).exits(1);
        refused.says("key: KEY, with the `id` that belongs to it: `spore key node` prints both");
        assert!(!refused.text.contains("CAESQ"), "{refused}");
    }
    fs::write(world.folder().join("hosts/h4.yaml"), &whole).unwrap();
    let dry = world.spore(&["identity", "rotate", "store@h4", "--dry-run"]).exits(0);
    dry.says("hosts/h4.yaml").says("dry run: nothing was written");
    assert!(!dry.text.contains("CAESQ"), "{dry}");
    let first = rotate("store@h4");
    first
        .says("the node of /tb/config/store.yaml on h4 gets a new identity")
        .says("wrote keys/store@h4.old.key, hosts/h4.yaml");
    first.says("the old key is in keys/store@h4.old.key; delete it when the node runs with the new key");
    assert_eq!(read("keys/store@h4.old.key").trim(), key);
    assert!(!first.text.contains("CAESQ"), "{first}");
    // The id is written next to the key.
    let text = fs::read_to_string(world.folder().join("hosts/h4.yaml")).unwrap();
    let key: NodeKey =
        text.split("key: ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(key.peer_id().to_string(), id(&world, "h4"));

    // The key of an elder, in a file.
    let file = world.folder().join("hosts/h1.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (above, key) = text.split_once("key: ").unwrap();
    let (key, below) = key.split_once('\n').unwrap();
    fs::write(world.folder().join("keys/elders@h1.key"), format!("{key}\n")).unwrap();
    fs::write(&file, format!("{above}key_file: keys/elders@h1.key\n{below}")).unwrap();
    let old = key.parse::<NodeKey>().unwrap().peer_id().to_string();
    let rotated = rotate("elders@h1");
    rotated
        .says("the node of /tb/config/elders.yaml on h1 gets a new identity")
        .says("delete keys/elders@h1.key when the node runs with the new key");
    rotated.says(&format!("      -  - /ip4/10.0.0.1/tcp/4242/p2p/{old}"));
    let new = id(&world, "h1");
    let second = fs::read_to_string(world.folder().join("keys/elders@h1@2.key")).unwrap();
    assert_eq!(second.trim().parse::<NodeKey>().unwrap().peer_id().to_string(), new);
    assert_eq!(fs::read_to_string(world.folder().join("keys/elders@h1.key")).unwrap(), format!("{key}\n"));
    // An interrupted command has left the key: it is used.
    world.change("hosts/h1.yaml", "keys/elders@h1@2.key", "keys/elders@h1.key");
    world.change("hosts/h1.yaml", &new, &old);
    rotate("elders@h1").says("the key in keys/elders@h1@2.key, which was there already, is used");
    assert_eq!(id(&world, "h1"), new);
    world.spore(&[APPLY, &["--allow-destructive"]].concat()).exits(0).says("0 failed");
    world.spore(&["plan"]).exits(0).says("nothing to do");
    assert!(world.sh("h4", "cat \"$SPORE_ROOT/tb/config/store.yaml\"").contains(&new));
    rotate("elders@h1").says("keys/elders@h1@3.key");

    world.spore(&["identity", "rotate", "store@h1"]).exits(1).says("the folder has no node store@h1");
    fs::create_dir_all(world.folder().join("elsewhere/keys")).unwrap();
    fs::rename(
        world.folder().join("keys/elders@h1@3.key"),
        world.folder().join("elsewhere/keys/elders@h1@3.key"),
    )
    .unwrap();
    let refused = world.spore(&["identity", "rotate", "elders@h1", "--secrets", "elsewhere"]).exits(1);
    refused.says("the key of elders@h1 isn't in the network's folder");
}

/// A removed host's key is the only one that its storage and its id belong to.
#[test]
fn the_keys_of_a_removed_host_are_kept() {
    let world = World::new();
    let text = fs::read_to_string(world.folder().join("hosts/h4.yaml")).unwrap();
    let key = text.split("key: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let removed = world.spore(&["host", "remove", "h4"]).exits(0);
    removed.says("the key of store@h4 is kept in keys/store@h4.key");
    removed.says("delete keys/store@h4.key if the host won't come back");
    removed.says("wrote keys/store@h4.key; deleted hosts/h4.yaml");
    assert!(!removed.text.contains("CAESQ"), "{removed}");
    let file = world.folder().join("keys/store@h4.key");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), key);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Without `--yes` and a terminal, an apply does nothing, not even what comes before the plan.
#[test]
fn keys_are_generated_only_with_consent() {
    let world = World::new();
    let add = ["host", "add", "h4b", "--addr", "203.0.113.9", "--shape", "store", "--keys-on-host"];
    world.spore(&add).exits(0);
    let before = fs::read_to_string(world.folder().join("hosts/h4b.yaml")).unwrap();
    let apply = world.spore(&["apply"]).exits(1);
    apply.says("no terminal to prompt on").says("apply: failed; nothing was changed");
    assert_eq!(fs::read_to_string(world.folder().join("hosts/h4b.yaml")).unwrap(), before);
}

/// A command that changes a file writes the ids that are derived from the keys in it.
#[test]
fn ids_are_written_next_to_their_keys() {
    let world = World::new();
    let ids = || {
        ["h1", "h4"].map(|host| {
            fs::read_to_string(world.folder().join(format!("hosts/{host}.yaml"))).unwrap().contains("id: ")
        })
    };
    // Only the file of the new host changes.
    let add = ["host", "add", "h9", "--addr", "203.0.113.9", "--shape", "store", "--keys-on-host"];
    world.spore(&add).exits(0);
    assert_eq!(ids(), [false, false]);
    let text: String = ["h1", "h4"]
        .iter()
        .map(|host| {
            let text = fs::read_to_string(world.folder().join(format!("hosts/{host}.yaml"))).unwrap();
            format!("{host}:\n{}", text.lines().map(|line| format!("  {line}\n")).collect::<String>())
        })
        .collect();
    fs::remove_dir_all(world.folder().join("hosts")).unwrap();
    fs::write(world.folder().join("hosts.yaml"), text).unwrap();
    world.spore(&add).exits(0).says("+      id: 12D3KooW");
    let text = fs::read_to_string(world.folder().join("hosts.yaml")).unwrap();
    assert_eq!(text.matches("id: 12D3KooW").count(), 2, "{text}");
    world.spore(&["check"]).exits(0);
}
