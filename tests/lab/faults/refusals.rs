//! Errors on a host. Each is reported, nothing that worked before stops working, and once
//! the error is fixed, the next apply reaches the planned state.

use std::{path::Path, process::Command, time::Duration};

use super::bench::{Bench, TIME_OUTS, another_tau, converges, members_shape, settled, wipe};
use super::controller::Controller;
use super::table::Came;
use super::trip::{Side, Trip};
use crate::alive::{hold, let_go};
use crate::host::{LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::start;

const FAULT: &str = "host error";

const SOON: Duration = Duration::from_secs(20);

/// Runs the script `wrong`, which breaks something, after the plan was made and while the
/// lock is being taken.
fn meanwhile(network: &Network, host: &LabHost, wrong: &str) -> Run {
    let trip = Trip::lay(host, "mktemp", "*spore-beat*", Side::Before);
    let controller = Controller::apply(network, &[]);
    trip.wait();
    host.sh(wrong);
    trip.go();
    controller.end()
}

pub(crate) fn disk(bench: &mut Bench<'_>) {
    let small = Suite::Bookworm.machine().disk("128M");
    let [host, link] = &bench.lab.up([("host", small), ("link", Suite::Trixie.machine())]);
    let network = bench.network(&[host], &[]);
    let fill = "rm -f /var/tmp/filler; ! dd if=/dev/zero of=/var/tmp/filler bs=64k 2>/dev/null";

    bench.begin(FAULT, "disk full before the plan");
    host.sh(fill);
    network.plan(&[]).exits(3).says_in_one_line(&[
        host.name(),
        "not planned",
        "not enough disk space",
        "free some space",
    ]);
    host.sh("rm /var/tmp/filler");
    converges(&network, &[host]);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "disk full in the middle of the binary");
    wipe(&[host]);
    let run = meanwhile(&network, host, &format!("{fill}; truncate -s -3M /var/tmp/filler"));
    run.exits(1).says_in_one_line(&[host.name(), "stage /tb/bin/tau"]).says("No space left on device");
    assert!(host.sh("find /tb -name '.spore-*'").is_empty(), "partial files are removed");
    host.sh("rm /var/tmp/filler");
    converges(&network, &[host]);
    bench.came(Came::ClearError);

    for (situation, wrong, after, before, right) in [
        (
            "/tb read-only",
            "mkdir -p /tb; mount -t tmpfs -o ro,mode=755 tmpfs /tb",
            &["create /tb/bin", "Read-only file system"][..],
            &["create /tb/bin", "Read-only file system"][..],
            "umount /tb; rmdir /tb",
        ),
        (
            "no inodes",
            "mkdir -p /tb; mount -t tmpfs -o nr_inodes=12,mode=755 tmpfs /tb",
            &["stage /tb/", "No space left on device"],
            &["stage /tb/", "No space left on device"],
            "umount /tb; rmdir /tb",
        ),
        (
            "/tb is a file",
            "rm -rf /tb; echo mine >/tb",
            &["/tb (expected nothing, found a file"],
            &["not planned", "/tb/ is not a directory"],
            "rm /tb",
        ),
    ] {
        for planned in bench.some(vec![false, true], 1) {
            let since = if planned { "before the plan" } else { "after the plan" };
            bench.begin(FAULT, &format!("{situation}, {since}"));
            wipe(&[host]);
            let (run, said) = if planned {
                host.sh(wrong);
                (network.apply(&[]), before)
            } else {
                (meanwhile(&network, host, wrong), after)
            };
            run.exits(1).says_in_one_line(&[&[host.name()], said].concat());
            host.sh(right);
            converges(&network, &[host]);
            bench.came(Came::ClearError);
        }
    }

    bench.begin(FAULT, "/tb is a link to another disk, which is allowed");
    let mut network = bench.network(&[link], &[]);
    link.sh("mkdir /srv/disk; mount -t tmpfs -o mode=755 disk /srv/disk; mkdir -m 755 /srv/disk/tb; ln -s /srv/disk/tb /tb");
    network.apply(&[]).exits(0);
    settled(&network, &[link]);
    assert_eq!(link.sh("readlink /tb"), "/srv/disk/tb\n");
    bench.came(Came::Through);

    bench.begin(FAULT, "an immutable file");
    wipe(&[link]);
    network.apply(&[]).exits(0);
    network.shape("elders", Shape::new(4342));
    let config = link.disk().join("tb/config/elders.yaml");
    if chattr("+i", &config) {
        let pid = start("elders", link);
        let run = network.apply(&[]);
        chattr("-i", &config);
        run.exits(1)
            .says_in_one_line(&[link.name(), "/tb/config/elders.yaml"])
            .says("Operation not permitted");
        assert_eq!(start("elders", link), pid);
        converges(&network, &[link]);
        bench.came(Came::ClearError);
    }
}

