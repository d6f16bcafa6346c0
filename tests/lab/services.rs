//! Parts of a host that are left unchanged although a service uses them, and requirements
//! of services that a host can't meet.

use std::net::IpAddr;

use crate::binary;
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::watch::{SOON, meshed, start};

fn network(lab: &Lab, elder: &LabHost) -> Network {
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.elder("elders", elder);
    network
}

/// A resolver without a stub listener, an `/etc/resolv.conf` written by the administrator,
/// and a disabled firewall are left unchanged.
pub(crate) fn what_is_left_alone(lab: &Lab) {
    let [elder, quiet, plain] = &lab.up([
        ("elder", Suite::Bookworm.machine()),
        ("quiet", Suite::Trixie.machine()),
        ("plain", Suite::Bookworm.machine()),
    ]);
    let mut network = network(lab, elder);
    network.shape("dns", Shape::new(5242).services(&["seer"]));
    [quiet, plain].into_iter().for_each(|host| network.node("dns", host));
    quiet.sh("systemctl disable --quiet --now systemd-resolved.service; ! ss -Hulnp 'sport = :53' | grep .");
    plain.sh("rm -f /etc/resolv.conf; echo nameserver 192.0.2.53 >/etc/resolv.conf
        systemctl start systemd-resolved.service
        ss -Hulnp 'sport = :53' | grep -q resolve");
    for host in [elder, quiet, plain] {
        host.sh("grep -q ENABLED=no /etc/ufw/ufw.conf");
    }
    let files = "ls -dli --time-style=full-iso /etc/resolv.conf /etc/ufw/* /etc/systemd/resolved.conf";
    let before = [elder, quiet, plain].map(|host| host.sh(files));

    let plan = network.plan(&[]).exits(2).is_silent_on("ufw").is_silent_on("/etc/resolv.conf");
    let of = |host| plan.of_host(host).iter().filter(|line| line.contains("resolved")).count();
    assert!(of(elder) == 0 && of(quiet) == 0 && of(plain) > 0, "{plan}");
    network.apply(&[]).exits(0);
    meshed(&[quiet, plain], &[elder], 4242);
    assert_eq!([elder, quiet, plain].map(|host| host.sh(files)), before);
    assert_eq!(plain.sh("cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
    plain.sh("ss -Hulnp 'sport = :53' | grep -q tau && ! ss -Hulnp 'sport = :53' | grep resolve
        systemctl is-active --quiet systemd-resolved.service");
    network.is_in_place(&[]);
}

/// If no container engine can be installed, the reason is reported. An engine that is
/// installed but disabled is enabled.
pub(crate) fn engines(lab: &Lab) {
    let [elder, no_apt, no_source, stopped] = &lab.up([
        ("elder", Suite::Trixie.machine()),
        ("no-apt", Suite::Bookworm.machine()),
        ("no-source", Suite::Bookworm.machine()),
        ("stopped", Suite::Bookworm.machine()),
    ]);
    let mut network = network(lab, elder);
    network.shape("build", Shape::new(5242).services(&["monkey"]));
    [no_apt, no_source, stopped].into_iter().for_each(|host| network.node("build", host));
    no_apt.sh("mv /usr/bin/apt-get /usr/bin/apt-gone");
    no_source.sh("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*");
    stopped.sh("(apt-get -q update && apt-get -q install -y docker.io) >/dev/null 2>&1
        systemctl disable --quiet --now docker.service docker.socket");

    let plan = network.plan(&[]).exits(3).last_says("could not be planned");
    let line = [
        no_apt.name(),
        "not planned",
        "package docker.io is missing",
        "no apt",
        "install docker.io manually",
    ];
    let plan = plan.says_in_one_line(&line);
    let has = |host, text: &str| plan.of_host(host).iter().any(|line| line.contains(text));
    assert!(has(no_source, "+ package docker.io") && !has(stopped, "package"), "{plan}");
    assert!(has(stopped, "docker.service"), "{plan}");

    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&[
        "failed",
        no_source.name(),
        "apt-get install docker.io",
        "nable to locate package",
    ]);
    // A host that can't be staged has failed, so nothing is switched on any host.
    stopped.sh("! systemctl is-active --quiet tau@build.service");
    network.apply(&["--max-failures", "1"]).exits(1).says_in_one_line(&["failed", no_source.name()]);
    meshed(&[stopped], &[elder], 4242);
    stopped.sh("systemctl is-active --quiet docker.service");
    no_source.sh("! systemctl is-active --quiet tau@build.service");
    assert!(no_apt.stat("/tb").is_none());

    // Once the administrator has fixed the host, the same command continues.
    no_source.sh("echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list");
    no_apt.sh("mv /usr/bin/apt-gone /usr/bin/apt-get");
    let before = start("build", stopped);
    network.apply(&[]).exits(0);
    meshed(&[no_apt, no_source], &[elder], 4242);
    assert_eq!(start("build", stopped), before);
    network.is_in_place(&[]);
}

/// On hosts with an IPv6 address, nodes listen on this address and announce it. spore can
/// connect to it, too.
pub(crate) fn ipv6(lab: &Lab) {
    let [elder, member, v4] = &lab.up([
        ("elder", Suite::Bookworm.machine().ipv6()),
        ("member", Suite::Trixie.machine().ipv6()),
        ("v4", Suite::Bookworm.machine()),
    ]);
    let mut network = Network::new(lab, binary::any());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.elder("elders", elder);
    [member, v4].into_iter().for_each(|host| network.node("all", host));
    let v6 = |host: &LabHost| host.addresses().iter().find(|ip| ip.is_ipv6()).map(IpAddr::to_string);
    let (Some(elder6), Some(member6)) = (v6(elder), v6(member)) else { panic!("IPv6") };
    network.reach_at(member, &member6, 22);

    network.apply(&[]).exits(0);
    meshed(&[v4], &[elder], 4242);
    wait_until(SOON, "the member is connected to the elder at either address", || {
        let peers = member.peers_connected(4242);
        elder.addresses().iter().any(|address| peers.contains(address))
    });
    let config = member.sh("cat /tb/config/all.yaml");
    for line in [
        "- /ip6/::/tcp/5242".to_owned(),
        format!("- /ip4/{}/tcp/5242\n- /ip6/{member6}/tcp/5242\n", member.addr()),
        format!("- /ip6/{elder6}/tcp/4242/p2p/{}", network.peer_id("elders", elder)),
    ] {
        assert!(config.contains(&line), "{line} in {config}");
    }
    for (host, port) in [(elder, 4242), (member, 5242)] {
        host.sh(&format!("ss -Htln6 'sport = :{port}' | grep -q ."));
    }
    v4.sh("! grep -q '/ip6/::' /tb/config/all.yaml");
    network.is_in_place(&[]);
}
