//! The names of the files that stand beside another while it is switched.

use super::Sha256;

/// Where a file is staged: next to its destination, under a name that contains
/// its digest.
pub fn staged_path(path: &str, sha256: &Sha256) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let digest = sha256.to_string();
    format!("{directory}/.spore-{name}-{}", &digest[..16])
}

/// Where a switch keeps the file with this digest that it replaces. Not the name
/// under which the same bytes would be staged: what is kept has been in use, and
/// staging another file for this path doesn't clear it away.
pub fn kept_path(path: &str, sha256: &Sha256) -> String {
    format!("{}{KEPT}", staged_path(path, sha256))
}

/// How the names of kept files end.
const KEPT: &str = ".kept";

/// The path whose file is kept as `path`, whatever its digest.
pub fn kept_for(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let (name, digest) = name.strip_prefix(".spore-")?.strip_suffix(KEPT)?.rsplit_once('-')?;
    (digest.len() == 16).then(|| format!("{directory}/{name}"))
}
