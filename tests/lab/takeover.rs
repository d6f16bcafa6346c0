//! Hosts that were set up by upstream's Spore Drive, with the real tau running, are taken
//! over without a restart. They have the same files, modes, unit and secrets in `/tmp` as
//! the hosts in `fixtures/plans/golden-upstream`.

use std::{
    fs::File,
    path::Path,
    process::{Command, ExitStatus},
};

use base64::Engine as _;

use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::watch::{SOON, meshed, start, starts};

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

/// The part of the configuration that upstream's tool writes for every node, including the
/// application's key.
const TENANCY: &str = "provider: github
owner: lab
app:
    client-id: Iv1.0000000000000000
    key: |
        -----BEGIN RSA PRIVATE KEY-----
        not a real key
        -----END RSA PRIVATE KEY-----
";

/// The plan contains only the hardening of files, and the apply restarts no process. From
/// then on, the network is like any other.
pub(crate) fn hardened(lab: &Lab, tau: &Path) {
    let hosts = lab.up([
        ("e1", Suite::Bookworm.machine()),
        ("e2", Suite::Trixie.machine()),
        ("m1", Suite::Bookworm.machine()),
        ("m2", Suite::Trixie.machine()),
    ]);
    let [elder, other_elder, member, last] = &hosts;
    let (elders, members) = ([elder, other_elder], [member, last]);
    let mut network = planted(lab, tau, &elders, &members);
    let before = (starts("elders", &elders), starts("all", &members));
    let kept: Vec<_> = hosts.iter().map(files_to_keep).collect();

    let plan = network.plan(&[]).exits(2).is_silent_on("restarted").is_silent_on("destructive");
    for (host, shape) in [(elder, "elders"), (other_elder, "elders"), (member, "all"), (last, "all")] {
        // The details of an entry are indented below it.
        let (details, mut entries): (Vec<&str>, Vec<&str>) =
            plan.of_host(host).into_iter().partition(|line| line.starts_with("      "));
        entries.sort_unstable();
        assert_eq!(entries, hardening(shape), "{}: {plan}", host.name());
        let changed: Vec<_> = details
            .iter()
            .map(|line| line.trim_start())
            .filter(|line| line.starts_with(['+', '-']))
            .collect();
        assert_eq!(changed, CONFIGURATION, "{}: {plan}", host.name());
    }
    network.apply(&[]).exits(0).is_silent_on("restarted").is_silent_on("✓ restart");
    assert_eq!((starts("elders", &elders), starts("all", &members)), before, "no node is restarted");
    for (host, kept) in hosts.iter().zip(kept) {
        assert_eq!(files_to_keep(host), kept, "{}", host.name());
        let left =
            host.sh("ls -d /tmp/*.key /tb/config/keys/* /tb/config/.spore* /tb/bin/* 2>/dev/null || true");
        assert_eq!(
            left,
            "/tb/bin/tau\n/tb/config/keys/dv_public.key\n/tb/config/keys/swarm.key\n/tmp/dv_public.key\n",
            "{}",
            host.name()
        );
        host.sh("! grep -q -e PRIVATE -e client-id -e dv_private /tb/config/*.yaml");
        let modes =
            "stat -c '%a %U:%G' /tb/bin/tau /tb/config/*.yaml /tb/config/keys/* /tb/config /tb/storage";
        assert_eq!(
            host.sh(modes),
            "755 root:root\n600 root:root\n644 root:root\n600 root:root\n750 root:root\n750 root:root\n"
        );
    }
    network.is_in_place(&[]);
    network.is_in_place(&["--rehash"]);
    meshed(&members, &elders, 4242);

    // The members' port changes, so they are restarted, now with spore's unit.
    network.shape("all", Shape::new(5342).services(&["tns", "hoarder"]));
    let plan = network.plan(&[]).exits(2).last_says("2 to change, 2 to restart");
    plan.says_in_one_line(&["running with outdated all.yaml", "ports.main"]);
    network.apply(&[]).exits(0);
    assert_eq!(starts("elders", &elders), before.0, "no elder is restarted");
    let now = starts("all", &members);
    assert!(now.iter().zip(&before.1).all(|(now, before)| now.pid != before.pid), "{now:?}");
    for host in members {
        host.sh("ss -Htln 'sport = :5342' | grep -q . && ! ss -Htln 'sport = :5242' | grep .");
        host.sh("systemctl show -P FragmentPath tau@all.service | grep -qx /etc/systemd/system/tau@.service");
    }
    meshed(&members, &elders, 4242);
    network.is_in_place(&[]);

    // The node still starts at boot, with spore's unit.
    member.power_cut();
    member.boot();
    meshed(&[member], &elders, 4242);
    network.is_in_place(&[]);
}

