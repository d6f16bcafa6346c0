//! The configuration in force counts: the directives of a node's unit with its drop-ins,
//! and what its process was started with. A restart is planned only if it changes
//! something.

use crate::binary;
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::watch::{SOON, start};
use std::path::Path;

const TEMPLATE: &str = "/etc/systemd/system/tau@.service";

/// An elder, and a member with a plugin, both running and in place.
fn network(lab: &Lab) -> ([LabHost; 2], Network) {
    network_of(lab, binary::any())
}

fn network_of(lab: &Lab, tau: &Path) -> ([LabHost; 2], Network) {
    let hosts = lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let mut network = Network::new(lab, tau);
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]).plugins(&["p@v1"]));
    network.write("plugins/p@v1", "a plugin\n");
    network.elder("elders", &hosts[0]);
    network.node("all", &hosts[1]);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    (hosts, network)
}

/// Arguments with which a node runs, but which differ from those in spore's unit.
fn other_arguments() -> &'static str {
    if binary::real().is_some() { "--root /tb --dev-mode" } else { "--root /tb/" }
}

/// Waits until the current start of a node has reported success.
fn settles(shape: &str, host: &LabHost) {
    let unit = format!("tau@{shape}.service");
    let said = format!(
        "[ $(systemctl show -P ActiveState {unit}) = active ] &&
        journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {unit}) |
            grep -qF 'started! with id'"
    );
    wait_until(SOON, "it says that it has started", || host.try_sh(&said).is_ok());
}

/// A restart can't change directives that a drop-in or an instance's own unit file sets. So
/// no restart is planned, the plan names the file, and an apply doesn't succeed.
pub(crate) fn what_others_override(lab: &Lab) {
    let ([elder, member], network) = network(lab);
    let arguments = other_arguments();
    let drop_in = "/etc/systemd/system/tau@all.service.d/own.conf";
    member.sh(&format!(
        "mkdir ${{drop_in%/*}}; printf '[Service]\\nExecStart=\\nExecStart=/tb/bin/tau start -s %%i {arguments}\\n' >$drop_in
        systemctl daemon-reload; systemctl restart tau@all"
    ).replace("$drop_in", drop_in).replace("${drop_in%/*}", "/etc/systemd/system/tau@all.service.d"));
    settles("all", &member);
    let before = start("all", &member);
    for _ in 0..2 {
        let plan = network.plan(&[]).exits(2).last_says("1 directive overridden").is_silent_on("restarted");
        plan.says_in_one_line(&[member.name(), "tau@all.service", "ExecStart is overridden by", drop_in]);
        network.apply(&[]).exits(1).says(drop_in);
    }
    assert_eq!(start("all", &member), before, "a restart can't help");
    member.sh(&format!("rm {drop_in}; systemctl daemon-reload"));
    let plan = network.plan(&[]).exits(2).last_says("1 to restart");
    plan.says_in_one_line(&["running with outdated tau@.service", "Service.ExecStart"]);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);

    // This is the file that `systemctl edit --full` writes.
    let own = "/etc/systemd/system/tau@elders.service";
    elder
        .sh(&format!("sed s/LimitNOFILE=65536/LimitNOFILE=1024/ {TEMPLATE} >{own}; systemctl daemon-reload"));
    let before = start("elders", &elder);
    for _ in 0..2 {
        let plan = network.plan(&[]).exits(3).is_silent_on("restarted");
        plan.says_in_one_line(&[elder.name(), "not planned", "tau@elders.service", own]);
        network.apply(&[]).exits(1);
    }
    elder.sh(&format!("rm {own}; systemctl daemon-reload"));
    network.is_in_place(&[]);
    assert_eq!(start("elders", &elder), before, "a restart can't help");
}

