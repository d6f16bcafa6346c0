//! A host's answer to the probe as text: the inverse of `src/facts/answer.rs`, for simulated
//! facts. Every struct is destructured, so that a new field doesn't compile until it is
//! written here.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use spore_drive::daemon::Daemon;
use spore_drive::facts::KeyedFact;
use spore_drive::facts::{
    Asked, Facts, FileFact, Memory, PROBE_VERSION, PathFact, PortOwner, Process, Record, Surroundings,
    UnitFact,
};
use spore_drive::resource::{Access, HostText, Port, Transport, Unreadable};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

const APT: &str = "/usr/bin/apt-get";
/// The uptime of every host, longer than any unit has run.
const UPTIME: Duration = Duration::from_secs(100_000_000);
/// The number of the first node's process. In the simulation, all processes have the same.
const FIRST_PROCESS: usize = 1000;
const LIMITS: [(&str, &str); 4] = [
    ("Max open files", "LimitNOFILE"),
    ("Max address space", "LimitAS"),
    ("Max resident set", "LimitRSS"),
    ("Max core file size", "LimitCORE"),
];

/// What a host with these facts answers.
///
/// # Panics
/// If no host can have these facts.
pub(crate) fn answer(facts: &Facts) -> String {
    let Facts {
        asked: Asked { shapes, directories, key, at_ns },
        architecture,
        os,
        root,
        systemd,
        machine,
        apt,
        unfinished,
        free_bytes,
        paths,
        texts,
        opaque,
        units,
        versions,
        keyed,
        listening,
        surroundings,
        holder,
        redactor: _,
    } = facts;
    let mut answer = Answer::default();
    answer.line(format!("probe\t{PROBE_VERSION}"));
    if let Some(key) = key {
        answer.line(format!("key\t{key}"));
    }
    answer.line(format!("asked\t{}\t{}\nroot\t", words(shapes), words(directories)));
    answer.line(format!("architecture\t{architecture}\nos\t{}", shlex::try_quote(os).unwrap()));
    if let Some(machine) = machine {
        answer.line(format!("machine\t{machine}  -"));
    }
    answer.line(format!("uptime\t{}", UPTIME.as_secs()));
    if let Some(holder) = holder {
        answer.line(format!("held\t{}", BASE64_STANDARD.encode(holder.expose())));
    }
    // The directory of a process that has just started.
    if let Some(now) = at_ns {
        let owner = if *root { "root:root" } else { "operator:operator" };
        answer
            .line(format!("path\t416d\t555\t{owner}\t0\t51:1\t0.000000000\t{}\t/proc/self/.", seconds(*now)));
    } else {
        assert!(!root, "without the directory of a process, its owner isn't known");
    }
    assert!(!apt || paths.contains_key(APT), "apt is known by its path");
    for (path, fact) in paths.iter().filter(|(path, _)| *apt || *path != APT) {
        answer.path(path, fact);
    }
    answer.line(format!("space\t{free_bytes} 1"));
    for package in unfinished {
        answer.line(format!("package\t{package}\thalf-installed"));
    }
    if *systemd {
        answer.line("systemd");
    }
    answer.units(units);
    for (path, KeyedFact { rest, sha256 }) in keyed {
        let whole = sha256.map(|sha256| sha256.to_string()).unwrap_or_default();
        answer.line(format!("keyed\t{path}\t{rest}\t{whole}"));
    }
    for (sha256, version) in versions {
        answer.line(format!("version\t{sha256} version {version}"));
    }
    for (path, text) in texts {
        answer.text(path, text);
    }
    for path in opaque {
        answer.line(format!("opaque\t{path}"));
    }
    for (address, port) in listening {
        answer.line(format!("listen\t{}", listener(address, *port)));
    }
    answer.surroundings(surroundings);
    answer.line("end");
    answer.text
}

#[derive(Default)]
struct Answer {
    text: String,
    /// The number of secrets that were cut out of texts.
    secrets: usize,
}

impl Answer {
    fn line(&mut self, line: impl Display) {
        self.text += &format!("{line}\n");
    }