/// If a file was changed between the start of a node and spore's first probe, it isn't
/// known what the node was started with.
pub(crate) fn touched_before_we_came(lab: &Lab, tau: &Path) {
    let [elder, touched] =
        &lab.up([("elder", Suite::Bookworm.machine()), ("touched", Suite::Trixie.machine())]);
    let network = planted(lab, tau, &[elder], &[touched]);
    let before = (start("elders", elder), start("all", touched));
    touched.sh("echo '# looked at' >>/tb/config/all.yaml");

    let plan = network.plan(&[]).exits(2).last_says("1 to restart");
    let because = "      what it was started with is unknown, because /tb/config/all.yaml has changed since";
    let of = |host| {
        plan.of_host(host).into_iter().filter(|line| line.contains("started with")).collect::<Vec<_>>()
    };
    assert_eq!((of(elder), of(touched)), (vec![], vec![because]), "{plan}");
    assert!(plan.of_host(touched).iter().any(|line| line.contains("~ tau@all.service")), "{plan}");
    network.apply(&[]).exits(0);
    let now = (start("elders", elder), start("all", touched));
    assert!(now.0 == before.0 && now.1 != before.1, "{before:?} {now:?}");
    meshed(&[touched], &[elder], 4242);
    network.is_in_place(&[]);
}

/// Without the folder, `spore import` writes one from the hosts, and its plan is the same.
pub(crate) fn imported(lab: &Lab, tau: &Path) {
    let [elder, member] =
        &lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let network = planted(lab, tau, &[elder], &[member]);
    let before = (start("elders", elder), start("all", member));
    let folder = network.home().join("imported");
    let spore = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spore"));
        command.args(arguments).env("HOME", network.home()).env("SPORE_TIMEOUT", "settle=1");
        let output = command.env("SPORE_KNOWN_HOSTS", network.known_hosts()).output();
        let output = output.unwrap_or_else(|error| panic!("spore: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        network.ended(arguments, output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let [to, key] = [&folder, &network.folder().join("keys/id")].map(|path| path.display().to_string());
    let hosts = [elder, member].map(|host| format!("{}=tau@{}", host.name(), host.addr()));
    let run = spore(&["import", "--folder", &to, "--key", &key, &hosts[0], &hosts[1]]).exits(0);
    run.says(&format!("elders: elders@{}", elder.name()))
        .says("read the swarm key from")
        .is_silent_on("note: ");
    spore(&["tau", "pin", &tau.display().to_string(), "-n", &to]).exits(0);

    let plan = spore(&["plan", "-n", &to]).exits(2).is_silent_on("restarted").is_silent_on("destructive");
    for (host, shape) in [(elder, "elders"), (member, "all")] {
        let mut entries = plan.of_host(host);
        entries.retain(|line| !line.starts_with("      "));
        entries.sort_unstable();
        assert_eq!(entries, hardening(shape), "{}: {plan}", host.name());
    }
    spore(&["apply", "--yes", "-n", &to]).exits(0);
    assert_eq!((start("elders", elder), start("all", member)), before, "no node is restarted");
    meshed(&[member], &[elder], 4242);
    spore(&["plan", "-n", &to]).exits(0).last_says("nothing to do");
    spore(&["verify", "-n", &to]).exits(0);
}

/// A network whose hosts were set up in the same way as by upstream's tool, with connected
/// nodes.
fn planted(lab: &Lab, tau: &Path, elders: &[&LabHost], members: &[&LabHost]) -> Network {
    let mut network = Network::new(lab, tau);
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    elders.iter().for_each(|host| network.elder("elders", host));
    members.iter().for_each(|host| network.node("all", host));
    network.write("tenancy.yaml", TENANCY);
    // Upstream's tool needs the key in one line, and logs in as a user with sudo.
    network.put_swarm_key_on_one_line();
    elders.iter().chain(members).for_each(|host| network.log_in_as(host, "tau"));
    plant_all(&network, elders, members, tau);
    network
}

/// Sets up the hosts of a folder in the same way as upstream's tool, and waits until the
/// nodes are connected.
pub(crate) fn plant_all(network: &Network, elders: &[&LabHost], members: &[&LabHost], tau: &Path) {
    network.save();
    std::thread::scope(|scope| {
        let nodes = elders.iter().map(|host| ("elders", 4242, host));
        for (shape, port, host) in nodes.chain(members.iter().map(|host| ("all", 5242, host))) {
            scope.spawn(move || plant(network, shape, port, host, elders, tau));
        }
    });
    meshed(members, elders, 4242);
    meshed(elders, elders, 4242);
}

/// The inodes and modification times of files that must not be rewritten.
fn files_to_keep(host: &LabHost) -> String {
    host.sh("stat -c '%n %i %.9Y' /tb/bin/tau /tb/config/keys/swarm.key /tb/config/keys/dv_public.key \
        /lib/systemd/system/tau@.service /tmp/dv_public.key")
}

/// The changes to a configuration: fields that only `auth` reads are removed.
const CONFIGURATION: [&str; 4] = [
    "-domains.key.private: keys/dv_private.key",
    "+domains.key.private: keys/dv_public.key",
    "-tenancy.app.client-id: Iv1.0000000000000000",
    "-tenancy.app.key: (secret)",
];

/// All entries of the plan for a host, sorted.
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
            "  - /tb/config/keys/dv_private.key  secret no longer needed; removed",
            "  - /tmp/dv_private.key  secret no longer needed; removed",
            "  - /tmp/swarm.key  secret no longer needed; removed",
            "  + /etc/systemd/system/tau@.service  0644 root:root",
            "  ~ systemd's units  systemctl daemon-reload",
        ]
        .map(str::to_owned),
    );
    lines.push(format!("  ~ /tb/config/{shape}.yaml  mode 0750 → 0600; takes effect at the next start"));
    lines.sort_unstable();
    lines
}

