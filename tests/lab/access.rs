//! Logging in to hosts, and isolation of failures: a host that can't be reached is reported
//! in one line that says what to do, and the others are planned and applied nevertheless.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::watch::{meshed, start};

/// A network of an elder, on the first host, and members.
fn network(lab: &Lab, hosts: &[LabHost]) -> Network {
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    for (i, host) in hosts.iter().enumerate() {
        if i == 0 { network.elder("elders", host) } else { network.node("all", host) }
    }
    network
}

/// Logins as root, as a user with password-less sudo, with a password, and invalid ones.
pub(crate) fn users(lab: &Lab) {
    let hosts = lab.up_many(4, &Suite::Bookworm.machine());
    let [root, sudo, word, plain] = &hosts[..] else { panic!("four hosts") };
    let mut network = network(lab, &hosts);
    network.log_in_as(sudo, "tau");
    network.log_in_as(word, "word");
    network.log_in_as(plain, "plain");

    let plan = network.plan(&[]).exits(3).last_says("could not be planned");
    let plan = plan.says_in_one_line(&[plain.name(), "not planned", "no password-less sudo", "NOPASSWD"]);
    assert_eq!(plan.lines_with("not planned:").count(), 1, "{plan}");
    for host in [root, sudo, word] {
        assert!(!plan.of_host(host).is_empty(), "{} should be planned: {plan}", host.name());
    }
    network.apply(&[]).exits(1).says("could not be planned");
    meshed(&[sudo, word], &[root], 4242);
    assert!(plain.stat("/tb").is_none(), "nothing should be done there");

    network.log_in_as(plain, "stranger");
    network.plan(&[]).exits(3).says_in_one_line(&[
        plain.name(),
        "login as word refused",
        "check the password",
    ]);

    // The key in the folder is encrypted.
    network.log_in_as(plain, "root");
    network.encrypt_key("correct horse");
    network.plan(&[]).exits(3).says_in_one_line(&[root.name(), "not planned", "SPORE_SSH_PASSPHRASE"]);
    network.set("SPORE_SSH_PASSPHRASE", "wrong");
    network.plan(&[]).exits(3).says_in_one_line(&[root.name(), "not planned", "passphrase"]);
    network.set("SPORE_SSH_PASSPHRASE", "correct horse");
    network.apply(&[]).exits(0);
    start("all", plain);
    network.is_in_place(&[]);
}

/// One host doesn't answer: first the host of a member, then that of an elder.
pub(crate) fn hosts_that_are_down(lab: &Lab) {
    let hosts = lab.up_many(5, &Suite::Bookworm.machine());
    let [elder, other_elder, member, sick, last] = &hosts[..] else { panic!("five hosts") };
    let mut network = network(lab, &hosts[..4]);
    network.remove_node("all", other_elder);
    network.elder("elders", other_elder);

    sick.power_cut();
    let line = [sick.name(), "not planned", "no answer", "check that the host is up"];
    network.plan(&[]).exits(3).says_in_one_line(&line).last_says("could not be planned");
    network.apply(&[]).exits(1).says("not planned");
    meshed(&[elder, other_elder, member], &[elder, other_elder], 4242);
    let before = start("all", member);

    sick.boot();
    network.apply(&[]).exits(0);
    meshed(&[member, sick], &[elder, other_elder], 4242);
    network.is_in_place(&[]);

    // Now an elder doesn't answer. Another elder is up, so the nodes that dial the elders
    // can start.
    network.node("all", last);
    other_elder.power_cut();
    let plan = network.plan(&[]).exits(3).says_in_one_line(&[other_elder.name(), "not planned"]);
    plan.says_in_one_line(&["note: it isn't known whether the elder on", other_elder.name()]);
    network.apply(&[]).exits(1).says("not planned");
    meshed(&[last], &[elder], 4242);
    assert_eq!(start("all", member), before, "the other member shouldn't be restarted");

    other_elder.boot();
    meshed(&[member, sick, last], &[elder, other_elder], 4242);
    network.is_in_place(&[]);
}

/// A host with an unknown host key, and a host with a changed host key.
pub(crate) fn host_keys(lab: &Lab) {
    let hosts = lab.up_many(3, &Suite::Trixie.machine());
    let [elder, unknown, changed] = &hosts[..] else { panic!("three hosts") };
    let mut network = network(lab, &hosts);
    network.know(unknown, "");
    changed.sh(
        "rm /etc/ssh/ssh_host_ed25519_key; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
        systemctl restart ssh.service",
    );
    changed.wait();

    let plan = network.plan(&[]).exits(3).last_says("could not be planned");
    let fingerprint = unknown.sh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    let Some(fingerprint) = fingerprint.split_whitespace().nth(1) else { panic!("{fingerprint}") };
    let plan = plan.says_in_one_line(&[unknown.name(), "unknown host key", fingerprint, "spore trust"]);
    let plan = plan.says_in_one_line(&[changed.name(), "changed host key", "possible man-in-the-middle"]);
    assert!(!plan.of_host(elder).is_empty(), "{plan}");
    network.apply(&[]).exits(1);
    start("elders", elder);
    for host in [unknown, changed] {
        assert!(host.stat("/tb").is_none(), "nothing should be done on {}", host.name());
    }
    // Its key makes the host known.
    network.know(unknown, &unknown.known_hosts());
    network.plan(&[]).exits(3).last_says("could not be planned");
}

/// A host that only another one can reach, at an address that means nothing to the controller.
pub(crate) fn jump_hosts(lab: &Lab) {
    let hosts = lab.up_many(2, &Suite::Bookworm.machine());
    let [gate, inner] = &hosts[..] else { panic!("two hosts") };
    let mut network = network(lab, &hosts);
    gate.sh("ip address add 192.168.77.1/24 dev host0");
    inner.sh("ip address add 192.168.77.2/24 dev host0
        echo ListenAddress 192.168.77.2 >/etc/ssh/sshd_config.d/inner.conf
        systemctl restart ssh.service");
    network.reach_at(inner, "192.168.77.2", 22);
    network.know(inner, &inner.known_hosts().replace(&inner.addr().to_string(), "192.168.77.2"));
    let line = [inner.name(), "not planned", "cannot connect to 192.168.77.2:22"];
    network.plan(&[]).exits(3).says_in_one_line(&line);

    network.reach_through(inner, gate.name());
    network.apply(&[]).exits(0);
    meshed(&[inner], &[gate], 4242);
    network.is_in_place(&[]);
    inner.power_cut();
    network.plan(&["--timeout", "connect=2"]).exits(3).says_in_one_line(&[
        inner.name(),
        "not planned",
        &format!("through {}: no answer within 2 s while connecting", gate.name()),
    ]);
    gate.power_cut();
    network.plan(&["--timeout", "connect=2"]).exits(3).says_in_one_line(&[
        inner.name(),
        "not planned",
        &format!("jump host {}: no answer within 2 s while connecting", gate.name()),
    ]);
}
