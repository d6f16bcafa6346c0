//! Parses the parts of an answer that describe units and their processes.

use super::super::{Process, Record, UnitFact};
use crate::daemon::Daemon;
use crate::resource::{HostText, Printable, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The lines about units, before they are combined.
#[derive(Default)]
pub(super) struct Units {
    /// The properties of each unit.
    properties: BTreeMap<String, BTreeMap<String, String>>,
    /// The properties of the unit that is being read.
    block: BTreeMap<String, String>,
    processes: BTreeMap<u32, Process>,
    /// The processes whose program is the file at their daemon's path.
    same: BTreeSet<u32>,
    healthy: BTreeSet<String>,
    said: BTreeMap<String, String>,
    silent: BTreeSet<String>,
    uptime: Option<Duration>,
}

impl Units {
    /// Reads a line of `systemctl show`: a property, or the blank line after the properties
    /// of a unit.
    pub(super) fn property(&mut self, line: &str) {
        if let Some((name, value)) = line.split_once('=') {
            self.block.insert(name.to_owned(), value.to_owned());
        } else if line.is_empty() {
            let block = std::mem::take(&mut self.block);
            if let Some(id) = block.get("Id") {
                self.properties.insert(id.clone(), block);
            }
        }
    }

    /// The number of units so far.
    pub(super) fn len(&self) -> usize {
        self.properties.len()
    }

    pub(super) fn line(&mut self, tag: &str, rest: &str) -> Option<()> {
        match tag {
            "uptime" => self.uptime = Some(Duration::try_from_secs_f64(rest.parse().ok()?).ok()?),
            "healthy" => {
                self.healthy.insert(rest.to_owned());
            }
            "said" => {
                let (unit, line) = rest.split_once('\t')?;
                self.said.insert(unit.to_owned(), line.to_owned());
            }
            "silent" => {
                self.silent.insert(rest.to_owned());
            }
            "environment" => {
                let (pid, names) = rest.split_once('\t')?;
                let process = self.processes.get_mut(&pid.parse().ok()?)?;
                process.environment = names.split(' ').map(str::to_owned).collect();
            }
            "exe" => {
                self.same.insert(rest.parse().ok()?);
            }
            "process" => {
                let fields: Vec<&str> = rest.splitn(4, '\t').collect();
                let [pid, uid, gid, arguments] = fields[..] else { return None };
                let process = Process {
                    exe: None,
                    arguments: arguments.trim_end().replace('\t', " "),
                    limits: BTreeMap::new(),
                    scant: BTreeSet::new(),
                    environment: BTreeSet::new(),
                    uid: uid.parse().ok()?,
                    gid: gid.parse().ok()?,
                };
                self.processes.insert(pid.parse().ok()?, process);
            }
            "limit" => {
                let fields: Vec<&str> = rest.split('\t').collect();
                let [pid, name, soft, hard] = fields[..] else { return None };
                let process = self.processes.get_mut(&pid.parse().ok()?)?;
                if let Some((_, directive)) = LIMITS.iter().find(|(kernel, _)| *kernel == name) {
                    process.limits.insert((*directive).to_owned(), limit(soft, hard));
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Combines the lines into units, and takes the records of starts out of `texts`.
    pub(super) fn assemble(
        mut self,
        now_ns: Option<i64>,
        program: impl Fn(Daemon) -> Option<Sha256>,
        digests: &BTreeMap<String, Sha256>,
        mut texts: BTreeMap<String, HostText>,
    ) -> (BTreeMap<String, UnitFact>, BTreeMap<String, HostText>) {
        let mut units = BTreeMap::new();
        let most = self.processes.get(&1).map(|manager| manager.limits.clone()).unwrap_or_default();
        for (name, properties) in std::mem::take(&mut self.properties) {
            let mut unit = unit(&properties);
            unit.age = self.age(&properties, unit.started_ns, now_ns);
            unit.started_ns = by_todays_clock(unit.started_ns, unit.age, now_ns);
            let node = Daemon::of_unit(&name);
            unit.process = unit.pid.and_then(|pid| {
                let mut process = self.processes.remove(&pid)?;
                let is_most = |(name, limit): &(&String, &String)| {
                    most.get(*name).is_some_and(|most| hard(most) == hard(limit) && hard(limit) != "infinity")
                };
                process.scant = process.limits.iter().filter(is_most).map(|(name, _)| name.clone()).collect();
                process.exe = if self.same.contains(&pid) {
                    node.as_ref().and_then(|(daemon, _)| program(*daemon))
                } else {
                    digests.get(&format!("/proc/{pid}/exe")).copied()
                };
                Some(process)
            });
            if let (Some((daemon, shape)), Some(invocation)) = (node, &unit.invocation) {
                unit.record = record(daemon, &format!("/run/spore/{shape}/{invocation}"), &mut texts);
            }
            unit.healthy = self.healthy.contains(&name);
            unit.said = self.said.remove(&name);
            unit.silent = self.silent.contains(&name);
            units.insert(name, unit);
        }
        texts.retain(|path, _| !path.starts_with("/run/spore/"));
        (units, texts)
    }

    /// How long ago the unit's main process was started. This is computed by the monotonic
    /// clock, unless the host is a container whose uptime isn't on the clock that systemd
    /// uses.
    fn age(
        &self,
        properties: &BTreeMap<String, String>,
        started_ns: Option<i64>,
        now_ns: Option<i64>,
    ) -> Option<Duration> {
        let started_ns = started_ns?;
        let monotonic = properties.get("ExecMainStartTimestampMonotonic")?.parse().ok()?;
        let by_uptime = self.uptime?.checked_sub(Duration::from_micros(monotonic));
        by_uptime.or_else(|| Some(Duration::from_nanos(now_ns?.checked_sub(started_ns)?.try_into().ok()?)))
    }
}

/// The time of a start by the current clock. If the clock was ahead at the start and has
/// been set back since, the recorded time would seem to be after changes that followed the
/// start.
fn by_todays_clock(started_ns: Option<i64>, age: Option<Duration>, now_ns: Option<i64>) -> Option<i64> {
    /// The clocks aren't read at the same instant.
    const SLACK_NS: i64 = 2_000_000_000;
    let started_ns = started_ns?;
    let by_age = now_ns.zip(age).and_then(|(now, age)| now.checked_sub(i64::try_from(age.as_nanos()).ok()?));
    Some(by_age.filter(|by_age| started_ns.saturating_sub(*by_age) > SLACK_NS).unwrap_or(started_ns))
}

/// The directives with which a process is started, except the command.
fn directives(properties: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut directives = BTreeMap::new();
    for name in ["User", "Group"] {
        if let Some(value) = properties.get(name) {
            directives.insert(name.to_owned(), value.clone());
        }
    }
    for (_, name) in LIMITS {
        if let (Some(hard), Some(soft)) = (properties.get(*name), properties.get(&format!("{name}Soft"))) {
            directives.insert((*name).to_owned(), limit(soft, hard));
        }
    }
    directives
}

fn unit(properties: &BTreeMap<String, String>) -> UnitFact {
    let get = |name: &str| properties.get(name).map_or("", String::as_str);
    let mut directives = directives(properties);
    let command = get("ExecStart").split_once("argv[]=").and_then(|(_, rest)| rest.split_once(" ; "));
    if let Some((arguments, _)) = command {
        directives.insert("ExecStart".to_owned(), arguments.to_owned());
    }
    let result = match get("Result") {
        "success" | "" => String::new(),
        result => format!("{result} {}", get("ExecMainStatus")),
    };
    UnitFact {
        load: get("LoadState").to_owned(),
        active: get("ActiveState").to_owned(),
        sub: get("SubState").to_owned(),
        result,
        enabled: get("UnitFileState").to_owned(),
        invocation: Some(get("InvocationID").to_owned()).filter(|id| !id.is_empty()),
        pid: get("MainPID").parse().ok().filter(|&pid| pid != 0),
        restarts: get("NRestarts").parse().unwrap_or_default(),
        fragment: get("FragmentPath").to_owned(),
        drop_ins: get("DropInPaths").split_whitespace().map(str::to_owned).collect(),
        need_reload: get("NeedDaemonReload") == "yes",
        directives,
        started_ns: timestamp(get("ExecMainStartTimestamp")),
        ..UnitFact::default()
    }
}

/// The record of one start. A record is renamed into place when it is complete; without
/// digests, there is no record.
fn record(daemon: Daemon, directory: &str, texts: &mut BTreeMap<String, HostText>) -> Option<Record> {
    let mut take = |name: &str| texts.remove(&format!("{directory}/{name}"));
    let (config, digests, plugins, unit) =
        (take("config.yaml"), take("digests"), take("plugins"), take("unit"));
    let properties =
        unit.as_ref().map_or("", HostText::expose).lines().filter_map(|line| line.split_once('='));
    let shown = |text: &str| String::from(Printable::line(text));
    let properties = properties.map(|(name, value)| (shown(name), shown(value))).collect();
    Some(Record {
        config,
        digests: sums(digests?.expose(), daemon.config_directory()),
        plugins: plugins.map(|plugins| sums(plugins.expose(), daemon.plugin_directory())),
        directives: directives(&properties),
    })
}

/// Parses the output of `sha256sum` for files in a directory.
fn sums(text: &str, directory: &str) -> BTreeMap<String, Sha256> {
    let sums = text.lines().filter_map(|line| {
        let (sum, path) = line.split_once("  ")?;
        let path = path.strip_prefix("./").unwrap_or(path);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
        Some((Printable::line(&path).into(), sum.parse().ok()?))
    });
    sums.collect()
}

/// The kernel's name of each limit, and the directive that sets it.
const LIMITS: &[(&str, &str)] = &[
    ("Max open files", "LimitNOFILE"),
    ("Max address space", "LimitAS"),
    ("Max resident set", "LimitRSS"),
    ("Max core file size", "LimitCORE"),
];

/// A limit as systemd writes it in directives.
fn limit(soft: &str, hard: &str) -> String {
    let spelled = |limit: &str| if limit == "unlimited" { "infinity".to_owned() } else { limit.to_owned() };
    if soft == hard { spelled(soft) } else { format!("{}:{}", spelled(soft), spelled(hard)) }
}

/// `1024:4096` → `4096`
fn hard(limit: &str) -> &str {
    limit.rsplit_once(':').map_or(limit, |(_, hard)| hard)
}

/// Parses `Sat 2026-11-21 08:05:01.123456 UTC`, in nanoseconds since 1970.
fn timestamp(text: &str) -> Option<i64> {
    let mut words = text.split(' ');
    let (_, date, time, "UTC", None) =
        (words.next()?, words.next()?, words.next()?, words.next()?, words.next())
    else {
        return None;
    };
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':').map(number);
    let (hours, minutes, seconds) = (time.next()??, time.next()??, time.next()??);
    let nanoseconds: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds = ((days(year, month, day) * 24 + hours) * 60 + minutes) * 60 + seconds;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds.into())
}

/// A number in a timestamp. It has 16 bits, so that arithmetic with such numbers can't
/// overflow, whatever the host sends.
fn number(text: &str) -> Option<i64> {
    text.parse::<u16>().ok().map(i64::from)
}

/// The days from 1970 to a day of the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last day of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn a_timestamp_is_nanoseconds_or_nothing() {
        let read = |date: &str, time: &str| timestamp(&format!("Thu {date} {time} UTC"));
        assert_eq!(read("2026-11-26", "12:29:12.5"), Some(1_795_696_152_500_000_000));
        assert_eq!(read("1970-01-01", "00:00:00"), Some(0));
        assert_eq!(read("2000-02-29", "00:00:00"), Some(951_782_400_000_000_000));
        for odd in ["9223372036854775807", "-9223372036854775808", "65536", "-1", "", "é"] {
            for (date, time) in [
                (format!("{odd}-11-26"), "12:29:12".to_owned()),
                (format!("2026-{odd}-26"), "12:29:12".to_owned()),
                (format!("2026-11-{odd}"), "12:29:12".to_owned()),
                ("2026-11-26".to_owned(), format!("{odd}:29:12")),
                ("2026-11-26".to_owned(), format!("12:{odd}:12")),
                ("2026-11-26".to_owned(), format!("12:29:{odd}")),
                ("2026-11-26".to_owned(), format!("12:29:12.é{odd}")),
            ] {
                assert_eq!(read(&date, &time), None, "{date} {time}");
            }
        }
        // The largest and the smallest numbers that are accepted.
        assert_eq!(read("65535-65535-65535", "65535:65535:65535.999999999"), None);
        assert_eq!(read("0-0-0", "0:0:0"), None);
    }
}
