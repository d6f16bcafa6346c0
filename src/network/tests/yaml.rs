//! Parses the documents in `fixtures/yaml`, whose `README.md` describes their format.

use crate::finding::Component;
use crate::network::mask::Mask;
use crate::yaml::{Content, parse};
use serde_json::Value;
use std::fs;

const CASES: &str = "fixtures/yaml";

/// Cases in which the result differs from the expected one. This list may only become
/// shorter.
const MISJUDGED: &[&str] = &[
    // The parser accepts a tab as a space if it follows spaces.
    "documents: a tab after indentation",
    // The parser is as lenient here as other tools' readers, including tau's.
    "flow: less indented than its key",
    // The parser adds a missing final line break.
    "literals: no line end at the end",
];

struct Case {
    title: String,
    document: String,
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    Meaning(Value),
    Nothing,
    /// The `Debug` text of a mistake; empty if any mistake will do.
    Refused(String),
}

#[test]
fn every_document_means_what_it_says() {
    let mut wrong = Vec::new();
    let mut titles = Vec::new();
    for case in cases() {
        let judged = judge(&case);
        match (judged, MISJUDGED.contains(&&*case.title)) {
            (Ok(()), false) | (Err(_), true) => {}
            (Ok(()), true) => wrong.push(format!("{} is right now: take it off the list", case.title)),
            (Err(found), false) => wrong.push(format!(
                "{}:\n{}\nshould be {:?},\nbut is {found}\n",
                case.title, case.document, case.expected
            )),
        }
        assert!(!titles.contains(&case.title), "`{}` is there twice", case.title);
        titles.push(case.title);
    }
    let unknown = MISJUDGED.iter().filter(|title| !titles.iter().any(|other| other == *title));
    wrong.extend(unknown.map(|title| format!("there is no case `{title}`")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares the result with the expected one. `Err` contains the actual result.
fn judge(case: &Case) -> Result<(), String> {
    let text = case.document.strip_prefix('\u{feff}').unwrap_or(&case.document);
    let mut mask = Mask::new(text, Component::Accounts);
    let parsed = parse(text, &mut mask);
    assert_eq!(mask.finish().len(), text.len(), "{}: what is shown has other places", case.title);
    let mut mistakes = Vec::new();
    for flaw in &parsed.flaws {
        for span in &flaw.spans {
            assert!(text.get(span.range()).is_some(), "{}: no such place {span:?}", case.title);
        }
        mistakes.push(format!("{:?}", flaw.mistake));
    }
    assert!(!parsed.broken || !mistakes.is_empty(), "{} is refused without a word", case.title);
    match (&case.expected, &parsed.root) {
        (Expected::Refused(why), _) if !mistakes.is_empty() => {
            let told = why.is_empty() || mistakes.contains(why);
            told.then_some(()).ok_or_else(|| format!("refused as {mistakes:?}"))
        }
        _ if !mistakes.is_empty() => Err(format!("refused as {mistakes:?}")),
        (Expected::Nothing, None) => Ok(()),
        (Expected::Nothing, Some(root)) if matches!(root.content, Content::Null) => Ok(()),
        (_, None) => Err("nothing".to_owned()),
        (expected, Some(root)) => match (expected, meaning(&root.content)) {
            (Expected::Meaning(expected), found) if *expected == found => Ok(()),
            (_, found) => Err(found.to_string()),
        },
    }
}

fn meaning(content: &Content<'_>) -> Value {
    match content.resolved() {
        Content::Null | Content::Broken | Content::Shared(_) => Value::Null,
        Content::Scalar { text, plain: false } | Content::Tagged { text, .. } => {
            Value::String(text.to_string())
        }
        Content::Scalar { text, plain: true } => match serde_json::from_str(text) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
            _ => Value::String(text.to_string()),
        },
        Content::List(items) => items.iter().map(|item| meaning(&item.content)).collect(),
        Content::Map(entries) => {
            let entry =
                |entry: &crate::yaml::Entry<'_>| (entry.key.to_string(), meaning(&entry.value.content));
            Value::Object(entries.iter().map(entry).collect())
        }
    }
}

fn cases() -> Vec<Case> {
    let mut files: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        // Ignore the text before the first title.
        for part in fs::read_to_string(&path).unwrap().split("\n# ").skip(1) {
            cases.push(case(&file, part).unwrap_or_else(|| panic!("no case:\n{part}")));
        }
    }
    cases
}

fn case(file: &str, part: &str) -> Option<Case> {
    let mut lines = part.lines();
    let title = format!("{file}: {}", lines.next()?);
    let mut document = String::new();
    for line in lines {
        if let Some(text) = line.strip_prefix("| ") {
            document += text;
            document.push('\n');
        } else if line == "|" {
            document.push('\n');
        } else {
            let expected = match line.split_at_checked(1)? {
                ("=", json) => Expected::Meaning(serde_json::from_str(&spelt_out(json)).ok()?),
                (".", "") => Expected::Nothing,
                ("!", why) => Expected::Refused(why.trim().to_owned()),
                _ => return None,
            };
            let document = spelt_out(&document).replace("«END»\n", "");
            return Some(Case { title, document, expected });
        }
    }
    None
}

/// Replaces each `«…»` by the characters that it stands for.
fn spelt_out(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, character) in [("TAB", "\t"), ("SPACE", " "), ("CR", "\r"), ("LF", "\n")] {
        text = text.replace(&format!("«{name}»"), character);
    }
    let mut result = String::new();
    let mut parts = text.split('«');
    result += parts.next().unwrap_or_default();
    for part in parts {
        let (inner, rest) = part.split_once('»').unwrap();
        if let Some(number) = inner.strip_prefix("U+") {
            result.push(u32::from_str_radix(number, 16).ok().and_then(char::from_u32).unwrap());
        } else if let Some((repeated, times)) = inner.rsplit_once('*') {
            result += &repeated.repeat(times.parse().unwrap());
        } else {
            result += &format!("«{inner}»");
        }
        result += rest;
    }
    result
}
