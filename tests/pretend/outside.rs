//! Secrets that aren't in the folder.

use crate::world::{APPLY, World};
use std::fs;
use std::path::PathBuf;

/// Moves the swarm key, the validation keys and the SSH key to another folder. The key of h1's
/// node becomes a file there that hosts.yaml names, and that of h4's node one that it doesn't.
fn moved(world: &World) -> PathBuf {
    let (folder, secrets) = (world.folder(), world.folder().join("../outside-".to_owned() + &name(world)));
    fs::create_dir_all(secrets.join("nodes")).unwrap();
    fs::rename(folder.join("keys"), secrets.join("keys")).unwrap();
    for (host, entry, file) in
        [("h1", "key_file: nodes/h1.key", "nodes/h1.key"), ("h4", "", "nodes/store@h4.key")]
    {
        let path = folder.join(format!("hosts/{host}.yaml"));
        let text = fs::read_to_string(&path).unwrap();
        let start = text.find("key: CAES").unwrap();
        let end = start + text[start..].find(['\n', ',', '}']).unwrap();
        fs::write(secrets.join(file), &text["key: ".len() + start..end]).unwrap();
        fs::write(&path, text[..start].to_owned() + entry + &text[end..]).unwrap();
    }
    secrets
}

fn name(world: &World) -> String {
    world.folder().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn secrets_are_found_outside_the_folder() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let secrets = moved(&world);
    let given = ["--secrets", secrets.to_str().unwrap()];
    world.spore(&["check"]).exits(1).says("there is no file `keys/swarm.key`");
    let check = world.spore(&[&["check"][..], &given].concat()).exits(0);
    assert!(!check.text.contains("key/"), "{check}");
    // The same keys, so nothing has changed.
    world.spore(&[&["plan"][..], &given].concat()).exits(0).says("plan: nothing to do");
    world.spore(&[&["plan", "-o", "plan.json"][..], &given].concat()).exits(0);
    let plan = fs::read_to_string(world.folder().join("plan.json")).unwrap();
    let swarm = fs::read_to_string(secrets.join("keys/swarm.key")).unwrap();
    assert!(!plan.contains(swarm.trim().rsplit('/').next().unwrap()));
    let run = world.command(&["plan"]).env("SPORE_SECRETS", &secrets).status().unwrap();
    assert_eq!(run.code(), Some(0));
    fs::remove_dir_all(secrets).unwrap();
}

#[test]
fn a_key_is_given_once() {
    let world = World::new();
    let secrets = moved(&world);
    let path = world.folder().join("hosts/h1.yaml");
    let (text, key) =
        (fs::read_to_string(&path).unwrap(), fs::read_to_string(secrets.join("nodes/h1.key")).unwrap());
    fs::write(
        &path,
        text.replace("key_file: nodes/h1.key", &format!("key: {key}\n    key_file: nodes/h1.key")),
    )
    .unwrap();
    let check = world.spore(&["check", "--secrets", secrets.to_str().unwrap()]).exits(1);
    check.says("has both `key` and `key_file`");
    assert!(!check.to_string().contains(&key[..40]));
    fs::remove_dir_all(secrets).unwrap();
}

