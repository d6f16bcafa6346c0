//! Files and rules of a host's owner stay unchanged, and everything that belongs to spore
//! is removed with the last node.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::watch::{meshed, still};

fn network(lab: &Lab, elders: &[&LabHost]) -> Network {
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    elders.iter().for_each(|host| network.elder("elders", host));
    network
}

/// ufw's rules in both files, without spore's.
fn owners_rules(host: &LabHost) -> String {
    host.sh("cat /etc/ufw/user.rules /etc/ufw/user6.rules | grep '^### tuple' | grep -v comment=73706f7265")
}

fn our_rules(host: &LabHost) -> String {
    host.sh("grep '^### tuple' /etc/ufw/user.rules | grep comment=73706f7265 | cut -d' ' -f5,6 || true")
}

/// The owner's rules are never replaced or removed: a rule that closes a port is reported,
/// and a rule that opens it suffices. While ufw is disabled, none of its rules change.
pub(crate) fn firewall_rules(lab: &Lab) {
    let [walled, limited] =
        &lab.up([("walled", Suite::Bookworm.machine()), ("limited", Suite::Trixie.machine())]);
    let mut network = network(lab, &[walled]);
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.node("all", limited);
    walled.sh("ufw allow 22/tcp; ufw deny 4242/tcp; ufw --force enable");
    limited.sh("ufw allow 22/tcp; ufw deny from 192.0.2.9 to any port 5242 proto tcp; ufw limit 5242/tcp
        ufw allow 5000:6000/udp; ufw --force enable");
    let before = [owners_rules(walled), owners_rules(limited)];
    let plan = network.plan(&[]).exits(3).is_silent_on("+ ufw");
    plan.says_in_one_line(&[walled.name(), "not planned", "`deny 4242/tcp`", "`ufw delete deny 4242/tcp`"]);
    walled.sh("ufw delete deny 4242/tcp; ufw deny 4200:4300/tcp");
    network.plan(&[]).exits(3).says_in_one_line(&[walled.name(), "not planned", "`deny 4200:4300/tcp`"]);
    walled.sh("ufw delete deny 4200:4300/tcp; ufw deny 4200:4241/tcp");
    network.plan(&[]).exits(2).says("+ ufw allow 4242/tcp").is_silent_on("ufw allow 5242/tcp");
    network.apply(&[]).exits(0);
    meshed(&[limited], &[walled], 4242);
    assert_eq!((our_rules(walled).as_str(), our_rules(limited).as_str()), ("tcp 4242\n", ""));
    network.is_in_place(&[]);

    // Turn ufw off, and on again.
    let untouched = still(walled);
    walled.sh("ufw disable");
    network.is_in_place(&[]);
    walled.sh("ufw --force enable");
    network.is_in_place(&[]);
    untouched.holds_but_for(walled, "/etc/ufw/");

    // The owner replaces spore's rule for a port: the rule now belongs to the owner, and
    // stays when the node is removed.
    walled.sh("ufw deny 4242/tcp; ! grep '^### tuple ### allow tcp 4242' /etc/ufw/user.rules");
    network.plan(&[]).exits(3).says_in_one_line(&[walled.name(), "not planned", "`deny 4242/tcp`"]);
    network.remove_node("all", limited);
    network.apply(&["--allow-destructive", "--target", &format!("@{}", limited.name())]).exits(0);
    limited.sh("! systemctl is-active --quiet tau@all.service");
    assert_eq!(owners_rules(limited), before[1]);
    walled.sh("grep -q '^### tuple ### deny tcp 4242' /etc/ufw/user.rules");
}

/// `--purge-storage` removes only the data of nodes, at once or later. On a host without
/// nodes, no file of spore is left.
pub(crate) fn storage(lab: &Lab) {
    let [elder, store, other] = &lab.up([
        ("elder", Suite::Bookworm.machine()),
        ("store", Suite::Trixie.machine()),
        ("other", Suite::Bookworm.machine()),
    ]);
    let mut network = network(lab, &[elder]);
    network.shape("store", Shape::new(5242).services(&["tns"]));
    network.node("store", store);
    network.node("store", other);
    network.apply(&[]).exits(0);
    for host in [store, other] {
        host.sh(
            "cd /tb; mkdir -p storage/backups storage/lost+found storage/store storage/store_client raft/store/main
            touch storage/backups/precious raft/store/main/snapshot storage/file
            test -e /var/lib/spore/digests",
        );
    }

    // Purge the storage at once.
    let retire = ["retire", other.name(), "--yes", "--allow-destructive"];
    network.spore(&[&retire[..], &["--purge-storage"]].concat()).exits(0);
    network.remove_host(other);
    assert_eq!(
        left(other),
        "/tb/storage/backups\n/tb/storage/backups/precious\n/tb/storage/file\n/tb/storage/lost+found\n"
    );

    // Purge the storage later: only data that is known to be a node's is removed.
    network.remove_node("store", store);
    network.apply(&["--allow-destructive"]).exits(0).says("--purge-storage");
    network.is_in_place(&[]);
    store.sh("cd /tb; test -d storage/store; test -d storage/store_client; test -e raft/store/main/snapshot");
    let plan = network.plan(&["--purge-storage"]).exits(2).is_silent_on("backups").is_silent_on("lost+found");
    plan.last_says("3 to remove");
    network.apply(&["--purge-storage", "--allow-destructive"]).exits(0);
    assert_eq!(left(store), left(other));
    network.is_in_place(&["--purge-storage"]);

    // A renamed node starts with empty storage, and the plan says so.
    network.remove_node("elders", elder);
    network.shape("founders", Shape::new(4242));
    network.elder("founders", elder);
    elder.sh("mkdir -p /tb/storage/elders");
    network.plan(&[]).exits(2).says_in_one_line(&["founders@", "replaces elders@", "empty storage"]);
    network.apply(&["--allow-destructive"]).exits(0);
    // A node with the old name and a new key finds the old data.
    network.remove_node("founders", elder);
    network.elder("elders", elder);
    network.plan(&[]).exits(2).says_in_one_line(&["elders@", "earlier node"]);
}

/// All files that spore and its nodes may have left.
fn left(host: &LabHost) -> String {
    host.sh("find /tb/storage /tb/raft /var/lib/spore /run/spore -mindepth 1 2>/dev/null | sort
        for path in /tb/raft /var/lib/spore /run/spore; do [ ! -e $path ] || echo $path; done")
}

/// If one machine is in the folder under two names, the plan says so, and changes neither.
pub(crate) fn one_machine(lab: &Lab) {
    let [elder, one, two] = &lab.up([
        ("elder", Suite::Bookworm.machine()),
        ("one", Suite::Bookworm.machine()),
        ("two", Suite::Trixie.machine()),
    ]);
    let mut network = network(lab, &[elder]);
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.node("all", one);
    network.node("all", two);
    let id = one.sh("cat /etc/machine-id");
    network.apply(&[]).exits(0);
    // A plan can't tell these hosts from a single machine with two names.
    two.sh(&format!("chmod 644 /tb/config/all.yaml; echo {} >/etc/machine-id", id.trim_end()));
    let before = (still(one), still(two));
    let plan = network.plan(&[]).exits(3);
    plan.says_in_one_line(&[one.name(), "not planned", "the same machine as", two.name()])
        .says_in_one_line(&[&format!("{}: not planned", two.name()), "the same machine as", one.name()]);
    assert!(!network.plan(&[]).printed(id.trim_end()), "the machine-id is confidential");
    network.apply(&[]).exits(1);
    before.0.holds(one);
    before.1.holds(two);
}
