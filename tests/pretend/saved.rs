//! A plan that one process saves and another applies, and plans from facts in a file.

use crate::world::{APPLY, World};
use spore_drive::pretend::{here, program};
use spore_drive::resource::Sha256;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Output;

const SAVE: &[&str] = &["plan", "-o", "plan.json"];
const APPLY_SAVED: &[&str] = &["apply", "plan.json", "--yes", "--timeout", "settle=0.5"];

/// Everything that an apply could touch: each file's inode, size, times and mode, and each
/// node's start.
fn picture(world: &World) -> String {
    let script =
        "cd \"$SPORE_ROOT\" && find tb etc var -exec stat -c '%n %i %s %Y %Z %a %U' {} + 2>/dev/null | sort
        systemctl show -p Id,InvocationID,MainPID tau@elders tau@store";
    ["h1", "h4"].map(|host| world.sh(host, script)).concat()
}

fn read(world: &World, name: &str) -> String {
    fs::read_to_string(world.folder().join(name)).unwrap()
}

fn output(world: &World, words: &[&str], code: i32) -> Output {
    let output = world.command(words).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Nothing has changed since the plan: exactly this plan is applied, once.
#[test]
fn a_saved_plan_is_applied_once() {
    let world = World::new();
    let before = picture(&world);
    let planned = output(&world, SAVE, 2).stdout;
    let digest = Sha256::of(read(&world, "plan.json").as_bytes()).to_string();
    assert!(planned.starts_with(format!("plan sha256 {digest}\n").as_bytes()));
    assert_eq!(output(&world, &["show", "plan.json"], 0).stdout, planned);
    assert_eq!(picture(&world), before);

    let applied = world.spore(APPLY_SAVED).exits(0);
    applied.says(&String::from_utf8(planned.clone()).unwrap()).says("0 failed; 0 skipped");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    let receipt = world.sh("h4", "cat \"$SPORE_ROOT/tb/.spore/receipt.json\"");
    assert!(receipt.contains(&digest), "{receipt}");

    let before = picture(&world);
    world.spore(APPLY_SAVED).exits(0).says("apply: already applied; nothing to do\n");
    assert_eq!(picture(&world), before);
    // The first apply was cut off before it left this receipt.
    world.sh("h4", "mv \"$SPORE_ROOT/tb/.spore/receipt.json\" \"$SPORE_ROOT/tb/.spore/superseded.json\"");
    world.spore(&["verify"]).exits(3);
    world
        .spore(APPLY_SAVED)
        .exits(0)
        .says("apply: already applied; nothing to do; wrote receipts on 1 host\n");
    world.spore(&["verify"]).exits(0);
    let receipt = world.sh("h4", "cat \"$SPORE_ROOT/tb/.spore/receipt.json\"");
    assert!(receipt.contains(&digest), "{receipt}");
    // It is shown even though it is stale.
    world.change("shapes.yaml", "main: 5242", "main: 5342");
    assert_eq!(output(&world, &["show", "plan.json"], 0).stdout, planned);
}

/// The folder, a secret, or a program isn't the one that the plan was made with.
#[test]
fn a_plan_from_other_inputs_is_refused() {
    let world = World::new();
    world.spore(SAVE).exits(2);
    let before = picture(&world);
    let refused = |words: &[&str], why: &str| {
        let apply = world.spore(words).exits(1);
        // Long lines of errors are broken anywhere.
        let plain = |text: &str| text.replace([' ', '\n', '|', '│'], "");
        let expected = format!("plan.json can't be applied: {why}");
        assert!(plain(&apply.text).contains(&plain(&expected)), "{apply}");
        apply.says("apply: failed; nothing was changed");
        assert_eq!(picture(&world), before);
    };
    let shapes = read(&world, "shapes.yaml");
    world.change("shapes.yaml", "main: 5242", "main: 5342");
    refused(APPLY_SAVED, "the folder has changed since: shapes.yaml (changed)");
    fs::write(world.folder().join("shapes.yaml"), shapes).unwrap();

    let keys = ["keys/dv_private.key", "keys/dv_public.key", "keys/swarm.key"];
    let own = keys.map(|key| read(&world, key));
    let other = Path::new(env!("CARGO_MANIFEST_DIR"));
    for key in &keys[..2] {
        fs::copy(other.join("fixtures/folders/sound/folder").join(key), world.folder().join(key)).unwrap();
    }
    refused(
        APPLY_SAVED,
        "secrets have changed since: keys/dv_private.key (changed), keys/dv_public.key (changed)",
    );
    let rotated = other.join("fixtures/plans/swarm-key-rotated/folder/keys/swarm.key");
    fs::copy(rotated, world.folder().join(keys[2])).unwrap();
    refused(APPLY_SAVED, "the swarm key isn't the one that it was planned with");
    for (key, text) in keys.iter().zip(own) {
        fs::write(world.folder().join(key), text).unwrap();
    }

    fs::write(world.folder().join("other"), program(here(), "another tau")).unwrap();
    refused(
        &[APPLY_SAVED, &["--tau", "other"]].concat(),
        &format!("programs have changed since: tau for {} (changed)", here()),
    );
    // Everything is as it was.
    world.spore(APPLY_SAVED).exits(0);
}

/// Someone has edited a file on a host since the plan. The apply stops there, and the file and
/// the running node stay as they are.
#[test]
fn a_plan_stops_where_the_host_has_changed() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.change("shapes.yaml", "main: 5242", "main: 5342");
    world.spore(SAVE).exits(2);
    let edit = "echo 'unknown: true' >>\"$SPORE_ROOT/tb/config/store.yaml\"";
    world.sh("h4", edit);
    let state = "cat \"$SPORE_ROOT/tb/config/store.yaml\" | sha256sum
        systemctl show -p InvocationID,MainPID tau@store.service";
    let before = world.sh("h4", state);
    let apply = world.spore(APPLY_SAVED).exits(1);
    apply.says("/tb/config/store.yaml").says("changed on the host since the plan").says("1 change failed");
    assert_eq!(world.sh("h4", state), before);
    // A new plan knows of the edit.
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}

