//! Reads reports in every format with third-party code: a validator of JSON Schema with the
//! official schema of SARIF, a parser of JUnit XML, and a parser of Markdown.

use crate::schema::Schema;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;
use spore_drive::render::report::{self, Report};
use std::collections::BTreeMap;
use std::sync::LazyLock;

type Writer = fn(&Report) -> String;

/// The formats, with the endings of their snapshots.
const FORMATS: [(&str, Writer); 5] = [
    ("json", report::json),
    ("md", report::markdown),
    ("sarif", report::sarif),
    ("xml", report::junit),
    ("github", report::github),
];

static JSON: LazyLock<Schema> = LazyLock::new(|| Schema::of("snapshots/schemas/check.schema.json"));
static SARIF: LazyLock<Schema> = LazyLock::new(|| Schema::of("fixtures/schemas/sarif-2.1.0.json"));

/// Reads a report in every format, compares what is read with the report, and returns it by
/// format.
pub(crate) fn read(report: &Report) -> BTreeMap<&'static str, String> {
    let written: BTreeMap<_, _> = FORMATS.map(|(ending, write)| (ending, write(report))).into();
    json(report, &JSON.allows(&written["json"]));
    sarif(report, &SARIF.allows(&written["sarif"]));
    junit(report, &written["xml"]);
    github(report, &written["github"]);
    markdown(report, &written["md"]);
    written
}

fn json(report: &Report, document: &Value) {
    assert_eq!(document["version"], "1.0");
    for (item, found) in report.items.iter().zip(list(&document["results"], report.items.len())) {
        assert_eq!(found["message"], *item.message);
        for (place, found) in item.places.iter().zip(list(&found["places"], item.places.len())) {
            assert_eq!(found["file"], *place.file);
            assert_eq!(
                found["line"].as_u64().map(|line| line as usize),
                place.region.map(|region| region.line)
            );
        }
    }
}

fn sarif(report: &Report, log: &Value) {
    let run = &log["runs"][0];
    for (item, found) in report.items.iter().zip(list(&run["results"], report.items.len())) {
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(found["ruleId"] == item.rule.id && rules.iter().any(|rule| rule["id"] == item.rule.id));
        let related = item.places.len().saturating_sub(1);
        list(found.get("relatedLocations").unwrap_or(&Value::Array(Vec::new())), related);
        let region = &found["locations"][0]["physicalLocation"]["region"];
        let expected = item.places.first().and_then(|place| place.region);
        assert_eq!(
            region["endColumn"].as_u64().map(|at| at as usize),
            expected.and_then(|region| Some(region.end?.1))
        );
    }
}

fn list(value: &Value, length: usize) -> &[Value] {
    let list = value.as_array().unwrap();
    assert_eq!(list.len(), length);
    list
}

pub(crate) fn junit(report: &Report, xml: &str) {
    let read = junit_parser::from_reader(xml.as_bytes()).unwrap();
    let cases: Vec<_> = read.suites.iter().flat_map(|suite| &suite.cases).collect();
    let failures: Vec<_> = cases.iter().filter(|case| case.status.is_failure()).collect();
    let failing: Vec<_> = report.items.iter().filter(|item| item.level >= report.fails_at).collect();
    assert_eq!((read.tests as usize, read.failures as usize), (cases.len(), failing.len()));
    for suite in &read.suites {
        let failures = suite.cases.iter().filter(|case| case.status.is_failure()).count();
        assert_eq!((suite.tests as usize, suite.failures as usize), (suite.cases.len(), failures));
    }
    if report.items.iter().all(|item| item.group.is_none()) {
        for (item, case) in failing.iter().zip(&failures) {
            assert_eq!(case.status.failure_as_ref().message, item.message);
        }
    }
    // A stricter parser than this one replaces line breaks in attributes by spaces.
    let tags = xml.split('<').filter_map(|tag| tag.split_once('>'));
    assert!(tags.into_iter().all(|(tag, _)| !tag.contains(['\n', '\t'])), "{xml}");
    let is_xml = |c: char| matches!(c, '\n' | '\t' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(is_xml), "{xml}");
}

pub(crate) fn github(report: &Report, commands: &str) {
    let lines: Vec<_> = commands.lines().collect();
    assert_eq!(lines.len(), report.items.len());
    for (item, line) in report.items.iter().zip(lines) {
        // The runner splits a command in this way.
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (command, properties) = head.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&command), "{line}");
        let unescaped = |text: &str| {
            let text = text.replace("%0A", "\n").replace("%0D", "\r").replace("%3A", ":").replace("%2C", ",");
            text.replace("%25", "%")
        };
        assert!(unescaped(message).starts_with(&item.message), "{line}");
        let properties: BTreeMap<_, _> =
            properties.split(',').map(|pair| pair.split_once('=').unwrap()).collect();
        let file = properties.get("file").map(|file| unescaped(file));
        assert_eq!(file, item.places.first().map(|place| format!("{}/{}", report.folder, place.file)));
    }
}

/// The tags that a comment contains. Everything else has to be text.
const TAGS: [&str; 12] = [
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<code>",
    "</code>",
    "<details>",
    "</details>",
    "<summary>",
    "</summary>",
    "<h4>",
    "</h4>",
];

pub(crate) fn markdown(report: &Report, text: &str) {
    assert!(text.len() < 65_536, "{} bytes", text.len());
    let marker = format!("<!-- spore:{} -->", report.command);
    assert_eq!(text.lines().next(), Some(&*marker));
    let (mut in_code, mut open) = (false, Vec::new());
    for (nth, event) in Parser::new_ext(text, Options::all()).enumerate() {
        match event {
            Event::Html(html) if nth == 1 => assert_eq!(html.trim_end(), marker),
            Event::Html(html) => {
                for (at, _) in html.match_indices('<') {
                    let end = html[at..].find('>').unwrap();
                    let tag = &html[at..=at + end];
                    assert!(TAGS.contains(&tag), "{tag} in {html}");
                    match tag.strip_prefix("</") {
                        Some(name) => assert_eq!(open.pop().unwrap(), format!("<{name}")),
                        None => open.push(tag.to_owned()),
                    }
                }
                // Nothing outside of code can be a mention or a link.
                let prose: String =
                    html.split("<code>").map(|part| part.rsplit("</code>").next().unwrap()).collect();
                for linking in ['@', '#', '!', '~'] {
                    assert!(!prose.replace(&format!("{linking}\u{200b}"), "").contains(linking), "{prose}");
                }
            }
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(_) if in_code => {}
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            event => panic!("{event:?} in {text}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
