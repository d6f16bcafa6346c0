//! Power cuts at critical instants. A concurrent reader must have seen only whole files,
//! and a trace must show that everything is synced before it is reported as done.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use spore_drive::resource::Sha256;

use super::bench::{
    Bench, another_tau, converges, look_like, members_shape, pictures, settled, starts, wipe,
};
use super::controller::{Controller, LIMIT};
use super::table::Came;
use super::trip::{Side, Trip};
use crate::binary;
use crate::host::{LabHost, Suite, wait_until};
use crate::network::Network;

/// The instant at which the power is cut.
#[derive(Clone, Copy)]
enum At {
    /// Before or after a command runs.
    Command(&'static str, &'static str, Side),
    /// During a daemon-reload.
    Reload,
}
const INSTANTS: &[(&str, At)] = &[
    (
        "the binary is written, not yet digested",
        At::Command("chmod", "*/tb/bin/.spore-tau-*.part*", Side::Before),
    ),
    ("between write and rename: staging", At::Command("mv", "*.spore-tau-*.part*", Side::Before)),
    ("between write and rename: the binary", At::Command("mv", "*/.spore-tau-*\\ /tb/bin/tau", Side::Before)),
    ("renamed, not synced: the configuration", At::Command("mv", "*\\ /tb/config/all.yaml", Side::After)),
    ("during daemon-reload", At::Reload),
    ("before daemon-reload", At::Command("systemctl", "daemon-reload", Side::Before)),
    ("after daemon-reload", At::Command("systemctl", "daemon-reload", Side::After)),
    ("before the start", At::Command("systemctl", "*start\\ --\\ tau@all*", Side::Before)),
    ("during the start, before the process", At::Command("sha256sum", "all.yaml\\ keys/*", Side::Before)),
    (
        "during the start, before it is healthy",
        At::Command("grep", "*-Fq\\ -e\\ all\\ started*", Side::Before),
    ),
    ("after the start", At::Command("systemctl", "*start\\ --\\ tau@all*", Side::After)),
];

pub(crate) fn first_apply(bench: &mut Bench<'_>) {
    // The member runs bookworm, because a newer systemd gives generators no writable
    // directory, so they can't be paused.
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let network = bench.network(&[elder], &[member]);
    bench.begin("power cut, first apply", "reference");
    network.apply(&[]).exits(0);
    settled(&network, &hosts);
    let wanted = pictures(&hosts);
    // The elder's instants come first, because it is started before the member.
    for &(situation, at) in bench.some(INSTANTS.to_vec(), 2).iter() {
        wipe(&hosts);
        bench.begin("power cut, first apply", situation);
        let reader = Reader::of(member);
        cut_at(&network, member, at);
        converges(&network, &hosts);
        look_like(&hosts, &wanted);
        reader.saw_only_whole_files(member);
        bench.came(Came::Converged);
    }
    wipe(&hosts);
    bench.begin("power cut, first apply", "in the middle of the binary");
    let reader = Reader::of(member);
    let controller = Controller::apply(&network, &[]);
    wait_until(LIMIT, "the binary is being staged", || staged_part(member) > 0);
    member.power_cut();
    controller.end().exits(1).says_in_one_line(&[member.name(), "stage /tb/bin/tau"]);
    member.boot();
    converges(&network, &hosts);
    look_like(&hosts, &wanted);
    reader.saw_only_whole_files(member);
    bench.came(Came::Converged);
}

pub(crate) fn update(bench: &mut Bench<'_>) {
    let hosts = bench.lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let [elder, member] = &hosts;
    let hosts = [elder, member];
    let mut network = bench.network(&[elder], &[member]);
    bench.begin("power cut, update", "reference");
    network.apply(&[]).exits(0);
    let taus = ["one", "two"].map(|mark| another_tau(&network, mark));
    // The unit file doesn't change, so there is no daemon-reload.
    let instants = INSTANTS.iter().filter(|(situation, ..)| !situation.contains("reload")).copied().collect();
    for (turn, &(situation, at)) in bench.some(instants, 2).iter().enumerate() {
        network.pin(&taus[turn % 2]);
        network.shape("all", members_shape([5342, 5242][turn % 2]));
        bench.begin("power cut, update", situation);
        let reader = Reader::of(member);
        cut_at(&network, member, at);
        converges(&network, &hosts);
        reader.saw_only_whole_files(member);
        bench.came(Came::Converged);
    }
}