/// The process that plans can't reach the hosts. It prints, and saves, exactly the same.
#[test]
fn a_plan_from_facts_is_the_plan_from_the_hosts() {
    let mut world = World::new();
    world.spore(APPLY).exits(0);
    world.sh(
        "h4",
        "sed -i 's/5242/5243/' \"$SPORE_ROOT/tb/config/store.yaml\" && systemctl restart tau@store",
    );
    world.sh("h1", "chmod 700 \"$SPORE_ROOT/tb/config/elders.yaml\"");
    world.change("shapes.yaml", "lite: 5247", "lite: 5347");
    let before = picture(&world);
    let online = output(&world, SAVE, 2);
    // A file with the same facts.
    let saved = read(&world, "plan.json");
    let plan: serde_json::Value = serde_json::from_str(&saved).unwrap();
    let facts = serde_json::json!({"spore_facts": "1.0", "network": "net.test", "facts": plan["facts"]});
    fs::write(world.folder().join("same.json"), facts.to_string()).unwrap();
    world.spore(&["facts", "-o", "facts.json"]).exits(0).says("facts: 2 hosts; saved to facts.json");
    world.spore(&["facts", "h1", "-o", "h1.json"]).exits(0);
    assert_eq!(picture(&world), before);
    world.unplug();
    world.spore(&["plan"]).exits(3);

    let offline = output(&world, &["plan", "--facts", "same.json", "-o", "offline.json"], 2);
    assert_eq!(String::from_utf8(offline.stdout), String::from_utf8(online.stdout));
    assert_eq!(read(&world, "offline.json"), saved);
    let said = String::from_utf8(offline.stderr).unwrap();
    assert!(said.contains("note: the facts are from 20") && said.contains(" s ago"), "{said}");
    // The facts that were gathered later lead to the same changes.
    let later = world.spore(&["plan", "--facts", "facts.json"]).exits(2);
    later.says("5347").says("elders.yaml");
    // A host that wasn't gathered isn't taken for a bare one.
    let part = world.spore(&["plan", "--facts", "h1.json"]).exits(3);
    part.says("h4: not planned: the facts don't include this host").says("gather the facts again");
    assert!(!part.text.contains("5347"), "{part}");
}

