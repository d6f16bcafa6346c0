//! A world for one trial: namespaces for mounts (with an empty `/tb` and `/run`), network
//! (only loopback) and processes, all of which disappear when the trial ends.
//!
//! In the world, the trial runs as this same program, with [`INSIDE`] as its first
//! argument. Its exit status is the result, and its standard error the reason.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::{case, meeting, misbehaviour};

pub(crate) const INSIDE: &str = "--inside-a-world";
/// The time-out of a trial.
const LONGEST: &str = "120";

/// Why a trial failed.
pub(crate) type Outcome = Result<(), String>;

/// Whether this process can create a world: namespaces and mounts need root.
pub(crate) fn can_be_made() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// A trial that runs `words` in a separate world.
pub(crate) fn trial(name: String, words: impl IntoIterator<Item = String>) -> Trial {
    let words: Vec<String> = words.into_iter().collect();
    Trial::test(name, move || outside(&words).map_err(Failed::from))
}

fn outside(words: &[String]) -> Outcome {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    fs::create_dir_all("/tb").map_err(|e| format!("/tb: {e}"))?;
    let output = Command::new("timeout")
        .args(["--kill-after=1", LONGEST, "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"])
        .arg("--mount-proc")
        .arg(this)
        .arg(INSIDE)
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("unshare: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{said}", output.status))
}

/// The entry of the program that [`trial`] starts.
pub(crate) fn inside(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = furnish().and_then(|()| match words[..] {
        ["case", name, tau] => case::run(name, Path::new(tau)),
        ["meeting", keys, elder, elder_tau, member, member_tau] => {
            let side = |who, tau| meeting::Side { stand_in: who == "stand-in", tau: Path::new(tau) };
            meeting::run(keys, &side(elder, elder_tau), &side(member, member_tau))
        }
        ["misbehaviour", what, tau] => misbehaviour::run(what, Path::new(tau)),
        _ => Err(format!("{words:?}: no such trial")),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Sets up loopback, and hides the machine's nodes and container engines.
fn furnish() -> Outcome {
    command("ip", &["link", "set", "lo", "up"])?;
    for place in ["/tb", "/run", "/var/run"] {
        let is_folder = fs::symlink_metadata(place).is_ok_and(|meta| meta.is_dir());
        if is_folder {
            command("mount", &["-t", "tmpfs", "tmpfs", place])?;
        }
    }
    Ok(())
}

fn command(program: &str, args: &[&str]) -> Outcome {
    let status = Command::new(program).args(args).status().map_err(|e| format!("{program}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} {args:?}: {status}")) }
}
