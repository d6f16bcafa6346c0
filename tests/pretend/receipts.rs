//! What an apply leaves on the hosts, and what later commands conclude from it.

use crate::world::{APPLY, World};
use serde_json::Value;
use spore_drive::pretend::{Disk, Faults};
use std::fs;

const RECEIPT: &str = "\"$SPORE_ROOT/tb/.spore/receipt.json\"";

/// Where a difference comes from: each of the four answers.
#[test]
fn a_difference_has_an_origin() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.spore(&["drift"]).exits(0).says("drift: 2 hosts in sync");
    let since = " since the apply of 20";

    world.change("shapes.yaml", "main: 5242", "main: 5342");
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

/// After a boot, for example. Whether it becomes healthy isn't known yet.
#[test]
fn a_node_that_is_starting_has_not_changed() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let begin = "cd \"$SPORE_ROOT/run/pretend/units/tau@store.service\"
        printf 'active=activating\\nsub=start\\n' >>state";
    world.sh("h4", begin);
    let verified = world.spore(&["verify"]).exits(3);
    verified
        .says("h4: still starting: tau@store.service\n")
        .says("verify: 1 host as the last apply left it; 1 host unknown\n");
    assert!(!verified.text.contains("failing"), "{verified}");
    world.spore(&["drift"]).exits(3).says("1 host unknown (h4)");
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
    let note = "note: apply leaves a receipt on h4, so that";
    world.spore(&["plan"]).exits(0).says("plan: nothing to do").says(note);
    world.spore(&["apply"]).exits(0).says("apply: nothing to do; wrote receipts on 1 host\n");
    let plan = world.spore(&["plan"]).exits(0);
    assert!(!plan.text.contains("receipt"), "{plan}");
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
    world.change("shapes.yaml", "main: 5242", "main: 5342");
    world.spore(APPLY).exits(0);
    assert_eq!((applies(&world, "h1"), applies(&world, "h4")), (1, 2));
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

/// A host fails before anything is changed there, so its last receipt stays valid. Each host whose
/// part is complete has a receipt of this apply.
#[test]
fn a_host_that_was_not_changed_keeps_its_receipt() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.change("shapes.yaml", "main: 4242", "main: 4342");
    world.faults(Faults { disk: Disk::Filling, ..Faults::default() });
    world.spore(&[APPLY, &["--max-failures", "1"]].concat()).exits(1).says("failed h4");
    world.faults(Faults::default());
    world.spore(&["verify"]).exits(0).says("verify: 2 hosts as the last apply left them");
    assert_eq!((applies(&world, "h1"), applies(&world, "h4")), (2, 1));
    world.spore(&["plan"]).exits(2).says("changed in the folder since the apply of 20");
    world.spore(&["drift"]).exits(0);

    world.spore(APPLY).exits(0);
    world.spore(&["verify"]).exits(0);
    world.spore(&["drift"]).exits(0);
    assert_eq!(applies(&world, "h4"), 2);
    assert_eq!(world.sh("h4", "ls \"$SPORE_ROOT/tb/.spore\" | grep -v roster"), "receipt.json\n");
}

/// A node fails at its start, after its files were switched. What spore has changed isn't
/// attributed to the host.
#[test]
fn a_failed_node_is_not_attributed_to_the_host() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.change("shapes.yaml", "main: 5242", "main: 5342");
    let unit = "[Service]\\nExecStart=/tb/bin/tau start -s other --root /tb\\n";
    // The port is taken after the plan, so only the node's start finds out.
    world.spore(&["plan", "-o", "plan.json"]).exits(2);
    world.sh(
        "h4",
        &format!(
            "cd \"$SPORE_ROOT\" && sed 's/5242/5342/' tb/config/store.yaml >tb/config/other.yaml
            printf '{unit}' >etc/systemd/system/other.service && systemctl start other && rm tb/config/other.yaml"
        ),
    );
    world.spore(&["apply", "plan.json", "--yes"]).exits(1).says("is not healthy");
    let drift = world.spore(&["drift"]).exits(3);
    drift.says("1 host unknown (h4); 1 host in sync").says("an apply has begun since that of 20");
    let plan = world.spore(&["plan", "--target", "@h4"]);
    assert!(!plan.text.contains("since the apply"), "{plan}");
    world.sh("h4", "systemctl stop other");
    let verify = world.spore(&["verify"]).exits(3);
    verify.says("h4: unknown, because an apply has begun since that of 20");
    verify.says("verify: 1 host as the last apply left it; 1 host unknown");
    world.spore(APPLY).exits(0);
    world.spore(&["verify"]).exits(0);
}