/// The power is cut, or the controller killed, while the real tau, which has about a
/// hundred megabytes, is being sent. Skipped by `--short`, or if the real tau isn't
/// available.
pub(crate) fn real_tau(bench: &mut Bench<'_>) {
    let Some(tau) = binary::real() else {
        return println!("skipped: power::real_tau: needs SPORE_TEST_TAU");
    };
    if bench.leaves_out("power::real_tau") {
        return;
    }
    let [host] = &bench.lab.up([("host", Suite::Trixie.machine())]);
    let mut network = bench.network(&[host], &[]);
    network.pin(tau);
    for (situation, power) in [("controller killed", false), ("power cut", true)] {
        wipe(&[host]);
        bench.begin("the real tau", &format!("{situation} in the middle of the binary"));
        let reader = Reader::of(host);
        let controller = Controller::apply(&network, &[]);
        let least = 1 + bench.random.below(80 << 20) as u64;
        wait_until(LIMIT, "the binary is being staged", || staged_part(host) > least);
        if power {
            host.power_cut();
            controller.end().exits(1).says_in_one_line(&[host.name(), "stage /tb/bin/tau"]);
            host.boot();
        } else {
            controller.kill();
        }
        converges(&network, &[host]);
        reader.saw_only_whole_files(host);
        let left: usize = host.sh("ls -d /tmp/wazy* 2>/dev/null | wc -l").trim().parse().unwrap_or_default();
        assert!(left <= starts(host), "files that it leaves after a validation must be removed");
        bench.came(Came::Converged);
    }
}

/// The number of bytes of the binary that have arrived.
fn staged_part(host: &LabHost) -> u64 {
    let entries = fs::read_dir(host.disk().join("tb/bin")).into_iter().flatten().flatten();
    let parts = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"));
    parts.filter_map(|entry| Some(entry.metadata().ok()?.len())).max().unwrap_or_default()
}

fn cut_at(network: &Network, host: &LabHost, at: At) {
    let trip = match at {
        At::Command(command, pattern, side) => Trip::lay(host, command, pattern, side),
        At::Reload => Trip::lay_in_reload(host),
    };
    let controller = Controller::apply(network, &[]);
    trip.wait();
    host.power_cut();
    trip.lift_from_disk();
    controller.end().exits(1).says_in_one_line(&[host.name(), "the action may not have completed"]);
    host.boot();
}

/// Reads a host's files as often as possible, as a starting node might at any time.
struct Reader {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<BTreeMap<PathBuf, BTreeSet<Sha256>>>>,
    thread: JoinHandle<()>,
    before: BTreeMap<PathBuf, Sha256>,
}

const READ: &[&str] =
    &["tb/bin/tau", "tb/config/all.yaml", "tb/config/keys/swarm.key", "etc/systemd/system/tau@.service"];

