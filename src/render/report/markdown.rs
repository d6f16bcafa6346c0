//! A report as Markdown, for a comment on a pull request. A bot finds its comment by the
//! first line, and updates it.
//!
//! The folder may be that of an untrusted pull request, while the comment is written with
//! the rights of the repository. Therefore text from elsewhere is only in two places: in
//! HTML blocks, in which Markdown isn't interpreted, with HTML escaped; and in fences that
//! are longer than any in the text.

use super::{Item, Report};
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
    let _ = write!(text, "<p><b>spore {}</b>", html(&report.conclusion()));
    if !report.folder.is_empty() {
        let _ = write!(text, " in {}", code(&report.folder));
    }
    text.push_str("</p>\n");
    for line in &report.about {
        let _ = writeln!(text, "<p>{}</p>", html(line));
    }
    let mut shown = 0;
    for items in report.items.chunk_by(|one, next| one.group.is_some() && one.group == next.group) {
        let block = match items {
            [Item { group: Some(group), .. }, ..] => self::group(report, group, items),
            [item, ..] => details(report, item),
            [] => continue,
        };
        if text.len() + block.len() > MOST - REST {
            break;
        }
        text.push_str(&block);
        shown += items.len();
    }
    let all = report.items.len();
    if shown < all {
        let all = counted(all, report.what);
        let _ = writeln!(
            text,
            "\n<p>{} of {all} omitted: a comment can't be longer.</p>",
            report.items.len() - shown
        );
    }
    text
}

/// A group of results. Only their number is always visible.
fn group(report: &Report, name: &str, items: &[Item]) -> String {
    let mut lines = String::new();
    let mut shown = 0;
    for item in items {
        let place = item.places.first().map(|place| format!(" ({})", report.location(place)));
        let mut text = format!("{}{}\n", item.message, place.unwrap_or_default());
        item.details().lines().for_each(|line| text.push_str(&format!("    {line}\n")));
        if lines.len() + text.len() > BLOCK {
            break;
        }
        lines.push_str(&text);
        shown += 1;
    }
    if shown < items.len() {
        let _ = writeln!(lines, "… and {} more", items.len() - shown);
    }
    let count = counted(items.len(), report.what);
    format!("\n<details><summary>{}: {count}</summary>\n\n{}\n</details>\n", code(name), fenced(&lines))
}

/// One result. Its first line is always visible.
fn details(report: &Report, item: &Item) -> String {
    let mut line = format!("<b>{}</b> {}: ", item.level.name(), code(item.rule.id));
    if let Some(host) = &item.host {
        let _ = write!(line, "{}: ", code(host));
    }
    line.push_str(&html(&item.message));
    if let Some(place) = item.places.first() {
        let _ = write!(line, " ({})", code(&report.location(place)));
    }
    let mut rest = String::new();
    if !item.excerpt.is_empty() {
        let _ = write!(rest, "\n{}\n", fenced(&item.excerpt));
    }
    let help = item.help.iter().map(|help| format!("help: {}", html(help)));
    let why = (!item.rule.why.is_empty()).then(|| html(item.rule.why));
    for paragraph in help.chain(why) {
        let _ = writeln!(rest, "<p>{paragraph}</p>");
    }
    match rest.is_empty() {
        true => format!("\n<p>{line}</p>\n"),
        false => format!("\n<details><summary>{line}</summary>\n{rest}</details>\n"),
    }
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
