//! What an apply leaves on the hosts, and what later commands conclude from it.

use crate::world::{APPLY, World};
use std::fs;

/// Where a difference comes from: each of the four answers.
#[test]
fn a_difference_has_an_origin() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.spore(&["drift"]).exits(0).says("drift: 2 hosts in sync");
    let since = " since the apply of 20";

    change_folder(&world, "main: 5242", "main: 5342");
    world.spore(&["plan"]).exits(2).says(&format!("h4  changed in the folder{since}"));
    world.spore(&["drift"]).exits(0).says("drift: 2 hosts in sync");

    // The same file, on the host.
    world.sh("h4", "echo 'unknown: true' >>\"$SPORE_ROOT/tb/config/store.yaml\"");
    world.sh("h1", "chmod 644 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    let plan = world.spore(&["plan"]).exits(2);
    plan.says(&format!("h1  changed on the host{since}"))
        .says(&format!("changed on the host and in the folder{since}"));
    world.spore(&["drift"]).exits(2).says("drift: 2 hosts changed (h1, h4); 0 hosts in sync");

    world.sh("h4", "rm \"$SPORE_ROOT/tb/.spore/receipt.json\"");
    let plan = world.spore(&["plan", "--target", "@h4"]).exits(2);
    assert!(!plan.text.contains("since the apply"), "{plan}");
    world.spore(&["drift"]).exits(2).says("1 host changed (h1); 1 host unknown (h4)");
    world.sh("h1", "chmod 600 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    world.spore(&["drift"]).exits(3).says("drift: 1 host unknown (h4); 1 host in sync");
}

/// A file is only found if its digest is made again.
#[test]
fn verify_rehashes_what_the_apply_left() {
    let world = World::new();
    world.spore(&["verify"]).exits(3).says("unknown, because it has no receipt");
    world.spore(APPLY).exits(0);
    world.spore(&["verify"]).exits(0).says("verify: 2 hosts as the last apply left them");
    world.sh("h4", "printf x >>\"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    let verified = world.spore(&["verify"]).exits(2);
    verified
        .says("h4: not as the apply of 20")
        .says("left it: /tb/config/keys/swarm.key")
        .says("1 host changed");
}

/// A host that another version of spore, or another tool, has planted has no receipt. The next
/// apply leaves one, although it has nothing else to do.
#[test]
fn a_missing_receipt_is_written() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let picture =
        "cd \"$SPORE_ROOT\" && find tb -not -path 'tb/.spore*' -type f -exec stat -c '%n %i %Z' {} + | sort";
    let before = world.sh("h4", picture);
    world.sh("h4", "rm -r \"$SPORE_ROOT/tb/.spore\"");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    world.spore(&["apply"]).exits(0).says("apply: nothing to do; wrote the receipt of 1 host");
    world.spore(&["apply"]).exits(0).says("apply: nothing to do\n");
    world.spore(&["drift"]).exits(0);
    assert_eq!(world.sh("h4", picture), before);
    let receipt = world.sh("h4", "stat -c '%a %U' \"$SPORE_ROOT\"/tb/.spore \"$SPORE_ROOT\"/tb/.spore/*");
    assert_eq!(receipt, "700 root\n600 root\n600 root\n");
}

#[test]
fn a_history_names_every_apply() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    change_folder(&world, "main: 5242", "main: 5342");
    world.spore(APPLY).exits(0);
    let of = |host| {
        let history = world.spore(&["history", host]).exits(0);
        history.text.lines().filter(|line| line.starts_with(&format!("{host}  20"))).count()
    };
    assert_eq!((of("h1"), of("h4")), (1, 2));
}

/// A host that was deleted from the folder doesn't keep running unnoticed.
#[test]
fn a_deleted_host_is_named_and_pruned() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let (entry, away) = (world.folder().join("hosts/h4.yaml"), world.folder().join("h4.away"));
    fs::rename(&entry, &away).unwrap();
    let named = "it is no longer in the folder, but was never retired; `--prune` retires it";
    world.spore(&["plan"]).exits(2).says(named).says("its nodes: store@h4");
    world.spore(APPLY).exits(1).says("1 host deleted from the folder, but not retired");
    assert!(world.is_up("h4"));
    // An apply to other hosts leaves a receipt, too, and mustn't forget the host.
    world.sh("h1", "chmod 644 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    world.spore(&[APPLY, &["--target", "@h1"]].concat()).exits(1).says(named);
    world.spore(&["plan"]).exits(2).says(named);

    world.spore(&["apply", "--yes", "--prune"]).exits(1).says("--allow-destructive");
    assert!(world.is_up("h4"));
    let prune = ["apply", "--yes", "--prune", "--allow-destructive", "--timeout", "settle=0.5"];
    world.spore(&prune).exits(0).says("store@h4 is removed from the network");
    assert!(!world.is_up("h4"));
    world.sh("h4", "[ ! -e \"$SPORE_ROOT/tb/config/keys/swarm.key\" ] && [ ! -e \"$SPORE_ROOT/tb/.spore/receipt.json\" ]");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");

    // The host is back in the folder.
    fs::rename(&away, &entry).unwrap();
    world.spore(APPLY).exits(0);
    assert!(world.is_up("h4"));
}

/// Plans again later, with another folder, from facts that were gathered with this one.
#[test]
fn facts_name_a_host_that_is_deleted_later() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.spore(&["facts", "-o", "facts.json"]).exits(0);
    fs::remove_file(world.folder().join("hosts/h4.yaml")).unwrap();
    let plan = world.spore(&["plan", "--facts", "facts.json"]).exits(2);
    plan.says("it is no longer in the folder, but was never retired").says("its nodes: store@h4");
}

fn change_folder(world: &World, from: &str, to: &str) {
    let shapes = world.folder().join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap();
    assert!(text.contains(from));
    fs::write(&shapes, text.replace(from, to)).unwrap();
}
