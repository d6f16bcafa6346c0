//! The context of the cases: networks with all kinds of secrets and with short time-outs,
//! and the checks after every fault.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::random::Random;
use super::secrets;
use super::table::{Came, Table};
use crate::binary;
use crate::host::{Lab, LabHost, wait_until};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::each;

/// Waits for a lock for longer than a host keeps the lock of a lost controller: see
/// [`TIME_OUTS`].
pub(crate) const LOCK_WAIT: [&str; 2] = ["--lock-wait", "60"];

/// The time-outs of all cases that don't set others.
pub(crate) const TIME_OUTS: &str = "settle=1,let-go=4,beat=0.3,keepalive=2,connect=5";

/// The context of one case.
pub(crate) struct Bench<'a> {
    pub(crate) lab: Lab,
    pub(crate) random: Random,
    pub(crate) short: bool,
    table: &'a Mutex<Table>,
    fault: String,
    situation: String,
    begun: Instant,
}

/// The state of a host: all files that spore may write, with owner, mode and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture(BTreeSet<String>);

impl<'a> Bench<'a> {
    pub(crate) fn new(lab: Lab, random: Random, short: bool, table: &'a Mutex<Table>) -> Self {
        let (fault, situation) = (String::new(), String::new());
        Self { lab, random, short, table, fault, situation, begun: Instant::now() }
    }

    /// The current fault and situation, for error messages.
    pub(crate) fn doing(&self) -> String {
        format!("{}, {}", self.fault, self.situation)
    }

    /// Begins a fault.
    pub(crate) fn begin(&mut self, fault: &str, situation: &str) {
        (self.fault, self.situation) = (fault.to_owned(), situation.to_owned());
        self.begun = Instant::now();
    }

    /// Renames the current fault, now that more is known about it.
    pub(crate) fn rename(&mut self, fault: &str, situation: &str) {
        (self.fault, self.situation) = (fault.to_owned(), situation.to_owned());
    }

    /// Records how the current fault ended.
    pub(crate) fn came(&mut self, came: Came) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.row(&self.fault, &self.situation, came, self.begun.elapsed());
    }

    /// Whether `--short` leaves out this case, because it takes minutes. `tests/run` lists it
    /// as not run.
    pub(crate) fn leaves_out(&self, case: &str) -> bool {
        if self.short {
            println!("skipped: {case}: takes minutes; tests/faults without --short runs it");
        }
        self.short
    }

    /// With `--short`, a random selection of `short` items, otherwise all.
    pub(crate) fn some<T>(&mut self, items: Vec<T>, short: usize) -> Vec<T> {
        if self.short { self.random.some(items, short) } else { items }
    }

    /// A network with all kinds of secrets, elders, and members that run services.
    pub(crate) fn network(&self, elders: &[&LabHost], members: &[&LabHost]) -> Network {
        let mut network = Network::new(&self.lab, binary::stand_in());
        network.shape("elders", Shape::new(4242));
        network.shape("all", members_shape(5242));
        elders.iter().for_each(|host| network.elder("elders", host));
        members.iter().for_each(|host| network.node("all", host));
        network.plant_secrets();
        network.set("SPORE_TIMEOUT", TIME_OUTS);
        secrets::look_for(&network);
        network
    }
}

/// The members' shape: its services read secrets of the folder.
pub(crate) fn members_shape(main: u16) -> Shape {
    Shape::new(main).services(&["tns", "auth"])
}

/// A binary to update to.
pub(crate) fn another_tau(network: &Network, mark: &str) -> PathBuf {
    binary::another(binary::stand_in(), mark, network.home())
}

/// Plans, applies again, and makes all checks.
#[track_caller]
pub(crate) fn converges(network: &Network, hosts: &[&LabHost]) -> Run {
    converges_with(network, hosts, &[])
}

/// Like [`converges`], with options for the apply.
#[track_caller]
pub(crate) fn converges_with(network: &Network, hosts: &[&LabHost], options: &[&str]) -> Run {
    let plan = network.plan(&[]);
    assert!(matches!(plan.code(), Some(0 | 2)), "{plan}");
    let run = network.apply(&[&LOCK_WAIT, options].concat()).exits(0);
    settled(network, hosts);
    run
}

/// Asserts that no receipt that counts says something that isn't true. Nothing but spore has
/// changed the hosts.
#[track_caller]
pub(crate) fn no_receipt_is_ahead(network: &Network) {
    let verify = network.spore(&["verify"]);
    assert!(matches!(verify.code(), Some(0 | 3)), "{verify}");
}

/// Asserts that the plan is empty, that the receipts are true, and that no temporary files are
/// left.
#[track_caller]
pub(crate) fn settled(network: &Network, hosts: &[&LabHost]) {
    network.is_in_place(&[]);
    network.spore(&["verify"]).exits(0);
    each(hosts, |host| sound(network, host));
    assert_eq!(left_here(network), Vec::<PathBuf>::new(), "temporary files of spore's own");
    secrets::searched(network, hosts);
}

