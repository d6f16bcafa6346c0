//! The state of hosts and nodes, for assertions.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    thread,
    time::Duration,
};

use crate::host::{LabHost, wait_until};

/// The time-out for nodes to connect to each other.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// Everything on a host that must stay the same if nothing is to be changed: the inode,
/// times, mode and owner of the unit, its links, and every file below `/tb` (except for the
/// nodes' data), and every node's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Still(BTreeSet<String>);

/// One start of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) pid: u32,
    /// When it was started, in microseconds of the monotonic clock, which all hosts share.
    pub(crate) at: u64,
}

/// The current state of a host.
pub(crate) fn still(host: &LabHost) -> Still {
    let lines = host.sh(
        "for path in /tb /etc/systemd/system /etc/systemd/resolved.conf.d /etc/ufw /var/lib/spore; do
            [ ! -e $path ] || find $path -path '/tb/storage/*' -prune -o -path '/tb/cache/*' -prune \
                -o -path '/tb/logs/*' -prune -o -path '/tb/.spore' -prune -o -printf '%p %i %T@ %C@ %m %u:%g %s %l\\n'
        done
        systemctl list-units --all --plain --no-legend 'tau@*' | while read -r unit rest; do
            systemctl show -p Id,MainPID,InvocationID,ActiveState,UnitFileState $unit | tr '\\n' ' '
            echo
        done",
    );
    Still(lines.lines().map(str::to_owned).collect())
}

impl Still {
    /// Asserts that the host is unchanged; the message names the differences.
    #[track_caller]
    pub(crate) fn holds(&self, host: &LabHost) {
        let now = still(host);
        let gone: Vec<_> = self.0.difference(&now.0).collect();
        let new: Vec<_> = now.0.difference(&self.0).collect();
        assert!(*self == now, "{} has changed:\nwas {gone:#?}\nis {new:#?}", host.name());
    }

    /// Like [`Still::holds`], but ignores everything below `path`.
    #[track_caller]
    pub(crate) fn holds_but_for(&self, host: &LabHost, path: &str) {
        let rest = |still: &Self| -> BTreeSet<String> {
            still.0.iter().filter(|line| !line.starts_with(path)).cloned().collect()
        };
        assert_eq!(rest(self), rest(&still(host)), "{} was touched", host.name());
    }
}

/// The current states of these hosts.
pub(crate) fn all_still(hosts: &[&LabHost]) -> Vec<Still> {
    each(hosts, still)
}

/// Calls a function for each host in parallel.
pub(crate) fn each<T: Send>(hosts: &[&LabHost], ask: impl Fn(&LabHost) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let asked: Vec<_> = hosts.iter().map(|host| scope.spawn(|| ask(host))).collect();
        let answer = |asked: thread::ScopedJoinHandle<'_, T>| match asked.join() {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        asked.into_iter().map(answer).collect()
    })
}

/// The current start of a node, which must be running.
#[track_caller]
pub(crate) fn start(shape: &str, host: &LabHost) -> Start {
    let unit = format!("tau@{shape}.service");
    let answer = host.sh(&format!(
        "systemctl is-active --quiet '{unit}' || systemctl status '{unit}' >&2
        systemctl show -P MainPID -P ExecMainStartTimestampMonotonic '{unit}'"
    ));
    let numbers: Vec<u64> = answer.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [pid, at] = numbers[..] else { panic!("{unit} on {}: {answer}", host.name()) };
    assert!(pid != 0, "{unit} on {} doesn't run", host.name());
    Start { pid: u32::try_from(pid).unwrap_or_default(), at }
}

/// The starts of a shape's nodes on these hosts.
pub(crate) fn starts(shape: &str, hosts: &[&LabHost]) -> Vec<Start> {
    each(hosts, |host| start(shape, host))
}

/// When a node reported that it had started, by the clock of [`Start::at`].
#[track_caller]
pub(crate) fn healthy_at(shape: &str, host: &LabHost) -> u64 {
    let unit = format!("tau@{shape}.service");
    let line = host.sh(&format!(
        "journalctl -q -o json _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID '{unit}') |
            grep -m1 'started! with id'"
    ));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    let at = line.get("__MONOTONIC_TIMESTAMP").and_then(|at| at.as_str()?.parse().ok());
    at.unwrap_or_else(|| panic!("{unit} on {} hasn't said that it started: {line}", host.name()))
}

/// Asserts that each of `nodes` is connected to each of `elders`, except to itself, on this
/// port.
#[track_caller]
pub(crate) fn meshed(nodes: &[&LabHost], elders: &[&LabHost], port: u16) {
    let wanted: BTreeSet<IpAddr> = elders.iter().map(|host| host.addr()).collect();
    let mut missing = BTreeMap::new();
    let complete = || {
        missing = each(nodes, |host| {
            let mut wanted = wanted.clone();
            wanted.remove(&host.addr());
            let peers = host.peers_connected(port);
            (host.name().to_owned(), wanted.difference(&peers).copied().collect::<Vec<_>>())
        })
        .into_iter()
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
        missing.is_empty()
    };
    let within = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until(SOON, "all are connected to every elder", complete);
    }));
    assert!(within.is_ok(), "after {SOON:?}, not connected on {port}: {missing:?}");
}
