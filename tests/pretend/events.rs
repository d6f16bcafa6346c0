//! The events of an apply, and commands that are quiet.

use crate::schema::Schema;
use crate::world::{APPLY, World};
use serde_json::Value;
use spore_drive::pretend::{Disk, Faults};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn lines(text: &str) -> Vec<Value> {
    let schema = Schema::of("snapshots/schemas/events.schema.json");
    text.lines().map(|line| schema.allows(line)).collect()
}

/// The first line is the version, each action has a beginning and an end, and each change ends
/// exactly once.
#[test]
fn events_tell_the_whole_apply() {
    let world = World::new();
    world.spore(&[APPLY, &["--events", "events"]].concat()).exits(0);
    let text = fs::read_to_string(world.folder().join("events")).unwrap();
    let events = lines(&text);
    assert_eq!((&events[0]["event"], &events[0]["version"]), (&"version".into(), &"1.2".into()));
    let mut times: Vec<&str> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.iter().all(|at| at.len() == "2026-11-27T21:00:00.000Z".len()));
    let in_order = times.clone();
    times.sort_unstable();
    assert_eq!(times, in_order);
    let (planned, summary) = (&events[1], events.last().unwrap());
    assert_eq!((&planned["event"], &summary["event"]), (&"planned".into(), &"summary".into()));
    let changes = |event: &Value| event["changes"].as_array().unwrap().len();
    assert!(changes(planned) > 30);
    assert_eq!(changes(planned), changes(summary));
    assert!(summary["changes"].as_array().unwrap().iter().all(|change| change["result"] == "done"));
    let resources: BTreeSet<Option<&str>> =
        planned["changes"].as_array().unwrap().iter().map(|change| change["resource"].as_str()).collect();
    let waves = planned["waves"].as_u64().unwrap();
    for event in events.iter().filter(|event| event["event"] == "done") {
        let resource = &event["resource"];
        assert!(resource.is_null() || resources.contains(&resource.as_str()), "{event}");
        assert!(event["wave"].is_null() || (1..=waves).contains(&event["wave"].as_u64().unwrap()), "{event}");
    }
    let of_wave = |wave: Value| events.iter().any(|event| event["event"] == "done" && event["wave"] == wave);
    assert!(of_wave(Value::Null) && of_wave(1.into()) && of_wave(waves.into()));
    let mut open: BTreeMap<(String, String), i32> = BTreeMap::new();
    for event in &events {
        let step = match event["event"].as_str().unwrap() {
            "started" => 1,
            "done" => -1,
            _ => continue,
        };
        *open.entry((event["host"].to_string(), event["action"].to_string())).or_default() += step;
    }
    assert!(!open.is_empty() && open.values().all(|open| *open == 0), "{open:?}");
    let swarm = fs::read_to_string(world.folder().join("keys/swarm.key")).unwrap();
    assert!(!text.contains(swarm.trim().rsplit('/').next().unwrap()));
}

/// A failed action is identified like any other, and the summary says how the apply has ended.
#[test]
fn a_failed_action_has_a_kind_and_a_subject() {
    let world = World::new();
    world.faults(Faults { disk: Disk::Filling, ..Faults::default() });
    world.spore(&[APPLY, &["--events", "events"]].concat()).exits(1);
    let read = || lines(&fs::read_to_string(world.folder().join("events")).unwrap());
    let events = read();
    let failed = events.iter().find(|event| event["event"] == "failed").unwrap();
    assert_eq!(
        (&failed["host"], &failed["kind"], &failed["wave"]),
        (&"h4".into(), &"stage".into(), &Value::Null)
    );
    assert!(
        failed["on"].as_str().unwrap().starts_with('/') && failed["on"] == failed["resource"],
        "{failed}"
    );
    world.faults(Faults::default());
    world.spore(APPLY).exits(0);

    world.sh("h4", "rm \"$SPORE_ROOT/tb/.spore/receipt.json\"");
    world.spore(&[APPLY, &["--events", "events"]].concat()).exits(0);
    assert_eq!(read().last().unwrap()["text"], "apply: nothing to do; wrote receipts on 1 host");
    world.faults(Faults { refuses_key: true, ..Faults::default() });
    world.spore(&[APPLY, &["--events", "events"]].concat()).exits(1);
    assert_eq!(
        read().last().unwrap()["text"],
        "apply: 1 of 2 hosts could not be planned; nothing was changed"
    );
}

/// With `-`, standard output has nothing but events.
#[test]
fn events_on_standard_output_are_alone() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.sh(
        "h4",
        "systemctl stop tau@store; rm \"$SPORE_ROOT/tb/bin/tau\" && mkdir \"$SPORE_ROOT/tb/bin/tau.d\"",
    );
    let out = world.command(&[APPLY, &["--events", "-", "--max-failures", "1"]].concat()).output().unwrap();
    let events = lines(&String::from_utf8(out.stdout).unwrap());
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("version", "summary"), "{kinds:?}");
    assert!(String::from_utf8(out.stderr).unwrap().contains("apply: "));
}

#[test]
fn events_that_cannot_be_written_end_the_command_first() {
    let world = World::new();
    let apply = world.spore(&[APPLY, &["--events", "no/such/folder"]].concat()).exits(1);
    apply.says("can't write the events to no/such/folder");
    world.sh("h4", "[ ! -e \"$SPORE_ROOT/tb/bin/tau\" ]");
}

/// A quiet command prints its last line, and everything if it fails.
#[test]
fn quiet_prints_the_conclusion() {
    let world = World::new();
    let plan = world.spore(&["plan", "--quiet"]).exits(2);
    assert!(plan.text.starts_with("plan: ") && plan.text.lines().count() == 1, "{plan}");
    let apply = world.spore(&[APPLY, &["-q"]].concat()).exits(0);
    assert!(apply.text.starts_with("apply: ") && apply.text.lines().count() == 1, "{apply}");
    for (words, last) in [
        (vec!["check"], "check: "),
        (vec!["plan"], "plan: "),
        (vec!["apply"], "apply: "),
        (vec!["drift"], "drift: "),
        (vec!["verify"], "verify: "),
        (vec!["history"], "history: "),
        (vec!["facts"], "facts: "),
        (vec!["rehearse"], "rehearsal: "),
        (vec!["retire", "h4"], "retire: "),
    ] {
        let out = world.command(&words).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.lines().last().unwrap().starts_with(last), "{words:?}: {text}");
    }
    let out = world.command(&["-q", "drift"]).output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap().lines().count(), 1);
}
