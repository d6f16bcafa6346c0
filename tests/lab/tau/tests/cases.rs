//! Every case in `fixtures/tau-cases` is run with the stand-in and with the real tau, and
//! both must behave as in `cases.tsv`. Further tests check that both can be in one swarm,
//! and that the stand-in's faults work.
//!
//! A case is a folder with `all.yaml`, and with `swarm.key` if it needs a special key.
//! Adding a case needs a line in `cases.tsv` and no Rust. Each trial runs in a separate
//! world ([`world`]): it needs root, changes nothing on the machine except for creating an
//! empty `/tb`, and uses no network. Trials that can't be run are listed as ignored, with
//! the reason.

mod case;
mod daemon;
mod meeting;
mod misbehaviour;
mod real;
mod table;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Conclusion, Trial};

/// How many trials run in parallel. They mostly wait.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(world::INSIDE) {
        return world::inside(&args.collect::<Vec<_>>());
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion: Conclusion = libtest_mimic::run(&arguments, trials());
    conclusion.exit_code()
}

fn trials() -> Vec<Trial> {
    if !world::can_be_made() {
        return vec![skipped("every case", "needs root")];
    }
    let stand_in = PathBuf::from(env!("CARGO_BIN_EXE_tau-stand-in"));
    let mut taus = vec![("stand-in", stand_in.clone())];
    let mut trials = Vec::new();
    match real::find() {
        Ok(Some(real)) => taus.push(("real", real)),
        Ok(None) => trials.push(skipped("every case with the real tau", "needs SPORE_TEST_TAU")),
        Err(e) => trials.push(failed("the real tau can't be unpacked", e)),
    }
    match table::names() {
        Err(e) => trials.push(failed("cases.tsv can't be read", e)),
        Ok(names) => {
            for (who, tau) in &taus {
                trials.extend(names.iter().map(|name| {
                    let words = ["case".to_owned(), name.clone(), tau.display().to_string()];
                    world::trial(format!("{who}::{name}"), words)
                }));
            }
        }
    }
    for ((elder, elder_tau), (member, member_tau)) in
        taus.iter().flat_map(|elder| taus.iter().map(move |member| (elder, member)))
    {
        if *elder == "real" && *member == "real" {
            continue; // Two real taus can't share a network namespace.
        }
        for keys in meeting::Keys::ALL {
            let words = ["meeting".to_owned(), keys.name().to_owned()];
            let taus = [
                elder,
                elder_tau.to_str().unwrap_or_default(),
                member,
                member_tau.to_str().unwrap_or_default(),
            ];
            trials.push(world::trial(
                format!("swarm::{}::{elder}-elder::{member}-member", keys.name()),
                words.into_iter().chain(taus.map(str::to_owned)),
            ));
        }
    }
    for what in misbehaviour::NAMES {
        let words = ["misbehaviour".to_owned(), what.to_owned(), stand_in.display().to_string()];
        trials.push(world::trial(format!("stand-in-only::{what}"), words));
    }
    trials
}

fn skipped(what: &str, why: &str) -> Trial {
    Trial::test(what, || Ok(())).with_kind(why).with_ignored_flag(true)
}

fn failed(what: &str, why: String) -> Trial {
    Trial::test(what, || Err(why.into()))
}
