//! A stand-in for Taubyte's `tau`, for tests on machines that lack the real one.
//!
//! It takes the same arguments, refuses the same configurations with the same words, and as a daemon listens, dials
//! its `peers` over the same protocols, and says whom it reached; it runs no service. `tests/cases.rs` puts every
//! known configuration to both and compares, which is what keeps this honest.
//!
//! Enter at [`args`] (what was asked), [`config`] (what `config validate` checks) and [`start`] (what only `start`
//! finds). Where it differs from the real one by intent: it leaves `127.0.0.1:4217` and port 443 alone, so that two
//! shapes run on one host, and it obeys [`fault`]s that a test plants.

mod address;
mod args;
mod config;
mod fault;
mod log;
mod recognized;
mod refusal;
mod service;
mod start;
mod swarm;

use std::process::ExitCode;

use args::Command;
use refusal::Refusal;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(wrong.exit_code());
        }
    };
    let done = match command {
        Command::Version => {
            println!("tau stand-in {}", recognized::VERSION);
            Ok(())
        }
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Command::Validate { root, shape, file } => config::load(&root, &shape, file.as_deref()).map(drop),
        Command::Start { root, shape } => run(&root, &shape),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            log::fatal(&refusal);
            ExitCode::FAILURE
        }
    }
}

fn run(root: &str, shape: &str) -> Result<(), Refusal> {
    let node = config::load(root, shape, None).map_err(|e| e.within("parsing config failed with"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Refusal::new(format!("stand-in: no runtime: {e}")))?;
    runtime.block_on(start::start(node))
}
