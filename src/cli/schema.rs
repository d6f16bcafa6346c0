//! `spore schema`: the JSON Schemas of the folder's files. Reads none of them.

use super::args::{Args, SchemaOptions};
use super::{CommandError, Exit, folder, terminal};
use crate::network::{FileSchema, SCHEMAS};
use crate::render;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

pub(crate) fn run(args: &Args, options: &SchemaOptions) -> miette::Result<Exit> {
    match (&options.file, &options.out) {
        (Some(file), _) => terminal::data(&of(file)?.text()),
        (None, Some(directory)) => write(args, directory)?,
        (None, None) => terminal::out(&list()),
    }
    Ok(Exit::Done)
}

/// The schema of a file, which may be named by any path.
fn of(file: &Path) -> Result<&'static FileSchema, CommandError> {
    let parts: Vec<&str> = file.iter().filter_map(|part| part.to_str()).collect();
    let mut ends =
        [2, 1].into_iter().filter_map(|count| Some(parts.get(parts.len().checked_sub(count)?..)?.join("/")));
    ends.find_map(|end| FileSchema::of(&end)).ok_or_else(|| {
        let files: Vec<&str> = SCHEMAS.iter().flat_map(|schema| schema.files).copied().collect();
        let what = format!("no file of a network folder is called {}", file.display());
        CommandError::new(what, format!("pass one of {}", files.join(", ")))
    })
}

fn write(args: &Args, directory: &Path) -> miette::Result<()> {
    let folder = folder::find(args.network.as_deref())?;
    let written = fs::create_dir_all(directory).and_then(|()| {
        SCHEMAS.iter().try_for_each(|schema| fs::write(directory.join(schema.file_name()), schema.text()))
    });
    let path = written.and_then(|()| path_from(&folder, directory)).map_err(|error| {
        let what = format!("can't write the schemas to {}", directory.display());
        let help = "pass a directory that you can write to".to_owned();
        CommandError::because(what, Some(help), Some(error.to_string()))
    })?;
    let schemas = render::counted(SCHEMAS.len(), "schema");
    let files = SCHEMAS.iter().flat_map(|schema| schema.files.iter().map(move |file| (file, schema)));
    let lines = files.map(|(file, schema)| format!("{file:<21} {}\n", comment(file, &path, schema)));
    terminal::out(&format!(
        "The files of the folder, each with the line that it begins with:\n\n{}\nschema: wrote {schemas} to {}\n",
        lines.collect::<String>(),
        directory.display()
    ));
    Ok(())
}

/// The path of the directory as the folder's files refer to it: relative if it is in the folder.
fn path_from(folder: &Path, directory: &Path) -> io::Result<PathBuf> {
    let directory = directory.canonicalize()?;
    let relative = directory.strip_prefix(folder.canonicalize()?).map(Path::to_owned);
    Ok(relative.unwrap_or(directory))
}

/// The line by which the YAML language server finds the schema of a file. It resolves a relative path from
/// where the file is.
fn comment(file: &str, directory: &Path, schema: &FileSchema) -> String {
    let up = Path::new(file).components().filter(|part| matches!(part, Component::Normal(_))).count() - 1;
    let path = match directory.is_absolute() {
        true => directory.join(schema.file_name()),
        false => Path::new(if up == 0 { "." } else { ".." }).join(directory).join(schema.file_name()),
    };
    format!("# yaml-language-server: $schema={}", path.display())
}

fn list() -> String {
    let files = SCHEMAS.iter().map(|schema| format!("{:<9} {}\n", schema.name, schema.files.join(", ")));
    format!(
        "The schemas, and the files that they describe:\n\n{}\n`spore schema FILE` prints the schema of a file; \
         `spore schema -o DIR` writes all of them.\n",
        files.collect::<String>()
    )
}