/// What a process was started with counts, even if its files have changed since. A drop-in
/// of the owner hides only differences in the directives that it sets.
pub(crate) fn what_a_process_was_started_with(lab: &Lab) {
    let ([_elder, member], network) = network(lab);
    let arguments = other_arguments();
    member.sh("mkdir -p /etc/systemd/system/service.d
        printf '[Service]\\nEnvironment=PROXY=hunter2\\n' >/etc/systemd/system/service.d/own.conf
        systemctl daemon-reload; systemctl restart tau@all");
    settles("all", &member);
    network.is_in_place(&[]);

    // Each edit is in force when the node starts, and is undone in the file afterwards.
    for (edit, directive) in [
        (format!("s|^ExecStart=.*|ExecStart=/tb/bin/tau start -s %i {arguments}|"), "Service.ExecStart"),
        ("s/^LimitNOFILE=.*/LimitNOFILE=1024/".to_owned(), "Service.LimitNOFILE"),
        ("s/^User=root/&\\nEnvironment=GODEBUG=madvdontneed=1/".to_owned(), "Service.Environment"),
    ] {
        member.sh(&format!(
            "cp -p {TEMPLATE} /root/template; sed -i '{edit}' {TEMPLATE}; ! cmp -s {TEMPLATE} /root/template
            systemctl daemon-reload; systemctl restart tau@all"
        ));
        settles("all", &member);
        let plan = network.plan(&[]).exits(2).last_says("1 to restart");
        let plan = plan.says_in_one_line(&["running with outdated tau@.service", directive]);
        plan.is_silent_on("hunter2").is_silent_on("madvdontneed");
        member.sh(&format!("cp -p /root/template {TEMPLATE}; systemctl daemon-reload"));
        let plan = network.plan(&[]).exits(2).last_says("plan: 1 to restart;");
        plan.says_in_one_line(&["running with outdated tau@.service", directive]);
        let before = start("all", &member);
        network.apply(&[]).exits(0);
        assert_ne!(start("all", &member), before, "{directive}");
        network.is_in_place(&[]);
    }
    let limit = member.sh("grep 'Max open files' /proc/$(systemctl show -P MainPID tau@all)/limits");
    assert!(!limit.contains(" 1024 "), "{limit}");
}

/// A file that was touched but has the same bytes is no difference. A start leaves a
/// complete record or none.
pub(crate) fn records(lab: &Lab) {
    let ([_elder, member], network) = network(lab);
    let before = start("all", &member);
    member.sh("ln /tb/plugins/p@v1 /root/linked; chmod 700 /tb/plugins/p@v1; chmod 755 /tb/plugins/p@v1
        touch /tb/plugins/p@v1");
    network.is_in_place(&["--rehash"]);
    assert_eq!(start("all", &member), before);

    // /run is full while the node starts, and removing the previous record frees no space.
    member.sh(
        "rm -rf /run/spore/all; dd if=/dev/zero of=/run/fill bs=64K 2>/dev/null || :; dd if=/dev/zero of=/run/fill2 bs=1 2>/dev/null || :
        systemctl restart tau@all; rm /run/fill /run/fill2",
    );
    settles("all", &member);
    assert_eq!(member.sh("ls -A /run/spore/all 2>/dev/null || :"), "", "there was no room for a record");
    let before = start("all", &member);
    network.is_in_place(&[]);
    network.apply(&[]).exits(0);
    assert_eq!(start("all", &member), before);
}

/// A node that systemd restarted isn't in place until it has run for a while, or an apply
/// has watched it become healthy.
pub(crate) fn restarted_nodes(lab: &Lab) {
    let ([_elder, member], network) = network(lab);
    member.sh("systemctl kill -s KILL tau@all");
    let restarts = "[ $(systemctl show -P NRestarts tau@all) = 1 ]";
    wait_until(SOON, "systemd restarts it", || member.try_sh(restarts).is_ok());
    settles("all", &member);
    let before = start("all", &member);
    let is_old = || {
        let now = member.sh("cut -d. -f1 /proc/uptime");
        now.trim().parse::<u64>().is_ok_and(|now| now > before.at / 1_000_000 + 12)
    };
    wait_until(SOON, "it runs for longer than a broken node might", is_old);
    network.plan(&[]).exits(2).says("systemd restarted it once").is_silent_on("is restarted");
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    assert_eq!(start("all", &member), before);
}

/// An empty journal is no evidence against a node that listens.
pub(crate) fn without_a_journal(lab: &Lab) {
    let ([_elder, member], network) = network(lab);
    member.sh("mkdir -p /etc/systemd/journald.conf.d
        printf '[Journal]\\nStorage=none\\n' >/etc/systemd/journald.conf.d/none.conf
        systemctl restart systemd-journald; rm -rf /run/log/journal/* /var/log/journal/*
        systemctl restart tau@all");
    assert_eq!(member.sh("journalctl -q -n 1 -u tau@all"), "");
    let before = start("all", &member);
    wait_until(SOON, "its port is evidence enough", || network.plan(&[]).code() == Some(0));
    assert_eq!(start("all", &member), before);
}

/// The node exits after the settle time of an apply, so it looks healthy each time.
pub(crate) fn a_node_that_keeps_dying(lab: &Lab) {
    let ([_elder, member], network) = network_of(lab, binary::stand_in());
    member.sh("echo die-after 4 >/tb/config/all.fault; systemctl restart tau@all");
    let restarts = "[ $(systemctl show -P NRestarts tau@all) -ge 2 ]";
    wait_until(SOON, "systemd restarts it twice", || member.try_sh(restarts).is_ok());
    settles("all", &member);
    network.plan(&[]).exits(2).says("systemd restarted it");
    network.apply(&[]).exits(1).says_in_one_line(&["tau@all.service is not healthy", "crashed 2 times"]);
}
