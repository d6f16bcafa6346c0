//! Facts and plans in files. For every case, a plan from a file with facts is the plan that was
//! made from the hosts, and a saved plan can be read again.

use crate::answer::answer;
use crate::case::World;
use crate::page;
use crate::schema::{self, Schema};
use libtest_mimic::Failed;
use spore_drive::facts;
use spore_drive::facts::file::{FORMAT as FACTS_FORMAT, FactsFile, Gathered, HostAnswer, stored};
use spore_drive::plan::file::{FORMAT, InputKey, Inputs, MadeWith, PLANNER, PlanFile, SavedOptions};
use spore_drive::plan::{Holder, Options, Plan, Probed, Unplanned};
use spore_drive::render;
use spore_drive::resource::{HostName, Printable, Redactor, SecretBytes, Sha256, Untrusted};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static PLAN: LazyLock<Schema> = LazyLock::new(|| Schema::of("snapshots/schemas/plan.schema.json"));
static FACTS: LazyLock<Schema> = LazyLock::new(|| Schema::of("snapshots/schemas/facts.schema.json"));

/// Passwords that are also words of every answer.
const PASSWORDS: [&str; 5] = ["root", "active", "store", "config", "http"];

type Answers = BTreeMap<HostName, Result<Untrusted, Unplanned>>;

/// Checks that a plan is the same if it passes through a file, or the facts do. With `passwords`,
/// they are masked in the file wherever that doesn't matter.
///
/// # Errors
/// If it isn't the same.
pub(crate) fn hold(world: &World, passwords: bool) -> Result<(), String> {
    let passwords = if passwords { &PASSWORDS[..] } else { &[] };
    let passwords: Vec<SecretBytes> = passwords.iter().copied().map(SecretBytes::new).collect();
    let file = same(world, &Redactor::new(&passwords, [""; 0]))?;
    let bytes = file.to_bytes();
    if PlanFile::parse(&bytes).map(|read| read.to_bytes()) != Ok(bytes) {
        return Err("a saved plan isn't the same once it is read".to_owned());
    }
    PLAN.allows(&text(&file));
    Ok(())
}

/// `schema::agrees` explains what a change of a schema means.
pub(crate) fn schemas() -> Result<(), Failed> {
    schema::agrees::<PlanFile>("plan");
    schema::agrees::<FactsFile>("facts");
    Ok(())
}

/// Plans from the hosts and from a file with their facts, and returns the plan's file.
fn same(world: &World, redactor: &Redactor) -> Result<PlanFile, String> {
    let mut probed = BTreeMap::new();
    let mut answers = Answers::new();
    for name in world.planner.hosts().keys() {
        let mut found = world.probe(name);
        let said = match &mut found {
            Probed::Facts(facts) => {
                facts.redactor = redactor.clone();
                Ok(Untrusted::new(answer(facts)))
            }
            Probed::Nothing(why) => Err(why.clone()),
        };
        answers.insert(name.clone(), said);
        probed.insert(name.clone(), found);
    }
    let online = Saved::new(world, &probed, &answers, redactor);

    let network = online.file.plan.network.clone();
    let facts = online.file.facts.clone();
    let facts = FactsFile { spore_facts: FACTS_FORMAT.to_owned(), network, facts };
    FACTS.allows(&String::from_utf8(facts.to_bytes()).unwrap());
    let read = FactsFile::parse(&facts.to_bytes()).map_err(|error| error.to_string())?;
    if read != facts {
        return Err("facts differ once they are read from their file".to_owned());
    }
    let answers: Answers = read
        .facts
        .hosts
        .into_iter()
        .map(|(name, answer)| {
            let answer = match answer {
                HostAnswer::Answer(lines) => Ok(HostAnswer::untrusted(&lines)),
                HostAnswer::Nothing { why, help } => Err(Unplanned::Recorded { why, help }),
            };
            (name.parse().unwrap(), answer)
        })
        .collect();
    let probed = answers
        .iter()
        .map(|(name, answer)| {
            let parsed = match answer {
                Ok(answer) => facts::parse(answer, redactor).map_err(Unplanned::Answer),
                Err(why) => Err(why.clone()),
            };
            let found = match parsed {
                Ok(facts) => Probed::Facts(Box::new(facts)),
                Err(why) => Probed::Nothing(why),
            };
            (name.clone(), found)
        })
        .collect();
    let offline = Saved::new(world, &probed, &answers, redactor);
    for (what, online, offline) in [
        ("plan", page::page("", &online.plan), page::page("", &offline.plan)),
        ("file", text(&online.file), text(&offline.file)),
    ] {
        if online != offline {
            let diff = similar::TextDiff::from_lines(&online, &offline);
            let diff = diff.unified_diff().header("from the hosts", "from a file").to_string();
            return Err(format!("the {what} differs if it is made from a file with facts:\n{diff}"));
        }
    }
    Ok(online.file)
}

fn text(file: &PlanFile) -> String {
    String::from_utf8(file.to_bytes()).unwrap()
}

struct Saved {
    plan: Plan,
    file: PlanFile,
}

impl Saved {
    fn new(
        world: &World,
        probed: &BTreeMap<HostName, Probed>,
        answers: &Answers,
        redactor: &Redactor,
    ) -> Self {
        let plan = world.planner.plan(probed).unwrap();
        let mut holders = BTreeMap::new();
        for (name, found) in probed {
            if let Probed::Facts(facts) = found
                && let Some(holder) = &facts.holder
            {
                holders.insert(name.clone(), Holder::parse(holder, redactor));
            }
        }
        let hosts = answers.iter().map(|(name, answer)| {
            let answer = match answer {
                Ok(answer) => HostAnswer::Answer(stored(name, answer, redactor).unwrap()),
                Err(why) => HostAnswer::Nothing { why: render::why(why), help: render::help(why) },
            };
            (name.to_string(), answer)
        });
        let gathered = Gathered {
            at: Printable::line("2027-01-15T08:00:00Z"),
            roster: world.planner.known_roster().clone(),
            hosts: hosts.collect(),
        };
        let file = PlanFile {
            spore_plan: FORMAT.to_owned(),
            made_with: MadeWith { spore: env!("CARGO_PKG_VERSION").to_owned(), planner: PLANNER },
            plan: render::page(&plan, &holders),
            inputs: inputs(world),
            facts: gathered,
        };
        Self { plan, file }
    }
}

/// What the plan is made from. Here, the folder has one file of each kind.
fn inputs(world: &World) -> Inputs {
    let Options { targets, batch, take_over, no_revert, purge_storage, prune, fetch, retire: _ } =
        &world.options;
    let key = InputKey::new(world.network.swarm_key.here().unwrap().line());
    let one = |name: &str| [(name.to_owned(), key.digest(Sha256::of(name.as_bytes())))].into();
    Inputs {
        options: SavedOptions {
            targets: targets.iter().map(ToString::to_string).collect(),
            batch: *batch,
            take_over: *take_over,
            no_revert: *no_revert,
            purge_storage: *purge_storage,
            prune: *prune,
            fetch: fetch.map(|fetch| fetch.name().to_owned()),
        },
        key: key.fingerprint(),
        folder: one("hosts.yaml"),
        secrets: one("swarm.key"),
        artifacts: one("tau for amd64"),
    }
}
