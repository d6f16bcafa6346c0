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