/// Sets up a host in the same way as upstream's `displace` (files, modes, unit, leftovers),
/// and starts the node.
fn plant(network: &Network, shape: &str, port: u16, host: &LabHost, elders: &[&LabHost], tau: &Path) {
    send(network, host, tau);
    let key =
        |name: &str| std::fs::read_to_string(network.folder().join("keys").join(name)).unwrap_or_default();
    for name in ["swarm.key", "dv_private.key", "dv_public.key"] {
        host.put(&format!("/tb/config/keys/{name}"), key(name).as_bytes());
        host.put(&format!("/tmp/{name}"), key(name).as_bytes());
    }
    host.put("/lib/systemd/system/tau@.service", UNIT.as_bytes());
    let peers: String = elders
        .iter()
        .filter(|elder| elder.name() != host.name())
        .map(|peer| format!("    - /ip4/{}/tcp/4242/p2p/{}\n", peer.addr(), network.peer_id("elders", peer)))
        .collect();
    let tenancy: String = TENANCY.lines().map(|line| format!("    {line}\n")).collect();
    let tenancy = format!("tenancy:\n{tenancy}");
    let services = if shape == "elders" { "" } else { "services:\n    - tns\n    - hoarder\n" };
    let config = format!(
        "privatekey: {}\nswarmkey: keys/swarm.key\n{services}p2p-listen:\n    - /ip4/0.0.0.0/tcp/{port}\n\
         p2p-announce:\n    - /ip4/{}/tcp/{port}\nports:\n    main: {port}\n    lite: {}\nlocation:\n    \
         lat: 1.25\n    long: 25.1\npeers:\n{peers}network-fqdn: lab.test\ndomains:\n    key:\n        \
         private: keys/dv_private.key\n        public: keys/dv_public.key\n    aliases: []\n    \
         generated: g.lab.test\n{tenancy}plugins: {{}}\n",
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
    // The node may be connected before it reports that it has started.
    let said = format!(
        "journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID tau@{shape}.service) |
            grep -q 'started! with id'"
    );
    wait_until(SOON, "the node says that it started", || host.try_sh(&said).is_ok());
}

/// Sends the binary over SSH, like upstream's tool.
fn send(network: &Network, host: &LabHost, tau: &Path) {
    let binary = File::open(tau).unwrap_or_else(|error| panic!("{}: {error}", tau.display()));
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-i"]);
    ssh.arg(network.folder().join("keys/id")).arg(format!("root@{}", host.addr()));
    ssh.arg("mkdir -p /tb/bin && cat >/tb/bin/tau").stdin(binary);
    let status = ssh.status();
    assert!(status.as_ref().is_ok_and(ExitStatus::success), "ssh {}: {status:?}", host.name());
}

impl LabHost {
    /// Writes a file on the host, by means of [`LabHost::sh`].
    fn put(&self, path: &str, bytes: &[u8]) {
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
        self.sh(&format!("mkdir -p \"$(dirname {path})\"\nbase64 -d >{path} <<'EOF'\n{base64}\nEOF\n"));
    }
}