/// Asserts that each node runs with the files on the disk, and that neither temporary files
/// nor a lock are left.
#[track_caller]
fn sound(network: &Network, host: &LabHost) {
    host.sh(
        "for unit in $(systemctl list-units --all --plain --no-legend 'tau@*' | cut -d' ' -f1); do
            pid=$(systemctl show -P MainPID $unit)
            shape=${unit#tau@}; shape=${shape%.service}
            [ $pid != 0 ] || { echo \"$unit does not run\" >&2; exit 1; }
            [ /proc/$pid/exe -ef /tb/bin/tau ] || { echo \"$unit runs $(readlink /proc/$pid/exe)\" >&2; exit 1; }
            [ $(systemctl show -P NeedDaemonReload $unit) = no ] || { echo \"$unit wants a reload\" >&2; exit 1; }
            (cd /tb/config && sha256sum --quiet --ignore-missing -c /run/spore/$shape/$(systemctl show -P InvocationID $unit)/digests >&2) ||
                { ls -lR /run/spore; systemctl cat $unit; journalctl -q --no-pager -o short-monotonic -n 40 -u $unit; exit 1; } >&2
        done",
    );
    let free = "[ ! -e /run/spore/.holder ]; [ ! -e /run/spore/.lock ] || flock -n /run/spore/.lock true";
    wait_until(Duration::from_secs(20), "the host is unlocked", || host.try_sh(free).is_ok());
    // The real tau creates /tmp/wazy… at each start and doesn't remove it.
    let left = host.sh("find /tb /etc /var /root /home /usr/local /run /tmp -xdev \\
            \\( -name '.spore-*' -o -name 'spore-*' -o -name '*.part' \\) ! -path '/run/systemd/*'
        find /tmp -mindepth 1 ! -path '/tmp/systemd-*' ! -name '.*-unix' ! -path '/tmp/wazy*'
        [ ! -e /run/spore/.verify ] || echo /run/spore/.verify");
    assert_eq!(left, "", "left on {} by {}", host.name(), network.home().display());
}

/// The temporary files that spore left on this machine.
fn left_here(network: &Network) -> Vec<PathBuf> {
    let entries = fs::read_dir(network.home().join("tmp")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The current state of a host.
pub(crate) fn picture(host: &LabHost) -> Picture {
    let lines = host.sh(
        "for path in /tb /etc/systemd/system /etc/systemd/resolved.conf.d /etc/resolv.conf* /etc/ufw; do
            [ ! -e $path ] || find $path -path '/tb/storage/*' -prune -o -path '/tb/cache/*' -prune \
                -o -path '/tb/logs/*' -prune -o -name '*.fault' -prune -o -printf '%p %y %m %u:%g %l\\n'
        done
        [ ! -e /tb ] || find -L /tb -path '/tb/storage/*' -prune -o -path '/tb/cache/*' -prune \
            -o -path '/tb/logs/*' -prune -o -name '*.fault' -prune -o -name receipt.json -prune \
            -o -type f -exec sha256sum {} +
        find /etc/systemd/system/tau@* /etc/systemd/resolved.conf.d /etc/ufw/user*.rules -type f \
            -exec sha256sum {} + 2>/dev/null || true
        dpkg-query -W -f '${Package} ${db:Status-Status}\\n' docker.io 2>/dev/null || true",
    );
    Picture(lines.lines().map(str::to_owned).collect())
}

/// The current states of these hosts.
pub(crate) fn pictures(hosts: &[&LabHost]) -> Vec<Picture> {
    each(hosts, picture)
}

impl Picture {
    /// Asserts that the host is in this state.
    #[track_caller]
    pub(crate) fn is_of(&self, host: &LabHost) {
        let now = picture(host);
        let gone: Vec<_> = self.0.difference(&now.0).collect();
        let new: Vec<_> = now.0.difference(&self.0).collect();
        assert!(
            *self == now,
            "{} differs from the expected state:\nmissing {gone:#?}\nunexpected {new:#?}",
            host.name()
        );
    }
}

/// Asserts that the hosts are in these states.
#[track_caller]
pub(crate) fn look_like(hosts: &[&LabHost], pictures: &[Picture]) {
    hosts.iter().zip(pictures).for_each(|(host, picture)| picture.is_of(host));
}

/// The number of starts of nodes on a host since it booted.
pub(crate) fn starts(host: &LabHost) -> usize {
    let said = host.sh("journalctl -q --no-pager -o cat -u 'tau@*' | grep -c 'started! with id' || true");
    said.trim().parse().unwrap_or_default()
}

/// Removes everything that spore or upstream's tool may have installed.
pub(crate) fn wipe(hosts: &[&LabHost]) {
    each(hosts, |host| {
        host.sh(
            "units=$(systemctl list-units --all --plain --no-legend 'tau@*' | cut -d' ' -f1)
            [ -z \"$units\" ] || systemctl stop $units
            systemctl reset-failed
            umount -q /tb || true
            chattr -R -i /tb 2>/dev/null || true
            rm -rf /tb /etc/systemd/system/tau@* /etc/systemd/system/multi-user.target.wants/tau@* /run/spore /var/lib/spore
            systemctl daemon-reload",
        )
    });
}
