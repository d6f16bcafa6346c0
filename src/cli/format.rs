//! Writes a report in one of the formats for other programs, and finds out how the
//! repository names the folder.

use super::args::{Args, Format};
use super::{folder, terminal};
use crate::render::report::{self, Report};
use crate::resource::Printable;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

/// Writes a command's result to standard output. `text` is the result for people, which ends
/// with the conclusion. In a format for other programs, standard output has only the
/// document, and the conclusion is on standard error. With [`Format::Github`], the report is
/// appended to the step's summary, too.
pub(crate) fn write(report: &Report, format: Format, text: impl FnOnce() -> String) {
    let document = match format {
        Format::Text => return terminal::out(&text()),
        Format::Json => report::json(report),
        Format::Markdown => report::markdown(report),
        Format::Sarif => report::sarif(report),
        Format::Junit => report::junit(report),
        Format::Github => report::github(report),
    };
    if format == Format::Github
        && let Err(error) = summarize(report)
    {
        terminal::note(&format!("warning: can't write the step summary: {error}"));
    }
    terminal::document(&document, &report.conclusion());
}

/// Appends the report to the file that GitHub Actions shows as the step's summary.
fn summarize(report: &Report) -> io::Result<()> {
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let text = format!("{}\n", report::markdown(report));
    OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())
}

/// The path of the network's folder relative to the root of its repository: that of the
/// pipeline, or else of the git work tree that contains it. Without either, the path as it
/// was given.
pub(crate) fn folder(args: &Args) -> String {
    folder::find(args.network.as_deref()).map_or_else(|_| String::new(), |folder| in_repository(&folder))
}

/// The address below which the repository's files are shown at the commit that a pipeline runs for, in GitHub Actions
/// and in GitLab.
pub(crate) fn lines_address() -> Option<String> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let github = || {
        let (server, repository) = (value("GITHUB_SERVER_URL")?, value("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/blob/{}", value("GITHUB_SHA")?))
    };
    github().or_else(|| Some(format!("{}/-/blob/{}", value("CI_PROJECT_URL")?, value("CI_COMMIT_SHA")?)))
}

fn in_repository(folder: &Path) -> String {
    // The same path without `./`, and without a `/` at the end.
    let given = || folder.components().filter(|part| *part != Component::CurDir).collect();
    let relative = folder.canonicalize().ok().and_then(|folder| {
        let pipeline = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"].into_iter().filter_map(std::env::var_os);
        let pipeline = pipeline.filter_map(|root| PathBuf::from(root).canonicalize().ok());
        let mut roots =
            pipeline.chain(folder.ancestors().find(|path| path.join(".git").exists()).map(Path::to_owned));
        roots.find_map(|root| Some(folder.strip_prefix(root).ok()?.to_owned()))
    });
    Printable::line(&relative.unwrap_or_else(given).display().to_string()).into()
}
