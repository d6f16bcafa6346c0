//! The controller is killed at random instants of a first apply and of an update. The next
//! apply ends in the same state as an uninterrupted apply: the same files, the same number
//! of starts of each node, and no temporary files.
//!
//! `SPORE_INSTANTS` sets the number of instants for each, `SPORE_SEED` the seed of the
//! random numbers. By default, a few instants of a fixed seed are tested.

use crate::world::{APPLY, World};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const HOSTS: [(&str, &str); 2] = [("h1", "elders"), ("h4", "store")];
/// How many worlds are tested in parallel. Each mostly waits for its hosts.
const AT_ONCE: u64 = 4;

#[test]
fn a_first_apply_survives_a_kill() {
    let whole = World::new();
    let begun = Instant::now();
    whole.spore(APPLY).exits(0);
    at_random_instants(begun.elapsed(), &picture(&whole), 1, World::new);
}

#[test]
fn an_update_survives_a_kill() {
    let applied = || {
        let world = World::new();
        world.spore(APPLY).exits(0);
        let shapes = world.folder().join("shapes.yaml");
        let text = fs::read_to_string(&shapes).unwrap();
        fs::write(shapes, text.replace("main: 4242", "main: 4342").replace("main: 5242", "main: 5342"))
            .unwrap();
        world
    };
    let whole = applied();
    let begun = Instant::now();
    whole.spore(APPLY).exits(0);
    at_random_instants(begun.elapsed(), &picture(&whole), 2, applied);
}

fn at_random_instants(whole: Duration, wanted: &Picture, starts: usize, world: impl Fn() -> World + Sync) {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let (count, seed) = (number("SPORE_INSTANTS", 4), number("SPORE_SEED", 1));
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let instant = whole.mul_f64(random(seed, n));
                    let world = world();
                    killed_after(&world, instant);
                    let what = format!("killed after {instant:?} of {whole:?} (seed {seed}, number {n})");
                    world.no_receipt_is_ahead(&what);
                    world.applied_in_the_end();
                    let now = picture(&world);
                    let differs = |name: &&String| now.get(*name) != wanted.get(*name);
                    let differ: Vec<_> = now.keys().chain(wanted.keys()).filter(differs).collect();
                    assert!(differ.is_empty(), "{what}: {differ:?}");
                    for (host, shape) in HOSTS {
                        let said = world
                            .sh(host, &format!("journalctl -q --no-pager -o cat -u tau@{shape}.service"));
                        assert_eq!(
                            said.matches("started! with id").count(),
                            starts,
                            "{what}: {host}: {said}"
                        );
                    }
                }
            });
        }
    });
}

fn killed_after(world: &World, instant: Duration) {
    let mut apply = world.command(APPLY);
    let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(instant);
    // This fails if the apply has already ended.
    let _ = apply.kill();
    apply.wait().unwrap();
}

/// A number from 0 to 1, generated with SplitMix64, so that a seed gives the same numbers
/// on every machine.
fn random(seed: u64, n: u64) -> f64 {
    let mut bits = seed.wrapping_add((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
}

/// The mode and content of each file, by host and path.
type Picture = BTreeMap<String, (u32, Vec<u8>)>;

fn picture(world: &World) -> Picture {
    let mut picture = Picture::new();
    for (host, _) in HOSTS {
        let root = world.host(host).root().to_owned();
        for below in ["tb", "etc/systemd", "tmp"] {
            walk(&root, &root.join(below), host, &mut picture);
        }
        wait_for_unlock(&root.join("run"));
    }
    picture
}

/// Waits until the lock of the killed controller is released. The next apply doesn't wait
/// for it if nothing is left to do, because it takes no lock then.
pub(crate) fn wait_for_unlock(run: &Path) {
    let begun = Instant::now();
    let is_held = || {
        let names = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.into_iter().any(|name| name.starts_with("spore-beat")) || run.join("spore/.holder").exists()
    };
    while is_held() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} is still locked", run.display());
        thread::sleep(Duration::from_millis(20));
    }
}

fn walk(root: &Path, path: &Path, host: &str, picture: &mut Picture) {
    let Ok(metadata) = path.symlink_metadata() else { return };
    // A receipt has the time and a salt, and the roster the ports of this world's hosts.
    if path.starts_with(root.join("tb/.spore")) && !path.ends_with(".spore") {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "receipt.json" || name.starts_with("roster-"), "{name}");
        return;
    }
    let is_read = metadata.is_file();
    let content = if is_read { fs::read(path).unwrap() } else { Vec::new() };
    let name = format!("{host}:{}", path.strip_prefix(root).unwrap().display());
    picture.insert(name, (metadata.permissions().mode(), content));
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(root, &entry.unwrap().path(), host, picture);
        }
    }
}
