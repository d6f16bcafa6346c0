//! A running tau, and its output so far.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running tau. Dropping this value kills it.
pub(crate) struct Daemon {
    child: Child,
    output: PathBuf,
}

impl Daemon {
    /// Starts the node of this shape, from `/tb`, with the command of the unit.
    pub(crate) fn start(tau: &Path, shape: &str) -> Result<Self, String> {
        let output = PathBuf::from(format!("/run/{shape}.log"));
        let io = |e: std::io::Error| format!("{}: {e}", tau.display());
        let file = File::create(&output).map_err(io)?;
        let child = Command::new(tau)
            .args(["start", "-s", shape, "--root", "/tb"])
            .current_dir("/")
            .env("TMPDIR", "/run")
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(io)?)
            .stderr(file)
            .spawn()
            .map_err(io)?;
        Ok(Self { child, output })
    }

    /// The output of the tau so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// The exit status of the tau, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child.try_wait().map_err(|e| e.to_string())
    }

    /// Waits until the tau ends.
    pub(crate) fn wait_for_end(&mut self, within: Duration) -> Result<ExitStatus, String> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            self.pause_until(deadline, "still runs")?;
        }
    }

    /// Waits until the output contains `text` at least `times` times; fails if the tau ends
    /// before.
    pub(crate) fn wait_for(&mut self, text: &str, times: usize, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.ended()?;
            if self.said().matches(text).count() >= times {
                return Ok(());
            }
            if let Some(status) = ended {
                return Err(format!("{status} instead of {text:?}; output:\n{}", self.said()));
            }
            self.pause_until(deadline, &format!("no {text:?} in its output ({times} times)"))?;
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> Result<(), String> {
        let kill =
            Command::new("kill").arg(self.child.id().to_string()).status().map_err(|e| e.to_string())?;
        if kill.success() { Ok(()) } else { Err(format!("kill: {kill}")) }
    }

    fn pause_until(&self, deadline: Instant, otherwise: &str) -> Result<(), String> {
        if Instant::now() > deadline {
            return Err(format!("{otherwise}; output:\n{}", self.said()));
        }
        sleep(Duration::from_millis(20));
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
