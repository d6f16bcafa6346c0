//! `spore completions` and `spore man`: what shells and `man` need to know of the command line, generated
//! from it. Reads no folder.

use super::args::{Args, CompletionsOptions, ManOptions};
use super::{CommandError, Exit, terminal};
use crate::render;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::Path;

pub(crate) fn completions(options: &CompletionsOptions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command(), "spore", &mut script);
    terminal::data(&String::from_utf8_lossy(&script));
    Exit::Done
}

pub(crate) fn man(options: &ManOptions) -> miette::Result<Exit> {
    let pages = pages().map_err(|error| failed("can't write the pages", &error))?;
    let Some(directory) = &options.directory else {
        let first = pages.iter().find(|(name, _)| name == "spore.1");
        terminal::data(first.map_or("", |(_, page)| page));
        return Ok(Exit::Done);
    };
    write(directory, &pages)
        .map_err(|error| failed(&format!("can't write the pages to {}", directory.display()), &error))?;
    let count = render::counted(pages.len(), "page");
    let first = directory.join("spore.1");
    terminal::out(&format!("man: wrote {count}; read the first with `man -l {}`\n", first.display()));
    Ok(Exit::Done)
}

/// The command line. The help of `spore` itself has no room for all commands, but here they are
/// all listed.
fn command() -> Command {
    Args::command().mut_subcommands(|command| command.hide(false))
}

/// The name and the text of each command's page.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut rest = vec![command];
    while let Some(mut command) = rest.pop() {
        rest.extend(command.get_subcommands().cloned());
        if let Some(notes) = command.get_after_help() {
            let notes = paragraphs(&notes.to_string());
            command = command.after_help(notes);
        }
        let page = Man::new(command).manual("spore").source(format!("spore {}", env!("CARGO_PKG_VERSION")));
        let mut text = Vec::new();
        page.render(&mut text)?;
        let text = String::from_utf8_lossy(&text).replace("\n.SH EXTRA\n", "\n.SH NOTES\n");
        pages.push((page.get_filename(), in_ascii(&text)));
    }
    pages.sort();
    Ok(pages)
}

/// Writes characters such as `…` in roff's own way: roff reads other bytes than ASCII as Latin-1.
fn in_ascii(text: &str) -> String {
    let escaped = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\[u{:04X}]", u32::from(c)),
    };
    text.chars().map(escaped).collect()
}

/// Makes a paragraph of each line, because `man` fills paragraphs, unless the line continues the previous
/// one: a wrapped line is long, and what follows doesn't begin with a capital.
fn paragraphs(text: &str) -> String {
    let mut paragraphs = String::new();
    let mut before = 0;
    for line in text.lines() {
        let continues = before > 60 && !line.starts_with(char::is_uppercase);
        paragraphs.push_str(if paragraphs.is_empty() || continues { "" } else { "\n" });
        paragraphs.push_str(line);
        paragraphs.push('\n');
        before = line.chars().count();
    }
    paragraphs
}

fn write(directory: &Path, pages: &[(String, String)]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    pages.iter().try_for_each(|(name, page)| fs::write(directory.join(name), page))
}

fn failed(what: &str, error: &io::Error) -> CommandError {
    let help = "pass a directory that you can write to".to_owned();
    CommandError::because(what, Some(help), Some(error.to_string()))
}
