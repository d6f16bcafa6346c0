//! Tests the properties of the lab's hosts on which other tests rely.

use std::{
    collections::BTreeSet,
    net::{IpAddr, TcpStream},
    process::{Command, Output},
    thread,
    time::Duration,
};

use crate::host::{Lab, LabHost, Suite, wait_until};

const SOON: Duration = Duration::from_secs(10);

pub(crate) fn run(lab: &Lab) {
    let both = lab.up([
        ("bookworm", Suite::Bookworm.machine().ipv6().addresses(2)),
        ("trixie", Suite::Trixie.machine().disk("64M")),
    ]);
    thread::scope(|scope| {
        for host in &both {
            scope.spawn(move || {
                runs_scripts(host);
                admits_its_people(lab, host);
                tells_what_was_touched(host);
                survives_a_power_cut(host);
                can_be_cut_off(host);
            });
        }
    });
    let [bookworm, trixie] = both;
    assert_eq!(bookworm.addresses().len(), 3, "two IPv4 addresses and one of IPv6");
    assert_eq!(bookworm.known_hosts().lines().count(), 3);
    // Each host boots from its own overlay, and can have a separate disk.
    assert!(bookworm.stat("/etc/only-here").is_none());
    bookworm.sh("touch /etc/only-here");
    assert!(trixie.stat("/etc/only-here").is_none());
    trixie.sh("! dd if=/dev/zero of=/full bs=1M count=65 2>/dev/null");
    neighbours_reach_each_other(&bookworm, &trixie);
    many_at_once(lab);
}

fn runs_scripts(host: &LabHost) {
    assert_eq!(host.sh("hostname; id -un"), format!("{}\nroot\n", host.name()));
    assert_eq!(host.sh("systemctl is-system-running"), "running\n");
    assert!(host.try_sh("false; true").is_err(), "a failing command is reported");
}

fn admits_its_people(lab: &Lab, host: &LabHost) {
    for user in ["root", "tau"] {
        let output = ssh(lab, host, &host.known_hosts(), user, "sudo -n id -u; hostname");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, format!("0\n{}\n", host.name()), "{user}: {output:?}");
    }
    assert!(!ssh(lab, host, &host.known_hosts(), "plain", "sudo -n true").status.success());
    assert!(!ssh(lab, host, "", "root", "true").status.success(), "an unknown key is refused");
}

fn ssh(lab: &Lab, host: &LabHost, known: &str, user: &str, command: &str) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(&file, known).unwrap_or_else(|error| panic!("{error}"));
    let known = format!("UserKnownHostsFile={}", file.path().display());
    let to = format!("{user}@{}", host.addresses().last().unwrap_or(&host.addr()));
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
    ssh.args(["-o", "GlobalKnownHostsFile=none", "-o", &known, "-i"]).arg(lab.key());
    ssh.args([&to, command]);
    ssh.output().unwrap_or_else(|error| panic!("{error}"))
}

fn tells_what_was_touched(host: &LabHost) {
    host.sh("umask 077; echo one >/root/file");
    let Some(before) = host.stat("/root/file") else { panic!("no file") };
    assert_eq!((before.mode, before.owner.as_str(), before.size), (0o600, "root", 4));
    assert_eq!(host.stat("/root/file").as_ref(), Some(&before));
    host.sh("echo two >/root/other; mv /root/other /root/file");
    let Some(after) = host.stat("/root/file") else { panic!("no file") };
    assert!(after.inode != before.inode && after.mtime_ns > before.mtime_ns);
    assert_eq!(host.stat("/root/nothing"), None);

    let (pid, invocation) = (host.pid_of("ssh.service"), host.invocation("ssh.service"));
    assert!(pid.is_some() && !invocation.is_empty());
    host.sh("systemctl restart ssh.service");
    assert!(host.pid_of("ssh.service") != pid && host.invocation("ssh.service") != invocation);
    assert_eq!(host.pid_of("no-such.service"), None);
}

fn survives_a_power_cut(host: &LabHost) {
    let id = host.sh("cat /etc/machine-id; echo kept >/root/kept");
    let file = host.stat("/root/kept");
    host.power_cut();
    assert!(!answers(host));
    host.boot();
    assert_eq!(host.stat("/root/kept"), file);
    assert_eq!(host.sh("cat /etc/machine-id"), id);
    assert!(answers(host));
}

fn can_be_cut_off(host: &LabHost) {
    host.cut();
    assert!(!answers(host));
    host.sh("true");
    host.heal();
    wait_until(SOON, "the healed host answers", || answers(host));
}

fn answers(host: &LabHost) -> bool {
    TcpStream::connect_timeout(&(host.addr(), 22).into(), Duration::from_millis(300)).is_ok()
}

fn neighbours_reach_each_other(one: &LabHost, other: &LabHost) {
    let only = |host: &LabHost| BTreeSet::from([host.addr()]);
    assert!(one.peers_connected(22).is_empty());
    let to = other.addr();
    one.sh(&format!("bash -c 'exec 3<>/dev/tcp/{to}/22; sleep 60' >/dev/null 2>&1 </dev/null &"));
    wait_until(SOON, "they see each other", || {
        one.peers_connected(22) == only(other) && other.peers_connected(22) == only(one)
    });
}

fn many_at_once(lab: &Lab) {
    let hosts = lab.up_many(3, &Suite::Bookworm.machine());
    let addresses: BTreeSet<IpAddr> = hosts.iter().map(LabHost::addr).collect();
    assert_eq!(addresses.len(), hosts.len());
}
