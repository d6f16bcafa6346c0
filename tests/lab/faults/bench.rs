//! What every case works with: hosts' networks with secrets of every kind and
//! short time-outs, and what is looked at after every fault.

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
use crate::host::{Host, Lab, wait_until};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::each;

/// Longer than any host is held by somebody who is gone: see [`TIME_OUTS`].
pub(crate) const LOCK_WAIT: [&str; 2] = ["--lock-wait", "60"];

/// What is said of time-outs where a case doesn't say more.
pub(crate) const TIME_OUTS: &str = "settle=1,let-go=4,beat=0.3,keepalive=2,connect=5";

/// A case's own part of the harness.
pub(crate) struct Bench<'a> {
    pub(crate) lab: Lab,
    pub(crate) random: Random,
    pub(crate) short: bool,
    table: &'a Mutex<Table>,
    fault: String,
    situation: String,
    begun: Instant,
}

/// What is on a host once all is in place: all that spore may write, with
/// owner, mode and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture(BTreeSet<String>);

impl<'a> Bench<'a> {
    pub(crate) fn new(lab: Lab, random: Random, short: bool, table: &'a Mutex<Table>) -> Self {
        let (fault, situation) = (String::new(), String::new());
        Self { lab, random, short, table, fault, situation, begun: Instant::now() }
    }

    /// Of what it is at, for a report of what went wrong.
    pub(crate) fn doing(&self) -> String {
        format!("{}, {}", self.fault, self.situation)
    }

    /// A fault begins.
    pub(crate) fn begin(&mut self, fault: &str, situation: &str) {
        (self.fault, self.situation) = (fault.to_owned(), situation.to_owned());
        self.begun = Instant::now();
    }

    /// The same one has another name, now that more is known of it.
    pub(crate) fn rename(&mut self, fault: &str, situation: &str) {
        (self.fault, self.situation) = (fault.to_owned(), situation.to_owned());
    }

    /// It ended as it should.
    pub(crate) fn came(&mut self, came: Came) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.row(&self.fault, &self.situation, came, self.begun.elapsed());
    }

    /// So many of them when there is little time, and all when there is.
    pub(crate) fn some<T>(&mut self, items: Vec<T>, short: usize) -> Vec<T> {
        if self.short { self.random.some(items, short) } else { items }
    }

    /// A network with every kind of secret: the elders dial each other, and the
    /// members, which run services, dial them.
    pub(crate) fn network(&self, elders: &[&Host], members: &[&Host]) -> Network {
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

/// What members run: services that read secrets of the folder.
pub(crate) fn members_shape(main: u16) -> Shape {
    Shape::new(main).services(&["tns", "auth"])
}

/// Another binary to update to.
pub(crate) fn another_tau(network: &Network, mark: &str) -> PathBuf {
    binary::another(binary::stand_in(), mark, network.home())
}

/// Applies once more, after a plan, and looks at everything.
#[track_caller]
pub(crate) fn converges(network: &Network, hosts: &[&Host]) -> Run {
    converges_with(network, hosts, &[])
}

/// The same, where the apply is to be told more.
#[track_caller]
pub(crate) fn converges_with(network: &Network, hosts: &[&Host], options: &[&str]) -> Run {
    let plan = network.plan(&[]);
    assert!(matches!(plan.code(), Some(0 | 2)), "{plan}");
    let run = network.apply(&[&LOCK_WAIT, options].concat()).exits(0);
    settled(network, hosts);
    run
}

/// Nothing is left to do, and nothing is left lying about.
#[track_caller]
pub(crate) fn settled(network: &Network, hosts: &[&Host]) {
    network.is_in_place(&[]);
    each(hosts, |host| sound(network, host));
    assert_eq!(left_here(network), Vec::<PathBuf>::new(), "temporary files of spore's own");
    secrets::searched(network, hosts);
}

/// Each node runs with what is on the disk; nothing temporary is left, and no
/// lock is held.
#[track_caller]
fn sound(network: &Network, host: &Host) {
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
    wait_until(Duration::from_secs(20), "nobody holds the host", || host.try_sh(free).is_ok());
    // The real tau leaves /tmp/wazy… at each start: its own, not ours.
    let left = host.sh("find /tb /etc /var /root /home /usr/local /run /tmp -xdev \\
            \\( -name '.spore-*' -o -name 'spore-*' -o -name '*.part' \\) ! -path '/run/systemd/*'
        find /tmp -mindepth 1 ! -path '/tmp/systemd-*' ! -name '.*-unix' ! -path '/tmp/wazy*'
        [ ! -e /run/spore/.verify ] || echo /run/spore/.verify");
    assert_eq!(left, "", "left on {} by {}", host.name(), network.home().display());
}

/// What spore left where temporary files go here.
fn left_here(network: &Network) -> Vec<PathBuf> {
    let entries = fs::read_dir(network.home().join("tmp")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What is on a host now.
pub(crate) fn picture(host: &Host) -> Picture {
    let lines = host.sh(
        "for path in /tb /etc/systemd/system /etc/systemd/resolved.conf.d /etc/resolv.conf* /etc/ufw; do
            [ ! -e $path ] || find $path -path '/tb/storage/*' -prune -o -path '/tb/cache/*' -prune \
                -o -path '/tb/logs/*' -prune -o -name '*.fault' -prune -o -printf '%p %y %m %u:%g %l\\n'
        done
        [ ! -e /tb ] || find -L /tb -path '/tb/storage/*' -prune -o -path '/tb/cache/*' -prune \
            -o -path '/tb/logs/*' -prune -o -name '*.fault' -prune -o -type f -exec sha256sum {} +
        find /etc/systemd/system/tau@* /etc/systemd/resolved.conf.d /etc/ufw/user*.rules -type f \
            -exec sha256sum {} + 2>/dev/null || true
        dpkg-query -W -f '${Package} ${db:Status-Status}\\n' docker.io 2>/dev/null || true",
    );
    Picture(lines.lines().map(str::to_owned).collect())
}

/// What is on these hosts now.
pub(crate) fn pictures(hosts: &[&Host]) -> Vec<Picture> {
    each(hosts, picture)
}

impl Picture {
    /// The host looks like that.
    #[track_caller]
    pub(crate) fn is_of(&self, host: &Host) {
        let now = picture(host);
        let gone: Vec<_> = self.0.difference(&now.0).collect();
        let new: Vec<_> = now.0.difference(&self.0).collect();
        assert!(
            *self == now,
            "{} is not as it should be:\nmissing {gone:#?}\ntoo much {new:#?}",
            host.name()
        );
    }
}

/// The hosts look like that.
#[track_caller]
pub(crate) fn look_like(hosts: &[&Host], pictures: &[Picture]) {
    hosts.iter().zip(pictures).for_each(|(host, picture)| picture.is_of(host));
}

/// How often nodes of a host have started since it booted.
pub(crate) fn starts(host: &Host) -> usize {
    let said = host.sh("journalctl -q --no-pager -o cat -u 'tau@*' | grep -c 'started! with id' || true");
    said.trim().parse().unwrap_or_default()
}

/// As if nobody had ever been there.
pub(crate) fn wipe(hosts: &[&Host]) {
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
