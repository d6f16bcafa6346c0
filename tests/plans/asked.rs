//! A plan is made only from facts that cover everything that the folder describes.

use crate::case::Case;
use libtest_mimic::{Failed, Trial};
use spore_drive::facts::Facts;
use spore_drive::plan::{Plan, Probed};
use spore_drive::render::{Style, plan as render};
use spore_drive::resource::Sha256;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("asked::another_shape", || {
            is_missed("the probe didn't ask whether tau@store.service exists", |facts| {
                facts.asked.shapes.clear();
            })
        }),
        Trial::test("asked::another_directory", || {
            is_missed("the probe didn't ask whether /tb/storage/ exists", |facts| {
                facts.asked.directories.remove("/tb/storage");
            })
        }),
        Trial::test("asked::another_key", || {
            is_missed("its secrets were digested with another key", |facts| {
                facts.asked.key = Some(Sha256::of(b"of another network"));
            })
        }),
        Trial::test("asked::without_a_key", || {
            is_missed("its secrets were digested with another key", |facts| {
                facts.asked.key = None;
            })
        }),
    ]
}

/// A resource that a host wasn't asked about doesn't count as absent: nothing is planned
/// for the host, and the plan says what the probe didn't ask.
fn is_missed(what: &str, forget: impl Fn(&mut Facts)) -> Result<(), Failed> {
    let world = Case::read("first").world();
    let host = "h4".parse().unwrap();
    let plan = |probed| -> Plan { world.planner.plan(&[(host, probed)].into()).unwrap() };
    let Probed::Facts(mut facts) = world.probe(&"h4".parse().unwrap()) else { panic!("h4 has facts") };
    forget(&mut facts);
    let plan = plan(Probed::Facts(facts));
    assert!(plan.changes.is_empty() && plan.waves.is_empty() && plan.stage.is_empty());
    let text = render(&plan, Style::Plain);
    let line = format!("h4: not planned: {what}");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("probe the host again, with this folder"), "{text}");
    Ok(())
}
