//! Tests of the stand-ins, and of the cleanup when a fleet is dropped.

use super::root::{STAND_INS, make_programs};
use super::*;
use crate::resource::HostName;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

async fn sh(host: &SimulatedHost, script: &str) -> String {
    let out = host.sh(script).await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Every stand-in that replaces a system command is in the table of commands.
#[test]
fn stand_ins_replace_commands_of_the_scripts() {
    let table = include_str!("../plan/scripts/commands.txt");
    for (name, _) in STAND_INS.iter().filter(|(name, _)| !["machine", "units", "tau"].contains(name)) {
        let listed = table.lines().any(|line| line.split_whitespace().next() == Some(name));
        assert!(listed, "no script uses {name}");
    }
}

/// This holds even if other threads start processes at the same moment.
#[test]
fn programs_can_be_run_as_soon_as_they_are_made() {
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    let done = AtomicBool::new(false);
    let scratch = tempfile::tempdir().unwrap();
    let run = |i: u32| {
        let directory = scratch.path().join(i.to_string());
        make_programs(&directory, [("program".to_owned(), "#!/bin/sh\n")])?;
        Command::new(directory.join("program")).status()
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Setting the user delays the child's `execve`, so that it keeps
                    // inherited descriptors longer.
                    Command::new("/bin/true").uid(uid).status().unwrap();
                }
            });
        }
        let failed = (0..200).find_map(|i| run(i).err());
        done.store(true, Ordering::Relaxed);
        assert!(failed.is_none(), "{failed:?}");
    });
}

#[tokio::test]
async fn chown_records_owners() {
    let mut fleet = Fleet::begin().unwrap();
    let host = fleet.add(&name("h1"), here()).await.unwrap();
    let said = sh(
        host,
        "cd \"$SPORE_ROOT\" && touch a b && chown nobody a && chown -h 7:8 b && stat -c '%U:%G %n' a b etc
        chown root:root b && rm a && touch a && stat -c '%a %U:%G' -- a b; stat -c %U:%G nothing || echo absent",
    )
    .await;
    assert_eq!(
        said,
        "nobody:root a\n7:8 b\nroot:root etc\n644 root:root\n644 root:root\nabsent\n\
         stat: cannot statx 'nothing': No such file or directory\n"
    );
}

#[tokio::test]
async fn a_dropped_fleet_leaves_nothing() {
    let mut fleet = Fleet::begin().unwrap();
    let directory = fleet.directory().to_owned();
    let host = fleet.add(&name("h1"), here()).await.unwrap().clone();
    let said = sh(
        &host,
        "setsid sh -c 'sleep 1000; :' >/dev/null 2>&1 & echo $!
        mkdir -p \"$SPORE_ROOT/shut/inside\" && chmod 0 \"$SPORE_ROOT/shut\"",
    )
    .await;
    assert!(Path::new(&format!("/proc/{}", said.trim())).exists());
    drop(fleet);
    assert!(!directory.exists());
    // The parent of the killed process may not have reaped it yet, so a zombie is fine.
    let state = std::fs::read_to_string(format!("/proc/{}/stat", said.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z"), "{state}");
}
