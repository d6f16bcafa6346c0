//! Runs commands and measures them: [`run`] and [`side_by_side`].

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// What a command took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Seconds from its start to its end.
    pub(crate) wall: f64,
    /// Seconds of the processors, of the command and of all children that it waited for.
    pub(crate) cpu: f64,
    /// The memory that the command itself had at most, in megabytes.
    pub(crate) peak: f64,
}

/// Runs a command, which must exit with one of these codes. Its output is shown if it doesn't.
pub(crate) fn run(command: &mut Command, codes: &[i32]) -> (Cost, String) {
    let before = cpu_of_children();
    let begun = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = format!("/proc/{}/status", child.id());
    let is_over = AtomicBool::new(false);
    let (output, wall, peak) = thread::scope(|scope| {
        // The kernel keeps the maximum, so only one in the last milliseconds can be missed.
        let watching = scope.spawn(|| {
            let mut peak = 0.0_f64;
            while !is_over.load(Relaxed) {
                peak = peak.max(resident(&status));
                thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        let output = child.wait_with_output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let wall = begun.elapsed().as_secs_f64();
        is_over.store(true, Relaxed);
        (output, wall, watching.join().unwrap_or_default())
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let is_fine = output.status.code().is_some_and(|code| codes.contains(&code));
    assert!(is_fine, "{command:?} ended with {}:\n{out}\n{err}", output.status);
    (Cost { wall, cpu: cpu_of_children() - before, peak }, out)
}

/// Runs each of these in turn, `times` times, and returns the medians of their wall times.
pub(crate) fn side_by_side<const N: usize>(times: usize, mut each: [&mut dyn FnMut() -> f64; N]) -> [f64; N] {
    let mut found: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..times {
        for (times, one) in found.iter_mut().zip(each.iter_mut()) {
            times.push(one());
        }
    }
    found.map(median)
}

/// The median of an odd number of values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The most memory that a process has had, in megabytes.
fn resident(status: &str) -> f64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1e3
}

/// The processors' seconds of all children that this process has waited for.
fn cpu_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets. `cutime` and `cstime` are fields 16 and 17.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>());
    let ticks = |index: usize| fields.as_ref()?.get(index - 3)?.parse::<f64>().ok();
    (ticks(16).unwrap_or_default() + ticks(17).unwrap_or_default()) / 100.0
}
