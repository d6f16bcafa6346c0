//! Hosts that upstream's Spore Drive has planted, with the real tau running:
//! they are taken over without a restart. What upstream leaves on a host is
//! what `golden/upstream` shows: its files, modes, unit, and secrets in `/tmp`.

use std::{
    fs::File,
    path::Path,
    process::{Command, ExitStatus},
};

use base64::Engine as _;

use crate::host::{Host, Lab, Suite};
use crate::network::{Network, Shape};
use crate::watch::{meshed, starts};

const UNIT: &str = "[Unit]
Description = Taubyte Tau Service Running %i

[Service]
Type           = simple
ExecStartPre   = -/usr/sbin/setenforce 0
ExecStart      = /tb/bin/tau start -s %i --root /tb
StandardOutput = journal
User           = root
Group          = root
LimitAS        = infinity
LimitRSS       = infinity
LimitCORE      = infinity
LimitNOFILE    = 65536
Restart        = always
RestartSec     = 1

[Install]
WantedBy = multi-user.target
";

pub(crate) fn taken_over(lab: &Lab, tau: &Path) {
    let [elder, other_elder, member, last] = &lab.up([
        ("e1", Suite::Bookworm.machine()),
        ("e2", Suite::Trixie.machine()),
        ("m1", Suite::Bookworm.machine()),
        ("m2", Suite::Trixie.machine()),
    ]);
    let (elders, members) = ([elder, other_elder], [member, last]);
    let mut network = Network::new(lab, tau);
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    elders.iter().for_each(|host| network.elder("elders", host));
    members.iter().for_each(|host| network.node("all", host));
    // Upstream needs it on one line; it logs in as a user with sudo.
    network.put_swarm_key_on_one_line();
    for host in elders.iter().chain(&members) {
        network.log_in_as(host, "tau");
    }

    network.save();
    std::thread::scope(|scope| {
        for host in elders {
            let peers = elders.iter().filter(|other| other.name() != host.name()).copied().collect();
            let network = &network;
            scope.spawn(move || plant(network, "elders", 4242, host, peers, tau));
        }
        for host in members {
            let network = &network;
            scope.spawn(move || plant(network, "all", 5242, host, elders.to_vec(), tau));
        }
    });
    meshed(&members, &elders, 4242);
    meshed(&elders, &elders, 4242);
    let before = (starts("elders", &elders), starts("all", &members));

    let plan = network.plan(&[]).exits(2).is_silent_on("restarted").is_silent_on("is started");
    let plan = plan.is_silent_on("destructive").says("plan: ");
    for (host, shape) in [(elder, "elders"), (other_elder, "elders"), (member, "all"), (last, "all")] {
        let expected = hardening(shape);
        let lines = plan.of_host(host);
        // Below an entry is, further in, what it is in detail.
        let entries: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("      ")).collect();
        for line in &entries {
            assert!(
                expected.iter().any(|start| line.starts_with(start)),
                "{line} of {}: {plan}",
                host.name()
            );
        }
        for start in &expected {
            assert!(entries.iter().any(|line| line.starts_with(start)), "{start} of {}: {plan}", host.name());
        }
    }
    network.apply(&[]).exits(0);
    assert_eq!((starts("elders", &elders), starts("all", &members)), before, "nobody is restarted");
    for host in elders.iter().chain(&members) {
        let left = host
            .sh("ls /tmp/swarm.key /tmp/dv_private.key /tb/config/keys/dv_private.key 2>/dev/null || true");
        assert_eq!(left, "", "{}", host.name());
    }
    network.is_in_place(&[]);
    network.is_in_place(&["--rehash"]);
    // It still starts at boot, with our unit.
    member.power_cut();
    member.boot();
    meshed(&[member], &elders, 4242);
    network.is_in_place(&[]);
}

