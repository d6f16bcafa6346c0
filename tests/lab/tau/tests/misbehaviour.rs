//! Features that only the stand-in has: its faults, and running a modified copy of its
//! binary.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::table;
use crate::world::Outcome;

pub(crate) const NAMES: [&str; 6] =
    ["ends-on-sigterm", "ignore-sigterm", "die-after", "start-slowly", "two-shapes", "bytes-appended"];

const STARTED: &str = "started! with id: ";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(what: &str, tau: &Path) -> Outcome {
    table::lay_out("plain")?;
    write("/tb/config/all.yaml", &table::configuration("plain")?)?;
    match what {
        "ends-on-sigterm" => {
            let mut node = started(tau, "all")?;
            node.terminate()?;
            let status = node.wait_for_end(Duration::from_secs(2))?;
            if status.success() { Ok(()) } else { Err(status.to_string()) }
        }
        "ignore-sigterm" => {
            write("/tb/config/all.fault", "ignore-sigterm\n")?;
            let mut node = started(tau, "all")?;
            node.terminate()?;
            node.wait_for("ignoring SIGTERM", 1, PATIENCE)?;
            sleep(Duration::from_millis(500));
            node.ended()?.map_or(Ok(()), |status| Err(status.to_string()))
        }
        "die-after" => {
            write("/tb/config/all.fault", "die-after 1\n")?;
            let mut node = started(tau, "all")?;
            let status = node.wait_for_end(PATIENCE)?;
            if status.code() == Some(1) { Ok(()) } else { Err(status.to_string()) }
        }
        "start-slowly" => {
            write("/tb/config/all.fault", "start-slowly 2\n")?;
            let begun = Instant::now();
            drop(started(tau, "all")?);
            let took = begun.elapsed();
            if took > Duration::from_secs(2) { Ok(()) } else { Err(format!("took {took:?}")) }
        }
        "two-shapes" => {
            let second = table::configuration("epsilon")?.replace("5242", "6242").replace("5247", "6247");
            write("/tb/config/second.yaml", &second)?;
            let _first = started(tau, "all")?;
            started(tau, "second").map(drop)
        }
        "bytes-appended" => {
            let copy = "/tb/bin/tau";
            let mut bytes = fs::read(tau).map_err(|e| e.to_string())?;
            bytes.extend_from_slice(b"a new binary");
            fs::write(copy, bytes).map_err(|e| e.to_string())?;
            let permissions = fs::metadata(tau).map_err(|e| e.to_string())?.permissions();
            fs::set_permissions(copy, permissions).map_err(|e| e.to_string())?;
            let version = Command::new(copy).arg("--version").output().map_err(|e| e.to_string())?;
            if version.stdout == format!("tau stand-in v{}-stand-in\n", env!("CARGO_PKG_VERSION")).as_bytes()
            {
                return started(Path::new(copy), "all").map(drop);
            }
            Err(format!("{version:?}"))
        }
        _ => Err(format!("{what}: no such trial")),
    }
}

fn started(tau: &Path, shape: &str) -> Result<Daemon, String> {
    let mut node = Daemon::start(tau, shape)?;
    node.wait_for(&format!("{shape} {STARTED}"), 1, PATIENCE)?;
    Ok(node)
}

fn write(place: &str, text: &str) -> Outcome {
    fs::write(place, text).map_err(|e| format!("{place}: {e}"))
}
