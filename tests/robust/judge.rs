//! The conditions that must hold for the findings about any folder, and the folders of the
//! fixtures. `tests/fuzz` uses this file, too.

use spore_drive::check::check;
use spore_drive::network::{Draft, Files, Finding, Secrets};
use spore_drive::render::{self, Style, Wording};
use spore_drive::resource::is_hidden;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const CASES: &str = "fixtures/folders";

/// Files by their paths.
pub(crate) type Folder = BTreeMap<String, Vec<u8>>;

/// Everything that `spore check` reports about a folder.
pub(crate) fn problems_of(files: &Files, secrets: Secrets) -> Vec<Finding> {
    let mut draft = Draft::from_files(files, secrets);
    draft.report(check(&draft));
    draft.problems().to_vec()
}

pub(crate) fn shown(problems: &[Finding]) -> String {
    render::problems(problems, Style::Plain)
}

/// Checks the conditions that must hold for the findings about any folder.
pub(crate) fn judge(folder: &Folder, secrets: &[String]) -> Result<(), String> {
    let mut files = Files::new("folder");
    for (path, bytes) in folder {
        files.insert(path.clone(), bytes.clone());
    }
    for kind in [Secrets::Needed, Secrets::Elsewhere] {
        let problems = catch_unwind(AssertUnwindSafe(|| problems_of(&files, kind))).map_err(|_| "a panic")?;
        let text =
            catch_unwind(AssertUnwindSafe(|| shown(&problems))).map_err(|_| "a panic while rendering")?;
        problems.iter().try_for_each(place_is_right)?;
        in_order(&problems)?;
        if ["defect of spore", "bug in spore"].iter().any(|words| text.contains(words)) {
            return Err("a bug in spore is reported".to_owned());
        }
        if let Some(c) = text.split('\n').flat_map(str::chars).find(|&c| is_hidden(c)) {
            return Err(format!("{c:?} is shown:\n{text}"));
        }
        if let Some(leaked) = secrets.iter().find(|secret| text.contains(*secret)) {
            return Err(format!("{leaked:?} is shown:\n{text}"));
        }
        for (place, _) in problems.iter().flat_map(|problem| render::wording(problem).labels) {
            let source = place.source().text();
            if let Some(leaked) = secrets.iter().find(|secret| source.contains(*secret)) {
                return Err(format!("{leaked:?} could be shown:\n{source}"));
            }
        }
    }
    Ok(())
}

fn place_is_right(problem: &Finding) -> Result<(), String> {
    let Wording { message, labels, .. } = render::wording(problem);
    for (place, label) in &labels {
        let text = place.source().text();
        for span in [place.span(), place.underlined()] {
            if text.get(span.clone()).is_none() {
                return Err(format!("{span:?} isn't in {}: {message}, {label}", place.file()));
            }
        }
        // The line number must be the one that an editor shows.
        let (line, _) = place.line_and_column();
        let breaks = text[..place.span().start].matches('\n').count();
        if line != breaks + 1 {
            return Err(format!("line {line} should be {}: {message}", breaks + 1));
        }
    }
    Ok(())
}

fn in_order(problems: &[Finding]) -> Result<(), String> {
    let position = |problem: &Finding| {
        problem.places().first().map(|place| (place.file().to_owned(), place.span().start))
    };
    let mut positions: Vec<_> = problems.iter().map(position).collect();
    // The last message may be the number of problems that were left out.
    if problems.last().is_some_and(|last| render::wording(last).message.ends_with("not shown")) {
        positions.pop();
    }
    if positions.is_sorted() { Ok(()) } else { Err(format!("out of order: {positions:?}")) }
}

/// The files of every fixture, by its name.
pub(crate) fn folders() -> Vec<(String, Folder)> {
    let mut folders = Vec::new();
    let mut cases: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases.iter().filter(|path| path.is_dir()) {
        let mut folder = Folder::new();
        gather(&case.join("folder"), "", &mut folder);
        folders.push((case.file_name().unwrap().to_string_lossy().into_owned(), folder));
    }
    folders
}

fn gather(from: &Path, prefix: &str, folder: &mut Folder) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            gather(&entry.path(), &format!("{name}/"), folder);
        } else if let Ok(bytes) = fs::read(entry.path()) {
            folder.insert(name, bytes);
        }
    }
}

pub(crate) fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}
