//! What the plan finds before a node fails: ports that are taken, nodes that are up but don't
//! speak, and SSH servers that forbid spore to look. And what a gate and `verify` find when they
//! complete the handshake with a node: that it is stuck, has another swarm key or is another one.

use crate::binary;
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::keys::{hex, node_key};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::{SOON, healthy_at, meshed, start};

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
    let mut network = network(lab, elder, member);
    member.sh("echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/forwarding.conf; systemctl reload ssh.service || systemctl restart ssh.service");
    let said = format!("the SSH server forbids forwarding on {}", member.name());
    let once = |run: Run| assert_eq!(run.lines_with(&said).count(), 1, "{run}");
    once(network.apply(&[]).exits(0));
    once(network.spore(&["verify"]).exits(0));
    once(network.plan(&[]).exits(0));
    let pid = member.pid_of("tau@all.service").unwrap_or_default();
    member.sh(&format!("kill -STOP {pid}"));
    once(network.plan(&[]).exits(0));
    once(network.spore(&["verify"]).exits(0));
    member.sh(&format!("kill -CONT {pid}"));

    // The gate opens although the node doesn't answer any more.
    drop_in(member, STUCK);
    network.shape("all", Shape::new(5342).services(&["seer"]));
    once(network.apply(&[]).exits(0));
    let state = member.pid_of("tau@all.service").map(|pid| member.sh(&format!("cat /proc/{pid}/stat")));
    assert!(state.is_some_and(|state| state.contains(") T ")), "the node is stopped");
}

/// Stops the process once its journal says that it has started.
const STUCK: &str = "ExecStartPost=/bin/sh -c 'until journalctl -q _SYSTEMD_INVOCATION_ID=$INVOCATION_ID | \
    grep -q \"started! with id\"; do sleep 0.1; done; kill -STOP $MAINPID'";

/// Adds directives to the member's unit that spore's template doesn't have, so that they are left
/// alone.
fn drop_in(member: &LabHost, lines: &str) {
    member.sh(&format!(
        "mkdir -p /etc/systemd/system/tau@all.service.d
        cat >/etc/systemd/system/tau@all.service.d/odd.conf <<'END'\n[Service]\n{lines}\nEND
        systemctl daemon-reload"
    ));
}

fn remove_drop_in(member: &LabHost) {
    member.sh("rm -r /etc/systemd/system/tau@all.service.d; systemctl daemon-reload");
}

/// Two hosts, an elder's and a member's, and their network.
fn two(lab: &Lab) -> ([LabHost; 2], Network) {
    let hosts = lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let network = network(lab, elder, member);
    (hosts, network)
}

/// Asserts that everything is as the last apply left it, once systemd says so.
fn is_verified(network: &Network) {
    wait_until(SOON, "verified", || network.spore(&["verify"]).code() == Some(0));
    network.spore(&["verify"]).exits(0).says("verify: 2 hosts as the last apply left them");
}

/// A node that accepts connections, and whose journal reports a start, but that is stuck.
pub(crate) fn a_node_that_is_stuck(lab: &Lab) {
    let ([_elder, member], mut network) = two(lab);
    network.apply(&[]).exits(0);
    is_verified(&network);
    let pid = member.pid_of("tau@all.service").unwrap_or_default();
    member.sh(&format!("kill -STOP {pid}"));
    let name = format!("all@{}", member.name());
    let stuck = network.spore(&["verify"]).exits(2);
    stuck.says(&format!("{}: {name} is failing: it accepts connections, but doesn't answer", member.name()));
    member.sh(&format!("kill -CONT {pid}"));
    is_verified(&network);

    // An update after which it gets stuck is rolled back.
    drop_in(&member, STUCK);
    network.shape("all", Shape::new(5342).services(&["seer"]));
    network.apply(&[]).exits(1).says_in_one_line(&[
        "tau@all.service is not healthy: it accepts connections on TCP port 5342, but doesn't answer",
        "rolled back: restored /tb/config/all.yaml",
    ]);
    member.sh("grep -q 5242 /tb/config/all.yaml");
    remove_drop_in(&member);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    is_verified(&network);
}

/// A node that has another swarm key than the file on its disk, or than the folder.
pub(crate) fn another_swarm(lab: &Lab) {
    let ([elder, member], network) = two(lab);
    let other = format!("/key/swarm/psk/1.0.0//base16/{}\n", hex());
    member.sh(&format!("umask 077; printf '%s' '{other}' >/root/other.key"));
    drop_in(&member, "BindReadOnlyPaths=/root/other.key:/tb/config/keys/swarm.key");
    network.apply(&[]).exits(1).says_in_one_line(&[
        "tau@all.service is not healthy: the node on TCP port 5242 probably has another swarm key",
        "stopped to end the crash loop",
    ]);
    remove_drop_in(&member);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    meshed(&[&member], &[&elder], 4242);
    is_verified(&network);

    // Behind spore's back.
    member.sh("cp -p /tb/config/keys/swarm.key /root/swarm.key
        cat /root/other.key >/tb/config/keys/swarm.key; systemctl restart tau@all.service");
    healthy(&member);
    let verified = network.spore(&["verify"]).exits(2);
    verified
        .says_in_one_line(&["not as the apply of", "/tb/config/keys/swarm.key"])
        .says(&format!("all@{} is failing: it probably has another swarm key", member.name()))
        .says(&format!("1 host changed; 1 node failing (all@{})", member.name()));
    member.sh("cat /root/swarm.key >/tb/config/keys/swarm.key; systemctl restart tau@all.service");
    is_verified(&network);
}

/// A node with another identity than the one in the folder, although its host's disk and its
/// journal look right.
pub(crate) fn an_impostor(lab: &Lab) {
    let ([elder, member], mut network) = two(lab);
    network.apply(&[]).exits(0);
    is_verified(&network);
    let (right, key) = (network.peer_id("all", &member), node_key());
    member.sh(&format!(
        "umask 077; sed 's|^privatekey: .*|privatekey: {key}|' /tb/config/all.yaml >/root/other.yaml
        ! cmp -s /root/other.yaml /tb/config/all.yaml"
    ));
    let said = format!("ExecStartPost=/bin/echo 'all started! with id: {right}'");
    drop_in(&member, &format!("BindReadOnlyPaths=/root/other.yaml:/tb/config/all.yaml\n{said}"));
    member.sh("systemctl restart tau@all.service");
    healthy(&member);
    let verified = network.spore(&["verify"]).exits(2);
    let said = format!("all@{} is failing: another node answers in its place: 12D3KooW", member.name());
    verified.says(&said).is_silent_on(&right);

    // The update's file is in place, but the process doesn't see it. There is no rollback, because
    // the process wasn't started with the old file either.
    member.sh("sed -i 's|5242|5342|g' /root/other.yaml");
    network.shape("all", Shape::new(5342).services(&["seer"]));
    let failed = network.apply(&[]).exits(1);
    failed.says("tau@all.service is not healthy: another node answers on TCP port 5342: 12D3KooW");
    remove_drop_in(&member);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    meshed(&[&member], &[&elder], 4242);
    is_verified(&network);
}

/// Waits until the member's journal reports the start.
fn healthy(member: &LabHost) {
    let started = "journalctl -q _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID tau@all.service) |
        grep -q 'started! with id' && ss -Htln 'sport = :5242' | grep -q .";
    wait_until(SOON, "the member has started", || member.try_sh(started).is_ok());
    healthy_at("all", member);
}
