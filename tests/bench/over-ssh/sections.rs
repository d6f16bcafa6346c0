//! What is measured: one function for each section of the report.

use crate::binary;
use crate::field::{Field, Timeline};
use crate::host::Lab;
use crate::http::{Answer, Server};
use crate::link::{HERE, Link, Shape};
use crate::measure::{self, median, side_by_side};
use crate::report::Report;
use spore_drive::resource::Sha256;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

type Section = fn(&Lab, &mut Report);

/// The sections, by name.
pub(crate) const ALL: &[(&str, Section)] = &[
    ("probe", probe),
    ("delay", delay),
    ("upload", upload),
    ("first", first),
    ("fifty", fifty),
    ("uplink", uplink),
];

/// How often each tool runs.
const TIMES: usize = 5;

/// 50 hosts on which there is nothing to do.
fn probe(lab: &Lab, report: &mut Report) {
    let tau = binary::stand_in();
    let field = Field::new(lab, 50, tau, None);
    field.spore(&["apply", "--yes"]);
    let script = field.probe(tau);
    let hosts: Vec<String> = field.reached().collect();
    let venv = std::env::var_os("SPORE_BENCH_VENV").map(PathBuf::from);
    let other = |name: &str, arguments: &dyn Fn(&mut Command)| -> f64 {
        let Some(venv) = &venv else { return f64::NAN };
        let mut command = Command::new(venv.join("bin").join(name));
        command.env("HOME", field.network.home()).env("ANSIBLE_HOST_KEY_CHECKING", "False");
        command.env("ANSIBLE_FORKS", "50").env("ANSIBLE_LOCALHOST_WARNING", "False");
        arguments(&mut command);
        measure::run(&mut command, &[0]).0.wall
    };
    let key = field.key().display().to_string();
    let text = fs::read_to_string(&script).unwrap_or_else(|error| panic!("{error}"));
    let [spore, bare, ssh, pyinfra, ansible] = side_by_side(
        TIMES,
        [
            &mut || field.spore(&["plan"]).wall,
            &mut || {
                let this = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
                let mut bare = Command::new(this);
                bare.arg("--bare").arg(&key).arg(&script).args(&hosts);
                measure::run(&mut bare, &[0]).0.wall
            },
            &mut || field.by_ssh(&format!("{{}} sh <{}", script.display())).wall,
            &mut || {
                let list = field.inventory(|address, port| format!("('{address}', {{'ssh_port': {port}}}),"));
                let python = list.with_extension("py");
                let lines = fs::read_to_string(&list).unwrap_or_default();
                fs::write(&python, format!("hosts = [{lines}]\n")).unwrap_or_else(|error| panic!("{error}"));
                other("pyinfra", &|command| {
                    command.args(["-y", "--parallel", "50", "--user", "root", "--key", &key]);
                    command.args(["--data", "ssh_strict_host_key_checking=no"]);
                    command.arg(&python).args(["exec", "--"]).arg(&text);
                })
            },
            &mut || {
                let line =
                    |address: &str, port: u16| format!("{address} ansible_port={port} ansible_user=root");
                let list = field.inventory(line);
                other("ansible", &|command| {
                    command.args(["all", "-m", "setup", "--private-key", &key, "-i"]).arg(&list);
                })
            },
        ],
    );
    report.compare(
        "50 hosts, nothing to do",
        &[
            ("`spore plan`", spore),
            ("bare russh: connect, log in, run the same script", bare),
            ("`xargs -P50 ssh`, the same script", ssh),
            ("pyinfra, the same script", pyinfra),
            ("Ansible, `setup`", ansible),
        ],
    );
}

/// One host behind a round trip of 50 ms.
fn delay(lab: &Lab, report: &mut Report) {
    let link = Link::new(Shape { delay: Duration::from_millis(25), rate: 0 });
    let field = Field::new(lab, 1, binary::stand_in(), Some(&link));
    field.spore(&["apply", "--yes"]);
    let (mut turns, mut turns_of_ssh) = (Vec::new(), Vec::new());
    let [spore, ssh] = side_by_side(
        TIMES,
        [
            &mut || {
                link.passed();
                let took = field.spore(&["plan"]).wall;
                turns.push(link.passed().turns as f64);
                took
            },
            &mut || {
                link.passed();
                let took = field.by_ssh("{} true").wall;
                turns_of_ssh.push(link.passed().turns as f64);
                took
            },
        ],
    );
    report.compare("one host, round trip of 50 ms", &[("`spore plan`", spore), ("`ssh HOST true`", ssh)]);
    let (turns, by_ssh) = (median(turns), median(turns_of_ssh));
    report.add(&format!("\nTurns from the host to the controller and back: spore {turns}, ssh {by_ssh}.\n"));
}

