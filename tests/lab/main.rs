//! End-to-end tests on the real hosts of a lab world; see README.md in this directory.
//!
//! The program has the same arguments as libtest. Outside of a world, it reports that the
//! tests were skipped, and succeeds; `tests/run` starts it in a world.
#![expect(clippy::print_stdout, reason = "a test binary reports on its standard output")]

mod access;
mod alive;
mod binary;
mod changes;
mod drift;
mod faults;
mod fetch;
mod first;
mod gate;
mod host;
mod hostile;
#[expect(dead_code, clippy::unwrap_used, reason = "another test uses the rest, and panics where it fails")]
#[path = "../hostile.rs"]
mod hostile_cases;
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "another test uses the rest, and a server that fails ends its test"
)]
#[path = "../support/http.rs"]
mod http;
mod in_force;
mod keys;
mod mending;
mod network;
mod ownership;
mod package;
mod pretended;
mod remote;
mod retire;
mod rollback;
mod run;
mod saved;
mod scheduler;
mod selftest;
mod services;
mod session;
mod staged;
mod surroundings;
mod takeover;
mod tmp;
mod watch;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = &words[..]
        && first == "--faults"
    {
        return faults::main(rest);
    }
    let mut arguments = Arguments::from_args();
    // The tests mostly wait, so they run in parallel.
    arguments.test_threads.get_or_insert(4);
    if let Err(reason) = host::Lab::new("") {
        println!("lab: skipped: {reason}");
        return ExitCode::SUCCESS;
    }
    let tests = vec![
        // The longest tests come first.
        trial("first::nine", first::nine),
        trial("changes::updates", changes::updates),
        trial("lab::selftest", selftest::run),
        trial("access::users", access::users),
        trial("access::hosts_that_are_down", access::hosts_that_are_down),
        trial("access::host_keys", access::host_keys),
        trial("access::jump_hosts", access::jump_hosts),
        trial("scheduler::elders_that_die", scheduler::elders_that_die),
        trial("scheduler::hosts_that_cannot_be_staged", scheduler::hosts_that_cannot_be_staged),
        trial("scheduler::a_change_that_does_not_last", scheduler::a_change_that_does_not_last),
        trial("scheduler::targets_at_once", scheduler::targets_at_once),
        trial("alive::a_stopped_process", alive::a_stopped_process),
        trial("alive::a_node_that_is_stuck", alive::a_node_that_is_stuck),
        trial("alive::another_swarm", alive::another_swarm),
        trial("alive::an_impostor", alive::an_impostor),
        trial("alive::forwarding_is_forbidden", alive::forwarding_is_forbidden),
        trial("alive::ports_that_are_taken", alive::ports_that_are_taken),
        trial("drift::drift", drift::drift),
        trial("fetch::by_the_hosts", fetch::by_the_hosts),
        trial("gate::a_node_that_cannot_start", gate::a_node_that_cannot_start),
        trial("gate::two_shapes_on_one_host", gate::two_shapes_on_one_host),
        trial("hostile::a_host_that_lies", hostile::a_host_that_lies),
        trial("in_force::what_others_override", in_force::what_others_override),
        trial("in_force::what_a_process_was_started_with", in_force::what_a_process_was_started_with),
        trial("in_force::records", in_force::records),
        trial("in_force::restarted_nodes", in_force::restarted_nodes),
        trial("in_force::a_node_that_keeps_dying", in_force::a_node_that_keeps_dying),
        trial("in_force::without_a_journal", in_force::without_a_journal),
        trial("mending::style_is_no_difference", mending::style_is_no_difference),
        trial("mending::with_a_restart", mending::with_a_restart),
        trial("mending::without_a_restart", mending::without_a_restart),
        trial("ownership::firewall_rules", ownership::firewall_rules),
        trial("ownership::one_machine", ownership::one_machine),
        trial("ownership::storage", ownership::storage),
        trial("package::installed_and_removed", package::installed_and_removed),
        trial("pretended::answers_as_a_real_one", pretended::answers_as_a_real_one),
        trial("rollback::an_update", rollback::an_update),
        trial("rollback::cut_off", rollback::cut_off),
        trial("rollback::no_revert", rollback::no_revert),
        trial("rollback::odd_hosts", rollback::odd_hosts),
        trial("remote::acts", remote::acts),
        trial("remote::lets_go", remote::lets_go),
        trial("remote::locks", remote::locks),
        trial("retire::nothing_else", retire::nothing_else),
        trial("saved::in_two_processes", saved::in_two_processes),
        trial("services::engines", services::engines),
        trial("services::ipv6", services::ipv6),
        trial("services::what_is_left_alone", services::what_is_left_alone),
        trial("session::from_init", session::from_init),
        trial("staged::what_cannot_run", staged::what_cannot_run),
        trial("surroundings::engine_and_plugins", surroundings::engine_and_plugins),
        trial("surroundings::firewall", surroundings::firewall),
        trial("surroundings::hosts_that_are_not_to_be_had", surroundings::hosts_that_are_not_to_be_had),
        trial("surroundings::seer_beside_the_resolver", surroundings::seer_beside_the_resolver),
        trial("tmp::other_users", tmp::other_users),
        real_only("takeover::hardened", takeover::hardened),
        real_only("takeover::imported", takeover::imported),
        real_only("takeover::touched_before_we_came", takeover::touched_before_we_came),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// A test. In its lab, the names of all hosts begin with the name of the test.
fn trial(name: &str, test: impl Fn(&host::Lab) + Send + 'static) -> Trial {
    let prefix = name.rsplit("::").next().unwrap_or(name).replace('_', "-");
    Trial::test(name, move || {
        test(&host::Lab::new(&prefix)?);
        Ok(())
    })
}

/// A test that needs the real tau. It is ignored if the real tau isn't available.
fn real_only(name: &'static str, test: fn(&host::Lab, &std::path::Path)) -> Trial {
    let Some(tau) = binary::real() else {
        return Trial::test(name, || Ok(())).with_kind("needs SPORE_TEST_TAU").with_ignored_flag(true);
    };
    trial(name, move |lab| test(lab, tau))
}
