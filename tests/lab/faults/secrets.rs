//! Searches for leaked secrets during the fault tests: in the output of every command (by
//! [`Network::ended`]), in the arguments and environments of all processes of hosts and
//! controllers, and in the files of the hosts and of this machine.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::host::{LabHost, wait_until};
use crate::network::Network;
use crate::watch::each;

/// All secrets to search for.
static PLANTED: Mutex<BTreeSet<(&'static str, String)>> = Mutex::new(BTreeSet::new());

/// The processes in which a secret was found.
static FOUND: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The interval between two searches of all processes.
const EVERY: Duration = Duration::from_millis(100);

/// Searches the processes of this world, which are those of all hosts and controllers, while
/// `work` runs.
pub(crate) fn sampled<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    sees();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                sample();
                thread::sleep(EVERY);
            }
        });
        let done = work();
        over.store(true, Ordering::SeqCst);
        done
    })
}

/// Checks that the search finds a secret that is planted in a process.
fn sees() {
    let secret = ("canary", "a canary in the mine of processes".to_owned());
    let child = Command::new("sleep").arg("100").env("CANARY", &secret.1).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("sleep: {error}"));
    PLANTED.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.clone());
    // It takes a moment until the environment of a new process is visible.
    wait_until(Duration::from_secs(5), "a secret in an environment is found", || {
        sample();
        !FOUND.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    });
    let _ = child.kill();
    let _ = child.wait();
    PLANTED.lock().unwrap_or_else(PoisonError::into_inner).remove(&secret);
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Adds a folder's secrets to those to search for.
pub(crate) fn look_for(network: &Network) {
    PLANTED.lock().unwrap_or_else(PoisonError::into_inner).extend(network.secrets());
}

/// The processes with a secret in their arguments or environment.
pub(crate) fn sampled_where_they_do_not_belong() -> Vec<String> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

fn sample() {
    let planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = process.path();
        if !process.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        // Read the name first: if the process ends in between, its environment is empty.
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        for file in ["cmdline", "environ"] {
            let text = fs::read(path.join(file)).unwrap_or_default();
            for (what, _) in planted.iter().filter(|(_, secret)| contains(&text, secret.as_bytes())) {
                // The test itself passes the passphrase to spore.
                let own = matches!(name.trim(), "spore" | "timeout");
                if *what == "SSH passphrase" && file == "environ" && own {
                    continue;
                }
                let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
                found.insert(format!("the {what} is in the {file} of `{}`", name.trim()));
            }
        }
    }
}

fn contains(text: &[u8], secret: &[u8]) -> bool {
    text.len() >= secret.len() && text.windows(secret.len()).any(|window| window == secret)
}

/// Asserts that the folder's secrets are only where they belong. They may not be in other
/// files on a host's disk, in its memory file systems or its journal, or outside the folder
/// on this machine.
#[track_caller]
pub(crate) fn searched(network: &Network, hosts: &[&LabHost]) {
    look_for(network);
    let secrets = network.secrets();
    let patterns: String = secrets.iter().map(|(_, secret)| format!("{secret}\n")).collect();
    let wrong: Vec<String> = each(hosts, |host| {
        let mut found: Vec<String> = Vec::new();
        let disk = host.disk();
        let Some(first) = first_process(host) else { return vec![format!("{} is off", host.name())] };
        let run = Path::new("/proc").join(first).join("root/run");
        for (folder, prefix) in [(disk.as_path(), ""), (run.as_path(), "/run")] {
            for (file, secret) in grep(folder, &patterns) {
                let what = name_of(&secrets, &secret);
                let place = format!("{prefix}{}", file.strip_prefix(&folder.display().to_string()).unwrap_or(&file));
                if !belongs(&what, &place) {
                    found.push(format!("the {what} in {}:{place}", host.name()));
                }
            }
        }
        let journal = host.sh("journalctl -q --no-pager -a");
        let loose = secrets.iter().filter(|(_, secret)| journal.contains(secret.as_str()));
        found.extend(loose.map(|(what, _)| format!("the {what} in the journal of {}", host.name())));
        let open = host.sh("find /tb/config /run/spore -type f ! -name dv_public.key ! -name '*.fault' -perm /077 2>/dev/null || true");
        found.extend(open.lines().map(|file| format!("{}:{file} is readable by other users", host.name())));
        found
    })
    .concat();
    assert!(wrong.is_empty(), "secrets where they don't belong: {wrong:#?}");
    let here = grep(network.home(), &patterns);
    let folder = network.folder().display().to_string();
    let loose: Vec<_> =
        here.into_iter().filter(|(file, _)| !file.starts_with(&folder)).map(|(file, _)| file).collect();
    assert!(loose.is_empty(), "secrets of the folder are in {loose:?}");
}

/// Whether a secret may be in a file of a host.
fn belongs(what: &str, place: &str) -> bool {
    let configuration = || place.starts_with("/tb/config/") && place.ends_with(".yaml");
    match what {
        "node key" => configuration(),
        "swarm key" => place == "/tb/config/keys/swarm.key",
        "validation key" => place == "/tb/config/keys/dv_private.key",
        // The record of a start contains the configuration without the node's key.
        "SMTP password" | "tenancy key" => {
            configuration() || place.starts_with("/run/spore/") && place.ends_with("/config.yaml")
        }
        _ => false,
    }
}

fn name_of(secrets: &[(&'static str, String)], secret: &str) -> String {
    let name = secrets.iter().find(|(_, text)| text == secret).map(|(what, _)| *what);
    name.unwrap_or("secret").to_owned()
}

/// The files below a folder that contain one of the patterns, each with the match.
/// `patterns` has one pattern per line.
fn grep(folder: &Path, patterns: &str) -> Vec<(String, String)> {
    let grep = || {
        let mut child = Command::new("grep")
            .args(["-raoFsZ", "--devices=skip", "-f", "-"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(patterns.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = grep().unwrap_or_else(|error: std::io::Error| panic!("grep: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let pair = |line: &str| line.split_once('\0').map(|(file, secret)| (file.to_owned(), secret.to_owned()));
    text.lines().filter_map(pair).collect()
}

/// The pid of a host's process 1, in the world's namespace.
fn first_process(host: &LabHost) -> Option<String> {
    let folder = host.disk();
    let pid = fs::read_to_string(folder.parent()?.parent()?.join("pid")).ok()?;
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", pid.trim())).ok()?;
    children.split_whitespace().next().map(str::to_owned)
}
