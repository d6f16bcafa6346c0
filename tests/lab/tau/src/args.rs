//! The command line, which is parsed in the same way as by the real tau: `--root` may come
//! before or after the command, flags may be in any order, and `-s X`, `--shape X` and
//! `--shape=X` are equivalent.
//!
//! The stand-in has only the commands that spore and the unit use: `start`, `config
//! validate`, `--version` and the help.

use std::fmt;

/// The default of `--root`, where tau is installed.
pub(crate) const DEFAULT_ROOT: &str = "/tb";

pub(crate) const USAGE: &str = "\
USAGE:
   tau [--root DIR] start --shape SHAPE [--root DIR]
   tau [--root DIR] config validate --shape SHAPE [--path FILE]
   tau --version

This is the stand-in, for tests: it runs no service. A file <root>/config/<shape>.fault
makes it misbehave; its lines: `die-after SECONDS`, `ignore-sigterm`, `start-slowly SECONDS`.";

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Version,
    Start { root: String, shape: String },
    Validate { root: String, shape: String, file: Option<String> },
}

/// An invalid command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    UnknownFlag(String),
    NoValue(String),
    UnknownCommand(String),
    NoShape,
}

impl Misuse {
    /// The exit status of the real tau.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownCommand(_) => 3,
            Self::UnknownFlag(_) | Self::NoValue(_) | Self::NoShape => 1,
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFlag(name) => write!(f, "Incorrect Usage: flag provided but not defined: -{name}"),
            Self::NoValue(name) => write!(f, "Incorrect Usage: flag needs an argument: -{name}"),
            Self::UnknownCommand(name) => write!(f, "No help topic for '{name}'"),
            Self::NoShape => f.write_str("Required flag \"shape\" not set"),
        }
    }
}

/// Parses the arguments after the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, Misuse> {
    let mut args = args.into_iter().peekable();
    let mut given = Given::default();
    given.flags(&mut args, &["root"])?;
    let words: Vec<String> = match args.next().as_deref() {
        None => Vec::new(),
        Some("config" | "cnf" | "conf") => ["config".to_owned()].into_iter().chain(args.next()).collect(),
        Some(word) => vec![word.to_owned()],
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        _ if given.version => Ok(Command::Version),
        [] | ["config"] | ["help" | "h"] | ["config", "help" | "h"] => Ok(Command::Help),
        ["start"] => {
            given.flags(&mut args, &["root", "shape"])?;
            let Given { root, shape, help, .. } = given;
            if help {
                return Ok(Command::Help);
            }
            Ok(Command::Start {
                root: root.unwrap_or_else(|| DEFAULT_ROOT.into()),
                shape: shape.ok_or(Misuse::NoShape)?,
            })
        }
        ["config", "validate" | "check" | "ok" | "ok?" | "valid?"] => {
            given.flags(&mut args, &["shape", "path"])?;
            let Given { root, shape, path, help, .. } = given;
            if help {
                return Ok(Command::Help);
            }
            let root = root.unwrap_or_else(|| DEFAULT_ROOT.into());
            Ok(Command::Validate { root, shape: shape.unwrap_or_default(), file: path })
        }
        [.., unknown] => Err(Misuse::UnknownCommand(unknown.to_owned())),
    }
}

#[derive(Default)]
struct Given {
    root: Option<String>,
    shape: Option<String>,
    path: Option<String>,
    version: bool,
    help: bool,
}

impl Given {
    /// Parses flags up to the first word that isn't a flag.
    fn flags<I>(&mut self, args: &mut std::iter::Peekable<I>, allowed: &[&str]) -> Result<(), Misuse>
    where
        I: Iterator<Item = String>,
    {
        while let Some(arg) = args.next_if(|arg| arg.len() > 1 && arg.starts_with('-')) {
            let bare = arg.trim_start_matches('-');
            let (name, inline) = match bare.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (bare, None),
            };
            let long = match name {
                "s" => "shape",
                "p" => "path",
                "v" => "version",
                "h" => "help",
                long => long,
            };
            match long {
                "version" => self.version = true,
                "help" => self.help = true,
                long if allowed.contains(&long) => {
                    let value =
                        inline.or_else(|| args.next()).ok_or_else(|| Misuse::NoValue(name.to_owned()))?;
                    match long {
                        "root" => self.root = Some(value),
                        "shape" => self.shape = Some(value),
                        _ => self.path = Some(value),
                    }
                }
                _ => return Err(Misuse::UnknownFlag(name.to_owned())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Command, Misuse> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_come_in_any_order_and_form() {
        let start = Command::Start { root: "/tb".into(), shape: "a".into() };
        for line in
            ["start -s a --root /tb", "start --root /tb -s a", "--root /tb start --shape=a", "start -s=a"]
        {
            assert_eq!(of(line).as_ref(), Ok(&start), "{line}");
        }
        let validate = Command::Validate { root: "/tb".into(), shape: "a".into(), file: Some("f".into()) };
        for line in ["config validate -s a -p f", "conf check --path f --shape a"] {
            assert_eq!(of(line).as_ref(), Ok(&validate), "{line}");
        }
    }

    #[test]
    fn misuse_is_said() {
        assert_eq!(of("start"), Err(Misuse::NoShape));
        assert_eq!(of("start -s"), Err(Misuse::NoValue("s".into())));
        assert_eq!(of("config validate -s a --root /x"), Err(Misuse::UnknownFlag("root".into())));
        assert_eq!(of("config nothing"), Err(Misuse::UnknownCommand("nothing".into())));
        assert_eq!(of("begin"), Err(Misuse::UnknownCommand("begin".into())));
        assert_eq!(of("--version"), Ok(Command::Version));
        assert_eq!(of(""), Ok(Command::Help));
    }
}