/// The folder gives a host's name to another machine. The first keeps running with the swarm
/// key, so the plan names it.
#[test]
fn a_host_that_is_replaced_is_not_forgotten() {
    let mut world = World::new();
    world.spore(APPLY).exits(0);
    let old = world.host("h4").address().port;
    let new = world.add_host("new");
    world.change("hosts/h4.yaml", &format!("port: {old}"), &format!("port: {new}"));
    let named = format!("h4-at-127.0.0.1-{old} (127.0.0.1:{old}): it is no longer in the folder, but");
    world.spore(&["plan"]).exits(2).says(&named);
    // Also after h4 was applied to the new machine.
    world.spore(APPLY).exits(1);
    world.spore(&["plan"]).exits(2).says(&named).says("no changes");
    world.spore(&["apply", "--prune", "--yes", "--allow-destructive"]).exits(0);
    assert!(!world.is_up("h4") && world.is_up("new"));
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
}

/// The folder has another address for a machine, or another name and another address. It is
/// still the same machine, whether it still answers at the old address or not.
#[test]
fn a_host_that_moves_is_not_forgotten() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let known = fs::read_to_string(world.folder().join("known_hosts")).unwrap();
    let alias = known.replace("[127.0.0.1]", "[localhost]");
    fs::write(world.folder().join("known_hosts"), known.clone() + &alias).unwrap();
    world.change("hosts/h4.yaml", "addr: 127.0.0.1", "addr: localhost");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    // Without its receipt, the machine is recognized by its id.
    world.sh("h4", "rm -r \"$SPORE_ROOT/tb/.spore\"");
    let id = "0123456789abcdef0123456789abcdef";
    world.sh("h4", &format!("echo {id} >\"$SPORE_ROOT/etc/machine-id\""));
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    // If it doesn't answer at the old address, it may be another one.
    let port = world.host("h4").address().port.to_string();
    let others = known.lines().filter(|line| !line.contains(&port));
    let others: String = others.map(|line| format!("{line}\n")).collect();
    fs::write(world.folder().join("known_hosts"), others + &alias).unwrap();
    world.spore(&["plan"]).exits(2).says("couldn't be asked whether its nodes still run");
}

/// No receipt counts as newer than the present, but after the controller's clock was set back all
/// of them seem to be. A deleted host is still named, from saved facts as well.
#[test]
fn a_clock_that_was_set_back_forgets_no_host() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    for host in ["h1", "h4"] {
        world.sh(
            host,
            &format!("sed -i 's/\"at\": \"20[0-9][0-9]/\"at\": \"2099/' {RECEIPT} && grep -q 2099 {RECEIPT}"),
        );
    }
    world.spore(&["facts", "-o", "facts.json"]).exits(0);
    fs::rename(world.folder().join("hosts/h4.yaml"), world.folder().join("h4.away")).unwrap();
    let named = "it is no longer in the folder, but was never retired";
    world.spore(&["plan"]).exits(2).says(named);

    let path = world.folder().join("facts.json");
    let mut facts: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for host in ["h1", "h4"] {
        let lines = facts["facts"]["hosts"][host]["answer"].as_array_mut().unwrap();
        lines.retain(|line| !line.as_str().unwrap().starts_with("received\t"));
    }
    fs::write(&path, facts.to_string()).unwrap();
    world.spore(&["plan", "--facts", "facts.json"]).exits(2).says(named);
}

/// The number of applies that the host's receipt names.
fn applies(world: &World, host: &str) -> usize {
    let history = world.spore(&["history", host]).exits(0);
    history.text.lines().filter(|line| line.starts_with(&format!("{host}  20"))).count()
}