    fn path(&mut self, path: &str, fact: &PathFact) {
        let stat = |mode: u32, access: &Access, size: u64, inode: &str, times: [i64; 2], name: &str| {
            let Access { mode: permissions, owner } = access;
            let [modified, changed] = times.map(seconds);
            let mode = mode | permissions;
            format!(
                "path\t{mode:x}\t{permissions:o}\t{owner}\t{size}\t{inode}\t{modified}\t{changed}\t{name}"
            )
        };
        let link = |target: &str| {
            let name = format!("{path} -> {target}");
            stat(0o120_000, &Access::root(0o777), 0, "1:1", [0, 0], &name)
        };
        let other = |mode| stat(mode, &Access::root(0o600), 0, "1:1", [0, 0], path);
        match fact {
            PathFact::Directory { access, through: None, device_inode } => {
                self.line(stat(0o040_000, access, 0, device_inode, [0, 0], path));
            }
            PathFact::Directory { access, through: Some(target), device_inode } => {
                let mut theirs = Daemon::ALL.iter().flat_map(|daemon| daemon.directories());
                assert!(theirs.any(|(directory, _)| *directory == path), "{path} isn't followed");
                self.line(link(target));
                self.line(stat(0o040_000, access, 0, device_inode, [0, 0], &format!("{path}/.")));
            }
            PathFact::File(FileFact { access, size, device_inode, mtime_ns, ctime_ns, sha256 }) => {
                self.line(stat(0o100_000, access, *size, device_inode, [*mtime_ns, *ctime_ns], path));
                if let Some(sha256) = sha256 {
                    self.line(format!("{sha256}  {path}"));
                }
            }
            PathFact::Link { target } => self.line(link(target)),
            PathFact::Other("a fifo") => self.line(other(0o010_000)),
            PathFact::Other("a socket") => self.line(other(0o140_000)),
            PathFact::Other("a device") => self.line(other(0o020_000)),
            PathFact::Other(_) => self.line(other(0)),
            PathFact::Unreadable(Unreadable::Failed(why)) => {
                self.line(format!("stat: cannot statx '{path}': {why}"));
            }
            PathFact::Unreadable(Unreadable::Replaced) => self.line(other(0o120_000)),
            PathFact::Unreadable(Unreadable::UnusualName) => self.line(link("a -> b")),
            PathFact::Unreadable(
                why @ (Unreadable::NotADirectory
                | Unreadable::NotAFile
                | Unreadable::TooLarge
                | Unreadable::NotAConfiguration),
            ) => panic!("no host says of {path} that it is {why:?}"),
        }
    }

    /// A text. The digest of a secret follows the line that it belongs to.
    fn text(&mut self, path: &str, text: &HostText) {
        let mut digests = String::new();
        self.line(format!("text\t{path}"));
        for line in text.expose().lines() {
            let cut = line.strip_suffix('"').and_then(|line| line.rsplit_once("!keyed \""));
            match cut.filter(|(_, digest)| digest.len() == 64) {
                Some((before, digest)) => {
                    self.secrets += 1;
                    self.line(format!("={}\t{before}", self.secrets));
                    digests += &format!("{digest}  -\n");
                }
                None => self.line(format!("|{line}")),
            }
        }
        self.text += &digests;
    }

    fn surroundings(&mut self, surroundings: &Surroundings) {
        let Surroundings { memory, processors, addresses, owners, received, alive, searched } = surroundings;
        if let Some(Memory { total, available }) = memory {
            self.line(format!("memory\t{}\t{}", total / 1024, available / 1024));
        }
        if let Some(processors) = processors {
            self.line(format!("processors\t{processors}"));
        }
        for address in addresses {
            self.line(format!("address\t{address}"));
        }
        for PortOwner { address, port, pid, name, unit } in owners {
            self.line(format!("owner\t{}\t{pid}\t{name}\t{unit}", listener(address, *port)));
        }
        if *searched {
            self.line("owners\tsearched");
        }
        if let Some(received) = received {
            self.line(format!("received\t{received}"));
        }
        for (unit, (port, alive)) in alive {
            self.line(format!("alive\t{unit}\t{port}\t{}", alive.word()));
        }
    }

    fn units(&mut self, units: &BTreeMap<String, UnitFact>) {
        let with_pid = |nth: usize, unit: &UnitFact| unit.pid.map(|_| FIRST_PROCESS + nth);
        self.line("units");
        for (nth, (name, unit)) in units.iter().enumerate() {
            self.properties(name, unit, with_pid(nth, unit));
        }
        self.line(".");
        let most = units.values().filter_map(|unit| unit.process.as_ref());
        let most: BTreeMap<&String, &String> =
            most.flat_map(|process| process.scant.iter().map(|name| (name, &process.limits[name]))).collect();
        if !most.is_empty() {
            self.line("process\t1\t0\t0\t/sbin/init");
            self.limits(1, most);
        }
        for (nth, (name, unit)) in units.iter().enumerate() {
            let UnitFact { invocation, process, record, said, silent, healthy, .. } = unit;
            if let Some(process) = process {
                self.process(with_pid(nth, unit).expect("a process has a number"), process);
            }
            if let Some(record) = record {
                let (_, shape) = Daemon::of_unit(name).unwrap();
                let start = invocation.as_ref().expect("a record is of a start");
                self.record(&format!("/run/spore/{shape}/{start}"), record);
            }
            if let Some(line) = said {
                self.line(format!("said\t{name}\t{line}"));
            }
            if *silent {
                self.line(format!("silent\t{name}"));
            }
            if *healthy {
                self.line(format!("healthy\t{name}"));
            }
        }
    }

