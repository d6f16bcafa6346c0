//! A case: a folder, hosts, and options. See `fixtures/plans/README.md`.

use crate::edit;
use crate::simulate::{Simulation, in_order, simulate};
use serde::Deserialize;
use spore_drive::artifact::Architecture;
use spore_drive::daemon::tau;
use spore_drive::desired::{ArtifactRef, Desired, Supplies};
use spore_drive::network::Network;
use spore_drive::plan::{During, HostError, Options, Plan, Planner, Probed, Retire};
use spore_drive::resource::{HostName, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The time of the first probe in every case, later than any time in the fixtures.
const NOON: i64 = 1_800_000_000_000_000_000;
const DAY: i64 = 86_400_000_000_000;

/// The contents of `case.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: String,
    #[serde(default)]
    from: Option<From>,
    #[serde(default)]
    folder: BTreeMap<String, Option<BTreeMap<String, String>>>,
    #[serde(default)]
    hosts: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    options: RawOptions,
    #[serde(default)]
    same_as: Option<String>,
    #[serde(default)]
    places: bool,
}

/// The case from which another starts. Its plan was applied to the hosts, either completely
/// or only its first actions.
#[derive(Deserialize)]
#[serde(untagged)]
enum From {
    All(String),
    Part { case: String, actions: usize },
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawOptions {
    tau: Option<String>,
    targets: Vec<String>,
    batch: Option<usize>,
    take_over: bool,
    no_revert: bool,
    purge_storage: bool,
    fetch: Option<String>,
    retire: Option<String>,
    gone: bool,
}

/// A case, ready to be planned.
pub(crate) struct Case {
    pub(crate) about: String,
    pub(crate) same_as: Option<String>,
    /// Whether there is a snapshot of the places of its changes.
    pub(crate) places: bool,
    world: World,
}

/// The desired network, and the current state of the hosts.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) network: Arc<Network>,
    supplies: Arc<Supplies>,
    pub(crate) planner: Arc<Planner>,
    pub(crate) hosts: Simulation,
    pub(crate) options: Options,
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans")
}

/// The names of all cases.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(cases())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("case.yaml").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

impl Case {
    pub(crate) fn read(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::read_into(name, folder.path())
    }

    /// Reads a case, leaving its network folder in `scratch`.
    fn read_into(name: &str, scratch: &Path) -> Self {
        let path = cases().join(name);
        let text = fs::read_to_string(path.join("case.yaml")).expect(name);
        let raw: Raw = serde_yaml::from_str(&text).expect(name);
        let from = raw.from.map(|from| match from {
            From::All(case) => (case, usize::MAX),
            From::Part { case, actions } => (case, actions),
        });
        let mut hosts = from.map_or_else(
            || Simulation { hosts: BTreeMap::new(), now_ns: NOON },
            |(case, actions)| {
                let Self { world: mut before, .. } = Self::read_into(&case, scratch);
                let plan = before.plan();
                for ordered in in_order(&plan).take(actions) {
                    before.hosts.act(ordered, before.planner.desired()).expect(name);
                }
                before.hosts
            },
        );
        copy(&path.join("folder"), scratch);
        change(scratch, &raw.folder);
        let network = Network::read(scratch).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let supplies = supplies(&network, raw.options.tau.as_deref());
        let options = Options {
            prune: false,
            fetch: raw.options.fetch.map(|fetch| fetch.parse().unwrap()),
            targets: raw.options.targets.iter().map(|target| target.parse().unwrap()).collect(),
            batch: raw.options.batch,
            take_over: raw.options.take_over,
            no_revert: raw.options.no_revert,
            purge_storage: raw.options.purge_storage,
            retire: raw
                .options
                .retire
                .map(|host| Retire { host: host.parse().unwrap(), gone: raw.options.gone }),
        };
        let none = Simulation { hosts: BTreeMap::new(), now_ns: NOON };
        let mut world = World::new(network, supplies, none, options);
        edit::hosts(&path, &world.network, world.planner.desired(), &raw.hosts, &mut hosts);
        world.hosts = hosts;
        Self { about: raw.about, same_as: raw.same_as, places: raw.places, world }
    }

    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }
}

