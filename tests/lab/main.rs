//! End-to-end tests on the real hosts of a lab world; see README.md beside this.
//!
//! Takes the arguments that libtest takes. Outside of a world it says so, and
//! that is no failure: `tests/run` is where one is.
#![expect(clippy::print_stdout, reason = "a test binary reports on its standard output")]

mod host;
mod remote;
mod selftest;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Tests wait more than they work.
    arguments.test_threads.get_or_insert(4);
    if let Err(reason) = host::Lab::new("") {
        println!("lab: not run: {reason}");
        return ExitCode::SUCCESS;
    }
    let tests = vec![
        trial("lab::selftest", selftest::run),
        trial("remote::acts", remote::acts),
        trial("remote::locks", remote::locks),
        trial("remote::lets_go", remote::lets_go),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// A test is given a lab whose hosts carry its name.
fn trial(name: &str, test: fn(&host::Lab)) -> Trial {
    let prefix = name.rsplit("::").next().unwrap_or(name).replace('_', "-");
    Trial::test(name, move || {
        test(&host::Lab::new(&prefix)?);
        Ok(())
    })
}
