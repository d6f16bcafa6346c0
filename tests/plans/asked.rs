//! A plan is made only from facts that cover everything that the folder describes.

use crate::case::Case;
use libtest_mimic::{Failed, Trial};
use spore_drive::facts::Facts;
use spore_drive::plan::{Plan, Probed};
use spore_drive::render::{Style, plan as render};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("asked::another_shape", || {
            is_missed("tau@store.service", |facts| {
                facts.asked.shapes.clear();
            })
        }),
        Trial::test("asked::another_directory", || {
            is_missed("/tb/storage/", |facts| {
                facts.asked.directories.remove("/tb/storage");
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
    let line = format!("h4: not planned: the probe didn't ask whether {what} exists");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("probe the host again, with this folder"), "{text}");
    Ok(())
}