    /// What `systemctl show` prints of a unit.
    fn properties(&mut self, name: &str, unit: &UnitFact, pid: Option<usize>) {
        let UnitFact {
            load,
            active,
            sub,
            result,
            enabled,
            invocation,
            pid: _,
            restarts,
            fragment,
            drop_ins,
            need_reload,
            directives,
            started_ns,
            age,
            process: _,
            record: _,
            said: _,
            silent: _,
            healthy: _,
        } = unit;
        let (result, status) = match result.as_str() {
            "" => ("success", "0"),
            result => result.split_once(' ').unwrap_or((result, "")),
        };
        self.line(format!("Id={name}\nLoadState={load}\nActiveState={active}\nSubState={sub}"));
        self.line(format!("Result={result}\nExecMainStatus={status}\nUnitFileState={enabled}"));
        self.line(format!("InvocationID={}", invocation.as_deref().unwrap_or_default()));
        self.line(format!("MainPID={}\nNRestarts={restarts}", pid.unwrap_or_default()));
        self.line(format!("FragmentPath={fragment}\nDropInPaths={}", words(drop_ins)));
        self.line(format!("NeedDaemonReload={}", if *need_reload { "yes" } else { "no" }));
        for (name, value) in directives {
            match name.as_str() {
                "ExecStart" => self.line(format!("ExecStart={{ path=/ ; argv[]={value} ; pid=0 }}")),
                _ => self.directive(name, value),
            }
        }
        if let Some(started) = started_ns {
            self.line(format!("ExecMainStartTimestamp={}", timestamp(*started)));
        }
        if let Some(age) = age {
            let started = (UPTIME - *age).as_micros();
            self.line(format!("ExecMainStartTimestampMonotonic={started}"));
        }
        self.line("");
    }

    fn directive(&mut self, name: &str, value: &str) {
        if let "User" | "Group" = name {
            return self.line(format!("{name}={value}"));
        }
        assert!(LIMITS.iter().any(|(_, directive)| *directive == name), "the probe doesn't ask about {name}");
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        self.line(format!("{name}={hard}\n{name}Soft={soft}"));
    }

    fn process(&mut self, pid: usize, process: &Process) {
        let Process { exe, arguments, limits, scant: _, environment, uid, gid } = process;
        self.line(format!("process\t{pid}\t{uid}\t{gid}\t{arguments}"));
        self.limits(pid, limits);
        if !environment.is_empty() {
            self.line(format!("environment\t{pid}\t{}", words(environment)));
        }
        if let Some(exe) = exe {
            self.line(format!("{exe}  /proc/{pid}/exe"));
        }
    }

    fn limits<'a>(&mut self, pid: usize, limits: impl IntoIterator<Item = (&'a String, &'a String)>) {
        for (name, value) in limits {
            let (kernel, _) = LIMITS.iter().find(|(_, directive)| directive == name).unwrap();
            let (soft, hard) = value.split_once(':').unwrap_or((value, value));
            self.line(format!("limit\t{pid}\t{kernel}\t{soft}\t{hard}"));
        }
    }

    fn record(&mut self, directory: &str, record: &Record) {
        let Record { config, digests, plugins, directives } = record;
        if let Some(config) = config {
            self.text(&format!("{directory}/config.yaml"), config);
        }
        let sums = |sums: &BTreeMap<String, _>| {
            HostText::new(sums.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect::<String>())
        };
        self.text(&format!("{directory}/digests"), &sums(digests));
        if let Some(plugins) = plugins {
            self.text(&format!("{directory}/plugins"), &sums(plugins));
        }
        let mut unit = Self::default();
        directives.iter().for_each(|(name, value)| unit.directive(name, value));
        self.text(&format!("{directory}/unit"), &HostText::new(unit.text));
    }
}

fn words<T: Display>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
}

/// As `stat` prints a time.
fn seconds(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    format!("{sign}{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// As `systemctl` prints a time. Nobody reads the day of the week.
fn timestamp(ns: i64) -> String {
    let (mut day, ns) = (ns.div_euclid(86_400_000_000_000), ns.rem_euclid(86_400_000_000_000));
    let is_leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let mut year = 1970;
    while day >= 365 + i64::from(is_leap(year)) {
        day -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (second, ns) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("Thu {year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}.{ns:09} UTC", day + 1)
}

/// An address and a port as `/proc/net` shows them.
fn listener(address: &IpAddr, port: Port) -> String {
    let transport = match port.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    let groups = match address {
        IpAddr::V4(address) => vec![address.to_bits()],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32).to_vec()
        }
    };
    let address: String = groups.iter().map(|group| format!("{:08X}", group.swap_bytes())).collect();
    format!("{transport}\t{address}:{:04X}", port.number)
}
