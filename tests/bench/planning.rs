//! Measures planning for a network of `HOSTS` hosts: a plan with nothing to do, and a plan
//! in which every node gets another tau. The facts come from applying the first plan in
//! simulation. Prints a row of a Markdown table for each plan: its name, the seconds, and
//! the peak memory during planning, including the facts.
//!
//! `tests/bench/planning` runs it.

#![expect(dead_code, reason = "the simulation has parts that only tests need")]
#![expect(clippy::print_stdout, reason = "this is what it is for")]

#[path = "folder.rs"]
mod folder;
#[path = "../plans"]
mod plans {
    #[expect(unused_imports, reason = "the simulation exports what only tests need")]
    pub(crate) mod simulate;
}

use plans::simulate::{Simulation, simulate as apply};
use spore_drive::artifact::Architecture;
use spore_drive::daemon::tau;
use spore_drive::desired::{ArtifactRef, Supplies};
use spore_drive::facts::parse;
use spore_drive::network::{Files, Network};
use spore_drive::plan::{Options, Plan, Planner, Probed};
use spore_drive::render::{self, Style};
use spore_drive::resource::{DigestKey, Redactor, Sha256, Untrusted};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::Instant;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/plans/first/folder");
const BARE: &str = include_str!("../../fixtures/plans/answers/debian-12.answer");

fn main() -> Result<(), Box<dyn Error>> {
    let hosts: u32 = std::env::args().nth(1).ok_or("HOSTS")?.parse()?;
    let network = Network::from_files(&files(hosts)?).map_err(|problems| format!("{problems:?}"))?;
    let mut simulation = Simulation { hosts: BTreeMap::new(), now_ns: 1_800_000_000_000_000_000 };
    let bare = parse(&Untrusted::new(BARE), &Redactor::default()).map_err(|error| format!("{error:?}"))?;
    for (name, host) in &network.hosts {
        let mut facts = bare.clone();
        facts.machine = Some(Sha256::of(name.as_str().as_bytes()));
        facts.asked.shapes = host.nodes.keys().cloned().collect();
        facts.asked.directories = tau::DIRECTORIES.iter().map(|(path, _)| (*path).to_owned()).collect();
        let key = network.swarm_key.here().map(|key| DigestKey::derive(key.line(), name.as_str()));
        facts.asked.key = key.as_ref().map(DigestKey::fingerprint);
        simulation.hosts.insert(name.clone(), facts);
    }
    let v1 = supplies("v1")?;
    let planner = Planner::new(&network, &v1, Options::default())?;
    let plan = planner.plan(&probed(simulation.clone()))?;
    apply(&plan, &mut simulation, planner.desired())?;
    drop((plan, planner));
    let facts = probed(simulation);

    let (plan, page) = measured("nothing to do", hosts, &network, &v1, &facts)?;
    assert!(plan.is_empty() && page.contains("plan: nothing to do"), "{page}");
    drop((plan, page));
    let (plan, _) = measured("every node changed", hosts, &network, &supplies("v2")?, &facts)?;
    assert_eq!(plan.nodes.values().filter(|part| part.wave.is_some()).count(), hosts as usize);
    Ok(())
}

/// Compiles, plans and renders.
fn measured(
    what: &str,
    hosts: u32,
    network: &Network,
    supplies: &Supplies,
    facts: &BTreeMap<spore_drive::resource::HostName, Probed>,
) -> Result<(Plan, String), Box<dyn Error>> {
    // This resets the peak that the kernel has recorded.
    fs::write("/proc/self/clear_refs", "5")?;
    let begun = Instant::now();
    let planner = Planner::new(network, supplies, Options::default())?;
    let compiled = begun.elapsed().as_secs_f64();
    let plan = planner.plan(facts)?;
    let planned = begun.elapsed().as_secs_f64();
    let page = render::plan(&plan, Style::Plain);
    let all = begun.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    let (plans, renders) = (planned - compiled, all - planned);
    println!("| {hosts} | {what} | {compiled:.2} | {plans:.2} | {renders:.2} | {all:.2} | {} |", peak / 1000);
    Ok((plan, page))
}

fn files(hosts: u32) -> Result<Files, Box<dyn Error>> {
    let mut files = Files::new("/nowhere");
    for path in ["auth.yaml", "tenancy.yaml", "keys/dv_private.key", "keys/dv_public.key", "keys/swarm.key"] {
        files.insert(path, fs::read(format!("{FOLDER}/{path}"))?);
    }
    let cloud = fs::read_to_string(format!("{FOLDER}/cloud.yaml"))?;
    files.insert("cloud.yaml", cloud.replace("[h1, h2, h3]", "[h0, h1, h2]"));
    files.insert(
        "shapes.yaml",
        "elders: {ports: {main: 4242}}\nall: {services: [tns, hoarder], ports: {main: 5242}}\n",
    );
    let mut all = String::new();
    for n in 0..hosts {
        let host = folder::host(n)?.replace("auth: [deploy]", "auth: [admin]");
        all += &format!("h{n}:\n");
        host.lines().for_each(|line| all += &format!("  {line}\n"));
    }
    files.insert("hosts.yaml", all);
    Ok(files)
}

fn supplies(version: &str) -> Result<Supplies, Box<dyn Error>> {
    let mut supplies = Supplies::default();
    for architecture in Architecture::ALL {
        let sha256 = Sha256::of(format!("{version} {architecture}").as_bytes());
        supplies.tau.insert(architecture, ArtifactRef { sha256, size: Some(100_000_000) });
        supplies.versions.insert(sha256, version.parse()?);
    }
    Ok(supplies)
}

fn probed(simulation: Simulation) -> BTreeMap<spore_drive::resource::HostName, Probed> {
    simulation.hosts.into_iter().map(|(name, facts)| (name, Probed::Facts(Box::new(facts)))).collect()
}
