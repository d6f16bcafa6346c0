//! The handshake with nodes, in an apply and in `verify`.

use crate::world::{APPLY, Run, World};
use spore_drive::pretend::{Faults, Nodes};
use std::fs;

fn nodes(nodes: Nodes) -> Faults {
    Faults { nodes, ..Faults::default() }
}

/// An apply whose handshakes have short time-outs, because these nodes don't complete any.
fn apply(world: &World) -> Run {
    world.spore(&["apply", "--yes", "--timeout", "settle=0.5,proof=0.5"])
}

fn verify(world: &World) -> Run {
    world.spore(&["verify", "--timeout", "proof=0.5"])
}

/// Each fault, and what is said of it in an apply and in `verify`.
const FAULTS: [(Nodes, &str, &str); 3] = [
    (Nodes::Silent, "TCP port 5242, but doesn't answer", "it accepts connections, but doesn't answer"),
    (Nodes::OfAnotherSwarm, "port 5242 probably has another swarm key", "it probably has another swarm key"),
    (
        Nodes::Impostors,
        "another node answers on TCP port 5242: 12D3",
        "another node answers in its place: 12D3",
    ),
];

#[test]
fn a_gate_stays_closed_for_a_node_that_fails_its_handshake() {
    for (fault, said, _) in FAULTS {
        let world = World::new();
        world.faults(nodes(fault));
        let failed = apply(&world).exits(1);
        failed.says("tau@store.service is not healthy: ").says(said).says("stopped to end the crash loop");
        assert!(!world.is_up("h4"), "{fault:?}");
        world.faults(Faults::default());
        world.spore(APPLY).exits(0);
        world.spore(&["verify"]).exits(0).says("verify: 2 hosts as the last apply left them");
    }
}

/// A new configuration with which the node fails its handshake is taken back.
#[test]
fn an_update_is_rolled_back_if_the_handshake_fails() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let config = || world.sh("h4", "cat \"$SPORE_ROOT/tb/config/store.yaml\"");
    let before = config();
    let shapes = world.folder().join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap();
    fs::write(&shapes, text.replace("main: 5242", "main: 5342")).unwrap();
    world.faults(nodes(Nodes::OfAnotherSwarm));
    let failed = apply(&world).exits(1);
    failed.says("has another swarm key; rolled back: restored").says("is healthy again with the old files");
    assert_eq!(config(), before);
    // Nobody knows what the failed apply has left, but the node runs with what is on the disk.
    world.faults(Faults::default());
    let verified = verify(&world).exits(3);
    verified.says("h4: unknown, because an apply has begun");
    assert!(!verified.text.contains("is failing"), "{verified}");
    world.spore(APPLY).exits(0);
    verify(&world).exits(0);
}

#[test]
fn verify_completes_the_handshake_with_every_node() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    for (fault, _, said) in FAULTS {
        world.faults(nodes(fault));
        let verified = verify(&world).exits(2);
        verified
            .says("h4: store@h4 is failing: ")
            .says(said)
            .says("verify: 1 host as the last apply left it; ")
            .says("1 node failing (store@h4)\n");
    }
    world.faults(Faults::default());
    world.sh("h4", "systemctl stop tau@store");
    let verified = verify(&world).exits(2);
    verified.says("tau@store.service").says("h4: store@h4 is failing: it doesn't accept connections");
}

#[test]
fn a_server_that_forbids_forwarding_is_named_once() {
    let world = World::new();
    world.faults(Faults { no_forwarding: true, nodes: Nodes::Silent, ..Faults::default() });
    let once = |run: Run, host: &str| {
        let said = format!("the SSH server forbids forwarding on {host}, so it isn't known");
        assert_eq!(run.text.matches(&said).count(), 1, "{run}");
    };
    once(world.spore(APPLY).exits(0), "h4");
    once(world.spore(&["verify"]).exits(0), "h4");
}

/// The folder has a new key, which no node has yet.
#[test]
fn a_key_that_was_not_applied_yet_proves_nothing() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let key = world.folder().join("keys/swarm.key");
    let text = fs::read_to_string(&key).unwrap();
    let (head, digits) = text.trim().split_at(text.trim().len() - 64);
    fs::write(&key, format!("{head}{}", digits.chars().rev().collect::<String>())).unwrap();
    let verified = world.spore(&["verify"]).exits(0);
    verified.says("the folder's swarm key has changed since the last apply");
}
