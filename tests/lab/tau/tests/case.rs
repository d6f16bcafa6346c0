//! Runs one case with one tau: `config validate` with a staged file and with the live file,
//! and `start`.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::table::{self, Expected, PEER_ID, Verdict};
use crate::world::Outcome;

const LIVE: &str = "/tb/config/all.yaml";
const STAGED: &str = "/tb/config/keys/staged.yaml";
/// The time-out, long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// A node that reports its start late counts as running after this time.
const ALIVE: Duration = Duration::from_secs(4);

pub(crate) fn run(name: &str, tau: &Path) -> Outcome {
    let expected = table::expected(name)?;
    let written = table::configuration(name)?;
    // Occupies the port of a host's SSH server, for the case that uses it.
    let _ssh = TcpListener::bind("0.0.0.0:22").map_err(|e| format!("port 22: {e}"))?;

    lay_out(name, STAGED, &written)?;
    is("validate -p", &validate(tau, Some(STAGED))?, &expected.validate)?;
    file_is("validate -p", STAGED, &written, false)?;

    lay_out(name, LIVE, &written)?;
    is("validate", &validate(tau, None)?, &expected.validate)?;
    file_is("validate", LIVE, &written, expected.rewritten)?;

    lay_out(name, LIVE, &written)?;
    is("start", &start(tau, &expected)?, &expected.start)?;
    file_is("start", LIVE, &written, expected.rewritten)
}

fn lay_out(name: &str, place: &str, text: &str) -> Outcome {
    table::lay_out(name)?;
    fs::write(place, text).map_err(|e| format!("{place}: {e}"))
}

fn validate(tau: &Path, file: Option<&str>) -> Result<Verdict, String> {
    let mut command = Command::new(tau);
    // The real tau leaves temporary files behind. In /run, they are removed together with
    // the world.
    command.args(["config", "validate", "-s", "all"]).env("TMPDIR", "/run");
    if let Some(file) = file {
        command.args(["-p", file]);
    }
    let output = command.output().map_err(|e| e.to_string())?;
    match output.status.code() {
        Some(0) => Ok(Verdict::Accepted),
        Some(1) => Ok(Verdict::Refused(String::from_utf8_lossy(&output.stderr).into_owned())),
        _ => Err(format!("validate: {}", output.status)),
    }
}

fn start(tau: &Path, expected: &Expected) -> Result<Verdict, String> {
    let mut node = Daemon::start(tau, "all")?;
    let begun = Instant::now();
    let started = format!("all started! with id: {PEER_ID}");
    loop {
        let ended = node.ended()?;
        let said = node.said();
        match ended.map(|status| status.code()) {
            Some(Some(1)) => return Ok(Verdict::Refused(said)),
            Some(_) => return Err(format!("start didn't exit with status 1; output:\n{said}")),
            None if said.contains(&started) => return Ok(Verdict::Accepted),
            None if expected.starts_late && begun.elapsed() > ALIVE => return Ok(Verdict::Accepted),
            None if begun.elapsed() > PATIENCE => {
                return Err(format!("neither started nor exited; output:\n{said}"));
            }
            None => sleep(Duration::from_millis(20)),
        }
    }
}

fn is(what: &str, found: &Verdict, expected: &Verdict) -> Outcome {
    let same = match (found, expected) {
        // Go's protobuf writes either a space or a non-breaking space, depending on the
        // build, to keep programs from relying on its messages.
        (Verdict::Refused(said), Verdict::Refused(message)) => {
            said.replace('\u{a0}', " ").contains(&message.replace('\u{a0}', " "))
        }
        (found, expected) => found == expected,
    };
    if same { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}

fn file_is(after: &str, place: &str, written: &str, rewritten: bool) -> Outcome {
    let now = fs::read_to_string(place).map_err(|e| format!("{place}: {e}"))?;
    let migrated = now.contains("\nservices:") && !now.contains("protocols:");
    match (now == written, rewritten) {
        (true, false) => Ok(()),
        (false, true) if migrated => Ok(()),
        _ => Err(format!("unexpected file after {after} (expected it to be rewritten: {rewritten}):\n{now}")),
    }
}
