//! An apply on a folder whose nodes have neither a key nor an id is killed at every step: while the
//! hosts generate the keys, while their ids are written, and at every action of the plan.

use crate::page::installed;
use crate::world::{APPLY, World, killed_at};
use spore_drive::identity::NodeKey;
use spore_drive::network::{Draft, Links, Secrets};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

const ELDERS: [&str; 3] = ["h1", "h2", "h3"];
const MEMBERS: [&str; 2] = ["h4", "h5"];

/// Three elders and two members without keys, all in one `hosts.yaml`.
fn keyless() -> World {
    let world = World::of(&[&ELDERS[..], &MEMBERS].concat());
    let text: String = world.hosts.iter().map(|name| entry(&world, name)).collect();
    fs::remove_dir_all(world.folder().join("hosts")).unwrap();
    fs::write(world.folder().join("hosts.yaml"), format!("# The hosts.\n{text}")).unwrap();
    world
}

/// The host as an entry of `hosts.yaml`, whose node has no key.
fn entry(world: &World, name: &str) -> String {
    let text = fs::read_to_string(world.folder().join(format!("hosts/{name}.yaml"))).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("key: "));
    let lines: String = lines.map(|line| format!("  {line}\n")).collect();
    format!("{name}:\n{lines}    # the only node of {name}\n")
}

fn shape(host: &str) -> &'static str {
    if ELDERS.contains(&host) { "elders" } else { "store" }
}

/// What must stay as it is from the moment when it is there: the key on each host, and the id of
/// each node in the folder.
#[derive(Debug, Default)]
struct Kept {
    keys: BTreeMap<String, String>,
    ids: BTreeMap<String, String>,
}

impl Kept {
    /// Asserts that the folder is sound, and that nothing has been replaced.
    #[track_caller]
    fn still(&mut self, world: &World, what: &str) {
        let draft = Draft::read(world.folder(), Secrets::Needed, Links::Inside);
        let network = draft.finish().unwrap_or_else(|problems| panic!("{what}: {problems:?}"));
        for (name, host) in &network.hosts {
            assert_eq!(host.nodes.len(), 1, "{what}: {name}");
            let node = host.nodes.values().next().unwrap();
            let key =
                world.host(name.as_str()).root().join(format!("tb/config/keys/{}.key", shape(name.as_str())));
            let key = fs::read_to_string(key).ok();
            let id = node.id.as_ref().map(|id| id.value.to_string());
            for (found, kept) in [(key, &mut self.keys), (id, &mut self.ids)] {
                let before = kept.get(name.as_str());
                assert!(
                    before.is_none() || before == found.as_ref(),
                    "{what}: {name}: {before:?}, now {found:?}"
                );
                kept.extend(found.map(|found| (name.to_string(), found)));
            }
        }
        let hosts = fs::read_to_string(world.folder().join("hosts.yaml")).unwrap();
        assert!(hosts.starts_with("# The hosts.\nh1:\n"), "{what}: {hosts}");
        for name in &world.hosts {
            assert!(hosts.contains(&format!("    # the only node of {name}\n")), "{what}: {hosts}");
        }
    }

    /// Applies, and asserts that every node runs with the key that was generated first.
    #[track_caller]
    fn converges(&mut self, world: &World, what: &str) {
        world.wait_for_unlock();
        world.apply_when_free().exits(0);
        self.still(world, what);
        world.spore(&["plan"]).exits(0);
        world.spore(&["verify"]).exits(0);
        for name in &world.hosts {
            let key: NodeKey = self.keys[*name].trim().parse().unwrap();
            assert_eq!(key.peer_id().to_string(), self.ids[*name], "{what}: {name}");
            let left = world
                .sh(name, "find \"$SPORE_ROOT/tb\" -name '.spore-*' ! -path '*/.spore' ! -path '*/.spore/*'");
            assert_eq!(left, "", "{what}: left on {name}");
        }
        let names = fs::read_dir(world.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(".spore")).collect();
        assert!(left.is_empty(), "{what}: left in the folder: {left:?}");
    }
}