/// The whole of what is to be done there.
fn hardening(shape: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        ["scripts", "priv", "cache", "logs", "storage", "plugins", "config", "config/keys"]
            .iter()
            .map(|directory| format!("  ~ /tb/{directory}/  mode 0755 → 0750"))
            .collect();
    lines.extend(
        [
            "  ~ /tb/bin/tau  mode 0750 → 0755",
            "  ~ /tb/config/keys/dv_public.key  mode 0600 → 0644",
            "  - /tb/config/keys/dv_private.key  secret",
            "  - /tmp/dv_private.key  secret",
            "  - /tmp/swarm.key  secret",
            "  + /etc/systemd/system/tau@.service  0644 root:root",
            "  ~ systemd's units",
        ]
        .map(str::to_owned),
    );
    lines.push(format!("  ~ /tb/config/{shape}.yaml  mode 0750 → 0600; takes effect at the next start"));
    lines
}

/// As `displace` does it: files, modes, unit, leftovers; and the node runs.
fn plant(network: &Network, shape: &str, port: u16, host: &Host, peers: Vec<&Host>, tau: &Path) {
    send(network, host, tau);
    let key =
        |name: &str| std::fs::read_to_string(network.folder().join("keys").join(name)).unwrap_or_default();
    for name in ["swarm.key", "dv_private.key", "dv_public.key"] {
        host.put(&format!("/tb/config/keys/{name}"), key(name).as_bytes());
        host.put(&format!("/tmp/{name}"), key(name).as_bytes());
    }
    host.put("/lib/systemd/system/tau@.service", UNIT.as_bytes());
    let peers: String = peers
        .iter()
        .map(|peer| format!("    - /ip4/{}/tcp/4242/p2p/{}\n", peer.addr(), network.peer_id("elders", peer)))
        .collect();
    let services = if shape == "elders" { "" } else { "services:\n    - tns\n    - hoarder\n" };
    let config = format!(
        "privatekey: {}\nswarmkey: keys/swarm.key\n{services}p2p-listen:\n    - /ip4/0.0.0.0/tcp/{port}\n\
         p2p-announce:\n    - /ip4/{}/tcp/{port}\nports:\n    main: {port}\n    lite: {}\nlocation:\n    \
         lat: 1.25\n    long: 25.1\npeers:\n{peers}network-fqdn: lab.test\ndomains:\n    key:\n        \
         private: keys/dv_private.key\n        public: keys/dv_public.key\n    aliases: []\n    \
         generated: g.lab.test\nplugins: {{}}\n",
        network.key(shape, host),
        host.addr(),
        port + 5,
    );
    host.put(&format!("/tb/config/{shape}.yaml"), config.as_bytes());
    host.sh(&format!(
        "cd /tb
        mkdir -p cache logs plugins priv scripts storage
        chmod 0755 . bin cache config config/keys logs plugins priv scripts storage
        chmod 0750 bin/tau config/*.yaml
        chmod 0600 config/keys/* /tmp/*.key
        chown tau:tau /tmp/*.key
        chmod 0644 /lib/systemd/system/tau@.service
        systemctl daemon-reload
        systemctl enable --quiet --now tau@{shape}.service"
    ));
}

/// The binary, as upstream sends it: over SSH.
fn send(network: &Network, host: &Host, tau: &Path) {
    let binary = File::open(tau).unwrap_or_else(|error| panic!("{}: {error}", tau.display()));
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-i"]);
    ssh.arg(network.folder().join("keys/id")).arg(format!("root@{}", host.addr()));
    ssh.arg("mkdir -p /tb/bin && cat >/tb/bin/tau").stdin(binary);
    let status = ssh.status();
    assert!(status.as_ref().is_ok_and(ExitStatus::success), "ssh {}: {status:?}", host.name());
}

impl Host {
    /// Writes a file on the host, through what [`Host::sh`] is.
    fn put(&self, path: &str, bytes: &[u8]) {
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
        self.sh(&format!("mkdir -p \"$(dirname {path})\"\nbase64 -d >{path} <<'EOF'\n{base64}\nEOF\n"));
    }
}