impl Reader {
    fn of(host: &LabHost) -> Self {
        let files: Vec<PathBuf> = READ.iter().map(|path| host.disk().join(path)).collect();
        let before = digests(&files);
        let (over, seen) =
            (Arc::new(AtomicBool::new(false)), Arc::<Mutex<BTreeMap<_, BTreeSet<_>>>>::default());
        let (over_too, seen_too) = (Arc::clone(&over), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            let mut known: BTreeMap<PathBuf, (u64, SystemTime)> = BTreeMap::new();
            while !over_too.load(Ordering::SeqCst) {
                for file in &files {
                    // If the metadata hasn't changed, neither has the content.
                    let Ok(stat) = fs::metadata(file) else { continue };
                    let looks = (stat.len(), stat.modified().unwrap_or(SystemTime::UNIX_EPOCH));
                    if known.insert(file.clone(), looks) != Some(looks)
                        && let Ok(bytes) = fs::read(file)
                    {
                        let mut seen = seen_too.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.entry(file.clone()).or_default().insert(Sha256::of(&bytes));
                    }
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { over, seen, thread, before }
    }

    /// Asserts that the reader saw only the old or the new content of each file.
    #[track_caller]
    fn saw_only_whole_files(self, host: &LabHost) {
        self.over.store(true, Ordering::SeqCst);
        assert!(self.thread.join().is_ok());
        let files: Vec<PathBuf> = READ.iter().map(|path| host.disk().join(path)).collect();
        let now = digests(&files);
        for (file, seen) in self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let strange: Vec<_> = seen
                .iter()
                .filter(|sha| Some(*sha) != self.before.get(file) && Some(*sha) != now.get(file))
                .collect();
            assert!(strange.is_empty(), "a reader saw other content in {}: {strange:?}", file.display());
        }
    }
}

fn digests(files: &[PathBuf]) -> BTreeMap<PathBuf, Sha256> {
    let digest = |file: &PathBuf| Some((file.clone(), Sha256::of(&fs::read(file).ok()?)));
    files.iter().filter_map(digest).collect()
}

/// Every file is synced before its rename, and its directory afterwards, before the action is
/// reported as done.
pub(crate) fn synced(bench: &mut Bench<'_>) {
    let [host] = bench.lab.up([("host", Suite::Trixie.machine())]);
    let network = bench.network(&[&host], &[]);
    bench.begin("power cut", "trace: sync, rename, sync, done");
    let trace = network.home().join("trace");
    let mut tracer = trace_sshd(&host, &trace);
    network.apply(&[]).exits(0);
    let _ = Command::new("kill").arg(tracer.id().to_string()).status();
    let _ = tracer.wait();
    let text = fs::read_to_string(&trace).unwrap_or_default();
    let renamed = renames(&text);
    for file in READ.iter().filter(|file| !file.contains("all.yaml")) {
        let file = format!("/{file}");
        assert!(renamed.contains(&file), "{file} wasn't renamed: {renamed:?}");
    }
    fs::remove_file(&trace).unwrap_or_else(|error| panic!("{error}"));
    settled(&network, &[&host]);
    bench.came(Came::Through);
}

fn trace_sshd(host: &LabHost, trace: &std::path::Path) -> Child {
    let pid = host.sh("systemctl show -P MainPID ssh.service");
    // Finds the pid of sshd outside of the host's namespace by its pid inside.
    let wanted = format!("\t{}", pid.trim());
    let outside = fs::read_dir("/proc").into_iter().flatten().flatten().find_map(|process| {
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("NSpid:"))?;
        let fits = line.ends_with(&wanted) && status.starts_with("Name:\tsshd\n");
        // Other hosts may have a process with the same pid, so check its cgroup.
        let cgroup = fs::read_to_string(process.path().join("cgroup")).ok()?;
        (fits && cgroup.contains(&format!("/{}/", host.name()))).then(|| process.file_name())
    });
    let outside = outside.unwrap_or_else(|| panic!("sshd of {} isn't found", host.name()));
    let calls = "trace=rename,renameat,renameat2,fsync,fdatasync,sync,syncfs,write";
    let tracer = Command::new("strace")
        .args(["-f", "-qq", "-y", "-s", "64", "-e", calls, "-o"])
        .arg(trace)
        .arg("-p")
        .arg(&outside)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("strace: {error}"));
    let status = PathBuf::from("/proc").join(outside).join("status");
    wait_until(Duration::from_secs(10), "sshd is traced", || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
    });
    tracer
}

/// The files that were renamed. Asserts that each was synced before its rename, and its
/// directory afterwards, before anything was reported as done.
fn renames(trace: &str) -> BTreeSet<String> {
    let (mut synced, mut renamed, mut unsynced) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for call in calls(trace) {
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            let Some(path) = call.split_once('<').and_then(|(_, rest)| rest.split_once('>')) else {
                continue;
            };
            synced.insert(path.0.to_owned());
            unsynced.remove(path.0);
        } else if call.starts_with("rename") && call.contains("= 0") {
            let paths: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
            let [from, to] = paths[..] else { continue };
            if !to.starts_with("/tb/") && !to.starts_with("/etc/") || to.ends_with('/') {
                continue;
            }
            let (parent, name) = to.rsplit_once('/').unwrap_or_default();
            let link = from == format!("{parent}/.spore-{name}.part");
            assert!(link || synced.contains(from), "{from} was renamed before it was synced");
            // The renamed file is still synced under its new name.
            if synced.contains(from) {
                synced.insert(to.to_owned());
            }
            renamed.insert(to.to_owned());
            unsynced.insert(if parent.is_empty() { "/" } else { parent }.to_owned());
        } else if call.starts_with("write(") && call.contains(" done\\n") {
            assert!(unsynced.is_empty(), "reported as done before {unsynced:?} was synced: {call}");
        }
    }
    renamed
}

/// All completed calls. strace splits a call if another call runs in between.
fn calls(trace: &str) -> Vec<String> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(half) = call.strip_suffix("<unfinished ...>") {
            begun.insert(pid, half);
        } else if let Some((_, rest)) = call.split_once(" resumed>").filter(|_| call.starts_with("<...")) {
            calls.push(format!("{}{rest}", begun.remove(pid).unwrap_or_default()));
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}
