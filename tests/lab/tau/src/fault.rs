//! Faults to simulate. The file `<root>/config/<shape>.fault` is read once at start, and
//! has one fault per line:
//!
//! - `die-after SECONDS`: exits with status 1 this many seconds after it has reported its
//!   start;
//! - `start-slowly SECONDS`: reports its start later by this time;
//! - `ignore-sigterm`: ignores SIGTERM;
//! - `enterprise`: accepts the services of the enterprise build, which do nothing;
//! - `only MARK`: the following lines apply only if the program's file ends in MARK.

use std::path::Path;
use std::time::Duration;

use crate::refusal::Refusal;

/// The faults of this node; none by default.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) die_after: Option<Duration>,
    pub(crate) start_slowly: Option<Duration>,
    pub(crate) ignore_sigterm: bool,
    pub(crate) enterprise: bool,
}

impl Fault {
    /// Reads the file, if it exists.
    pub(crate) fn planted(root: &str, shape: &str) -> Result<Self, Refusal> {
        let path = Path::new(root).join("config").join(format!("{shape}.fault"));
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Self::parse(&text).map_err(|e| e.within(format_args!("stand-in: {}", path.display())))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Refusal::reading(&path, &e).within("stand-in")),
        }
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let mut fault = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["die-after", seconds] => fault.die_after = Some(duration(seconds)?),
                ["start-slowly", seconds] => fault.start_slowly = Some(duration(seconds)?),
                ["ignore-sigterm"] => fault.ignore_sigterm = true,
                ["enterprise"] => fault.enterprise = true,
                ["only", mark] if is_marked(mark)? => {}
                ["only", _] => return Ok(fault),
                _ => return Err(Refusal::new(format!("unknown fault `{line}`"))),
            }
        }
        Ok(fault)
    }
}

fn is_marked(mark: &str) -> Result<bool, Refusal> {
    let path = Path::new("/proc/self/exe");
    let program = std::fs::read(path).map_err(|e| Refusal::reading(path, &e).within("stand-in"))?;
    Ok(program.ends_with(mark.as_bytes()))
}

fn duration(seconds: &str) -> Result<Duration, Refusal> {
    seconds
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| Refusal::new(format!("`{seconds}` isn't a number of seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_add_up() -> Result<(), Refusal> {
        let fault = Fault::parse("die-after 0.5\n\n# a comment\nignore-sigterm\n")?;
        assert_eq!(fault.die_after, Some(Duration::from_millis(500)));
        assert_eq!(fault.start_slowly, None);
        assert!(fault.ignore_sigterm);
        let others = Fault::parse("enterprise\nonly of-nobody\ndie-after 1\n")?;
        assert_eq!(others, Fault { enterprise: true, ..Fault::default() });
        assert!(Fault::parse("die-after soon").is_err());
        assert!(Fault::parse("die").is_err());
        Ok(())
    }
}
