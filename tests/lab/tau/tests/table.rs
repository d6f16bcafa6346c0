//! The contents of `fixtures/tau-cases`: the table of the real tau's behaviour, and the
//! files of each case.

use std::fs;
use std::path::{Path, PathBuf};

/// The peer id of the `privatekey` that all cases share.
pub(crate) const PEER_ID: &str = "12D3KooW9wCuqLbzbDnx6HWv38Y3qswCPWkzGsB9j7W9XVCTWd3H";

/// A line of the table.
pub(crate) struct Expected {
    pub(crate) validate: Verdict,
    pub(crate) start: Verdict,
    /// Whether the node reports its start later than a trial waits.
    pub(crate) starts_late: bool,
    /// Whether tau rewrites the file.
    pub(crate) rewritten: bool,
}

/// The result of a command: success, or exit status 1 with this message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused(String),
}

/// The folder with the cases, `cases.tsv` and `keys`.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/tau-cases")
}

/// The names of all cases, each of which must have a line and a folder.
pub(crate) fn names() -> Result<Vec<String>, String> {
    let mut names: Vec<String> = lines()?.into_iter().map(|[name, ..]| name).collect();
    names.sort();
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder()).map_err(|e| e.to_string())? {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.path().join("all.yaml").is_file() {
            folders.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    folders.sort();
    if names != folders {
        return Err(format!("lines and folders differ:\n{names:?}\n{folders:?}"));
    }
    Ok(names)
}

/// The behaviour of the real tau in a case.
pub(crate) fn expected(case: &str) -> Result<Expected, String> {
    let [_, validate, start, config, validate_says, start_says] = lines()?
        .into_iter()
        .find(|[name, ..]| name == case)
        .ok_or_else(|| format!("{case}: not in the table"))?;
    let verdict = |word: &str, says: String| match word.split(' ').next() {
        Some("accepts" | "runs") => Ok(Verdict::Accepted),
        Some("exits") => Ok(Verdict::Refused(says)),
        _ => Err(format!("{case}: invalid result {word:?}")),
    };
    Ok(Expected {
        validate: verdict(&validate, validate_says)?,
        starts_late: start.contains("says \"started!\" after"),
        start: verdict(&start, start_says)?,
        rewritten: config.starts_with("rewritten"),
    })
}

fn lines() -> Result<Vec<[String; 6]>, String> {
    let path = folder().join("cases.tsv");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let line = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        std::array::from_fn(|_| columns.next().unwrap_or_default())
    };
    Ok(text.lines().skip(1).map(line).collect())
}

/// Empties `/tb`, and copies the common keys and this case's swarm key there.
pub(crate) fn lay_out(case: &str) -> Result<(), String> {
    let io = |e: std::io::Error| format!("laying out {case}: {e}");
    for entry in fs::read_dir("/tb").map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.map_err(io)?;
    }
    for name in ["bin", "scripts", "priv", "cache", "logs", "storage", "plugins", "config/keys"] {
        fs::create_dir_all(Path::new("/tb").join(name)).map_err(io)?;
    }
    let keys = Path::new("/tb/config/keys");
    for entry in fs::read_dir(folder().join("keys")).map_err(io)? {
        let entry = entry.map_err(io)?;
        fs::copy(entry.path(), keys.join(entry.file_name())).map_err(io)?;
    }
    let own = folder().join(case).join("swarm.key");
    if own.is_file() {
        fs::copy(own, keys.join("swarm.key")).map_err(io)?;
    }
    Ok(())
}

/// The configuration of a case.
pub(crate) fn configuration(case: &str) -> Result<String, String> {
    let path = folder().join(case).join("all.yaml");
    fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}
