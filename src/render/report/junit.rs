//! A report as JUnit XML, which pipelines show as tests. Each result is a test case, and so
//! is each rule without a result: that test has passed. A result that doesn't make the
//! command fail is a test that has passed, with output.
//!
//! No standard defines the format. This is the part of it that Jenkins's schema allows.

use super::{Item, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The report as JUnit XML. The results of each group are a test suite.
pub fn junit(report: &Report) -> String {
    let found: BTreeSet<&str> = report.items.iter().map(|item| item.rule.id).collect();
    let mut suites: BTreeMap<Option<&str>, Suite> = BTreeMap::new();
    for item in &report.items {
        suites.entry(item.group.as_deref()).or_default().add(report, item);
    }
    let ungrouped = suites.entry(None).or_default();
    for rule in report.rules.iter().filter(|rule| !found.contains(rule.id)) {
        let _ = write!(ungrouped.cases, "    <testcase classname={}", attribute(rule.id));
        let _ = writeln!(ungrouped.cases, " name={}/>", attribute(&format!("not found: {}", rule.title)));
        ungrouped.tests += 1;
    }
    suites.retain(|_, suite| suite.tests > 0);
    let name = format!("spore {}", report.command);
    let tests: usize = suites.values().map(|suite| suite.tests).sum();
    let failures: usize = suites.values().map(|suite| suite.failures).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(text, "<testsuites name={} tests=\"{tests}\"", attribute(&name));
    let _ = writeln!(text, " failures=\"{failures}\" errors=\"0\">");
    for (group, Suite { tests, failures, cases }) in suites {
        let name = group.map_or(name.clone(), |group| format!("{name}: {group}"));
        let _ = write!(text, "  <testsuite name={} tests=\"{tests}\"", attribute(&name));
        let _ = writeln!(text, " failures=\"{failures}\" errors=\"0\">\n{cases}  </testsuite>");
    }
    text + "</testsuites>\n"
}

#[derive(Default)]
struct Suite {
    tests: usize,
    failures: usize,
    /// The test cases as XML.
    cases: String,
}

impl Suite {
    fn add(&mut self, report: &Report, item: &Item) {
        let location = item.places.first().map(|place| format!("{}: ", report.location(place)));
        let host = item.host.iter().map(|host| format!("{host}: "));
        let name: String = location.into_iter().chain(host).chain([item.message.clone()]).collect();
        let _ = write!(self.cases, "    <testcase classname={}", attribute(item.rule.id));
        let _ = writeln!(self.cases, " name={}>", attribute(&name));
        let text = text(&format!("{}\n{}", item.message, item.details()));
        let (level, message) = (item.level.name(), attribute(&item.message));
        let _ = if item.level >= report.fails_at {
            self.failures += 1;
            writeln!(self.cases, "      <failure type=\"{level}\" message={message}>{text}</failure>")
        } else {
            writeln!(self.cases, "      <system-out>{level}: {text}</system-out>")
        };
        self.cases.push_str("    </testcase>\n");
        self.tests += 1;
    }
}

/// The value of an attribute, in quotes. A parser replaces line breaks that aren't escaped
/// by spaces.
fn attribute(value: &str) -> String {
    let value = text(value).replace('"', "&quot;").replace('\t', "&#9;").replace('\n', "&#10;");
    format!("\"{value}\"")
}

/// Text between tags. XML can't contain most control characters, not even escaped.
fn text(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;");
    let is_allowed =
        |c: char| !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    text.replace(|c| !is_allowed(c), "\u{fffd}")
}
