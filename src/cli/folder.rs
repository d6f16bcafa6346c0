//! Finds the network's folder and reads it.

use super::args::Args;
use super::{CommandError, terminal};
use crate::check;
use crate::network::{Finding, Network, Outside, Secrets, is_network};
use crate::render;
use crate::resource::Sha256;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder with the user's networks, in the home directory.
pub(crate) const NETWORKS: &str = ".taubyte/networks";

/// Returns the folder given by `-n` or `SPORE_NETWORK`, or the current folder.
///
/// # Errors
/// If there is no such folder.
pub(crate) fn find(named: Option<&str>) -> miette::Result<PathBuf> {
    let Some(named) = named.filter(|named| !named.is_empty()) else { return Ok(PathBuf::from(".")) };
    let path = PathBuf::from(named);
    if path.is_dir() {
        return Ok(path);
    }
    let is_name = !named.contains('/');
    let by_name = home().map(|home| home.join(NETWORKS).join(named));
    match by_name.filter(|path| is_name && path.is_dir()) {
        Some(path) => Ok(path),
        None => Err(CommandError::new(
            format!("there is no network `{named}`"),
            "pass the path of a folder, or the name of a network in ~/.taubyte/networks",
        )
        .into()),
    }
}

/// Like [`find`], but fails if the folder contains no part of a network.
///
/// # Errors
/// If there is no such folder, or it contains no part of a network.
pub(crate) fn of_network(args: &Args) -> miette::Result<PathBuf> {
    let folder = find(args.network.as_deref())?;
    // A folder that can't be read is reported later, when it is read.
    if is_network(&folder).is_ok_and(|is_network| !is_network) {
        let what = match folder == Path::new(".") {
            true => "there is no network in the current folder".to_owned(),
            false => format!("there is no network in {}", folder.display()),
        };
        return Err(CommandError::new(what, "run `spore` without a command: it explains how to start").into());
    }
    Ok(folder)
}

/// Reads and checks the folder. Prints all findings if one of them is an error, and
/// otherwise only their number. Also returns the digests of the files that were read.
///
/// # Errors
/// If a finding is an error.
pub(crate) fn read(
    args: &Args,
    outside: Outside,
    secrets: Secrets,
) -> miette::Result<(Network, BTreeMap<String, Sha256>)> {
    let folder = of_network(args)?;
    let mut draft = check::read(&folder, secrets, outside.clone());
    let problems = draft.problems();
    if problems.iter().any(Finding::is_error) {
        terminal::note(render::problems(&problems, terminal::error_style(args)).trim_end());
    } else if !problems.is_empty() {
        terminal::note(&format!("{} in the folder: see `spore check`\n", render::tally(&problems)));
    }
    let sources = std::mem::take(&mut draft.sources);
    let network = draft.finish();
    network.map(|network| (network, sources)).map_err(|_| {
        let message = format!("the network folder has {}", render::tally(&problems));
        let without = || check::read(&folder, Secrets::Elsewhere, outside).problems();
        let help = match secrets == Secrets::Needed && !without().iter().any(Finding::is_error) {
            true => {
                "only secrets are missing: if they are in another folder, name it with `--secrets DIR`; `spore plan --without-secrets` plans everything else"
            }
            false => "fix the errors; `spore check` checks the folder without connecting to a host",
        };
        CommandError::new(message, help).into()
    })
}

/// The user's home directory, if `HOME` is set.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Expands a leading `~/`.
pub(crate) fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