/// Sets a file attribute. Returns false if the file system doesn't support it.
fn chattr(flag: &str, file: &Path) -> bool {
    Command::new("chattr").arg(flag).arg(file).status().is_ok_and(|status| status.success())
}

pub(crate) fn services(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up_many(3, &Suite::Bookworm.machine());
    let [elder, first, second] = &hosts[..] else { panic!("three hosts") };
    let all: Vec<&LabHost> = hosts.iter().collect();
    let mut network = bench.network(&[elder], &[first, second]);
    network.apply(&[]).exits(0);

    bench.begin(FAULT, "port taken by another process");
    network.shape("all", members_shape(5342));
    hold(first, "STREAM", "0.0.0.0", 5342);
    let before = start("all", first);
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&[first.name(), "not planned", "needs port 5342/tcp, but perl (process "]);
    assert_eq!(start("all", first), before, "the node is left alone");
    let_go(first);
    converges(&network, &all);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "a masked unit");
    first.sh("systemctl stop tau@all; systemctl mask --runtime tau@all");
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&[first.name(), "masked"]);
    first.sh("systemctl unmask --runtime tau@all");
    converges(&network, &all);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "systemctl hangs");
    network.pin(&another_tau(&network, "hangs"));
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},action=4,stop=4,start=4"));
    let trip = Trip::lay(first, "systemctl", "*restart\\ --\\ tau@all*", Side::Before);
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&[first.name(), "restart tau@all.service"]).says("took more than 4 s");
    drop(trip);
    network.set("SPORE_TIMEOUT", TIME_OUTS);
    converges(&network, &all);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "systemctl hangs, seen by the plan");
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},answer=5"));
    let trip = Trip::lay(first, "systemctl", "*", Side::Before);
    let plan = network.plan(&[]).exits(3);
    plan.says_in_one_line(&[first.name(), "not planned", "collecting facts"]);
    drop(trip);
    network.set("SPORE_TIMEOUT", TIME_OUTS);
    converges(&network, &all);
    bench.came(Came::ClearError);
}

/// Nodes that fail to start or stop.
pub(crate) fn nodes(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up_many(3, &Suite::Trixie.machine());
    let [elder, first, second] = &hosts[..] else { panic!("three hosts") };
    let all: Vec<&LabHost> = hosts.iter().collect();
    let mut network = bench.network(&[elder], &[first, second]);
    network.apply(&[]).exits(0);

    bench.begin(FAULT, "a node that exits 3 s after its start");
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},settle=5"));
    network.pin(&another_tau(&network, "dies"));
    let other = start("all", second);
    first.sh("echo die-after 3 >/tb/config/all.fault");
    let run = network.apply(&[]).exits(1).says("dying, as the fault file says");
    run.says_in_one_line(&["failed", first.name(), "restart tau@all.service", "not healthy"]);
    assert_eq!(start("all", second), other, "the next wave isn't started");
    first.sh("rm /tb/config/all.fault");
    converges(&network, &all);
    network.set("SPORE_TIMEOUT", TIME_OUTS);
    bench.came(Came::ClearError);

    bench.begin(FAULT, "an old node that takes long to stop, within the time-out");
    let stubborn = "echo ignore-sigterm >/tb/config/all.fault; systemctl restart tau@all";
    let healthy = || {
        first.try_sh("journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID tau@all) | grep -q 'started! with id'").is_ok()
    };
    first.sh(stubborn);
    wait_until(SOON, "it has started", healthy);
    first.sh("rm /tb/config/all.fault");
    network.pin(&another_tau(&network, "patient"));
    network.apply(&[]).exits(0);
    settled(&network, &all);
    bench.came(Came::Through);

    bench.begin(FAULT, "an old node that doesn't stop within the time-out");
    first.sh(stubborn);
    wait_until(SOON, "it has started", healthy);
    first.sh("rm /tb/config/all.fault");
    network.pin(&another_tau(&network, "impatient"));
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},stop=3"));
    let other = start("all", second);
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&["failed", first.name(), "systemctl restart took more than 3 s"]);
    assert_eq!(start("all", second), other, "the next wave isn't started");
    network.set("SPORE_TIMEOUT", TIME_OUTS);
    converges(&network, &all);
    bench.came(Came::ClearError);
}

