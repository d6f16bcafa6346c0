//! The formats for other programs. Third-party code reads each of them: a validator of JSON
//! Schema with the official schema of SARIF, a parser of JUnit XML, and a parser of
//! Markdown. The cases of `tests/folders.rs` are the input, and so are texts that try to
//! become something else than text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cases.rs"]
mod cases;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/schema.rs"]
mod schema;
mod secrets;

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use schema::Schema;
use secrets::secrets;
use serde_json::Value;
use spore_drive::finding::Severity;
use spore_drive::render;
use spore_drive::render::report::{self, Item, Level, Place, Region, Report, Rule};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

type Writer = fn(&Report) -> String;

/// The formats, with the endings of their snapshots.
const FORMATS: [(&str, Writer); 5] = [
    ("json", report::json),
    ("md", report::markdown),
    ("sarif", report::sarif),
    ("xml", report::junit),
    ("github", report::github),
];

/// A reader for each format.
struct Readers {
    json: Schema,
    sarif: Schema,
}

impl Readers {
    fn new() -> Self {
        Self {
            json: Schema::of("snapshots/schemas/check.schema.json"),
            sarif: Schema::of("fixtures/schemas/sarif-2.1.0.json"),
        }
    }

    /// Reads a report in every format, and compares what is read with the report.
    fn read(&self, report: &Report) -> BTreeMap<&'static str, String> {
        let written: BTreeMap<_, _> = FORMATS.map(|(ending, write)| (ending, write(report))).into();
        json(report, &self.json.allows(&written["json"]));
        sarif(report, &self.sarif.allows(&written["sarif"]));
        junit(report, &written["xml"]);
        github(report, &written["github"]);
        markdown(report, &written["md"]);
        written
    }
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

fn junit(report: &Report, xml: &str) {
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
    let is_xml = |c: char| matches!(c, '\n' | '\t' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(is_xml), "{xml}");
}

