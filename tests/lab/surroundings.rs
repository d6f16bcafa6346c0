//! A node's requirements on its host besides `/tb`: port 53, firewall rules, a container
//! engine, plugins, disk space, and that the host doesn't belong to another network.

use std::time::Duration;

use crate::binary;
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::watch::{meshed, start, still};

const SOON: Duration = Duration::from_secs(20);

fn network(lab: &Lab, tau: &std::path::Path, elder: &LabHost) -> Network {
    let mut network = Network::new(lab, tau);
    network.shape("elders", Shape::new(4242));
    network.elder("elders", elder);
    network
}

/// `seer` gets port 53, on which systemd-resolved's stub listened before.
pub(crate) fn seer_beside_the_resolver(lab: &Lab) {
    let hosts = lab.up([
        ("elder", Suite::Bookworm.machine()),
        ("bookworm", Suite::Bookworm.machine()),
        ("trixie", Suite::Trixie.machine()),
    ]);
    let [elder, bookworm, trixie] = &hosts;
    let mut network = network(lab, binary::any(), elder);
    network.shape("dns", Shape::new(5242).services(&["seer"]));
    for host in [bookworm, trixie] {
        network.node("dns", host);
        host.sh("systemctl start systemd-resolved.service
            mkdir -p /etc/systemd/resolved.conf.d
            printf '[Resolve]\\nDNS=10.77.0.1\\n' >/etc/systemd/resolved.conf.d/owner.conf
            ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
            systemctl restart systemd-resolved.service");
        wait_until(SOON, "the stub listens", || holder(host).contains("resolve"));
    }
    let owners = |host: &LabHost| host.stat("/etc/systemd/resolved.conf.d/owner.conf");
    let before = [owners(bookworm), owners(trixie)];
    let plan = network.plan(&[]).exits(2);
    for host in [bookworm, trixie] {
        let lines = plan.of_host(host);
        let found = |what: &str| lines.iter().any(|line| line.contains(what));
        assert!(found("/etc/systemd/resolved.conf.d/") && found("/etc/resolv.conf"), "{plan}");
    }
    network.apply(&[]).exits(0);
    meshed(&[bookworm, trixie], &[elder], 4242);
    for host in [bookworm, trixie] {
        wait_until(SOON, "tau answers on port 53", || holder(host).contains("tau"));
        assert!(!holder(host).contains("resolve"), "{}", holder(host));
        resolves(host);
    }
    assert_eq!([owners(bookworm), owners(trixie)], before, "the host's DNS servers are unchanged");
    network.is_in_place(&[]);

    // The resolver has failed, as it may at a restart. It is started again without its
    // stub.
    bookworm.sh("systemctl stop systemd-resolved.service
        mkdir -p /run/systemd/system/systemd-resolved.service.d
        printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\nRestart=no\\n' >/run/systemd/system/systemd-resolved.service.d/fails.conf
        systemctl daemon-reload; systemctl start systemd-resolved.service || true
        rm -r /run/systemd/system/systemd-resolved.service.d; systemctl daemon-reload
        systemctl is-failed systemd-resolved.service");
    let plan = network.plan(&[]).exits(2).is_silent_on("/etc/systemd/resolved.conf.d/");
    plan.says_in_one_line(&["+ systemd-resolved.service", "is started"]);
    network.apply(&[]).exits(0);
    assert!(!holder(bookworm).contains("resolve"), "{}", holder(bookworm));
    resolves(bookworm);
    network.is_in_place(&[]);

    // Removing the node also removes everything that only the node needed.
    network.remove_node("dns", trixie);
    network.apply(&["--allow-destructive"]).exits(0);
    assert_eq!(trixie.sh("ls /etc/systemd/resolved.conf.d"), "owner.conf\n");
    resolves(trixie);
    network.is_in_place(&[]);

    // The node is added again and survives a reboot. A resolver whose stub had been turned
    // off only in the running process would get the port back at the reboot.
    let answers =
        |host: &LabHost| wait_until(SOON, "tau answers on port 53", || holder(host).contains("tau"));
    network.node("dns", trixie);
    network.apply(&[]).exits(0);
    trixie.sh("systemctl enable --quiet systemd-resolved.service");
    trixie.power_cut();
    trixie.boot();
    answers(trixie);
    resolves(trixie);

    // If the stub is re-enabled and gets the port at the next boot, tau can't listen on the
    // port, but reports a successful start.
    bookworm.sh(
        "systemctl enable --quiet systemd-resolved.service; rm /etc/systemd/resolved.conf.d/spore.conf
        mkdir -p /etc/systemd/system/tau@.service.d
        printf '[Unit]\\nAfter=systemd-resolved.service\\n' >/etc/systemd/system/tau@.service.d/after.conf",
    );
    bookworm.power_cut();
    bookworm.boot();
    let says = "journalctl -q -o cat -u tau@dns.service | grep -q 'started! with id'";
    wait_until(SOON, "it says that it has started", || bookworm.try_sh(says).is_ok());
    assert!(!holder(bookworm).contains("tau"), "{}", holder(bookworm));
    network.apply(&[]).exits(0);
    answers(bookworm);
    resolves(bookworm);
    network.is_in_place(&[]);
}

/// The process that listens on port 53.
fn holder(host: &LabHost) -> String {
    host.sh("ss -Hulnp 'sport = :53'; ss -Htlnp 'sport = :53'")
}

/// The host resolves its own name, and uses the DNS servers that its administrator set.
fn resolves(host: &LabHost) {
    host.sh("getent hosts $(hostname); systemctl is-active systemd-resolved.service
        grep -qx 'nameserver 10.77.0.1' /etc/resolv.conf
        resolvectl dns | grep -q 10.77.0.1");
}

/// An active firewall allows tau's ports, until the node is removed.
pub(crate) fn firewall(lab: &Lab) {
    let [walled, other] =
        &lab.up([("walled", Suite::Bookworm.machine()), ("other", Suite::Trixie.machine())]);
    let mut network = network(lab, binary::stand_in(), walled);
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.node("all", other);
    for host in [walled, other] {
        host.sh("ufw allow 22/tcp >/dev/null; ufw allow 8080/tcp comment owner >/dev/null; ufw --force enable >/dev/null");
    }
    network.plan(&[]).exits(2).says("+ ufw allow 4242/tcp").says("+ ufw allow 5242/tcp");
    network.apply(&[]).exits(0);
    meshed(&[other], &[walled], 4242);
    let rules =
        |host: &LabHost| host.sh("ufw status | grep -v v6 | awk '$2 == \"ALLOW\" { print $1, $NF }' | sort");
    assert_eq!(rules(walled), "22/tcp Anywhere\n4242/tcp spore\n8080/tcp owner\n");
    assert_eq!(rules(other), "22/tcp Anywhere\n5242/tcp spore\n8080/tcp owner\n");
    network.is_in_place(&[]);

    // These are the states after ufw was interrupted between IPv4 and IPv6, and between its
    // file and the kernel.
    walled.sh("sed -i '/ tcp 4242 /d' /etc/ufw/user6.rules
        ip6tables -D ufw6-user-input -p tcp --dport 4242 -j ACCEPT
        iptables -D ufw-user-input -p tcp --dport 4242 -j ACCEPT");
    other.sh("sed -i '/ tcp 5242 /d' /etc/ufw/user.rules
        iptables -D ufw-user-input -p tcp --dport 5242 -j ACCEPT");
    network.plan(&[]).exits(2).says("+ ufw allow 4242/tcp").says("+ ufw allow 5242/tcp");
    network.apply(&[]).exits(0);
    for (host, port) in [(walled, 4242), (other, 5242)] {
        for (command, chain) in [("iptables", "ufw-user-input"), ("ip6tables", "ufw6-user-input")] {
            let kernel = host.sh(&format!("{command} -S {chain}"));
            assert_eq!(kernel.matches(&format!("--dport {port} ")).count(), 1, "{command}: {kernel}");
        }
    }
    network.is_in_place(&[]);

    network.shape("all", Shape::new(5342).services(&["tns", "gateway"]));
    network.apply(&[]).exits(0);
    assert_eq!(
        rules(other),
        "22/tcp Anywhere\n443/tcp spore\n5342/tcp spore\n80/tcp spore\n8080/tcp owner\n",
        "the new ports, and not the old"
    );
    other.sh("sed -i '/ tcp 443 /d' /etc/ufw/user.rules");
    network.remove_node("all", other);
    network.apply(&["--allow-destructive"]).exits(0);
    assert_eq!(other.sh("ip6tables -S ufw6-user-input").matches("--dport").count(), 2);
    assert_eq!(rules(other), "22/tcp Anywhere\n8080/tcp owner\n");
    network.is_in_place(&[]);
}

/// `monkey` gets a container engine; plugins are installed on the hosts of their shape.
pub(crate) fn engine_and_plugins(lab: &Lab) {
    let [elder, builder] =
        &lab.up([("elder", Suite::Trixie.machine()), ("builder", Suite::Bookworm.machine())]);
    let mut network = network(lab, binary::stand_in(), elder);
    let shape = || Shape::new(5242).services(&["monkey"]);
    network.shape("build", shape().plugins(&["p1@v0.1", "p2@v2"]));
    network.node("build", builder);
    network.write("plugins/p1@v0.1", "the first\n");
    network.write("plugins/p2@v2", "the second\n");
    network.plan(&[]).exits(2).says_in_one_line(&["+ package docker.io", "is installed"]);
    network.apply(&[]).exits(0);
    builder.sh("dpkg -s docker.io | grep -q 'ok installed'; systemctl is-active docker.service; systemctl is-enabled docker.service");
    let before = start("build", builder);
    assert_eq!(builder.sh("cat /tb/plugins/*"), "the first\nthe second\n");
    assert_eq!(builder.stat("/tb/plugins/p1@v0.1").map(|stat| stat.mode), Some(0o755));
    builder.sh("grep -q 'p1@v0.1' /tb/config/build.yaml");
    assert_eq!(elder.sh("ls /tb/plugins"), "");
    network.is_in_place(&[]);

    // If the plugin's file changes, the node is restarted.
    network.write("plugins/p2@v2", "the second, fixed\n");
    network.plan(&[]).exits(2).last_says("1 to restart");
    network.apply(&[]).exits(0);
    let now = start("build", builder);
    assert_ne!(now, before);
    assert_eq!(builder.sh("cat /tb/plugins/p2@v2"), "the second, fixed\n");
    network.is_in_place(&[]);

    network.shape("build", shape().plugins(&["p1@v0.1"]));
    network.apply(&[]).exits(0);
    assert_eq!(builder.sh("ls /tb/plugins"), "p1@v0.1\n");
    network.is_in_place(&[]);

    // The power is cut after dpkg has unpacked the engine, but not configured it.
    builder.sh("apt-get -qq purge -y docker.io; cd /tmp; apt-get -qq download docker.io; dpkg --unpack docker.io*.deb");
    network.plan(&[]).exits(2).says_in_one_line(&["+ package docker.io", "is installed"]);
    network.apply(&[]).exits(0);
    builder.sh("dpkg -s docker.io | grep -q 'ok installed'; systemctl is-active docker.service; systemctl is-enabled docker.service");
    network.is_in_place(&[]);

    // Packages aren't removed, so the engine stays.
    network.remove_node("build", builder);
    network.apply(&["--allow-destructive"]).exits(0);
    builder.sh("systemctl is-active docker.service");
    assert_eq!(builder.sh("ls /tb/plugins"), "");
    network.is_in_place(&[]);
}

/// A host of another network is planned only with `--take-over`. A host whose disk is full
/// isn't planned.
pub(crate) fn hosts_that_are_not_to_be_had(lab: &Lab) {
    let machine = Suite::Bookworm.machine();
    let [elder, full, free] = &lab.up([
        ("elder", machine.clone()),
        ("full", machine.clone().disk("8M")),
        ("free", machine.clone()),
    ]);
    let mut network = network(lab, binary::stand_in(), elder);
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.node("all", full);
    network.node("all", free);
    let line = [full.name(), "not planned", "not enough disk space", "free some space"];
    network.plan(&[]).exits(3).says_in_one_line(&line).last_says("could not be planned");
    network.apply(&[]).exits(1);
    meshed(&[free], &[elder], 4242);
    network.remove_host(full);
    network.is_in_place(&[]);

    // The folder of another network contains the same hosts.
    let mut other = self::network(lab, binary::stand_in(), elder);
    other.rename("other.test");
    other.shape("all", Shape::new(5242).services(&["tns"]));
    other.node("all", free);
    let before = still(free);
    let plan = other.plan(&[]).exits(3).last_says("could not be planned");
    plan.says_in_one_line(&[free.name(), "not planned", "another network, lab.test", "--take-over"]);
    other.apply(&["--allow-destructive"]).exits(1);
    before.holds(free);
    other.plan(&["--take-over"]).exits(2).says("destructive");
    other.apply(&["--take-over", "--allow-destructive"]).exits(0);
    meshed(&[free], &[elder], 4242);
    free.sh("grep -q 'network-fqdn: other.test' /tb/config/all.yaml");
    other.is_in_place(&[]);
    network.plan(&[]).exits(3);
}
