//! Output to the terminal, and prompts.
#![expect(clippy::print_stderr, reason = "this is where output leaves the program")]

use super::args::{Args, Colour};
use crate::render::Style;
use crate::resource::Printable;
use std::future::poll_fn;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What becomes of a command's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// It is written to standard output.
    Shown,
    /// It is written to standard error, because standard output is for events.
    Beside,
}

static OUTPUT: Mutex<Output> = Mutex::new(Output::Shown);
/// With `--quiet`, the output until the command ends.
static QUIET: Mutex<Option<String>> = Mutex::new(None);

/// Writes a command's result to standard output. A closed pipe doesn't end the command.
pub(crate) fn out(text: &str) {
    if let Some(kept) = QUIET.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        return kept.push_str(text);
    }
    let _ = match *OUTPUT.lock().unwrap_or_else(PoisonError::into_inner) {
        Output::Shown => io::stdout().lock().write_all(text.as_bytes()),
        Output::Beside => io::stderr().lock().write_all(text.as_bytes()),
    };
}

/// Writes a document to standard output. `--quiet` doesn't withhold it.
pub(crate) fn data(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Writes a document for another program to standard output, and the conclusion to standard
/// error. `--quiet` withholds neither.
pub(crate) fn document(text: &str, conclusion: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
    let _ = io::stderr().lock().write_all(format!("{conclusion}\n").as_bytes());
}

/// Keeps standard output for events.
pub(crate) fn leave_stdout() {
    *OUTPUT.lock().unwrap_or_else(PoisonError::into_inner) = Output::Beside;
}

/// Withholds the output until the command [ends](end).
pub(crate) fn set_quiet(quiet: bool) {
    *QUIET.lock().unwrap_or_else(PoisonError::into_inner) = quiet.then(String::new);
}

/// Writes what `--quiet` has withheld: the last line, or everything if the command has failed.
pub(crate) fn end(failed: bool) {
    let kept = QUIET.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(kept) = kept else { return };
    match kept.trim_end().rsplit('\n').next().filter(|last| !failed && !last.is_empty()) {
        Some(last) => out(&format!("{last}\n")),
        None => out(&kept),
    }
}

/// Writes a message that isn't part of the result to standard error, unless `--quiet` is given.
pub(crate) fn note(text: &str) {
    if QUIET.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
        return;
    }
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Writes a message that someone has to act upon to standard error, even with `--quiet`.
pub(crate) fn urgent(text: &str) {
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Writes an error with its causes and its help to standard error.
pub(crate) fn error(report: &miette::Report) {
    eprintln!("{report:?}");
}

/// Prints clap's message: help, the version, or a usage error.
pub(crate) fn print_usage(error: &clap::Error) {
    let _ = error.print();
}

/// Whether standard output is coloured.
pub(crate) fn style(args: &Args) -> Style {
    let colour = match args.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    if colour { Style::Colour } else { Style::Plain }
}

/// Whether standard error is coloured.
pub(crate) fn error_style(args: &Args) -> Style {
    match style(args) {
        Style::Colour if args.color == Colour::Always || io::stderr().is_terminal() => Style::Colour,
        _ => Style::Plain,
    }
}

/// Makes miette print reports in the same style as other messages.
pub(crate) fn set_up_reports(args: &Args) {
    let colour = style(args) == Style::Colour && io::stderr().is_terminal();
    // The hook can be set only once. A second call fails and changes nothing, which is
    // fine.
    let _ = miette::set_hook(Box::new(move |_| {
        Box::new(miette::MietteHandlerOpts::new().color(colour).unicode(colour).width(100).build())
    }));
}

/// The signals that ask a command to end: Ctrl-C, a cancelled pipeline, a closed terminal.
/// A command listens from its beginning, so that no signal is lost while it is busy.
pub(crate) struct Interrupts(Vec<Signal>);

impl Interrupts {
    pub(crate) fn listen() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        // If a signal can't be caught, it ends the process, as it does by default.
        Self(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    /// Runs `work`, which may block its thread. Returns `None` if a signal arrived first;
    /// the work then continues in the background until the process ends.
    pub(crate) async fn unless<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        // The work runs in a separate task, so that signals are noticed while it blocks.
        let work = tokio::spawn(work);
        tokio::select! {
            done = work => {
                Some(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
            }
            () = self.next() => {
                give_back();
                None
            }
        }
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        poll_fn(|context| match self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// Whether there is a terminal to prompt on.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether a progress bar can be drawn.
pub(crate) fn shows_progress() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Asks a yes-or-no question.
pub(crate) fn confirm(question: &str) -> bool {
    matches!(ask(&format!("{question} [yes/no] ")).as_str(), "y" | "yes")
}

/// Asks the user to type a name, so that a habitual `y` doesn't confirm.
pub(crate) fn confirm_by_name(question: &str, name: &str) -> bool {
    let shown = Printable::line(name);
    ask(&format!("{question} ({shown}): ")) == name
}

/// Asks for a text. Without an answer, it is the default.
pub(crate) fn ask_for(question: &str, default: &str) -> String {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    match ask(&format!("{question}{shown}: ")) {
        answer if answer.is_empty() => default.to_owned(),
        answer => answer,
    }
}

/// Asks a question whose answer may be seen.
pub(crate) fn ask_openly(question: &str) -> String {
    ask(&format!("{question}: "))
}

/// Returns the line that the user types; empty if it can't be read.
fn ask(question: &str) -> String {
    eprint!("{question}");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    answer.trim().to_owned()
}

/// Waits for Enter.
pub(crate) fn wait_for_enter() {
    eprint!("\n(press Enter to continue) ");
    let _ = io::stderr().flush();
    let _ = io::stdin().lock().read_line(&mut String::new());
}

/// Whether the terminal's echo is off because a secret is being typed.
static IS_SECRET: AtomicBool = AtomicBool::new(false);
/// Whether the command is ending. It prompts for nothing any more then.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Asks for a secret without echoing it.
///
/// # Errors
/// If the terminal can't be read, or the command is ending.
pub(crate) fn ask_secret(question: &str) -> io::Result<String> {
    IS_SECRET.store(true, Ordering::SeqCst);
    if IS_OVER.load(Ordering::SeqCst) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let secret = rpassword::prompt_password(format!("{question}: "));
    IS_SECRET.store(false, Ordering::SeqCst);
    secret
}

/// Restores the terminal's echo and Ctrl-C if the signal interrupted a prompt for a secret.
fn give_back() {
    IS_OVER.store(true, Ordering::SeqCst);
    if IS_SECRET.load(Ordering::SeqCst) {
        let _ = Command::new("stty").args(["echo", "icanon", "isig"]).status();
        note("");
    }
}
