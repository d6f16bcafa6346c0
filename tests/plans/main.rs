//! Plans without real hosts: every folder in `fixtures/plans` is a case. Its plan is
//! compared with `snapshots/<case>.txt` and applied to simulated hosts.
//!
//! Where its changes are described in the folder is compared as well, for some cases.
//!
//! `fixtures/plans/README.md` describes the format of a case. `SPORE_BLESS=1` updates the
//! snapshots.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod adopt;
mod answer;
mod asked;
mod case;
#[path = "../support/cases.rs"]
mod cases;
mod edit;
#[path = "../support/formats.rs"]
mod formats;
mod invariants;
mod page;
mod places;
mod random;
mod saved;
#[path = "../support/schema.rs"]
mod schema;
mod secretless;
mod simulate;
mod tree;

use case::Case;
use libtest_mimic::{Arguments, Trial};
use spore_drive::render::{self, report};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Cases whose plans are compared in every format.
const IN_EVERY_FORMAT: [&str; 2] = ["node-key-replaced", "hosts-that-cannot-be"];

/// Cases in whose facts passwords are masked.
const PASSWORDS_IN: [&str; 3] = ["takeover", "swarm-key-rotated", "hosts-that-cannot-be"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut tests: Vec<Trial> = case::names().into_iter().map(trial).collect();
    tests.extend(asked::trials());
    tests.push(Trial::test("schemas", saved::schemas));
    tests.extend(adopt::trials());
    tests.extend(random::trials());
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn trial(name: String) -> Trial {
    Trial::test(format!("plans::{name}"), move || {
        let case = Case::read(&name);
        let world = case.world();
        let plan = world.plan();
        let text = page::page(&case.about, &plan);
        compare(&format!("{name}.txt"), &text)?;
        if case.places {
            places::every_field_has_a_setting(&world)?;
            compare(&format!("places/{name}.txt"), &places::page(&case, &plan))?;
        }
        let report = report::plan(&render::page(&plan, &BTreeMap::new()), "networks/prod".to_owned());
        formats::markdown(&report, &report::markdown(&report));
        if IN_EVERY_FORMAT.contains(&&*name) {
            for (format, text) in formats::read(&report) {
                compare(&format!("formats/{name}.{format}"), &text)?;
            }
        }
        if let Some(same) = &case.same_as {
            let other = page::page(&case.about, &Case::read(same).world().plan());
            if other != text {
                return Err(format!("the plan differs from that of {same}").into());
            }
        }
        secretless::hold(&world)?;
        saved::hold(&world, PASSWORDS_IN.contains(&&*name))?;
        invariants::hold(&world, &plan).map_err(Into::into)
    })
}

fn compare(name: &str, text: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var_os("SPORE_BLESS").is_some() {
        return fs::write(&path, text).map_err(|error| error.to_string());
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    if wanted == text {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(wanted.as_str(), text)
        .unified_diff()
        .header("snapshot", "plan")
        .to_string();
    Err(format!("{diff}\nSPORE_BLESS=1 updates the snapshots"))
}
