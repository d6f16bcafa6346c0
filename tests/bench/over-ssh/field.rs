//! The hosts of a benchmark, and the commands that are compared on them.

use crate::host::{Lab, LabHost, Suite};
use crate::link::{HERE, Link};
use crate::measure::{self, Cost};
use crate::network::{Network, Shape};
use spore_drive::desired::{ArtifactRef, Supplies};
use spore_drive::facts::Request;
use spore_drive::plan::{Options, Planner};
use spore_drive::resource::{DigestKey, Sha256};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Lab hosts with a network folder: three elders (or one, on a single host), and other nodes.
pub(crate) struct Field {
    pub(crate) network: Network,
    pub(crate) hosts: Vec<LabHost>,
    /// Where each host's sshd is reached: `ADDRESS` and `PORT`.
    reached: Vec<(String, u16)>,
    key: PathBuf,
}

/// The lines that a command printed, with the seconds since its start.
pub(crate) struct Timeline {
    pub(crate) lines: Vec<(f64, String)>,
    pub(crate) wall: f64,
}

impl Field {
    /// Starts hosts. With a link, they are reached through it.
    pub(crate) fn new(lab: &Lab, count: usize, tau: &Path, link: Option<&Link>) -> Self {
        let hosts = lab.up_many(count, &Suite::Bookworm.machine());
        let mut network = Network::new(lab, tau);
        network.shape("elders", Shape::new(4242));
        network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
        // The time that nodes have to stay healthy is the default.
        network.set("SPORE_TIMEOUT", "settle=5");
        let mut reached = Vec::new();
        for (index, host) in hosts.iter().enumerate() {
            match index < if count < 3 { 1 } else { 3 } {
                true => network.elder("elders", host),
                false => network.node("all", host),
            }
            let at = match link {
                None => (host.addr().to_string(), 22),
                Some(link) => {
                    let port = link.to(SocketAddr::new(host.addr(), 22));
                    let lines = host.known_hosts();
                    let key = lines.lines().next().and_then(|line| line.split_once(' ')).map(|(_, key)| key);
                    network.know(host, &format!("[{HERE}]:{port} {}\n", key.unwrap_or_default()));
                    network.reach_at(host, &HERE.to_string(), port);
                    (HERE.to_string(), port)
                }
            };
            reached.push(at);
        }
        network.save();
        Self { network, hosts, reached, key: lab.key() }
    }

    /// Runs spore, and returns what it took.
    pub(crate) fn spore(&self, arguments: &[&str]) -> Cost {
        measure::run(&mut self.network.command(&[], arguments), &[0, 2]).0
    }

    /// Runs spore, and times each line that it prints.
    pub(crate) fn timeline(&self, arguments: &[&str]) -> Timeline {
        let begun = Instant::now();
        let mut command = self.network.command(&[], arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{error}"));
        let out = child.stdout.take().unwrap_or_else(|| panic!("no output"));
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        let lines: Vec<_> = lines.map(|line| (begun.elapsed().as_secs_f64(), line)).collect();
        let status = child.wait().unwrap_or_else(|error| panic!("{error}"));
        let wall = begun.elapsed().as_secs_f64();
        let all: String = lines.iter().map(|(at, line)| format!("{at:7.2} {line}\n")).collect();
        assert!(status.success(), "spore {arguments:?} ended with {status}:\n{all}");
        Timeline { lines, wall }
    }

    /// Runs a shell command for each host, all at the same time; `{}` is the command for the
    /// host by ssh, without the remote command.
    pub(crate) fn by_ssh(&self, command: &str) -> Cost {
        let known = self.network.known_hosts();
        let ssh = format!(
            "ssh -F none -i {} -o UserKnownHostsFile={} -o BatchMode=yes -o LogLevel=ERROR",
            self.key.display(),
            known.display(),
        );
        let hosts: String =
            self.reached.iter().map(|(address, port)| format!("-p {port} root@{address}\n")).collect();
        let list = self.network.home().join("hosts");
        fs::write(&list, hosts).unwrap_or_else(|error| panic!("{error}"));
        let each = command.replace("{}", &format!("{ssh} $1"));
        let script = format!(
            "xargs -P{} -d '\\n' -I@ sh -c '{each}' each @ <{} >/dev/null",
            self.hosts.len(),
            list.display()
        );
        measure::run(Command::new("sh").arg("-c").arg(script), &[0]).0
    }

    /// The addresses for another tool, one in each line.
    pub(crate) fn inventory(&self, line: impl Fn(&str, u16) -> String) -> PathBuf {
        let path = self.network.home().join("inventory");
        let lines: String = self.reached.iter().map(|(address, port)| line(address, *port) + "\n").collect();
        fs::write(&path, lines).unwrap_or_else(|error| panic!("{error}"));
        path
    }

    pub(crate) fn key(&self) -> &Path {
        &self.key
    }

    /// Where the sshd of each host is reached.
    pub(crate) fn reached(&self) -> impl Iterator<Item = String> {
        self.reached.iter().map(|(address, port)| format!("{address}:{port}"))
    }

    /// The file with the script with which spore probes the last host. It changes nothing there.
    pub(crate) fn probe(&self, tau: &Path) -> PathBuf {
        let network = spore_drive::network::Network::read(&self.network.folder());
        let network = network.unwrap_or_else(|problems| panic!("{problems:?}"));
        let sha256 = Sha256::of(&fs::read(tau).unwrap_or_else(|error| panic!("{error}")));
        let tau = network.tau.keys().map(|pinned| (*pinned, ArtifactRef { sha256, size: None })).collect();
        let supplies = Supplies { tau, ..Supplies::default() };
        let planner = Planner::new(&network, &supplies, Options::default());
        let planner = planner.unwrap_or_else(|error| panic!("{error}"));
        let swarm_key = network.swarm_key.here().unwrap_or_else(|| panic!("no swarm key")).line();
        let (name, shapes) = planner.hosts().last_key_value().unwrap_or_else(|| panic!("no hosts"));
        let script = Request {
            key: &DigestKey::derive(swarm_key, name.as_str()),
            machines: &DigestKey::for_machines(swarm_key),
            shapes,
            ports: &planner.ports(name),
            roster: &planner.known_roster().file_name(),
            keyed: &[],
            rehash: false,
        }
        .script();
        let path = self.network.home().join("probe.sh");
        fs::write(&path, script.expose()).unwrap_or_else(|error| panic!("{error}"));
        path
    }

    /// Hides all of these programs from the hosts, except for some.
    pub(crate) fn leave_of(&self, programs: &str, except: &str) {
        for host in &self.hosts {
            host.sh(&format!(
                "cd /usr/bin; for one in {programs}; do [ ! -e $one.hidden ] || mv $one.hidden $one; done
                for one in {programs}; do case ' {except} ' in *\" $one \"*) ;; *) mv $one $one.hidden ;; esac; done"
            ));
        }
    }

    /// Removes everything that spore has put on the hosts, so that the next apply is the first.
    pub(crate) fn reset(&self) {
        for host in &self.hosts {
            host.sh("systemctl stop 'tau@*' 2>/dev/null || :
                rm -rf /tb /tmp/tau /var/lib/spore /run/spore /etc/systemd/system/tau@*
                rm -rf /etc/systemd/system/multi-user.target.wants/tau@*
                systemctl daemon-reload; systemctl reset-failed");
        }
    }
}
