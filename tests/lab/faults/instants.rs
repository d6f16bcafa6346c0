//! The controller is killed at many random instants. This runs the test on simulated hosts,
//! which are fast, with the current seed.

use std::process::Command;

use super::bench::Bench;
use super::table::Came;

/// The number of instants for each situation; `cargo test` uses only a few.
const INSTANTS: usize = 200;

pub(crate) fn pretended(bench: &mut Bench<'_>) {
    if bench.leaves_out("instants::pretended") {
        return;
    }
    let tests = std::env::var_os("SPORE_PRETEND_TESTS").unwrap_or_default();
    for (situation, test) in [
        ("of a first apply", "instants::a_first_apply_survives_a_kill"),
        ("of an update", "instants::an_update_survives_a_kill"),
    ] {
        bench.begin("controller killed, simulated hosts", &format!("{INSTANTS} random instants {situation}"));
        let mut command = Command::new(&tests);
        command.args(["--exact", test]).env("SPORE_INSTANTS", INSTANTS.to_string());
        command.env("SPORE_SEED", bench.random.below(1 << 32).to_string());
        let output =
            command.output().unwrap_or_else(|error| panic!("SPORE_PRETEND_TESTS={tests:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        bench.came(Came::Converged);
    }
}
