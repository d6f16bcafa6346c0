//! Results for other programs.

use crate::world::{APPLY, World};
use serde_json::Value;

/// The format changes neither the exit code nor the conclusion, and standard output has only
/// the document, also with `--quiet`.
#[test]
fn results_in_every_format() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    world.sh("h1", "chmod 644 \"$SPORE_ROOT/tb/config/keys/swarm.key\"");
    let plan = world.folder().join("plan.json");
    let plan = plan.to_str().unwrap();
    for (command, code, conclusion) in [
        (&["plan", "-o", plan][..], 2, "plan: 1 to change; "),
        (&["show", plan], 0, "plan: 1 to change; "),
        (&["drift"], 2, "drift: 1 host changed (h1)"),
        (&["-q", "drift"], 2, "drift: 1 host changed (h1)"),
    ] {
        for format in ["json", "markdown", "sarif", "junit", "github"] {
            let out = world.command(&[command, &["--format", format]].concat()).output().unwrap();
            let [said, errors] = [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes));
            assert_eq!(out.status.code(), Some(code), "{command:?} {format}: {errors}");
            assert!(errors.lines().last().unwrap().starts_with(conclusion), "{command:?} {format}: {errors}");
            let key = "/tb/config/keys/swarm.key";
            assert!(said.contains(key) && said.contains(".yaml"), "{command:?} {format}: {said}");
            match format {
                "json" | "sarif" => drop(serde_json::from_str::<Value>(&said).unwrap()),
                "markdown" => assert!(said.starts_with("<!-- spore:"), "{said}"),
                "junit" => drop(junit_parser::from_reader(said.as_bytes()).unwrap()),
                _ => assert!(said.lines().all(|line| line.starts_with("::")), "{said}"),
            }
        }
    }
}