fn copy(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries.map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Applies a case's changes to the folder. For each file, `changes` has the texts to
/// replace, or `None` to delete the file.
fn change(folder: &Path, changes: &BTreeMap<String, Option<BTreeMap<String, String>>>) {
    for (file, replacements) in changes {
        let path = folder.join(file);
        let Some(replacements) = replacements else {
            fs::remove_file(&path).expect(file);
            continue;
        };
        let mut text = fs::read_to_string(&path).expect(file);
        for (old, new) in replacements {
            assert!(text.contains(old), "{file} doesn't contain `{old}`");
            text = text.replace(old, new);
        }
        fs::write(path, text).unwrap();
    }
}

/// The artifacts of a case: `tau` is a made-up version, or `none` if the folder pins no
/// tau. Plugins are files in the folder.
pub(crate) fn supplies(network: &Network, tau: Option<&str>) -> Supplies {
    let mut supplies = Supplies::default();
    if tau != Some("none") {
        for architecture in Architecture::ALL {
            let sha256 = Sha256::of(format!("{} {architecture}", tau.unwrap_or("v1")).as_bytes());
            supplies.tau.insert(architecture, ArtifactRef { sha256, size: Some(100_000_000) });
            supplies.versions.extend(tau.unwrap_or("v1").parse().ok().map(|version| (sha256, version)));
            let pin = network.tau.get(&architecture).map(|pin| &pin.value);
            let fetch = pin.map(|pin| pin.fetch).unwrap_or_default();
            let download = pin.and_then(|pin| pin.host_download(sha256)).map(Arc::new);
            supplies.fetched.insert(sha256, (fetch, download));
        }
    }
    for plugin in network.shapes.values().flat_map(|shape| &shape.plugins).filter(|plugin| plugin.is_there) {
        let bytes = fs::read(&plugin.file).unwrap_or_else(|error| panic!("{}: {error}", plugin.name));
        let artifact = ArtifactRef { sha256: Sha256::of(&bytes), size: Some(bytes.len() as u64) };
        supplies.plugins.insert(plugin.name.clone(), artifact);
    }
    supplies
}

impl World {
    pub(crate) fn new(network: Network, supplies: Supplies, hosts: Simulation, options: Options) -> Self {
        let planner = Planner::new(&network, &supplies, options.clone()).unwrap();
        let (network, supplies, planner) = (Arc::new(network), Arc::new(supplies), Arc::new(planner));
        Self { network, supplies, planner, hosts, options }
    }

    /// The same hosts, with the folder after the retirement, which no longer contains the
    /// retired host.
    pub(crate) fn retired(&self) -> Self {
        let mut options = self.options.clone();
        let network = options.retire.take().unwrap().without(&self.network);
        Self::new(network, Supplies::clone(&self.supplies), self.hosts.clone(), options)
    }

    /// The same hosts and options, with another network.
    pub(crate) fn of(&self, network: Network) -> Self {
        Self::new(network, Supplies::clone(&self.supplies), self.hosts.clone(), self.options.clone())
    }

    pub(crate) fn desired(&self) -> &Desired {
        self.planner.desired()
    }

    /// The plan for the current state of the hosts.
    pub(crate) fn plan(&self) -> Plan {
        let probed = self.planner.hosts().keys().map(|name| (name.clone(), self.probe(name))).collect();
        self.planner.plan(&probed).unwrap()
    }

    pub(crate) fn probe(&self, name: &HostName) -> Probed {
        let silent = || HostError::TimedOut { during: During::Asking, after: Duration::from_secs(10) };
        self.hosts.hosts.get(name).map_or_else(
            || Probed::Nothing(silent().into()),
            |facts| {
                let mut facts = facts.clone();
                facts.asked.shapes.clone_from(&self.planner.hosts()[name]);
                facts.asked.key = Some(self.desired().digest_keys[name].fingerprint());
                facts.asked.directories =
                    tau::DIRECTORIES.iter().map(|(path, _)| (*path).to_owned()).collect();
                // The simulation's own clock stands still while a settled node's hour passes.
                facts.asked.at_ns = facts.asked.at_ns.map(|_| self.hosts.now_ns + DAY);
                Probed::Facts(Box::new(facts))
            },
        )
    }

    /// Applies a plan to the simulated hosts.
    pub(crate) fn apply(&mut self, plan: &Plan) -> Result<(), String> {
        simulate(plan, &mut self.hosts, self.planner.desired()).map_err(|error| error.to_string())
    }
}
