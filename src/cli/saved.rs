//! Saved plans and facts: reads and writes the files, and plans again from them.

use super::CommandError;
use super::survey::{Subject, Survey, survey_offline};
use crate::artifact::UnknownFetch;
use crate::facts::file::{FactsFile, FileError, MOST_BYTES, check_size};
use crate::plan::file::{PlanFile, SavedOptions};
use crate::plan::{InvalidSelector, Options};
use crate::render;
use crate::resource::Sha256;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A saved plan as it was read, and the digest of its file.
pub(crate) struct Saved {
    pub(crate) plan: PlanFile,
    pub(crate) sha256: Sha256,
}

/// Reads a saved plan.
///
/// # Errors
/// If the file can't be read or isn't a saved plan.
pub(crate) fn plan(path: &Path) -> miette::Result<Saved> {
    let bytes = bytes(path)?;
    let plan = PlanFile::parse(&bytes).map_err(|error| unusable(path, &error, "spore plan -o FILE"))?;
    Ok(Saved { plan, sha256: Sha256::of(&bytes) })
}

/// Reads a file with facts.
///
/// # Errors
/// If the file can't be read, isn't a file with facts, or is about another network.
pub(crate) fn facts(path: &Path, network: &str) -> miette::Result<FactsFile> {
    let file =
        FactsFile::parse(&bytes(path)?).map_err(|error| unusable(path, &error, "spore facts -o FILE"))?;
    if file.network.as_str() != network {
        let what = format!("{} has the facts of {}, not of {network}", path.display(), file.network);
        return Err(CommandError::new(what, "pass this network's facts, or another folder").into());
    }
    Ok(file)
}

/// Writes a file completely or not at all.
///
/// # Errors
/// If the file can't be written, or spore would refuse to read it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> miette::Result<()> {
    let failed = |why: String, help: &str| {
        CommandError::because(format!("can't write {}", path.display()), Some(help.to_owned()), Some(why))
    };
    if let Err(error) = check_size(bytes) {
        return Err(failed(error.to_string(), "plan or gather fewer hosts at a time").into());
    }
    // Something like /dev/stdout can't be replaced.
    let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
    let written = match is_special {
        true => fs::write(path, bytes),
        false => replace(path, bytes),
    };
    written.map_err(|error| failed(error.to_string(), "choose another place for it").into())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // A temporary file is readable only by its owner, but neither file is secret.
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Plans again from the facts of a saved plan.
///
/// # Errors
/// If the folder, a secret, an artifact or the planner isn't the one that the plan was made
/// with, or if the file was edited.
pub(crate) fn replay(path: &Path, saved: &Saved, subject: Subject) -> miette::Result<Survey> {
    let stale = |stale| {
        let what = format!("{} can't be applied: {}", path.display(), render::stale(&stale));
        CommandError::new(what, render::stale_help(&stale))
    };
    if let Some(why) = saved.plan.stale(&subject.network.domain.root.value, &subject.inputs()) {
        return Err(stale(why).into());
    }
    let survey = survey_offline(subject, &saved.plan.facts)?;
    match saved.plan.edited(&survey.file()) {
        Some(why) => Err(stale(why).into()),
        None => Ok(survey),
    }
}

/// The options that a plan was made with.
///
/// # Errors
/// If a target isn't a selector, so that the file was edited.
pub(crate) fn options(path: &Path, saved: &Saved) -> miette::Result<Options> {
    let SavedOptions { targets, batch, take_over, no_revert, purge_storage, prune, fetch } =
        &saved.plan.inputs.options;
    let edited = |place: String, error: &dyn std::error::Error| {
        let what = format!("{}: /inputs/options/{place}: {error}", path.display());
        CommandError::new(what, "the file was edited: make the plan again: `spore plan -o FILE`")
    };
    let targets = targets.iter().enumerate().map(|(at, target)| {
        target.parse().map_err(|error: InvalidSelector| edited(format!("targets/{at}"), &error))
    });
    let targets = targets.collect::<Result<_, _>>()?;
    let fetch = fetch.as_deref().map(str::parse).transpose();
    let fetch = fetch.map_err(|error: UnknownFetch| edited("fetch".to_owned(), &error))?;
    Ok(Options {
        targets,
        batch: *batch,
        take_over: *take_over,
        no_revert: *no_revert,
        purge_storage: *purge_storage,
        prune: *prune,
        fetch,
        retire: None,
    })
}

/// The file's bytes, or one byte more than any file may have.
fn bytes(path: &Path) -> miette::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        let what = format!("can't read {}", path.display());
        CommandError::because(what, Some("check the path".to_owned()), Some(error.to_string()))
    })?;
    Ok(bytes)
}

fn unusable(path: &Path, error: &FileError, command: &str) -> miette::Report {
    let (what, help) = render::unusable_file(error, command);
    CommandError::new(format!("{}: {what}", path.display()), help).into()
}

#[cfg(test)]
mod tests;
