//! The real `spore` on simulated hosts. These tests need neither root nor a network,
//! and leave nothing behind.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent;
mod author;
mod demo;
mod dns;
mod dumps;
mod events;
mod faults;
mod fetch;
mod formats;
mod graph;
mod handshake;
mod help;
mod hostile;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../hostile.rs"]
mod hostile_cases;
mod hostile_host;
mod html;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../support/http.rs"]
mod http;
mod import;
mod instants;
mod keyless;
mod killed;
mod lsp;
mod mail;
mod manuals;
mod node_keys;
mod outside;
mod packages;
mod page;
mod planted;
mod prompts;
mod quick;
mod readme;
mod receipts;
mod recipes;
mod rehearse;
mod routes;
mod saved;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../support/schema.rs"]
mod schema;
mod schemas;
#[path = "../support/session.rs"]
mod session;
#[path = "../support/ssh_agent.rs"]
mod ssh_agent;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../support/sshd.rs"]
mod sshd;
mod sudo;
mod surroundings;
mod trust;
mod world;

use world::{APPLY, World};

/// Tests a first apply, by a user who needs `sudo`, and the resulting state of a host.
#[test]
fn a_first_apply() {
    let world = World::new();
    world.spore(&["plan"]).exits(2).says("plan: ");
    world.spore(APPLY).exits(0).says("0 failed; 0 skipped");
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
    let said = world.sh(
        "h4",
        "cd \"$SPORE_ROOT\" && stat -c '%a %U:%G %n' tb/bin/tau tb/config/store.yaml
        systemctl is-active tau@store; systemctl is-enabled tau@store; journalctl -q --no-pager -o cat -u tau@store.service",
    );
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(
        said[..4],
        ["755 root:root tb/bin/tau", "600 root:root tb/config/store.yaml", "active", "enabled"]
    );
    assert!(said[4].starts_with("store started! with id: 12D3KooW"), "{said:?}");
}

/// Changes made by hand are found and fixed.
#[test]
fn drift_is_fixed() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.sh("h1", "cd \"$SPORE_ROOT\" && chown nobody tb/config/elders.yaml && chmod 0 tb/priv");
    world.sh(
        "h4",
        "sed -i 's/5242/5243/' \"$SPORE_ROOT/tb/config/store.yaml\" && systemctl restart tau@store",
    );
    let plan = world.spore(&["plan"]).exits(2);
    plan.says("nobody:root").says("/tb/priv").says("running with outdated store.yaml");
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}

/// If a node exits at each start, the end of its journal is shown to the user.
#[test]
fn the_journal_of_a_failing_node_is_shown() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    // A unit that spore doesn't know occupies the node's port.
    let unit = "[Service]\nExecStart=/tb/bin/tau start -s other --root /tb\n";
    world.sh(
        "h4",
        &format!(
            "systemctl stop tau@store; cd \"$SPORE_ROOT\" && cp tb/config/store.yaml tb/config/other.yaml
            printf '{unit}' >etc/systemd/system/other.service && systemctl start other && rm tb/config/other.yaml"
        ),
    );
    let apply = world.spore(APPLY).exits(1);
    apply
        .says("tau@store.service is not healthy")
        .says("its journal ends:")
        .says("bind: address already in use");
    world.sh("h4", "systemctl stop other");
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
}
