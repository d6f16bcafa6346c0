//! A report as Markdown, for a comment on a pull request. A bot finds its comment by the
//! first line, and updates it.
//!
//! The folder may be that of an untrusted pull request, while the comment is written with
//! the rights of the repository. Therefore text from elsewhere is only in two places: in
//! HTML blocks, in which Markdown isn't interpreted, with HTML escaped; and in fences that
//! are longer than any in the text.

use super::{Item, Level, Report};
use crate::render::counted;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The maximum length of the text, in bytes. GitHub refuses comments of more than 65,536
/// characters.
const MOST: usize = 65_000;
/// The maximum length of the part that tells what was omitted.
const REST: usize = 500;
/// The maximum length of one text in HTML, before it is escaped, and of one in a fence.
const LINE: usize = 1_000;
const BLOCK: usize = 8_000;

/// The report as Markdown: the verdict, and the results with their details collapsed. What
/// doesn't fit is counted.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("<!-- spore:{} -->\n", report.command);
    let _ = write!(text, "<p><b>spore {}: {}</b>", report.command, html(&report.verdict));
    if !report.folder.is_empty() {
        let _ = write!(text, " in {}", code(&report.folder));
    }
    text.push_str("</p>\n");
    let mut group = &None;
    for (nth, item) in report.items.iter().enumerate() {
        let mut block = String::from("\n");
        if item.group != *group {
            group = &item.group;
            let _ = writeln!(block, "<h4>{}</h4>\n", html(group.as_deref().unwrap_or("other")));
        }
        block.push_str(&details(report, item));
        if text.len() + block.len() > MOST - REST {
            let _ = write!(
                text,
                "\n<p>{} here because of the limit for comments.",
                omitted(&report.items[nth..])
            );
            text.push_str("</p>\n");
            break;
        }
        text.push_str(&block);
    }
    text
}

/// One result. Its summary is always visible.
fn details(report: &Report, item: &Item) -> String {
    let mut text = format!("<details><summary><b>{}</b> {}: ", item.level.name(), code(item.rule.id));
    if let Some(host) = &item.host {
        let _ = write!(text, "{}: ", code(host));
    }
    text.push_str(&html(&item.message));
    if let Some(place) = item.places.first() {
        let _ = write!(text, " ({})", code(&report.location(place)));
    }
    text.push_str("</summary>\n");
    if !item.excerpt.is_empty() {
        let _ = write!(text, "\n{}\n", fenced(&item.excerpt));
    }
    let help = item.help.iter().map(|help| format!("help: {}", html(help)));
    let why = (!item.rule.why.is_empty()).then(|| html(item.rule.why));
    for paragraph in help.chain(why) {
        let _ = writeln!(text, "<p>{paragraph}</p>");
    }
    text + "</details>\n"
}

/// Example: `2 errors, 10 warnings are omitted`.
fn omitted(items: &[Item]) -> String {
    let count = |level: Level| items.iter().filter(|item| item.level == level).count();
    let counts = Level::ALL.map(|level| (count(level), level.name())).into_iter();
    let counts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what)).collect();
    format!("{} {} omitted", counts.join(", "), if items.len() == 1 { "is" } else { "are" })
}

/// A text in one line of an HTML block. What is in backticks becomes code.
fn html(text: &str) -> String {
    let text = shortened(text, LINE);
    let mut parts: Vec<&str> = text.split('`').collect();
    // A backtick without its partner is text.
    let unpaired = if parts.len().is_multiple_of(2) { parts.pop() } else { None };
    let mut html = String::new();
    for (nth, part) in parts.into_iter().enumerate() {
        html.push_str(&if nth % 2 == 1 { code(part) } else { prose(part) });
    }
    if let Some(part) = unpaired {
        html.push('`');
        html.push_str(&prose(part));
    }
    html
}

/// A text in one line of an HTML block, as code. Nothing in code becomes a mention or a
/// link.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(&shortened(text, LINE)))
}

/// Text that isn't code. An invisible space keeps the site from making a mention, a
/// reference or a link of it.
fn prose(text: &str) -> String {
    let mut prose = escaped(text);
    for linking in ["@", "#", "!", "$", "%", "~", "^", "://", "www"] {
        prose = prose.replace(linking, &format!("{linking}\u{200b}"));
    }
    prose
}

/// Text in HTML, in one line: an empty line would end the HTML block.
fn escaped(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text as it is, in a code block that no line of the text ends.
fn fenced(text: &str) -> String {
    let text = shortened(text.trim_end(), BLOCK);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n")
}

/// The text, cut if it is long.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.floor_char_boundary(most);
    if end < text.len() { format!("{}…", &text[..end]).into() } else { text.into() }
}