/// A new program of 120 MB for 10 hosts.
fn upload(lab: &Lab, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let field = Field::new(lab, 10, binary::any(), None);
    field.spore(&["apply", "--yes"]);
    let big = folder.path().join("tau");
    let (mut round, mut peak) = (0_u32, 0.0_f64);
    let mut renew = || {
        round += 1;
        let mut bytes = fs::read(binary::any()).unwrap_or_else(|error| panic!("{error}"));
        let copy = bytes.clone();
        while bytes.len() < 120_000_000 {
            bytes.extend(copy.iter().take(120_000_000 - bytes.len()));
        }
        bytes.extend_from_slice(&round.to_be_bytes());
        fs::write(&big, bytes).unwrap_or_else(|error| panic!("{error}"));
    };
    let path = big.display().to_string();
    let arguments = ["apply", "--yes", "--verbose", "--tau", &path];
    let mut ssh = Vec::new();
    let mut spore = [(); 3].map(|()| Vec::new());
    for _ in 0..TIMES {
        renew();
        ssh.push(field.by_ssh(&format!("{{}} \"cat >/tmp/tau && rm /tmp/tau\" <{path}")).wall);
        for (decoders, times) in ["zstd gzip", "gzip", ""].iter().zip(&mut spore) {
            field.leave_of("zstd gzip", decoders);
            renew();
            times.push(transfer(&field.timeline(&arguments)));
        }
        field.leave_of("zstd gzip", "zstd gzip");
        renew();
        peak = peak.max(field.spore(&["apply", "--yes", "--tau", &path]).peak);
    }
    let [zstd, gzip, raw] = spore.map(median);
    report.compare(
        "120 MB to 10 hosts",
        &[
            ("`spore apply`, from the plan until the last host has the verified file; zstd", zstd),
            ("the same, with hosts that only have gzip", gzip),
            ("the same, with hosts that have neither, uncompressed", raw),
            ("ten parallel `ssh HOST 'cat >FILE'`, which verify nothing", median(ssh)),
        ],
    );
    report.add(&format!("\nspore's memory at most: {peak:.0} MB.\n"));
}

/// The seconds from the end of planning until the last host has tau.
fn transfer(timeline: &Timeline) -> f64 {
    let at = |wanted: &dyn Fn(&str) -> bool| {
        timeline.lines.iter().rev().find(|(_, line)| wanted(line)).map_or(f64::NAN, |(at, _)| *at)
    };
    at(&|line| line.contains('✓') && line.contains("stage /tb/bin/tau"))
        - at(&|line| line.starts_with("stage"))
}

/// The first apply of 20 hosts.
fn first(lab: &Lab, report: &mut Report) {
    let tau = binary::any();
    let field = Field::new(lab, 20, tau, None);
    let copy = format!("{{}} \"cat >/tmp/tau; sync; sha256sum /tmp/tau\" <{}", tau.display());
    let script = field.network.home().join("start.sh");
    let start = "cd /etc/systemd/system/multi-user.target.wants && systemctl start tau@*
        until journalctl -q -u 'tau@*' -o cat | grep -q started; do sleep 0.1; done
        ";
    fs::write(&script, start).unwrap_or_else(|error| panic!("{error}"));
    let start = format!("{{}} timeout 60 sh <{}", script.display());
    let (mut spore, mut copied, mut started, mut phases) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        field.reset();
        copied.push(field.by_ssh(&copy).wall);
        field.reset();
        let timeline = field.timeline(&["apply", "--yes", "--verbose"]);
        spore.push(timeline.wall);
        phases = phases_of(&timeline);
        for host in &field.hosts {
            host.sh("systemctl stop 'tau@*'; journalctl --rotate -q; journalctl --vacuum-time=1s -q");
        }
        started.push(field.by_ssh(&start).wall);
    }
    let (copied, started) = (median(copied), median(started));
    let by_hand = copied + started + 5.0;
    report.compare(
        &format!("first apply, 20 hosts, tau of {} MB", size(tau) / 1_000_000),
        &[
            ("`spore apply`", median(spore)),
            ("the sum of the next three", by_hand),
            ("`xargs -P20 ssh 'cat >F; sync; sha256sum F'`", copied),
            ("starting every node at once by ssh, until each says that it has started", started),
            ("the time for which nodes have to stay healthy", 5.0),
        ],
    );
    report.add("\nWhere the seconds of the last apply went:\n");
    phases.iter().for_each(|line| report.add(line));
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The seconds of each phase of an apply that printed every action.
fn phases_of(timeline: &Timeline) -> Vec<String> {
    let mut phases = Vec::new();
    let (mut last, mut name) = (0.0, "connecting, planning, compressing".to_owned());
    let mut sent = 0.0;
    for (at, line) in &timeline.lines {
        if line.contains('✓') && line.contains("stage /tb/bin/tau") {
            sent = *at;
        }
        let begins = (line == "stage" || line.starts_with("wave ")).then(|| line.clone());
        if let Some(next) = begins {
            phases.push(format!("- {name}: {:.1} s", at - last));
            (last, name) = (*at, next);
        }
    }
    let end = timeline.lines.iter().rev().find(|(_, line)| line.contains('✓')).map_or(last, |(at, _)| *at);
    phases.push(format!("- {name}: {:.1} s", end - last));
    phases.push(format!("- inspecting again: {:.1} s", timeline.wall - end));
    phases.push(format!("- (the last host had tau after {sent:.1} s)"));
    phases
}