fn github(report: &Report, commands: &str) {
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

fn markdown(report: &Report, text: &str) {
    assert!(text.len() < 65_536, "{} bytes", text.len());
    assert_eq!(text.lines().next(), Some("<!-- spore:check -->"));
    let (mut in_code, mut open) = (false, Vec::new());
    for (nth, event) in Parser::new_ext(text, Options::all()).enumerate() {
        match event {
            Event::Html(html) if nth == 1 => assert_eq!(html.trim_end(), "<!-- spore:check -->"),
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
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_code = false,
            Event::Text(_) if in_code => {}
            Event::Start(Tag::HtmlBlock) | Event::End(pulldown_cmark::TagEnd::HtmlBlock) => {}
            event => panic!("{event:?} in {text}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let shown = text.matches("<details>").count();
    assert_eq!(shown == report.items.len(), !text.contains("omitted"));
}

fn of(case: &Path) -> Report {
    let (scratch, draft) = folder::read(case);
    let problems = draft.problems();
    let mut report =
        report::findings(&problems, render::tally(&problems), "networks/prod".to_owned(), Severity::Error);
    let folder = scratch.path().join("folder").display().to_string();
    for item in &mut report.items {
        item.message = item.message.replace(&folder, "folder");
    }
    report
}

fn cases() -> Vec<PathBuf> {
    ["fixtures/folders", "fixtures/hostile"].iter().flat_map(|cases| folder::cases_in(cases, 5)).collect()
}

/// `schema::agrees` explains what a change of a schema means.
#[test]
fn the_schemas_are_those_of_the_structs() {
    schema::agrees::<report::Document<'_>>("check");
}

/// Other programs can read every report, and none of them contains a secret.
#[test]
fn every_case_is_valid_in_every_format() {
    let (readers, secrets) = (Readers::new(), secrets());
    for case in cases() {
        let own = folder::lines(&case.join("secrets"));
        for (format, text) in readers.read(&of(&case)) {
            let leaked = secrets.iter().chain(&own).find(|secret| text.contains(*secret));
            assert!(leaked.is_none(), "{} as {format} shows the secret {leaked:?}:\n{text}", case.display());
        }
    }
}

/// A note with places in several files and a warning; and errors, with help for each.
#[test]
fn reports_of_some_cases() {
    let mut wrong = Vec::new();
    for case in ["without-secrets", "identities-twice"] {
        for (format, text) in Readers::new().read(&of(&Path::new("fixtures/folders").join(case))) {
            let file = format!("snapshots/formats/{case}.{format}");
            if std::env::var_os("SPORE_BLESS").is_some() {
                fs::write(&file, &text).unwrap();
            }
            if fs::read_to_string(&file).ok().as_deref() != Some(&*text) {
                wrong.push(format!("{file}:\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "SPORE_BLESS=1 accepts these:\n{}", wrong.join("\n"));
}

const RULE: Rule = Rule { id: "ports/clash", title: "a title", why: "A reason." };

fn item(text: &str) -> Item {
    let region = Some(Region { line: 1, column: 2, end: Some((1, 3)) });
    let place = || Place { file: format!("{}.yaml", text.replace('\n', "")), region, label: text.to_owned() };
    Item {
        rule: RULE,
        level: Level::Error,
        message: text.to_owned(),
        help: Some(text.to_owned()),
        places: vec![place(), place()],
        host: Some(text.to_owned()),
        group: Some(text.to_owned()),
        excerpt: text.to_owned(),
    }
}

fn report(items: Vec<Item>) -> Report {
    Report {
        command: "check",
        verdict: "1 error".to_owned(),
        folder: "networks/prod".to_owned(),
        rules: vec![RULE],
        items,
        fails_at: Level::Error,
    }
}

/// Text stays text, whatever it contains.
#[test]
fn text_cannot_become_anything_else() {
    let readers = Readers::new();
    for text in [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "</code></summary></details></p><h1>all good</h1>",
        "--> <!-- x",
        "[click](https://example.org) ![x](https://example.org/x.png) https://example.org www.example.org",
        "@taubyte/admins @all #1 owner/repo#2 !3 ~bug",
        "`@taubyte` and `a`b` and ``` and @x",
        "a\n\n# heading\n\n- item\n\n<p>@x</p>\n\n/close\n",
        "```\n@taubyte\n```\n~~~\n````\n</details>\n",
        "&lt;b&gt; &amp; \" ' \\` \\<",
        "]]> %0A::error::x\r\n::stop-commands::x\t\u{1}\u{fffe}",
        "{0} {{1}} [a](1) \\[b](2)",
        "\u{202e}ö\u{1f600}",
    ] {
        readers.read(&hostile(text));
    }
}

/// A report that has the same text everywhere.
fn hostile(text: &str) -> Report {
    let folder = format!("networks/{}", text.replace('\n', ""));
    Report { verdict: text.to_owned(), folder, ..report(vec![item(text)]) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases::cases(500), failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_becomes_anything_else(
        parts in prop::collection::vec(prop::sample::select(vec![
            "`", "```", "~~~", "\n", "\n\n", "\r", " ", "<", ">", "</", "<p>", "</details>", "<!--", "-->", "&", ";", "&lt",
            "[", "](", ")", "!", "*", "_", "#", "|", "-", "=", "\\", "\"", "'", "@", "a", "1.", ":", "://", "www.", "x.org",
            "%", "::", ",", "]]>", "\u{1}", "\u{200b}", "\u{2028}", "é", "\t", "$", "^",
        ]), 0..24),
    ) {
        let report = hostile(&parts.concat());
        junit(&report, &report::junit(&report));
        github(&report, &report::github(&report));
        markdown(&report, &report::markdown(&report));
    }
}

/// A comment has a limit. What isn't in it is counted.
#[test]
fn a_comment_is_never_too_long() {
    let readers = Readers::new();
    for (length, count) in [(40, 10_000), (7_000, 300), (100_000, 20)] {
        let mut items: Vec<Item> = (0..count).map(|_| item(&"<@`".repeat(length / 3))).collect();
        items.iter_mut().skip(count / 10).for_each(|item| item.level = Level::Warning);
        let text = report::markdown(&report(items));
        let shown = text.matches("<details>").count();
        let rest = text.lines().last().unwrap();
        let numbers: usize =
            rest.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<usize>().ok()).sum();
        assert_eq!(shown + numbers, count, "{rest}");
        assert!(length > 7_000 || shown > 0, "{shown}");
        assert!(text.len() < 65_536);
    }
    let mut many = report(Vec::new());
    many.items.resize(10_000, Item { group: None, ..item("a `name`") });
    readers.read(&many);
}

/// Runs `spore check -n FOLDER` somewhere, outside of any pipeline.
fn check(
    at: &Path,
    folder: &str,
    arguments: &[&str],
    variables: &[(&str, &Path)],
) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spore"));
    for variable in ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "GITHUB_STEP_SUMMARY", "SPORE_NETWORK"] {
        command.env_remove(variable);
    }
    command.envs(variables.iter().copied()).current_dir(at).args(["check", "-n", folder]).args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn repository(case: &str) -> tempfile::TempDir {
    let repository = tempfile::tempdir().unwrap();
    let folder = repository.path().join("networks/prod");
    folder::copy(&Path::new("fixtures/folders").join(case).join("folder"), &folder, &[]);
    repository
}

/// Only the document is on standard output. The format doesn't change the exit code, and
/// the conclusion is the last line of standard error.
#[test]
fn standard_output_has_only_the_document() {
    for (case, arguments, code, last) in [
        ("sound", &[][..], 0, "check: no problems in 2 shapes, 3 hosts and 3 nodes"),
        ("unused", &[], 0, "check: 2 warnings"),
        ("unused", &["--deny-warnings"], 1, "check: 2 warnings, denied by --deny-warnings"),
        ("secrets-missing", &[], 1, "check: 4 errors"),
    ] {
        let repository = repository(case);
        for format in ["json", "markdown", "sarif", "junit", "github"] {
            let arguments = [arguments, &["--format", format]].concat();
            let (status, said, errors) = check(repository.path(), "networks/prod", &arguments, &[]);
            assert_eq!((status, &*errors), (Some(code), &*format!("{last}\n")), "{case} {format}");
            match format {
                "json" | "sarif" => drop(serde_json::from_str::<Value>(&said).unwrap()),
                "markdown" => assert!(said.starts_with("<!-- spore:check -->\n")),
                "junit" => {
                    let read = junit_parser::from_reader(said.as_bytes()).unwrap();
                    assert_eq!(read.failures > 0, code == 1);
                }
                _ => assert!(said.lines().all(|line| line.starts_with("::")), "{said}"),
            }
        }
    }
}

/// Other programs know the files by their paths in the repository, wherever spore runs.
#[test]
fn paths_are_those_in_the_repository() {
    let repository = repository("unused");
    let root = repository.path();
    let files = |at: &Path, folder: &str, variables: &[(&str, &Path)]| {
        let (_, said, _) = check(at, folder, &["--format", "github"], variables);
        let file = said.lines().last().and_then(|line| line.split_once("file=")?.1.split_once(','));
        file.unwrap_or_default().0.to_owned()
    };
    let prod = root.join("networks/prod");
    // Without a repository, the path is what the user gave.
    assert_eq!(files(root, "networks/prod/", &[]), "networks/prod/shapes.yaml");
    assert_eq!(files(&prod, ".", &[]), "shapes.yaml");
    assert_eq!(files(root, prod.to_str().unwrap(), &[]), prod.join("shapes.yaml").to_str().unwrap());
    let pipeline = [("GITHUB_WORKSPACE", root)];
    assert_eq!(files(&prod, ".", &pipeline), "networks/prod/shapes.yaml");
    assert_eq!(files(&prod, ".", &[("CI_PROJECT_DIR", &root.join("networks"))]), "prod/shapes.yaml");
    folder::git(root, &["init", "--quiet"]);
    assert_eq!(files(&prod, "../prod", &[]), "networks/prod/shapes.yaml");
    assert_eq!(files(root, prod.to_str().unwrap(), &[]), "networks/prod/shapes.yaml");
}

/// With `github`, the step's summary is the report as Markdown. What other commands of the
/// step have written is kept.
#[test]
fn the_step_summary_is_written() {
    let repository = repository("unused");
    let summary = repository.path().join("summary");
    fs::write(&summary, "before\n").unwrap();
    let run = |format: &str, summary: &Path| {
        check(repository.path(), "networks/prod", &["--format", format], &[("GITHUB_STEP_SUMMARY", summary)])
    };
    let (_, markdown, _) = run("markdown", &summary);
    assert_eq!(fs::read_to_string(&summary).unwrap(), "before\n");
    run("github", &summary);
    assert_eq!(fs::read_to_string(&summary).unwrap(), format!("before\n{markdown}\n"));
    let (status, said, errors) = run("github", Path::new("/no/such/folder/summary"));
    assert_eq!((status, said.lines().count()), (Some(0), 2));
    assert!(errors.contains("can't write the step summary"), "{errors}");
}
