//! A report in the Static Analysis Results Interchange Format (SARIF) 2.1.0, an OASIS
//! standard that code scanners write and GitHub, GitLab and editors read. The structs here
//! are the part of it that is used.

use super::{Item, Place, Report, Rule};
use serde::Serialize;
use std::collections::BTreeMap;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The name that GitHub gives to the root of the repository. The reader knows where that
/// is; it isn't a path of the machine that wrote the report.
const ROOT: &str = "%SRCROOT%";

/// The report as SARIF.
pub fn sarif(report: &Report) -> String {
    let found: BTreeMap<&str, Rule> = report.items.iter().map(|item| (item.rule.id, item.rule)).collect();
    let root = Root { description: Message::of("the root of the repository") };
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "spore",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: found.values().map(descriptor).collect(),
                },
            },
            // The part before the last slash is the category, in which a run replaces others.
            automation_details: Automation { id: format!("spore/{}/{}/", report.command, report.path("")) },
            column_kind: "unicodeCodePoints",
            original_uri_base_ids: BTreeMap::from([(ROOT, root)]),
            results: report.items.iter().map(|item| result(report, item)).collect(),
        }],
    };
    // The structs have nothing that JSON can't express.
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Log<'r> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'r>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r> {
    tool: Tool,
    automation_details: Automation,
    column_kind: &'static str,
    original_uri_base_ids: BTreeMap<&'static str, Root>,
    results: Vec<ResultOf<'r>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

/// Distinguishes the runs of one commit: a later run with the same id replaces the results
/// of an earlier one.
#[derive(Serialize)]
struct Automation {
    id: String,
}

#[derive(Serialize)]
struct Root {
    description: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    full_description: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultOf<'r> {
    rule_id: &'r str,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

/// A host.
#[derive(Serialize)]
struct Logical {
    name: String,
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

impl Message {
    fn of(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

fn descriptor(rule: &Rule) -> Descriptor {
    // The first is a fragment elsewhere, and a sentence here.
    let mut title = rule.title.chars();
    let title: String = title.next().into_iter().flat_map(char::to_uppercase).chain(title).collect();
    Descriptor {
        id: rule.id,
        short_description: Message::of(title + "."),
        full_description: Message::of(rule.why),
    }
}

fn result<'r>(report: &Report, item: &'r Item) -> ResultOf<'r> {
    // GitHub rejects a file in which a result has no place, so the folder is one.
    let folder = Place { file: String::new(), region: None, label: String::new() };
    let (first, others) = item.places.split_first().unwrap_or((&folder, &[]));
    let mut location = location(report, first);
    let host = item.host.iter().map(|host| Logical { name: host.clone(), kind: "resource" });
    location.logical_locations = host.collect();
    let related =
        (1..).zip(others).map(|(id, place)| Location { id: Some(id), ..self::location(report, place) });
    ResultOf {
        rule_id: item.rule.id,
        level: item.level.name(),
        message: Message::of(message(item)),
        locations: [location],
        related_locations: related.collect(),
    }
}

/// The text of a message. What looks like a Markdown link would be a link in SARIF, too.
fn message(item: &Item) -> String {
    let help = item.help.iter().map(|help| format!("\nHelp: {help}"));
    let host = item.host.iter().map(|host| format!("{host}: "));
    let text: String = host.chain([item.message.clone()]).chain(help).collect();
    text.replace("](", "] (")
}

fn location(report: &Report, place: &Place) -> Location {
    let path = report.path(&place.file);
    let (uri, uri_base_id) = match path.starts_with('/') {
        true => (format!("file://{}", uri(&path)), None),
        false => (uri(&path), Some(ROOT)),
    };
    let region = place.region.map(|region| Region {
        start_line: region.line,
        start_column: region.column,
        end_line: region.end.map(|(line, _)| line),
        end_column: region.end.map(|(_, column)| column),
    });
    Location {
        id: None,
        physical_location: Physical { artifact_location: Artifact { uri, uri_base_id }, region },
        logical_locations: Vec::new(),
        message: (!place.label.is_empty()).then(|| Message::of(place.label.clone())),
    }
}

/// A path as a reference to a URI.
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' => {
                uri.push(char::from(byte))
            }
            // Characters such as `:` are allowed only in some places.
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn any_path_is_a_reference_to_a_uri() {
        assert_eq!(uri("networks/prod/hosts.yaml"), "networks/prod/hosts.yaml");
        assert_eq!(uri("a:b c%/ö#?.yaml"), "a%3Ab%20c%25/%C3%B6%23%3F.yaml");
    }
}
