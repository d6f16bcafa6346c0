//! The fault tests: faults are injected into hosts, the network or the controller during an
//! apply. The planned state must be reached in the end, or a clear error reported.
//!
//! The entry point is [`main`], run by `tests/faults`. A case is a function in one of the
//! files in this directory: it starts its own hosts, injects faults at instants determined
//! by the seed, makes its assertions, and adds rows to the table. The checks after every
//! fault are in `bench.rs` and `secrets.rs`.

mod bench;
mod cable;
pub(crate) mod controller;
mod instants;
mod killed;
mod locks;
mod order;
mod others;
mod power;
mod random;
mod refusals;
mod secrets;
mod skipped;
mod table;
pub(crate) mod trip;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::host::Lab;
use bench::Bench;
pub(crate) use controller::Controller;
use random::Random;
use table::Table;
pub(crate) use trip::{Side, Trip};

/// The name of a case, and its function.
type Case = (&'static str, fn(&mut Bench<'_>));

/// All cases, the longest ones first.
const CASES: &[Case] = &[
    ("locks::by_default", locks::by_default),
    ("instants::pretended", instants::pretended),
    ("killed::first_apply", killed::first_apply),
    ("killed::keyless", killed::keyless),
    ("killed::update", killed::update),
    ("killed::removal", killed::removal),
    ("killed::takeover", killed::takeover),
    ("killed::rotation", killed::rotation),
    ("refusals::nodes", refusals::nodes),
    ("refusals::services", refusals::services),
    ("order::elders_and_batches", order::elders_and_batches),
    ("power::first_apply", power::first_apply),
    ("power::update", power::update),
    ("refusals::disk", refusals::disk),
    ("refusals::programs", refusals::programs),
    ("cable::cut", cable::cut),
    ("cable::stalled", cable::stalled),
    ("others::edited", others::edited),
    ("others::two_at_once", others::two_at_once),
    ("others::another_machine", others::another_machine),
    ("skipped::hosts", skipped::hosts),
    ("skipped::interrupted", skipped::interrupted),
    ("locks::let_go", locks::let_go),
    ("locks::given_up", locks::given_up),
    ("power::synced", power::synced),
    ("power::real_tau", power::real_tau),
];

thread_local! {
    /// The place where the case on this thread panicked.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The command line arguments.
struct Asked {
    seed: u64,
    time: Duration,
    short: bool,
    at_once: usize,
    only: Vec<String>,
    table: Option<PathBuf>,
}

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let asked = match Asked::parse(arguments) {
        Ok(asked) => asked,
        Err(why) => {
            println!(
                "{why}\nusage: tests/faults [--seed N] [--minutes M | --short] [--at-once N] [--table FILE] [CASE...]"
            );
            return ExitCode::from(2);
        }
    };
    let cases: Vec<Case> = CASES
        .iter()
        .filter(|(name, _)| asked.only.is_empty() || asked.only.iter().any(|only| name.contains(only)))
        .copied()
        .collect();
    let table = Mutex::new(Table::default());
    let begun = Instant::now();
    println!("faults: seed {}", asked.seed);
    let rounds = secrets::sampled(|| rounds(&asked, &cases, &table, begun));
    let mut table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    for found in secrets::sampled_where_they_do_not_belong() {
        table.broken("secrets::processes", &found);
    }
    println!("\n{}", table.text());
    println!("faults: seed {}, {rounds} rounds, {} s", asked.seed, begun.elapsed().as_secs());
    if let Some(path) = &asked.table
        && let Err(error) =
            std::fs::write(path, table.markdown(asked.seed, rounds, asked.short, begun.elapsed()))
    {
        println!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all cases, and repeats them at other instants while there is time. Returns the
/// number of rounds.
fn rounds(asked: &Asked, cases: &[Case], table: &Mutex<Table>, begun: Instant) -> usize {
    // Panics are reported in the table, so they aren't printed here.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        PANICKED_AT.set(at);
    }));
    let (next, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let again = turn >= cases.len();
            if cases.is_empty() || again && (asked.short || begun.elapsed() >= asked.time) {
                return;
            }
            let (name, case) = cases[turn % cases.len()];
            running.fetch_max(turn / cases.len() + 1, Ordering::SeqCst);
            let random = Random::new(asked.seed ^ (turn as u64) << 32);
            run(name, case, turn, random, asked.short, table);
        }
    };
    thread::scope(|scope| {
        for _ in 0..asked.at_once {
            scope.spawn(work);
        }
    });
    running.into_inner()
}

fn run(name: &str, case: fn(&mut Bench<'_>), turn: usize, random: Random, short: bool, table: &Mutex<Table>) {
    let begun = Instant::now();
    let prefix = format!("{}-{turn}", name.rsplit("::").next().unwrap_or(name).replace('_', "-"));
    let lab = match Lab::new(&prefix) {
        Ok(lab) => lab,
        Err(none) => {
            return table.lock().unwrap_or_else(PoisonError::into_inner).broken(name, &none.to_string());
        }
    };
    let mut bench = Bench::new(lab, random, short, table);
    let ended = catch_unwind(AssertUnwindSafe(|| case(&mut bench)));
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let at = PANICKED_AT.take();
        let text = format!("{}: {at}: {}", bench.doing(), text.unwrap_or_default());
        table.lock().unwrap_or_else(PoisonError::into_inner).broken(name, &text);
    }
    println!("faults: {name} took {} s", begun.elapsed().as_secs());
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut asked = Self {
            seed: random::seed(),
            time: Duration::ZERO,
            short: false,
            at_once: 5,
            only: Vec::new(),
            table: None,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            let number = |text: &String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
            match word.as_str() {
                "--seed" => asked.seed = number(value()?)?,
                "--minutes" => asked.time = Duration::from_secs(60 * number(value()?)?),
                "--at-once" => asked.at_once = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
                "--table" => asked.table = Some(value()?.into()),
                "--short" => asked.short = true,
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                name => asked.only.push(name.to_owned()),
            }
        }
        Ok(asked)
    }
}
