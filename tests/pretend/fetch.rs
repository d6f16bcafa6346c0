//! Hosts that download tau themselves.

use crate::http::{Answer, Server};
use crate::world::{APPLY, World};
use serde_json::Value;
use spore_drive::artifact::{Fetch, Pin, Pins, Source};
use spore_drive::pretend::{here, program};
use spore_drive::resource::Sha256;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Pins a tau that hosts are to fetch from these URLs. The file `tau` in the folder has it as well
/// if `is_here`.
fn pin(world: &World, mark: &str, is_here: bool, urls: &[String]) -> Vec<u8> {
    let tau = program(here(), mark);
    let (source, mirrors) = match is_here {
        true => (Source::Path("tau".to_owned()), urls),
        false => (urls[0].parse().unwrap(), &urls[1..]),
    };
    let mirrors = mirrors.iter().map(|url| url.parse().unwrap()).collect();
    let size = Some(tau.len() as u64);
    let pin = Pin { mirrors, fetch: Fetch::Hosts, size, ..Pin::new(source, Sha256::of(&tau)) };
    fs::write(world.folder().join("tau.yaml"), Pins([(here(), pin)].into()).to_yaml()).unwrap();
    fs::write(world.folder().join("tau"), if is_here { tau.as_slice() } else { b"" }).unwrap();
    tau
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let schema = crate::schema::Schema::of("snapshots/schemas/events.schema.json");
    let text = fs::read_to_string(world.folder().join("events")).unwrap();
    text.lines().map(|line| schema.allows(line)).filter(|event| event["event"] == kind).collect()
}

const EVENTS: &[&str] = &["--events", "events"];

/// Only the hosts download tau: the machine that runs spore doesn't need it.
#[test]
fn a_saved_plan_says_where_hosts_get_tau() {
    let world = World::new();
    let tau = program(here(), "fetched");
    let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::File(tau)])]);
    pin(&world, "fetched", false, &[server.url("/tau?key=not-a-real-token")]);
    let from = format!("from {}?…", server.url("/tau"));
    world.spore(&["plan", "-o", "plan.json"]).exits(2).says(&from);
    let plan = fs::read_to_string(world.folder().join("plan.json")).unwrap();
    assert!(plan.contains(&format!("fetch /tb/bin/tau {from}")) && !plan.contains("not-a-real-token"));
    let apply = [&["apply", "plan.json", "--verbose"], &APPLY[1..], EVENTS].concat();
    let applied = world.spore(&apply).exits(0);
    applied.says(&format!("h1 fetch /tb/bin/tau {from}"));
    assert!(!applied.text.contains("not-a-real-token"), "{applied}");
    assert_eq!(server.requests(), ["/tau?key=not-a-real-token"; 2], "{applied}");
    let done = events(&world, "done");
    assert_eq!(done.iter().filter(|event| event["kind"] == "fetch").count(), 2);
    world.sh("h4", "cd \"$SPORE_ROOT/tb/bin\" && [ \"$(ls -A)\" = tau ] && [ \"$(stat -c %a tau)\" = 755 ]");
    world.spore(&["plan"]).exits(0).says("nothing to do");
}

