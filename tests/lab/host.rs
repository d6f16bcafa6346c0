//! The hosts of the lab: real Linux systems that a test starts, queries, breaks and makes
//! assertions about.
//!
//! The entry point is [`Lab::new`], called once by each test. All hosts have unique names
//! and addresses, so tests can run in parallel. An error in the lab itself panics. The hosts
//! are managed by the scripts in this directory.

use std::{
    collections::BTreeSet,
    fmt,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The part of a lab world that belongs to one test.
#[derive(Debug)]
pub(crate) struct Lab {
    world: PathBuf,
    prefix: String,
}

/// The Debian release of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Bookworm,
    Trixie,
}

/// The properties of a host.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    suite: Suite,
    ipv6: bool,
    addresses: u8,
    disk: Option<String>,
}

/// A host. Dropping it deletes the host, including its disk.
#[derive(Debug)]
pub(crate) struct LabHost {
    world: PathBuf,
    name: String,
    addresses: Vec<IpAddr>,
}

/// The metadata that shows whether a file was modified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) inode: u64,
    pub(crate) mtime_ns: u128,
    /// The permission bits, such as `0o600`.
    pub(crate) mode: u32,
    pub(crate) owner: String,
    pub(crate) size: u64,
}

/// The error if the process doesn't run in a lab world.
#[derive(Debug)]
pub(crate) struct NoWorld;

impl Lab {
    /// The lab of the test called `prefix`. Its hosts are named `<prefix>-<name>`.
    pub(crate) fn new(prefix: &str) -> Result<Self, NoWorld> {
        let world = std::env::var_os("SPORE_LAB_WORLD").map(PathBuf::from);
        let world = world.filter(|world| world.join("host").exists()).ok_or(NoWorld)?;
        Ok(Self { world, prefix: prefix.to_owned() })
    }

    /// Starts a host without waiting until it has booted.
    pub(crate) fn start(&self, name: &str, machine: &Machine) -> LabHost {
        let addresses = machine.allocate();
        let host = LabHost { world: self.world.clone(), name: format!("{}-{name}", self.prefix), addresses };
        let list: Vec<_> = host.addresses.iter().map(IpAddr::to_string).collect();
        let list = list.join(",");
        let mut arguments = vec!["up", &host.name, &list, machine.suite.name()];
        if let Some(size) = &machine.disk {
            arguments.extend(["--disk", size]);
        }
        host.world("", &arguments);
        host
    }

    /// Starts hosts in parallel, and waits until all have booted.
    pub(crate) fn up<const N: usize>(&self, hosts: [(&str, Machine); N]) -> [LabHost; N] {
        let hosts = hosts.map(|(name, machine)| self.start(name, &machine));
        hosts.iter().for_each(LabHost::wait);
        hosts
    }

    /// Starts `count` hosts of the same kind, called `h1`, `h2` and so on.
    pub(crate) fn up_many(&self, count: usize, machine: &Machine) -> Vec<LabHost> {
        let start = |i| self.start(&format!("h{i}"), machine);
        let hosts: Vec<_> = (1..=count).map(start).collect();
        hosts.iter().for_each(LabHost::wait);
        hosts
    }

    /// The private key that `root`, `tau` and `plain` of every host accept.
    /// (`word` has the password `lab-password`; `plain` may not `sudo`.)
    pub(crate) fn key(&self) -> PathBuf {
        self.world.parent().unwrap_or(Path::new("/")).join("id")
    }
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// A host with this release of Debian, one IPv4 address and no separate disk.
    pub(crate) fn machine(self) -> Machine {
        Machine { suite: self, ipv6: false, addresses: 1, disk: None }
    }
}

impl Machine {
    /// Adds an IPv6 address.
    pub(crate) fn ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    /// Sets the number of IPv4 addresses.
    pub(crate) fn addresses(self, addresses: u8) -> Self {
        Self { addresses, ..self }
    }

    /// Adds a disk of this size, in the format of `mount` (`64M`), which can fill up.
    pub(crate) fn disk(self, size: &str) -> Self {
        Self { disk: Some(size.to_owned()), ..self }
    }

    /// Allocates unused addresses. 10.77.0.0/24 is reserved for use by hand.
    fn allocate(&self) -> Vec<IpAddr> {
        static NEXT: AtomicU16 = AtomicU16::new(0x101);
        let next = || NEXT.fetch_add(1, Ordering::Relaxed);
        let v4 = |n: u16| {
            let [high, low] = n.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(10, 77, high, low))
        };
        let first = next();
        let mut addresses = vec![v4(first)];
        addresses.extend((1..self.addresses).map(|_| v4(next())));
        if self.ipv6 {
            addresses.push(IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, first)));
        }
        addresses
    }
}

impl LabHost {
    /// The host's name, which is also its host name in Linux.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The host's first address, an IPv4 address.
    pub(crate) fn addr(&self) -> IpAddr {
        self.addresses[0]
    }

