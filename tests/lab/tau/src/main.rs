//! A stand-in for Taubyte's `tau`, for tests on machines without the real tau.
//!
//! The stand-in has the same arguments and rejects the same configurations with the same
//! messages. As a daemon it listens, dials its `peers` over the same protocols, and logs
//! its connections, but runs no service. `tests/cases.rs` runs both programs on every known
//! configuration and compares the results.
//!
//! [`args`] parses the command line, [`config`] makes the checks of `config validate`, and
//! [`start`] those that only `start` makes. Intentional differences from the real tau: the
//! stand-in doesn't use `127.0.0.1:4217` or port 443, so that two shapes can run on one
//! host, and it simulates [`fault`]s for tests.

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
