//! Random networks on random hosts, and random changes to both.

use crate::case::{World, supplies};
use crate::cases::cases;
use crate::invariants;
use crate::simulate::{Simulation, in_order};
use libtest_mimic::Trial;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spore_drive::facts;
use spore_drive::network::{Files, Network};
use spore_drive::plan::Options;
use spore_drive::resource::{Redactor, Untrusted};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("plans::of_random_networks", of_random_networks),
        Trial::test("plans::of_random_outages", of_random_outages),
    ]
}

/// The parts of a folder that are random.
#[derive(Clone, Debug)]
struct Folder {
    shapes: Vec<Shape>,
    /// Each host's address, and its nodes: the index of a shape and of a key.
    hosts: Vec<(u8, BTreeMap<usize, usize>)>,
    /// Random bits that determine which nodes are in `bootstrap`.
    bootstrap: u64,
    swarm_key: u8,
    owner: u8,
    tau: u8,
}

#[derive(Clone, Debug)]
struct Shape {
    services: Vec<&'static str>,
    port: u16,
}

/// A change to a host between two plans.
#[derive(Clone, Debug)]
enum Event {
    Stopped,
    Forgotten,
    Failing,
    ModeChanged,
    KeyDeleted,
    Touched,
    Unreachable,
}

fn shape() -> impl Strategy<Value = Shape> {
    let services = prop::sample::subsequence(vec!["tns", "hoarder", "auth", "monkey", "seer"], 0..3);
    (services, 0..3u16).prop_map(|(services, port)| Shape { services, port: 4000 + port })
}

fn folder() -> impl Strategy<Value = Folder> {
    let host = (0..2u8, prop::collection::btree_map(0..3usize, 0..2usize, 0..3));
    let hosts = prop::collection::vec(host, 1..8);
    let shapes = prop::collection::vec(shape(), 3);
    (shapes, hosts, any::<u64>(), 0..8u8, 0..2u8, 0..2u8).prop_map(
        |(shapes, hosts, bootstrap, swarm_key, owner, tau)| Folder {
            shapes,
            hosts,
            bootstrap,
            // Rotations should be rare here, because a plan during an interrupted rotation
            // may be refused.
            swarm_key: u8::from(swarm_key == 0),
            owner,
            tau,
        },
    )
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let event = prop_oneof![
        Just(Event::Stopped),
        Just(Event::Forgotten),
        Just(Event::Failing),
        Just(Event::ModeChanged),
        Just(Event::KeyDeleted),
        Just(Event::Touched),
        Just(Event::Unreachable),
    ];
    prop::collection::vec((0..8usize, event), 0..4)
}

/// A changed folder: each part is taken from the second folder if its bit is set,
/// otherwise from the first.
fn mixed(one: &Folder, other: &Folder, bits: u8) -> Folder {
    let pick = |bit: u8| bits >> bit & 1 == 1;
    let mut folder = one.clone();
    if pick(0) {
        folder.shapes.clone_from(&other.shapes);
    }
    if pick(1) {
        folder.bootstrap = other.bootstrap;
    }
    if pick(2) {
        folder.hosts.clone_from(&other.hosts);
    }
    if pick(3) {
        folder.swarm_key = other.swarm_key;
    }
    if pick(4) {
        folder.owner = other.owner;
    }
    if pick(5) {
        folder.tau = other.tau;
    }
    folder
}