    /// All addresses of the host, IPv6 last.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The host's lines for `known_hosts`, one for each address.
    pub(crate) fn known_hosts(&self) -> String {
        self.world("", &["known", &self.name])
    }

    /// The directory with the files that were written since the host was created. They can
    /// be changed while the host is off.
    pub(crate) fn disk(&self) -> PathBuf {
        self.world.join(&self.name).join("disk/upper")
    }

    /// Waits until the host has booted and its sshd answers.
    pub(crate) fn wait(&self) {
        self.world("", &["wait", &self.name]);
    }

    /// Runs a script as root on the host, without using sshd or the network, and returns its
    /// output. The script runs with `set -eu`; if a command fails, this panics.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        self.world(script, &["sh", &self.name])
    }

    /// Like [`LabHost::sh`], for a script that may fail. The error contains the output.
    pub(crate) fn try_sh(&self, script: &str) -> Result<String, String> {
        ask(&self.world.join("host"), script, &["sh", &self.name])
    }

    /// Cuts the host's power. Written data survives, whether it was synced or not.
    pub(crate) fn power_cut(&self) {
        self.world("", &["down", &self.name]);
    }

    /// Turns the host on again, and waits until it has booted.
    pub(crate) fn boot(&self) {
        self.world("", &["boot", &self.name]);
        self.wait();
    }

    /// Unplugs the host's network cable.
    pub(crate) fn cut(&self) {
        self.world("", &["cut", &self.name]);
    }

    /// Plugs the network cable in again.
    pub(crate) fn heal(&self) {
        self.world("", &["heal", &self.name]);
    }

    /// The main process of a unit, if the unit is running.
    pub(crate) fn pid_of(&self, unit: &str) -> Option<u32> {
        self.property(unit, "MainPID").parse().ok().filter(|pid| *pid != 0)
    }

    /// The unit's `InvocationID`, which every start changes; empty if it was never started.
    pub(crate) fn invocation(&self, unit: &str) -> String {
        self.property(unit, "InvocationID")
    }

    fn property(&self, unit: &str, property: &str) -> String {
        let value = self.sh(&format!("systemctl show -P {property} '{unit}'"));
        value.trim_end().to_owned()
    }

    /// The metadata of a path, if it exists; links aren't followed.
    pub(crate) fn stat(&self, path: &str) -> Option<Stat> {
        let answer = self.sh(&format!("[ ! -e '{path}' ] || stat -c '%i %.9Y %a %U %s' '{path}'"));
        let [inode, mtime, mode, owner, size] = fields(&answer)?;
        Some(Stat {
            inode: inode.parse().ok()?,
            mtime_ns: mtime.replace('.', "").parse().ok()?,
            mode: u32::from_str_radix(mode, 8).ok()?,
            owner: owner.to_owned(),
            size: size.parse().ok()?,
        })
    }

    /// The other ends of TCP connections with this port on either side.
    pub(crate) fn peers_connected(&self, port: u16) -> BTreeSet<IpAddr> {
        let filter = format!("( sport = :{port} or dport = :{port} )");
        let answer = self.sh(&format!("ss -Htn state established '{filter}'"));
        let peer = |line: &str| -> Option<IpAddr> {
            let [_, _, _, peer] = fields(line)?;
            let (address, _) = peer.rsplit_once(':')?;
            let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
            Some(address.to_canonical())
        };
        answer.lines().filter_map(peer).collect()
    }

    /// Runs the world's script `host`.
    #[track_caller]
    fn world(&self, input: &str, arguments: &[&str]) -> String {
        match ask(&self.world.join("host"), input, arguments) {
            Ok(output) => output,
            Err(failure) => panic!("host {}: {failure}\n{input}", arguments.join(" ")),
        }
    }
}

impl Drop for LabHost {
    fn drop(&mut self) {
        // Errors are ignored, because the test may already be panicking, and the world
        // cleans up.
        ask(&self.world.join("host"), "", &["rm", &self.name]).ok();
    }
}

impl fmt::Display for NoWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these tests need root and a lab world; use tests/run")
    }
}

impl std::error::Error for NoWorld {}

/// Waits until a condition is true, checking it every 50 ms.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a program with this input, for at most two minutes.
fn ask(program: &Path, input: &str, arguments: &[&str]) -> Result<String, String> {
    let run = || {
        let mut child = Command::new("timeout")
            .args(["--kill-after=2", "120"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A shell may exit before it has read the whole script.
        if let Some(mut stdin) = child.stdin.take() {
            let input = input.to_owned();
            thread::spawn(move || stdin.write_all(input.as_bytes()));
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error: std::io::Error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)))
}

/// The words of a line, if there are exactly `N`.
fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split_whitespace().collect::<Vec<_>>().try_into().ok()
}