#[test]
fn a_host_that_cannot_fetch_tau_is_sent_it() {
    let world = World::new();
    let other = vec![Answer::File(b"<html>".to_vec())];
    let server = Server::start("127.0.0.1:0", [("/other", other)]);
    let urls = ["/none?key=not-a-real-token", "/other"].map(|path| server.url(path));
    pin(&world, "sent", true, &urls);
    let plan = format!("from {}?… or a mirror", server.url("/none"));
    world.spore(&["plan"]).exits(2).says(&plan);
    let applied = world.spore(&[APPLY, EVENTS].concat()).exits(0);
    applied.says("h4 can't fetch /tb/bin/tau, so spore tries to send it: http://");
    applied.says("/none?...: HTTP 404; http://").says("/other: another file: expected sha256 ");
    assert!(!applied.text.contains("not-a-real-token"), "{applied}");
    assert_eq!(events(&world, "not-fetched").len(), 2);
    world.spore(&["plan"]).exits(0).says("nothing to do");

    // The option has priority over the folder.
    pin(&world, "another", true, &urls);
    server.requests();
    world.spore(&[APPLY, &["--fetch", "send"]].concat()).exits(0);
    assert!(server.requests().is_empty());

    // If there is no other way, both reasons are given.
    let tau = pin(&world, "gone", false, &urls);
    let failed = world.spore(APPLY).exits(1);
    failed.says("so spore tries to send it: http://").says("it can't be sent either: can't download http://");
    assert!(!failed.text.contains("not-a-real-token"), "{failed}");
    fs::write(world.folder().join("tau"), tau).unwrap();
    world.spore(&[APPLY, &["--tau", "tau", "--fetch", "hosts"]].concat()).exits(0).says("has no URL");
}

/// The machine that runs spore loses its power while the hosts download tau. The next apply waits
/// until they have noticed, and they go on where they were.
#[test]
fn a_download_that_was_cut_off_is_resumed_by_the_next_apply() {
    let world = World::new();
    let mark = "x".repeat(400_000);
    let tau = program(here(), &mark);
    let half = Answer::StallAt(200_000, tau.clone());
    let answers = vec![half.clone(), half, Answer::File(tau)];
    let server = Server::start("127.0.0.1:0", [("/tau", answers)]);
    pin(&world, &mark, false, &[server.url("/tau")]);
    let apply = [APPLY, &["--timeout", "beat=0.2,let-go=1"]].concat();
    let mut spore = world.command(&apply).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !["h1", "h4"].iter().all(|host| has_part(&world, host)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is downloaded");
        std::thread::sleep(Duration::from_millis(20));
    }
    spore.kill().unwrap();
    spore.wait().unwrap();
    assert_eq!(server.requests(), ["/tau"; 2]);
    world.spore(&["plan"]).exits(2).says("from http://");
    let applied = world.spore(&[APPLY, &["--lock-wait", "60"]].concat()).exits(0);
    let requests = server.requests();
    let are_resumed = requests.len() == 2 && requests.iter().all(|request| request.starts_with("/tau from "));
    assert!(are_resumed, "{requests:?}\n{applied}");
    world.spore(&["plan"]).exits(0).says("nothing to do");
}

/// The hosts can't download tau, and the machine that runs spore waits for it.
#[test]
fn an_interrupt_ends_a_download_on_this_machine() {
    let world = World::new();
    let none = Answer::Status(404);
    let server = Server::start("127.0.0.1:0", [("/tau", vec![none.clone(), none, Answer::Silence])]);
    pin(&world, "late", false, &[server.url("/tau")]);
    let mut apply = world.command(&[APPLY, &["--timeout", "stall=600"]].concat());
    let mut apply = apply.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (begun, mut requests) = (Instant::now(), 0);
    while requests < 3 {
        requests += server.requests().len();
        assert!(begun.elapsed() < Duration::from_secs(60), "{requests} requests");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &apply.id().to_string()]).status().unwrap().success());
    while apply.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(100), "the interrupt doesn't end it");
        std::thread::yield_now();
    }
    let out = apply.wait_with_output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert_eq!(out.status.code(), Some(130), "{text}");
    assert!(text.contains("interrupted: ") && text.contains("resume with: spore apply"), "{text}");
}

/// Whether a part of a file is on the host's disk.
fn has_part(world: &World, host: &str) -> bool {
    let entries = fs::read_dir(world.host(host).root().join("tb/bin"));
    let is_part = |entry: &fs::DirEntry| {
        entry.path().extension().is_some_and(|extension| extension == "part")
            && entry.metadata().is_ok_and(|found| found.len() > 0)
    };
    entries.is_ok_and(|entries| entries.flatten().any(|entry| is_part(&entry)))
}
