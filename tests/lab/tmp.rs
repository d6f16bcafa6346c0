//! An unprivileged user of a host creates files in `/tmp` with the names of secrets that
//! upstream's tool leaves there. The host is planned as if these files didn't exist.

use crate::binary;
use crate::host::{Lab, Suite, wait_until};
use crate::network::{Network, Shape};
use std::time::{Duration, Instant};

/// The commands of the user. Afterwards /tmp/swarm.key exists.
const TRICKS: [&str; 6] = [
    "head -c 2000000 /dev/zero >swarm.key",
    "mkfifo swarm.key",
    "ln -s /etc/shadow swarm.key",
    "ln -s 'a -> b' swarm.key",
    "mkdir swarm.key",
    "printf 'not a key' >swarm.key; chmod 0 swarm.key",
];

/// Endlessly replaces /tmp/swarm.key with different kinds of files.
const SWAPS: &str = "while [ ! -e /tmp/enough ]; do
    printf %95s x >swarm.key; rm -f swarm.key; mkfifo swarm.key; rm -f swarm.key
    printf %95s x >swarm.key; rm -f swarm.key; ln -s /etc/shadow swarm.key; rm -f swarm.key
done";

/// The maximum time for a plan. It is less than the time-out of an answer, which a probe
/// that blocks on a pipe would reach.
const SOON: Duration = Duration::from_secs(30);

pub(crate) fn other_users(lab: &Lab) {
    let [host] = lab.up([("host", Suite::Bookworm.machine())]);
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.elder("elders", &host);
    // The login isn't as root, and sudo doesn't change the owners of the files in /tmp.
    network.log_in_as(&host, "tau");
    network.apply(&[]).exits(0);

    for trick in TRICKS {
        host.sh(&format!("cd /tmp && runuser -u plain -- sh -c \"{trick}\""));
        network.is_in_place(&[]);
        host.sh("rm -r /tmp/swarm.key");
    }

    host.sh(&format!("cd /tmp; setsid runuser -u plain -- sh -c '{SWAPS}' >/dev/null 2>&1 </dev/null &"));
    wait_until(SOON, "it swaps", || host.try_sh("[ -p /tmp/swarm.key ]").is_ok());
    for _ in 0..20 {
        let begun = Instant::now();
        network.is_in_place(&[]);
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
    host.sh("touch /tmp/enough; rm -rf /tmp/swarm.key");

    // A leftover of upstream's tool is still found and removed, whoever owns it.
    host.sh("cp /tb/config/keys/swarm.key /tmp; chown plain: /tmp/swarm.key; ! [ -L /tmp/swarm.key ]");
    network.plan(&[]).exits(2).says("/tmp/swarm.key");
    network.apply(&[]).exits(0);
    host.sh("! [ -e /tmp/swarm.key ]");
    network.is_in_place(&[]);
}