/// A pull request from a fork: the pipeline has neither the secrets nor a way to the hosts, only
/// facts.
#[test]
fn a_plan_without_secrets_says_what_it_did_not_compare() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.spore(&["facts", "-o", "facts.json"]).exits(0);
    let shapes = world.folder().join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap();
    fs::write(&shapes, text.replace("main: 5242", "main: 5342")).unwrap();
    let whole = world.spore(&["plan", "--facts", "facts.json"]).exits(2);
    let changes = |text: &str| {
        let is_change = |line: &&str| {
            line.starts_with("  ~ ") || line.contains("ports.main") || line.starts_with("  wave")
        };
        text.lines().filter(is_change).map(str::to_owned).collect::<Vec<_>>()
    };

    let secrets = moved(&world);
    world
        .spore(&["plan", "--facts", "facts.json"])
        .exits(1)
        .says("`spore plan --without-secrets` plans everything else");
    let offline = &["plan", "--facts", "facts.json", "--without-secrets"][..];
    let plan = world.spore(offline).exits(2);
    for secret in
        ["the swarm key (", "the domain-validation key (", "the key of elders@h1 (", "the key of store@h4 ("]
    {
        plan.says(&format!("secret not available: {secret}"));
    }
    plan.says("not compared: /tb/config/keys/swarm.key on h1, h4");
    plan.says("not compared: identity, peers in /tb/config/store.yaml on h4");
    plan.says("not compared: secret not available");
    assert_eq!(changes(&plan.text), changes(&whole.text));
    assert!(!changes(&plan.text).is_empty());
    world.spore(&[offline, &["--format", "markdown"]].concat()).exits(2).says("the swarm key");
    world.spore(&[offline, &["--format", "json"]].concat()).exits(2).says("plan/not-compared");

    // Such a plan can be saved and shown, but not applied.
    world.spore(&[offline, &["-o", "plan.json"]].concat()).exits(2);
    world.spore(&["show", "plan.json"]).exits(0).says("secret not available: the swarm key");
    let given = secrets.to_str().unwrap();
    world
        .spore(&["apply", "plan.json", "--yes", "--secrets", given])
        .exits(1)
        .says("it was made without these secrets: the swarm key, ");
    world.spore(&["plan", "--facts", "facts.json", "--secrets", given]).exits(2);

    fs::write(&shapes, text).unwrap();
    world.spore(offline).exits(0).says("plan: nothing to do as far as it could be compared; ");
    fs::remove_dir_all(secrets).unwrap();
}

/// Of a host that is asked, nothing is compared with digests that were made with a random key.
#[test]
fn hosts_are_asked_without_the_swarm_key() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let key = world.folder().join("keys/swarm.key");
    let kept = world.folder().join("keys/elsewhere.key");
    fs::rename(&key, &kept).unwrap();
    world.spore(&["apply", "--yes"]).exits(1).says("there is no file `keys/swarm.key`");
    let plan = world.spore(&["plan", "--without-secrets"]).exits(0);
    plan.says("not compared: /tb/config/keys/swarm.key on h1, h4")
        .says("nothing to do as far as it could be compared");
    world.sh("h4", "chmod 644 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    world.spore(&["plan", "--without-secrets"]).exits(2).says("/tb/config/keys/swarm.key  mode 0644 → 0600");
    world.sh("h4", "rm \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    let plan = world.spore(&["plan", "--without-secrets"]).exits(2);
    plan.says("+ /tb/config/keys/swarm.key  secret not available, 0600 root:root");
    plan.says("not compared: /tb/config/keys/swarm.key on h1\n");
}

/// A password can be in a file, in the folder or in that of the secrets.
#[test]
fn a_password_is_in_a_file() {
    let world = World::new();
    let login = world.folder().join("keys.yaml");
    let name = if login.is_file() { "keys.yaml" } else { "auth.yaml" };
    let path = world.folder().join(name);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "\nspare:\n  username: root\n  password_file: keys/spare.password\n").unwrap();
    let host = world.folder().join("hosts/h1.yaml");
    let text = fs::read_to_string(&host).unwrap();
    let start = text.find("auth: [").unwrap() + "auth: [".len();
    fs::write(&host, format!("{}spare, {}", &text[..start], &text[start..])).unwrap();
    world.spore(&["check"]).exits(1).says("there is no file `keys/spare.password`");
    world.spore(&["check", "--without-secrets"]).exits(0);
    fs::write(world.folder().join("keys/spare.password"), "orchard-violin-cobalt\n").unwrap();
    let check = world.spore(&["check"]).exits(0);
    assert!(!check.to_string().contains("orchard"));
    fs::write(&path, fs::read_to_string(&path).unwrap() + "  password: orchard-violin-cobalt\n").unwrap();
    let check = world.spore(&["check"]).exits(1);
    check.says("has both `password` and `password_file`");
    assert!(!check.to_string().contains("orchard"));
}