impl Folder {
    /// The folder's files, in upstream's dialect.
    fn files(&self, keys: &[String]) -> Files {
        let first = |path: &str| {
            std::fs::read(format!("{}/fixtures/plans/first/folder/{path}", env!("CARGO_MANIFEST_DIR")))
                .unwrap()
        };
        let mut files = Files::new("/nowhere");
        for path in ["auth.yaml", "keys/dv_private.key", "keys/dv_public.key"] {
            files.insert(path, first(path));
        }
        let key = format!("/key/swarm/psk/1.0.0//base16/{:064}\n", self.swarm_key + 1);
        files.insert("keys/swarm.key", key);
        let tenancy = String::from_utf8(first("tenancy.yaml")).unwrap();
        files.insert("tenancy.yaml", tenancy.replace("owner: lab", &format!("owner: lab{}", self.owner)));
        let mut shapes = String::new();
        for (i, shape) in self.shapes.iter().enumerate() {
            let (services, port) = (shape.services.join(", "), shape.port + 10 * u16::try_from(i).unwrap());
            let _ = writeln!(shapes, "s{i}:\n  services: [{services}]\n  ports: {{main: {port}}}");
        }
        files.insert("shapes.yaml", shapes);
        let mut bootstrap: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (at, (_, nodes)) in self.hosts.iter().enumerate() {
            let (mut hosts, n) = (String::new(), at + 1);
            let _ = write!(
                hosts,
                "addr: 10.{}.0.{n}\nssh: {{addr: 10.0.0.{n}, auth: [admin]}}\nshapes:",
                self.hosts[at].0
            );
            hosts.push_str(if nodes.is_empty() { " {}\n" } else { "\n" });
            for (shape, key) in nodes {
                let key = &keys[(at * 3 + shape) * 2 + key];
                let _ = writeln!(hosts, "  s{shape}: {{key: {key}}}");
                if self.bootstrap >> (at * 3 + shape) & 3 == 3 {
                    bootstrap.entry(*shape).or_default().push(format!("h{n}"));
                }
            }
            files.insert(format!("hosts/h{n}.yaml"), hosts);
        }
        let mut cloud = String::from_utf8(first("cloud.yaml")).unwrap();
        cloud = cloud.replace("    elders: [h1, h2, h3]\n", "");
        if bootstrap.is_empty() {
            cloud = cloud.replace("  bootstrap:\n", "");
        }
        for (shape, hosts) in bootstrap {
            let _ = writeln!(cloud, "    s{shape}: [{}]", hosts.join(", "));
        }
        files.insert("cloud.yaml", cloud);
        files
    }

    fn world(&self, hosts: Simulation, keys: &[String]) -> World {
        let network =
            Network::from_files(&self.files(keys)).unwrap_or_else(|problems| panic!("{problems:?}"));
        let supplies = supplies(&network, Some(&format!("v{}", self.tau)));
        let mut world = World::new(network, supplies, hosts, Options::default());
        let bare = include_str!("../../fixtures/plans/answers/debian-12.answer");
        world.hosts.hosts.retain(|name, _| world.network.hosts.contains_key(name));
        for name in world.network.hosts.keys() {
            world
                .hosts
                .hosts
                .entry(name.clone())
                .or_insert_with(|| facts::parse(&Untrusted::new(bare), &Redactor::default()).unwrap());
        }
        world
    }
}

