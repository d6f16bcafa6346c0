//! What a plan finds on the hosts besides the network's resources.

use crate::world::{APPLY, World};
use spore_drive::pretend::Faults;

/// A process that others can connect to may have stopped working long ago.
#[test]
fn a_node_that_says_nothing_is_failing() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
    world.faults(Faults { silent: true, ..Faults::default() });
    let plan = world.spore(&["plan"]).exits(2);
    plan.says("store@h4 is restarted")
        .says("it accepts connections on TCP port 5242, but doesn't speak: it is stopped or stuck");
    world.faults(Faults::default());
    world.spore(&["plan"]).exits(0);
}

/// A port that is taken is found by the plan, not by a node that fails.
#[test]
fn a_port_that_is_taken_keeps_the_host_from_being_planned() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    let unit = "[Service]\nExecStart=/tb/bin/tau start -s other --root /tb\n";
    world.sh(
        "h4",
        &format!(
            "systemctl stop tau@store; cd \"$SPORE_ROOT\" && cp tb/config/store.yaml tb/config/other.yaml
            printf '{unit}' >etc/systemd/system/other.service && systemctl start other && rm tb/config/other.yaml"
        ),
    );
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("h4: not planned: tau@store.service needs port 5242/tcp, but an unknown process listens on it");
    world.sh("h4", "systemctl stop other");
    world.spore(APPLY).exits(0);
}
