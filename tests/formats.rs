//! The formats for other programs, which third-party code reads. The cases of `tests/folders.rs` are the input, and so are texts that try to
//! become something else than text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cases.rs"]
mod cases;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/formats.rs"]
mod formats;
#[path = "support/schema.rs"]
mod schema;
mod secrets;

use proptest::prelude::*;
use secrets::secrets;
use serde_json::Value;
use spore_drive::finding::Severity;
use spore_drive::render;
use spore_drive::render::report::{self, Item, Level, Place, Region, Report, Rule};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    schema::agrees::<spore_drive::render::events::Line>("events");
    schema::agrees::<spore_drive::render::dns::Document>("dns");
    schema::agrees::<spore_drive::facts::receipt::Receipt>("receipt");
    schema::agrees::<spore_drive::facts::roster::Roster>("roster");
}

/// Other programs can read every report, and none of them contains a secret.
#[test]
fn every_case_is_valid_in_every_format() {
    let secrets = secrets();
    // There are many parts of secrets, and all are equally long.
    let parts: HashSet<&[u8]> = secrets.iter().map(String::as_bytes).collect();
    let length = secrets[0].len();
    assert!(secrets.iter().all(|part| part.len() == length));
    for case in cases() {
        let own = folder::lines(&case.join("secrets"));
        for (format, text) in formats::read(&of(&case)) {
            let leaked = text.as_bytes().windows(length).any(|part| parts.contains(part));
            let leaked = leaked || own.iter().any(|secret| text.contains(secret));
            assert!(!leaked, "{} as {format} shows a secret:\n{text}", case.display());
        }
    }
}

/// A note with places in several files and a warning; and errors, with help for each.
#[test]
fn reports_of_some_cases() {
    let mut wrong = Vec::new();
    for case in ["without-secrets", "identities-twice"] {
        for (format, text) in formats::read(&of(&Path::new("fixtures/folders").join(case))) {
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
        what: "problem",
        about: vec!["a line `about` it".to_owned()],
        folder: "networks/prod".to_owned(),
        rules: vec![RULE],
        items,
        fails_at: Level::Error,
    }
}

/// Text stays text, whatever it contains.
#[test]
fn text_cannot_become_anything_else() {
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
        formats::read(&hostile(text));
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
        formats::junit(&report, &report::junit(&report));
        formats::github(&report, &report::github(&report));
        formats::markdown(&report, &report::markdown(&report));
    }
}

/// A comment has a limit. What isn't in it is counted.
#[test]
fn a_comment_is_never_too_long() {
    for (length, count, group) in [
        (40, 10_000, None),
        (40, 10_000, Some(1)),
        (40, 10_000, Some(20)),
        (7_000, 300, Some(3)),
        (100_000, 20, None),
    ] {
        let text = "<@`".repeat(length / 3);
        let items =
            (0..count).map(|nth| Item { group: group.map(|of| (nth / of).to_string()), ..item(&text) });
        let report = report(items.collect());
        let text = report::markdown(&report);
        formats::markdown(&report, &text);
        // What is neither shown nor hidden in a group was omitted.
        let number = |text: &str| {
            text.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse::<usize>().ok())
        };
        let rest = text.lines().last().filter(|line| line.contains(&format!("of {count} problems omitted")));
        let shown = match group {
            None => text.matches("<details>").count(),
            Some(_) => text.lines().filter_map(|line| number(line.split_once("</code>: ")?.1)).sum(),
        };
        let tail = text.lines().last();
        assert_eq!(shown + rest.and_then(number).unwrap_or_default(), count, "{length} {group:?} {tail:?}");
        assert!(length > 50_000 || shown > 0, "{tail:?}");
    }
    let mut many = report(Vec::new());
    many.items.resize(10_000, Item { group: None, ..item("a `name`") });
    formats::read(&many);
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
        ("secrets-missing", &[], 1, "check: 2 errors, 1 warning"),
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