/// The invariants hold for a first apply, for a change, and for reverting a change whose
/// apply was cut off at a random action.
fn of_random_networks() -> Result<(), libtest_mimic::Failed> {
    let keys: Vec<String> = (0..48u8).map(node_key).collect();
    let strategy = (folder(), folder(), any::<u8>(), events(), any::<prop::sample::Index>());
    let ran = runner(30).run(&strategy, |(one, other, bits, events, cut)| {
        let hosts = Simulation { hosts: BTreeMap::new(), now_ns: 1_800_000_000_000_000_000 };
        let first = one.world(hosts, &keys);
        let plan = first.plan();
        check(&first, &plan, cut).map_err(TestCaseError::fail)?;
        let mut done = first.clone();
        done.apply(&plan).map_err(TestCaseError::fail)?;
        let mut second = mixed(&one, &other, bits).world(done.hosts, &keys);
        for (host, event) in &events {
            happen(&mut second, *host, event);
        }
        let plan = second.plan();
        check(&second, &plan, cut).map_err(TestCaseError::fail)?;
        if plan.refusals.is_empty() {
            // Cut off the apply, then plan the first folder again.
            let count = in_order(&plan).count();
            for ordered in in_order(&plan).take(cut.index(count + 1)) {
                second
                    .hosts
                    .act(ordered, second.planner.desired())
                    .map_err(|error| TestCaseError::fail(error.to_string()))?;
            }
            let back = one.world(second.hosts, &keys);
            let plan = back.plan();
            check(&back, &plan, cut).map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    ran.map_err(|error| error.to_string().into())
}

/// The order of a plan is correct if tau is updated while some nodes are down, and other
/// parts of the folder may have changed, too. Checking the order is fast, so there are more
/// of these cases.
fn of_random_outages() -> Result<(), libtest_mimic::Failed> {
    let keys: Vec<String> = (0..48u8).map(node_key).collect();
    let stopped = prop::collection::vec((0..8usize, Just(Event::Stopped)), 0..3);
    let ran = runner(60).run(&(folder(), folder(), any::<u8>(), stopped), |(one, other, bits, events)| {
        let hosts = Simulation { hosts: BTreeMap::new(), now_ns: 1_800_000_000_000_000_000 };
        let mut first = one.world(hosts, &keys);
        let plan = first.plan();
        first.apply(&plan).map_err(TestCaseError::fail)?;
        let mut changed = mixed(&one, &other, bits);
        (changed.swarm_key, changed.tau) = (one.swarm_key, 1 - one.tau);
        let mut second = changed.world(first.hosts, &keys);
        for (host, event) in &events {
            happen(&mut second, *host, event);
        }
        let plan = second.plan();
        invariants::order(&second, &plan).map_err(TestCaseError::fail)
    });
    ran.map_err(|error| error.to_string().into())
}

/// A deterministic runner, so that failures are reproducible.
fn runner(usual: u32) -> TestRunner {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config =
        Config { cases: cases(usual), max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, rng)
}

fn check(world: &World, plan: &spore_drive::plan::Plan, cut: prop::sample::Index) -> Result<(), String> {
    invariants::order(world, plan)?;
    if !plan.refusals.is_empty() {
        return Ok(());
    }
    let done = invariants::settles(world, plan)?;
    let count = in_order(plan).count();
    if count > 0 { invariants::resumes(world, plan, cut.index(count), &done) } else { Ok(()) }
}

fn happen(world: &mut World, host: usize, event: &Event) {
    world.hosts.now_ns += 1_000_000_000;
    let now_ns = world.hosts.now_ns;
    let Some(name) = world.hosts.hosts.keys().nth(host).cloned() else { return };
    if matches!(event, Event::Unreachable) {
        world.hosts.hosts.remove(&name);
        return;
    }
    let Some(facts) = world.hosts.hosts.get_mut(&name) else { return };
    let Some(unit) = facts.units.values_mut().find(|unit| unit.process.is_some()) else { return };
    let key = "/tb/config/keys/swarm.key";
    match event {
        Event::Stopped => {
            (unit.active, unit.sub, unit.process) = ("inactive".to_owned(), "dead".to_owned(), None);
            facts.listening.retain(|(_, port)| port.number < 4000 || port.number > 5000);
        }
        Event::Forgotten => unit.record = None,
        Event::Failing => (unit.active, unit.sub) = ("activating".to_owned(), "auto-restart".to_owned()),
        Event::KeyDeleted => {
            facts.paths.remove(key);
        }
        Event::ModeChanged | Event::Touched => {
            if let Some(facts::PathFact::File(file)) = facts.paths.get_mut(key) {
                file.ctime_ns = now_ns;
                if matches!(event, Event::ModeChanged) {
                    file.access.mode = 0o644;
                }
            }
        }
        Event::Unreachable => {}
    }
}

/// The node key with this number as its seed.
fn node_key(number: u8) -> String {
    use base64::Engine as _;
    let mut seed = [number; 32];
    let secret = libp2p_identity::ed25519::SecretKey::try_from_bytes(&mut seed).unwrap();
    let pair: libp2p_identity::Keypair = libp2p_identity::ed25519::Keypair::from(secret).into();
    base64::engine::general_purpose::STANDARD.encode(pair.to_protobuf_encoding().unwrap())
}
