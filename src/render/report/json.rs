//! A report as JSON, for scripts. The structs here are the format: a change of any other
//! struct doesn't change it. `snapshots/schemas` contains its JSON Schema. Within version 1,
//! fields are only added.

use super::{Level, Report};
use schemars::JsonSchema;
use serde::Serialize;

const VERSION: &str = "1.0";

/// The report as JSON.
pub fn json(report: &Report) -> String {
    let document = Document {
        version: VERSION,
        command: report.command,
        verdict: &report.verdict,
        folder: &report.folder,
        errors: report.count(Level::Error),
        warnings: report.count(Level::Warning),
        notes: report.count(Level::Note),
        results: report.items.iter().map(result).collect(),
    };
    // The structs have nothing that JSON can't express.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

/// The results of a command. All commands write the same fields.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "What `spore` writes with `--format json`")]
pub struct Document<'r> {
    /// The version of this format. A minor version only adds fields.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    version: &'r str,
    /// The command that wrote this.
    command: &'r str,
    /// The conclusion in one line.
    verdict: &'r str,
    /// The path of the network's folder, relative to the root of its repository. Empty if
    /// the folder is the root.
    folder: &'r str,
    /// The number of results of level `error`.
    errors: usize,
    /// The number of results of level `warning`.
    warnings: usize,
    /// The number of results of level `note`.
    notes: usize,
    /// All results, errors first.
    results: Vec<ResultOf<'r>>,
}

/// One result.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Result")]
struct ResultOf<'r> {
    /// The stable id of the check, such as `ports/clash`.
    id: &'r str,
    /// How much the result matters.
    level: LevelOf,
    /// What the check is about.
    title: &'r str,
    /// What was found.
    message: &'r str,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'r str>,
    /// The host that the result is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'r str>,
    /// The places that show it, the primary place first.
    places: Vec<PlaceOf<'r>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Level")]
#[serde(rename_all = "lowercase")]
enum LevelOf {
    Error,
    Warning,
    Note,
}

/// A place in a file of the folder. Lines and columns are counted from one, columns in
/// characters (Unicode code points). A place without a line is the whole file.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Place")]
struct PlaceOf<'r> {
    /// The path relative to the folder.
    file: &'r str,
    #[serde(flatten)]
    region: Option<RegionOf>,
    /// What is to be seen there.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'r str>,
}

#[derive(Serialize, JsonSchema)]
struct RegionOf {
    /// The line of the first character.
    line: usize,
    /// The column of the first character.
    column: usize,
    /// The line of the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    /// The column after the last character.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

fn result(item: &super::Item) -> ResultOf<'_> {
    ResultOf {
        id: item.rule.id,
        level: match item.level {
            Level::Error => LevelOf::Error,
            Level::Warning => LevelOf::Warning,
            Level::Note => LevelOf::Note,
        },
        title: item.rule.title,
        message: &item.message,
        help: item.help.as_deref(),
        host: item.host.as_deref(),
        places: item.places.iter().map(place).collect(),
    }
}

fn place(place: &super::Place) -> PlaceOf<'_> {
    let region = place.region.map(|super::Region { line, column, end }| RegionOf {
        line,
        column,
        end_line: end.map(|(line, _)| line),
        end_column: end.map(|(_, column)| column),
    });
    let label = (!place.label.is_empty()).then_some(&*place.label);
    PlaceOf { file: &place.file, region, label }
}
