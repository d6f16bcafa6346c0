//! What a plan finds on the hosts besides the network's resources.

use crate::world::{APPLY, World};
use spore_drive::pretend::{Faults, Nodes};

/// A process that others can connect to may have stopped working long ago.
#[test]
fn a_node_that_says_nothing_is_failing() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.spore(&["plan"]).exits(0);
    world.faults(Faults { nodes: Nodes::Silent, ..Faults::default() });
    let plan = world.spore(&["plan"]).exits(2);
    plan.says("store@h4 is restarted")
        .says("it accepts connections on TCP port 5242, but doesn't speak: it is stopped or stuck");
    world.faults(Faults::default());
    world.spore(&["plan"]).exits(0);
}
