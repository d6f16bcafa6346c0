//! The real `spore` and a real sshd, a child of the test, in front of a simulated host: what an
//! operator sees. Tests that this machine can't run are listed as ignored, with the reason.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use libtest_mimic::{Arguments, Trial};
use std::path::Path;
use std::process::ExitCode;

mod configuration;
#[path = "../support/fake_agent.rs"]
mod fake_agent;
mod faults;
mod keys;
mod passwords;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../pretend/world.rs"]
mod pretend;
mod sessions;
#[path = "../support/ssh_agent.rs"]
mod ssh_agent;
#[path = "../support/sshd.rs"]
mod sshd;
mod sudo;
mod timeouts;
mod trust;
mod world;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests mostly wait, so they run in parallel.
    arguments.test_threads.get_or_insert(4);
    libtest_mimic::run(&arguments, tests()).exit_code()
}

/// The name of a test, what it needs on this machine, and the test.
type Case = (&'static str, &'static [&'static str], fn());

fn tests() -> Vec<Trial> {
    let tests: Vec<Case> = vec![
        (
            "trust::all_keys_of_a_server_are_shown_and_added",
            &[],
            trust::all_keys_of_a_server_are_shown_and_added,
        ),
        ("trust::hashed_names_work", &[], trust::hashed_names_work),
        ("trust::the_listed_kind_of_key_is_asked_for", &[], trust::the_listed_kind_of_key_is_asked_for),
        ("trust::a_changed_key_is_always_refused", &[], trust::a_changed_key_is_always_refused),
        ("trust::the_systems_file_counts", &["root"], trust::the_systems_file_counts),
        ("trust::a_revoked_key_is_refused", &[], trust::a_revoked_key_is_refused),
        ("trust::certificates_of_hosts", &[], trust::certificates_of_hosts),
        ("trust::new_keys_are_accepted", &[], trust::new_keys_are_accepted),
        (
            "trust::unknown_hosts_behind_an_unknown_jump_host",
            &[],
            trust::unknown_hosts_behind_an_unknown_jump_host,
        ),
        ("keys::each_key_is_tried_once", &[], keys::each_key_is_tried_once),
        ("keys::too_many_attempts", &[], keys::too_many_attempts),
        ("keys::certificates_of_users", &["ssh-agent"], keys::certificates_of_users),
        ("keys::encrypted_keys", &["script"], keys::encrypted_keys),
        ("keys::two_people", &["ssh-agent"], keys::two_people),
        ("keys::a_touch_is_waited_for", &[], keys::a_touch_is_waited_for),
        (
            "configuration::identities_and_known_files",
            &["ssh-agent"],
            configuration::identities_and_known_files,
        ),
        ("configuration::the_time_out_for_connecting", &[], configuration::the_time_out_for_connecting),
        ("passwords::a_wrong_one_is_tried_once", &["root", "openssl"], passwords::a_wrong_one_is_tried_once),
        (
            "passwords::questions_are_answered",
            &["root", "openssl", "script"],
            passwords::questions_are_answered,
        ),
        (
            "sudo::the_password_is_sent_once",
            &["root", "openssl", "sudo", "script"],
            sudo::the_password_is_sent_once,
        ),
        (
            "sudo::a_wrong_password_is_tried_once",
            &["root", "openssl", "sudo"],
            sudo::a_wrong_password_is_tried_once,
        ),
        ("sudo::a_refusal_is_quoted", &["root", "openssl", "sudo"], sudo::a_refusal_is_quoted),
        (
            "sudo::the_password_is_in_no_arguments",
            &["root", "openssl", "sudo", "strace"],
            sudo::the_password_is_in_no_arguments,
        ),
        ("sessions::banner_and_noise", &["root", "sudo"], sessions::banner_and_noise),
        ("sessions::an_apply", &[], sessions::an_apply),
        ("sessions::fish", &["root", "fish", "sudo"], || sessions::login_shell("fish")),
        ("sessions::tcsh", &["root", "tcsh", "sudo"], || sessions::login_shell("tcsh")),
        ("sessions::zsh", &["root", "zsh", "sudo"], || sessions::login_shell("zsh")),
        ("sessions::dash", &["root", "dash", "sudo"], || sessions::login_shell("dash")),
        ("sessions::one_session_only", &[], sessions::one_session_only),
        ("sessions::no_login_shell", &["root"], sessions::no_login_shell),
        ("sessions::ipv6_and_several_addresses", &["ipv6"], sessions::ipv6_and_several_addresses),
        ("faults::closed_during_the_key_exchange", &[], faults::closed_during_the_key_exchange),
        ("faults::a_flood_is_cut_off", &[], faults::a_flood_is_cut_off),
        ("faults::a_session_that_dies_is_reported", &[], faults::a_session_that_dies_is_reported),
        ("faults::a_dead_host_is_detected", &[], faults::a_dead_host_is_detected),
        (
            "faults::a_session_that_dies_during_an_upload",
            &["root"],
            faults::a_session_that_dies_during_an_upload,
        ),
        ("faults::too_many_connections", &[], faults::too_many_connections),
        ("faults::interrupts", &[], faults::interrupts),
        ("timeouts::each_says_what_it_was_for", &[], timeouts::each_says_what_it_was_for),
        ("timeouts::a_silent_proxy_command", &[], timeouts::a_silent_proxy_command),
    ];
    tests.into_iter().map(|(name, needs, test)| trial(name, needs, test)).collect()
}

fn trial(name: &str, needs: &[&str], test: fn()) -> Trial {
    match needs.iter().find_map(|need| missing(need)) {
        Some(reason) => Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true),
        None => Trial::test(name, move || {
            test();
            Ok(())
        }),
    }
}

/// Why this machine can't run a test that needs this.
fn missing(need: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match need {
        "root" if sshd::user() == "root" => None,
        "root" => Some("needs root".to_owned()),
        "ipv6" if std::net::TcpListener::bind("[::1]:0").is_ok() => None,
        "ipv6" => Some("needs IPv6".to_owned()),
        program if std::env::split_paths(&path).any(|folder| folder.join(program).exists()) => None,
        program if Path::new("/usr/sbin").join(program).exists() => None,
        program => Some(format!("needs the program {program}")),
    }
}
