//! The real `spore` on pretended hosts: no root, no network, nothing left.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod demo;
mod faults;
mod help;
mod instants;
mod killed;
mod page;
mod quick;
mod readme;
mod rehearse;
mod world;

use world::{APPLY, World};

/// From nothing to everything in its place, as a user who needs `sudo`; then a
/// look at what the host has come to.
#[test]
fn applied() {
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

/// What somebody changes on a host is found, and mended without more than that.
#[test]
fn mended() {
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

/// Whose configuration names a key that isn't there dies at each start; what it
/// says reaches the person.
#[test]
fn a_node_that_dies_is_told_of() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    // Something that spore doesn't know has the port of the node.
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
