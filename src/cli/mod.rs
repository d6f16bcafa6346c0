//! The command line: arguments, files, the terminal and exit codes. The entry point is
//! [`main`]. Decisions about a network are left to the other rooms. Each file here is one
//! command, or is shared by several commands.

mod apply;
mod args;
mod attendant;
mod check;
mod convert;
mod demo;
mod dns;
mod drift;
mod dumps;
mod edit;
mod events;
mod facts;
mod folder;
mod format;
mod graph;
mod identity;
mod import;
mod init;
mod key;
mod known_hosts;
mod lock;
mod logins;
mod lsp;
mod manuals;
mod node_keys;
mod plan;
mod pretended;
mod progress;
mod receipts;
mod rehearse;
mod replace;
mod routes;
mod saved;
mod schema;
mod secrets;
mod show;
mod ssh_config;
mod standing;
mod suggest;
mod supplies;
mod survey;
mod tau;
mod terminal;
mod trust;
mod verify;

use crate::resource::Printable;
use args::{Args, Command, DriftFormat, Format, KeyCommand, KeysCommand, PlanFormat};
use clap::Parser as _;
use std::process::ExitCode;
use terminal::Interrupts;
use thiserror::Error;

/// Exit codes; README.md describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done, or there was nothing to do.
    Done = 0,
    /// An error, or an apply that was only partly done.
    Failed = 1,
    /// There are changes to make.
    Changes = 2,
    /// A host couldn't be planned.
    Unplanned = 3,
    /// The user declined at the prompt.
    Declined = 4,
    /// The command was interrupted.
    Interrupted = 130,
}

/// An error that ends the command, with help. Its texts may quote a network folder or a
/// server that isn't trusted, so all of them are made safe for a terminal here.
#[derive(Debug, Error, miette::Diagnostic)]
#[error("{what}")]
pub(crate) struct CommandError {
    what: Printable,
    #[help]
    help: Option<Printable>,
    #[source]
    source: Option<Cause>,
}

/// The cause of a [`CommandError`].
#[derive(Debug, Error)]
#[error("{0}")]
struct Cause(Printable);

impl CommandError {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::because(what, Some(help.into()), None)
    }

    /// Creates an error with a cause, if there is one that `what` doesn't already contain.
    fn because(what: impl Into<String>, help: Option<String>, cause: Option<String>) -> Self {
        Self {
            what: Printable::line(&what.into()),
            help: help.map(|help| Printable::text(&help)),
            source: cause.map(|cause| Cause(Printable::text(&cause))),
        }
    }
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    dumps::forbid();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            match suggest::unknown_command(&error) {
                Some(failure) => terminal::error(&failure.into()),
                None => terminal::print_usage(&error),
            }
            return ExitCode::from(if error.use_stderr() { Exit::Failed } else { Exit::Done } as u8);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::error(
                &CommandError::because("can't start threads", None, Some(error.to_string())).into(),
            );
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    let exit = match runtime.block_on(run(&args)) {
        Ok(exit) => exit,
        Err(report) => {
            terminal::error(&report);
            Exit::Failed
        }
    };
    terminal::end(exit == Exit::Failed);
    // A hanging connection must not keep the program from exiting.
    runtime.shutdown_background();
    crate::ssh::end_proxy_commands();
    ExitCode::from(exit as u8)
}

async fn run(args: &Args) -> miette::Result<Exit> {
    terminal::set_quiet(args.quiet);
    let Some(command) = &args.command else { return standing::run(args) };
    match command {
        Command::Check(options) => check::run(args, options),
        Command::Plan(options) => {
            let is_for_people = options.format == PlanFormat::Report(Format::Text);
            let work = plan::run(args.clone(), options.clone());
            until_interrupted("plan", is_for_people, work).await
        }
        Command::Apply(options) => apply::run(args, &options.apply, options.saved.as_deref(), None).await,
        Command::Retire(options) => apply::run(args, &options.apply, None, Some(options)).await,
        Command::Show(options) => show::run(args, options),
        Command::Drift(options) => {
            let is_for_people = options.format == DriftFormat::Report(Format::Text);
            until_interrupted("drift", is_for_people, drift::run(args.clone(), options.clone())).await
        }
        Command::Verify(options) => {
            until_interrupted("verify", true, verify::verify(args.clone(), options.clone())).await
        }
        Command::History(options) => {
            until_interrupted("history", true, verify::history(args.clone(), options.clone())).await
        }
        Command::Facts(options) => {
            until_interrupted("facts", true, facts::run(args.clone(), options.clone())).await
        }
        Command::Trust(options) => {
            until_interrupted("trust", true, trust::run(args.clone(), options.clone())).await
        }
        Command::Key(KeyCommand::Add(options)) => edit::add_key(args, options),
        Command::Key(command) => Ok(key::run(command)),
        Command::Keys(KeysCommand::Make(options)) => {
            until_interrupted("keys", true, node_keys::run(args.clone(), options.clone())).await
        }
        Command::Identity(command) => {
            until_interrupted("identity", true, identity::run(args.clone(), command.clone())).await
        }
        Command::Init(options) => init::run(args, options),
        Command::Import(options) => {
            until_interrupted("import", true, import::run(args.clone(), options.clone())).await
        }
        Command::Convert(options) => convert::run(args, options),
        Command::Networks => init::list(),
        Command::Host(command) => edit::host(args, command),
        Command::Shape(command) => edit::shape(args, command),
        Command::Bootstrap(command) => edit::bootstrap(args, command),
        Command::Graph(options) => graph::run(args, options),
        Command::Dns(options) if options.check => {
            until_interrupted("dns", true, dns::check(args.clone(), options.clone())).await
        }
        Command::Dns(options) => dns::run(args, options),
        Command::Schema(options) => schema::run(args, options),
        Command::Lsp(options) => tokio::task::block_in_place(|| lsp::run(args, options)),
        Command::Completions(options) => Ok(manuals::completions(options)),
        Command::Man(options) => manuals::man(options),
        Command::Tau(command) => tau::run(args, command).await,
        Command::Rehearse(options) => rehearse::run(args, options.clone()).await,
        Command::Demo(options) => demo::run(options, terminal::style(args)).await,
    }
}

/// Runs a command that changes nothing, so that an interrupt needs no more than a last line. That is
/// on standard output only if what else is there is for people.
async fn until_interrupted(
    command: &str,
    is_for_people: bool,
    work: impl Future<Output = miette::Result<Exit>> + Send + 'static,
) -> miette::Result<Exit> {
    if let Some(ended) = Interrupts::listen().unless(work).await {
        return ended;
    }
    let line = format!("{command}: interrupted");
    match is_for_people {
        true => terminal::out(&format!("{line}\n")),
        false => terminal::note(&line),
    }
    Ok(Exit::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_nothing_to_the_terminal() {
        let text = "x\u{1b}]52;c;YQ==\u{7}\u{202e}";
        let failure = CommandError::because(
            format!("{text}\nplan: nothing to do"),
            Some(text.into()),
            Some(text.into()),
        );
        let shown = format!("{:?}", miette::Report::from(failure));
        assert!(!shown.contains(['\u{7}', '\u{202e}']) && !shown.contains("\u{1b}]"), "{shown:?}");
        assert!(shown.contains("\\u{a}plan: nothing to do"), "{shown:?}");
    }
}
