//! The names of the temporary files next to a file that is being switched.

use super::Sha256;

/// Where a file is staged: next to its destination, under a name that contains
/// its digest.
pub fn staged_path(path: &str, sha256: &Sha256) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let digest = sha256.to_string();
    format!("{directory}/.spore-{name}-{}", &digest[..16])
}

/// Where a host downloads a file with this digest that is to be staged, or from which a file
/// to stage is unpacked. The digest in the name lets a later apply resume the download.
pub fn part_path(path: &str, sha256: &Sha256) -> String {
    format!("{}.part", staged_path(path, sha256))
}

/// Where a switch keeps the file that it replaces, which has this digest. The name differs
/// from the name under which the same bytes would be staged, because staging another file
/// for this path removes what was staged before, and must not remove the kept file.
pub fn kept_path(path: &str, sha256: &Sha256) -> String {
    format!("{}{KEPT}", staged_path(path, sha256))
}

/// The suffix of the names of kept files.
const KEPT: &str = ".kept";

/// The path of the file that is kept as `path`, whatever its digest.
pub fn kept_for(path: &str) -> Option<String> {
    staged_for(path.strip_suffix(KEPT)?)
}

/// The path of the file that is staged as `path`, whatever its digest.
pub fn staged_for(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let (name, digest) = name.strip_prefix(".spore-")?.rsplit_once('-')?;
    (digest.len() == 16).then(|| format!("{directory}/{name}"))
}