/// The commands that generate a key on a host. The nth of those that concern it, on a host with the
/// file `pause`, waits until that file is gone.
const PAUSED: &str = r#"#!/bin/sh
real=$(PATH=${PATH#*stand-ins:} command -v "${0##*/}")
[ "$real" ] || exit 127
case "$*" in
*/.spore-key-*)
    echo x >>"$SPORE_ROOT/calls"
    if [ -e "$SPORE_ROOT/pause" ] && [ "$(wc -l <"$SPORE_ROOT/calls")" -eq "$(cat "$SPORE_ROOT/pause")" ]; then
        : >"$SPORE_ROOT/paused"
        while [ -e "$SPORE_ROOT/pause" ]; do sleep 0.02; done
    fi
    ;;
esac
exec "$real" "$@"
"#;

/// The controller is killed before each command with which a host generates a key. The host finishes
/// what it has begun.
#[test]
fn killed_while_a_host_generates_a_key() {
    for nth in 1.. {
        let world = keyless();
        for name in ["ssh-keygen", "rm", "ln"] {
            world.add_command(name, PAUSED);
        }
        let (host, what) = (world.host("h4").root().to_owned(), format!("command {nth}"));
        fs::write(host.join("pause"), nth.to_string()).unwrap();
        let mut make = world.command(&["keys", "make"]);
        let mut make = make.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !host.join("paused").exists() && make.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(5));
        }
        let is_paused = host.join("paused").exists();
        make.kill().unwrap();
        make.wait().unwrap();
        let mut kept = Kept::default();
        kept.still(&world, &what);
        fs::remove_file(host.join("pause")).unwrap();
        if !is_paused {
            assert!(nth > 4, "only {nth} commands");
            return;
        }
        assert_eq!(kept.ids.len(), 0, "{what}: an id was written before every host had answered");
        // The script that goes on, and that of the next command, agree on one key.
        world.spore(&["keys", "make"]).exits(0);
        kept.converges(&world, &what);
    }
}

/// The controller is killed at every step with which it writes the ids.
#[test]
fn killed_while_the_ids_are_written() {
    let Some(strace) = installed(&["strace"], "keyless::killed_while_the_ids_are_written") else { return };
    let world = keyless();
    let hosts = world.folder().join("hosts.yaml");
    let without = fs::read_to_string(&hosts).unwrap();
    world.spore(&["keys", "make"]).exits(0);
    let with_ids = fs::read_to_string(&hosts).unwrap();
    let mut kept = Kept::default();
    kept.still(&world, "before");
    let (mut killed, mut written) = (0, 0);
    for call in ["flock", "fchmod", "fsync", "/^rename"] {
        for nth in 1..40 {
            fs::write(&hosts, &without).unwrap();
            kept.ids.clear();
            let is_killed = killed_at(strace, &world.command(&["keys", "make"]), call, nth);
            let text = fs::read_to_string(&hosts).unwrap();
            assert!(text == without || text == with_ids, "{call} {nth}: {text}");
            if !is_killed {
                break;
            }
            killed += 1;
            written += usize::from(text == with_ids);
            kept.still(&world, &format!("{call} {nth}"));
        }
    }
    assert!(
        killed >= 5 && (1..killed).contains(&written),
        "killed {killed} times, {written} after the rename"
    );
    kept.converges(&world, "after");
}

/// Applies until an action has changed something, and kills the controller while others are running.
/// Returns how many actions have begun.
fn killed_after_an_action(world: &World) -> usize {
    let mut apply = world.command(&[APPLY, &["--events", "-"]].concat());
    let mut apply = apply.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut begun = 0;
    for line in BufReader::new(apply.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let has = |text: &str| line.contains(text);
        begun += usize::from(has("\"event\":\"started\""));
        // The validation of a configuration changes nothing, and is done each time.
        if has("\"event\":\"done\"") && has("\"already\":false") && !has("\"kind\":\"verify\"") {
            // It may have ended already.
            let _ = apply.kill();
            break;
        }
    }
    apply.wait().unwrap();
    begun
}

/// The apply is killed after each action that changes something, until nothing is left to do.
#[test]
fn killed_at_every_action() {
    let world = keyless();
    let mut kept = Kept::default();
    let begun = Instant::now();
    for nth in 1.. {
        assert!(begun.elapsed() < Duration::from_secs(300), "no end after {nth} applies");
        world.wait_for_unlock();
        let actions = killed_after_an_action(&world);
        let what = format!("apply {nth}");
        kept.still(&world, &what);
        if actions == 0 && world.spore(&["plan"]).code == Some(0) {
            assert!(nth > 10, "only {nth} applies");
            break;
        }
        assert!(nth < 100, "the applies make no progress");
    }
    assert_eq!((kept.keys.len(), kept.ids.len()), (5, 5));
    kept.converges(&world, "in the end");
    for name in &world.hosts {
        let said = world.sh(name, &format!("journalctl -q --no-pager -o cat -u tau@{}.service", shape(name)));
        assert_eq!(said.matches("started! with id").count(), 1, "{name}: {said}");
    }
}

/// Nothing interrupts it.
#[test]
fn one_apply_deploys_everything() {
    let world = keyless();
    let applied = world.spore(APPLY).exits(0);
    applied.says("generating keys on h1, h2, h3, h4, h5; their ids will be written to hosts.yaml");
    applied.says("5 started; 0 failed");
    Kept::default().converges(&world, "at once");
}