/// A network of 50 hosts: its first apply, and an apply with nothing to do.
fn fifty(lab: &Lab, report: &mut Report) {
    let link = Link::new(Shape::default());
    let field = Field::new(lab, 50, binary::stand_in(), Some(&link));
    report.add("| 50 hosts, the stand-in for tau | s | s of CPU | MB of memory | MB sent | MB received | turns per host |");
    report.add("|---|---|---|---|---|---|---|");
    link.passed();
    for what in ["first apply", "apply with nothing to do"] {
        let cost = field.spore(&["apply", "--yes"]);
        let passed = link.passed();
        report.add(&format!(
            "| {what} | {:.1} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} |",
            cost.wall,
            cost.cpu,
            cost.peak,
            passed.sent as f64 / 1e6,
            passed.received as f64 / 1e6,
            passed.turns as f64 / 50.0,
        ));
    }
}

/// The first apply of 20 hosts behind one link of 50 Mbit/s with a round trip of 50 ms.
fn uplink(lab: &Lab, report: &mut Report) {
    let tau = binary::any();
    let link = Link::new(Shape { delay: Duration::from_millis(25), rate: 50_000_000 / 8 });
    let field = Field::new(lab, 20, tau, Some(&link));
    link.passed();
    let ssh = field.by_ssh(&format!("{{}} \"cat >/tmp/tau && rm /tmp/tau\" <{}", tau.display())).wall;
    let by_ssh = link.passed().sent;
    let sent = field.spore(&["apply", "--yes"]).wall;
    let by_spore = link.passed().sent;
    field.reset();
    let bytes = fs::read(tau).unwrap_or_else(|error| panic!("{error}"));
    let (digest, size) = (Sha256::of(&bytes), bytes.len());
    let server = Server::start(&format!("{HERE}:0"), [("/tau", vec![Answer::File(bytes)])]);
    let (architecture, url) = (spore_drive::pretend::here(), server.url("/tau"));
    let pin = format!("{architecture}:\n  url: {url}\n  fetch: hosts\n  sha256: {digest}\n  size: {size}\n");
    field.network.write("tau.yaml", &pin);
    let fetched = field.spore(&["apply", "--yes"]).wall;
    let by_fetching = link.passed().sent;
    report.compare(
        "first apply of 20 hosts over one link of 50 Mbit/s and 50 ms, once",
        &[
            ("`spore apply`, sent", sent),
            ("`spore apply`, fetched by the hosts from a server on their side", fetched),
            ("`xargs -P20 ssh 'cat >FILE'`, the binary only", ssh),
        ],
    );
    report.add(&format!(
        "\nMB sent over the link: sent {:.0}, fetched {:.0}, ssh {:.0}. ssh / spore: sent {:.2}, fetched {:.2}.\n",
        by_spore as f64 / 1e6,
        by_fetching as f64 / 1e6,
        by_ssh as f64 / 1e6,
        ssh / sent,
        ssh / fetched,
    ));
}