/// A host repeats a secret of the folder where that means something, and so often that masking it
/// would take too long. Its answer isn't saved, and the commands say so by name.
#[test]
fn an_answer_that_cannot_be_masked_is_named() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.change("auth.yaml", "key: keys/ssh", "key: keys/ssh, password: a-word");
    world.sh("h4", "cd \"$SPORE_ROOT/tb/storage\" && for n in $(seq 1000); do mkdir \"a-word-$n\"; done");
    world.change("shapes.yaml", "main: 4242", "main: 4342");
    let why = "its answer can't be saved without secrets of the folder";
    let facts = world.spore(&["facts", "-o", "facts.json"]).exits(3);
    facts.says(&format!("h4: {why}")).says("facts: 1 host; no facts for 1 host; saved to facts.json");
    assert!(!read(&world, "facts.json").contains("a-word"));
    let named = format!("h4: not planned: {why}");
    world.spore(&["plan", "--facts", "facts.json"]).exits(3).says(&named);
    let saved = output(&world, SAVE, 3).stdout;
    assert!(String::from_utf8_lossy(&saved).contains(&named));
    assert_eq!(output(&world, &["show", "plan.json"], 0).stdout, saved);
    // Unsaved, it is planned.
    world.spore(&["plan"]).exits(2);
    world.spore(APPLY_SAVED).exits(1).says("1 of 2 hosts could not be planned (h4)");
}

/// No file that others may read contains a secret of the folder, not even a part of one.
#[test]
fn no_file_contains_a_secret() {
    let world = World::new();
    let save_all = || {
        let outputs = [
            output(&world, SAVE, 2),
            output(&world, &["facts", "-o", "facts.json"], 0),
            output(&world, &["facts"], 0),
            output(&world, &["show", "plan.json"], 0),
        ];
        let said = outputs.iter().map(|output| [output.stdout.clone(), output.stderr.clone()].concat());
        [
            said.collect::<Vec<_>>().concat(),
            read(&world, "plan.json").into(),
            read(&world, "facts.json").into(),
        ]
    };
    let mut files = save_all().to_vec();
    world.spore(APPLY).exits(0);
    // All of the node's secrets are on the host now, some of them where they don't belong.
    world.sh(
        "h4",
        "cd \"$SPORE_ROOT\" && cp tb/config/keys/swarm.key tmp/swarm.key
        cp tb/config/keys/dv_private.key tb/config/keys/other.key
        sed 's/^/# /' tb/config/store.yaml >>etc/resolv.conf
        printf '[Service]\\nEnvironment=KEY=%s\\n' \"$(tail -n1 tb/config/keys/swarm.key)\" >etc/systemd/system/tau@.service.d-own
        sed -i 's/5242/5243/' tb/config/store.yaml",
    );
    files.extend(save_all());
    let mut parts = HashSet::new();
    for name in ["keys/swarm.key", "keys/dv_private.key", "keys/ssh", "hosts/h1.yaml", "hosts/h4.yaml"] {
        let text = read(&world, name);
        let secrets = text.lines().filter_map(|line| match line.trim().split_once("key: ") {
            // The last 32 of a node key's 68 bytes are its public half.
            Some((_, key)) => key.get(8..48),
            None => (!name.ends_with("yaml") && !line.starts_with("-----"))
                .then(|| line.trim_start_matches("/key/swarm/psk/1.0.0//base16/")),
        });
        let secrets: Vec<_> = secrets.filter(|secret| secret.len() >= 16).collect();
        assert!(!secrets.is_empty(), "{name}");
        parts.extend(secrets.iter().flat_map(|secret| secret.as_bytes().windows(16).map(<[u8]>::to_vec)));
    }
    for file in files {
        let leaked = file.windows(16).find(|part| parts.contains(*part));
        let leaked = leaked.map(String::from_utf8_lossy);
        assert_eq!(leaked, None, "{}", String::from_utf8_lossy(&file));
    }
}
