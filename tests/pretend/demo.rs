//! Tests the output of `spore demo`, and that the demo leaves nothing behind.

use crate::page::{compare, normal};
use crate::world::{Run, spore};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn output_matches_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let run = Run::of(spore(&["demo"]).env("TMPDIR", directory.path())).exits(0);
    assert!(!run.text.contains("CAES"), "a node's key is shown: {run}");
    compare("demo", &normal(&run.text, directory.path()));
    nothing_is_left(directory.path());
}

/// The demo leaves nothing behind if it is interrupted at any step, or before the first.
#[test]
fn an_interrupt_cleans_up() {
    let steps = (0..=8).map(|step| {
        std::thread::spawn(move || {
            let directory = tempfile::tempdir().unwrap();
            let signal = if step % 2 == 0 { "INT" } else { "TERM" };
            interrupt(directory.path(), step, signal);
            nothing_is_left(directory.path());
        })
    });
    for step in steps.collect::<Vec<_>>() {
        step.join().unwrap();
    }
}

fn interrupt(directory: &Path, step: usize, signal: &str) {
    let mut demo = spore(&["demo"]);
    let mut demo =
        demo.env("TMPDIR", directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let awaited = format!("{step}. ");
    let mut seen = lines.skip_while(|line| !(step == 0 || line.starts_with(&awaited)));
    assert!(seen.next().is_some(), "no step {step}");
    // After this time, the command of the step is usually running.
    std::thread::sleep(Duration::from_millis(150 * step as u64));
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", demo.id())]).status().unwrap();
    // The demo can have ended by itself only in the last step.
    assert!(kill.success() || step == 8);
    let rest: Vec<String> = seen.collect();
    let code = demo.wait().unwrap().code();
    assert!(code == Some(130) || step == 8, "step {step} ended with {code:?}: {rest:?}");
}

/// With `--keep`, other processes can use the hosts until the demo is ended.
#[test]
fn keep_serves_the_hosts_until_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = spore(&["demo", "--keep"]);
    let mut demo = demo.env("TMPDIR", directory.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("The hosts stay up until you press Ctrl-C.")));
    let folder = lines.find_map(|line| Some(line.trim().strip_prefix("cd ")?.to_owned())).unwrap();
    let plan =
        |words: &[&str]| Run::of(spore(words).current_dir(&folder).env("SPORE_KNOWN_HOSTS", "known_hosts"));
    plan(&["plan"]).exits(0);
    let shapes = Path::new(&folder).join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap();
    fs::write(shapes, text.replace("5252", "5352")).unwrap();
    plan(&["plan"]).exits(2).says("ports.ipfs: 5352");
    Command::new("sh").args(["-c", &format!("kill -HUP {}", demo.id())]).status().unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    nothing_is_left(directory.path());
}

/// Asserts that `directory` is empty and that no process uses it.
#[track_caller]
fn nothing_is_left(directory: &Path) {
    let entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(entries.is_empty(), "{entries:?}");
    // Processes that the demo killed may not have been reaped yet.
    let begun = Instant::now();
    while let Some(left) = process_below(directory) {
        assert!(begun.elapsed() < Duration::from_secs(5), "{left}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn process_below(directory: &Path) -> Option<String> {
    let name = directory.as_os_str().as_bytes();
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let environment = fs::read(entry.path().join("environ")).ok()?;
        environment.windows(name.len()).find(|window| *window == name)?;
        fs::read(entry.path().join("cmdline")).ok().map(|words| String::from_utf8_lossy(&words).into_owned())
    })
}