/// Failures of sudo, apt and dpkg.
pub(crate) fn programs(bench: &mut Bench<'_>) {
    let [host] = &bench.lab.up([("host", Suite::Bookworm.machine())]);
    let mut network = bench.network(&[host], &[]);
    network.log_in_as(host, "word");

    bench.begin(FAULT, "sudo asks for a password");
    host.sh("sed -i /^word/d /etc/sudoers.d/lab; usermod -aG sudo word");
    let plan = network.plan(&[]).exits(3);
    plan.says_in_one_line(&[
        host.name(),
        "not planned",
        "no password-less sudo",
        "a password is required",
        "NOPASSWD",
    ]);
    host.sh("echo 'word ALL=(ALL:ALL) NOPASSWD:ALL' >>/etc/sudoers.d/lab");
    converges(&network, &[host]);
    bench.came(Came::ClearError);

    let slow = "printf '#!/bin/sh\\nsleep 20\\nexec /usr/bin/sudo \"$@\"\\n' >/usr/local/bin/sudo; chmod 755 /usr/local/bin/sudo";
    bench.begin(FAULT, "sudo takes 20 s, longer than the time-out");
    host.sh(slow);
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},ready=4"));
    network.plan(&[]).exits(3).says_in_one_line(&[
        host.name(),
        "not planned",
        "no answer within 4 s while starting a shell",
    ]);
    bench.came(Came::ClearError);
    bench.begin(FAULT, "sudo takes 20 s");
    network.set("SPORE_TIMEOUT", TIME_OUTS);
    wipe(&[host]);
    network.apply(&[]).exits(0);
    host.sh("rm /usr/local/bin/sudo");
    settled(&network, &[host]);
    bench.came(Came::Through);

    network.shape("build", Shape::new(5242).services(&["monkey"]));
    network.node("build", host);
    // Lock the file in the same way as apt and dpkg, with a process that has another name
    // than they have.
    let lock = "cat >/root/hold <<'END'
my $lock = pack('s s x4 l! l! i x4', 1, 0, 0, 0, 0);
open(my $file, '>>', '/var/lib/dpkg/lock-frontend') or die;
fcntl($file, 6, $lock) or die;
open(my $said, '>', '/run/held') or die;
sleep 1000;
END
        systemd-run --quiet --unit=other-apt perl /root/hold";
    let held = || host.try_sh("[ -e /run/held ]").is_ok();
    bench.begin(FAULT, "dpkg's lock held by another process");
    host.sh(lock);
    wait_until(SOON, "another holds the lock", held);
    network.set("SPORE_TIMEOUT", &format!("{TIME_OUTS},install=6"));
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&["failed", host.name(), "install docker.io"]).says("/var/lib/dpkg/lock-frontend");
    bench.came(Came::ClearError);

    bench.begin(FAULT, "dpkg's lock held by another process for a while");
    network.set("SPORE_TIMEOUT", TIME_OUTS);
    let trip = Trip::lay(host, "apt-get", "*install*", Side::Before);
    let controller = Controller::apply(&network, &[]);
    trip.wait();
    trip.go();
    wait_until(SOON, "apt waits", || host.try_sh("pgrep -x apt-get").is_ok());
    host.sh("systemctl stop other-apt");
    controller.end().exits(0);
    drop(trip);
    settled(&network, &[host]);
    bench.came(Came::Through);

    bench.begin(FAULT, "apt fails");
    host.sh("apt-get -qq purge -y docker.io >/dev/null 2>&1; mv /srv/repo/docker.io.deb /srv/");
    let run = network.apply(&[]).exits(1);
    run.says_in_one_line(&["failed", host.name(), "install docker.io"]).says("docker.io.deb");
    host.sh("mv /srv/docker.io.deb /srv/repo/");
    converges(&network, &[host]);
    bench.came(Came::ClearError);
}
