//! What the plan finds before a node fails: ports that are taken, nodes that are up but don't
//! speak, and SSH servers that forbid spore to look.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::watch::{meshed, start};

fn network(lab: &Lab, elder: &LabHost, member: &LabHost) -> Network {
    let mut network = Network::new(lab, binary::any());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["seer"]));
    network.elder("elders", elder);
    network.node("all", member);
    network
}

/// Starts a service on the host that holds a port.
pub(crate) fn hold(host: &LabHost, kind: &str, address: &str, port: u16) {
    host.sh(&format!(
        "systemd-run --quiet --unit=foreign perl -MSocket -e '
            socket(my $s, PF_INET, SOCK_{kind}, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
            bind($s, sockaddr_in({port}, inet_aton(\"{address}\"))) or die; listen($s, 5);
            open(my $f, \">\", \"/run/foreign\"); close($f); sleep 3600'
        until [ -e /run/foreign ]; do systemctl is-active --quiet foreign.service; done"
    ));
}

/// Ends it.
pub(crate) fn let_go(host: &LabHost) {
    host.sh("systemctl stop foreign.service; rm /run/foreign");
}

/// Every kind of port: the process is named that holds it, whether the node is to be started or
/// gets another port.
pub(crate) fn ports_that_are_taken(lab: &Lab) {
    let hosts = lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let mut network = network(lab, elder, member);
    let name = member.name().to_owned();
    for (kind, address, port, said) in [
        ("STREAM", "0.0.0.0", 5242, "5242/tcp"),
        ("STREAM", "127.0.0.1", 5247, "5247/tcp"),
        ("DGRAM", "0.0.0.0", 53, "53/udp"),
        ("STREAM", "0.0.0.0", 953, "953/tcp"),
    ] {
        hold(member, kind, address, port);
        let plan = network.plan(&[]).exits(3);
        plan.says_in_one_line(&[
            &format!("{name}: not planned: tau@all.service needs port {said}, but perl (process "),
            "foreign.service) listens on it",
        ]);
        let_go(member);
    }
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    meshed(&[member], &[elder], 4242);

    // The node runs, and is to get a port that is taken.
    let before = start("all", member);
    hold(member, "STREAM", "0.0.0.0", 6242);
    network.shape("all", Shape::new(6242).services(&["seer"]));
    network.apply(&[]).exits(1).says("tau@all.service needs port 6242/tcp");
    assert_eq!(start("all", member), before, "the node was left alone");
    let_go(member);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
}

/// The kernel accepts connections for a process that is stopped, so listening proves nothing.
pub(crate) fn a_stopped_process(lab: &Lab) {
    let hosts = lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let network = network(lab, elder, member);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    let pid = member.pid_of("tau@all.service").unwrap_or_default();
    member.sh(&format!("kill -STOP {pid}"));
    network.plan(&[]).exits(2).says("doesn't speak: it is stopped or stuck");
    member.sh(&format!("kill -CONT {pid}"));
    network.is_in_place(&[]);
    member.sh(&format!("kill -STOP {pid}"));
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    assert_ne!(member.pid_of("tau@all.service"), Some(pid), "the node was restarted");
    meshed(&[member], &[elder], 4242);
}

/// Nothing is concluded from what spore isn't allowed to look at.
pub(crate) fn forwarding_is_forbidden(lab: &Lab) {
    let hosts = lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let network = network(lab, elder, member);
    network.apply(&[]).exits(0);
    member.sh("echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/forwarding.conf; systemctl reload ssh.service || systemctl restart ssh.service");
    let said = format!("the SSH server forbids forwarding on {}", member.name());
    network.plan(&[]).exits(0).says(&said);
    let pid = member.pid_of("tau@all.service").unwrap_or_default();
    member.sh(&format!("kill -STOP {pid}"));
    network.plan(&[]).exits(0).says(&said);
    member.sh(&format!("kill -CONT {pid}"));
}
