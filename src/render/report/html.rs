//! A plan as one self-contained page, for the artifacts of a pipeline: the map of the network, the waves, and each host's
//! changes.
//!
//! The page makes no request, and its content security policy forbids any: only the style sheets and the script that
//! are written here are allowed, by their digests. Text from elsewhere is escaped, and is in no attribute except for the
//! addresses of links. Without its script, which searches and opens
//! everything before printing, the page has everything nevertheless.

use super::{Item, Level, Place, Report};
use crate::plan::file::{ActionEntry, PlanPage};
use crate::render::counted;
use crate::render::graph::{self, Diagram};
use crate::resource::Printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// A plan as a page. `lines` is the address of the folder's repository, below which files are found by their paths: lines
/// of files are linked if it is known.
pub fn html(report: &Report, page: &PlanPage, diagram: &Diagram, lines: Option<&str>) -> String {
    let map = graph::svg(diagram);
    let styles = [STYLE, graph::STYLE].map(|style| format!("'{}'", digest(style))).join(" ");
    let policy = format!(
        "default-src 'none'; style-src {styles}; script-src '{}'; base-uri 'none'; form-action 'none'",
        digest(SCRIPT)
    );
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"referrer\" content=\"no-referrer\">\
         <title>{}</title><style>{STYLE}</style></head>\n<body>\n<header><h1>{}</h1>\n",
        escaped(&format!("{}: {}", page.network, report.conclusion())),
        escaped(&report.conclusion()),
    );
    for line in report.about.iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "<p>{}</p>", escaped(line));
    }
    text.push_str(
        "<p class=\"search\"><label>Search <input type=\"search\" id=\"query\" accesskey=\"s\" autocomplete=\"off\" \
         aria-describedby=\"found\"></label> <output id=\"found\" for=\"query\" aria-live=\"polite\"></output></p>\n\
         </header>\n<main>\n",
    );
    let link = |place: &Place| linked(report, place, lines);
    findings(&mut text, report, &link);
    let _ = writeln!(
        text,
        "<section aria-labelledby=\"map\"><h2 id=\"map\">Map</h2><div class=\"map\" tabindex=\"0\" role=\"region\" aria-labelledby=\"map\">{map}</div></section>"
    );
    waves(&mut text, page);
    hosts(&mut text, report, &link);
    let _ = writeln!(text, "</main>\n<script>{SCRIPT}</script>\n</body></html>");
    text
}

/// What isn't one host's change: refusals, destructive changes, notes.
fn findings(text: &mut String, report: &Report, link: &impl Fn(&Place) -> String) {
    let items = report.items.iter().filter(|item| item.group.is_none());
    let items: String = items
        .map(|item| {
            let host = item.host.iter().map(|host| format!("<b>{}</b> ", escaped(host))).collect::<String>();
            let level = match item.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "note",
            };
            format!(
                "<li class=\"{level}\"><span class=\"level\">{level}</span> {host}{}</li>\n",
                content(item, link)
            )
        })
        .collect();
    if !items.is_empty() {
        let _ = writeln!(
            text,
            "<section aria-labelledby=\"know\"><h2 id=\"know\">To know before applying</h2><ul class=\"items\">\n{items}</ul></section>"
        );
    }
}

/// By host, actions in order.
type Actions = BTreeMap<Printable, Vec<ActionEntry>>;

fn waves(text: &mut String, page: &PlanPage) {
    let who = |hosts: &Actions| counted(hosts.len(), "host");
    let mut steps: Vec<(String, String, &Actions)> = Vec::new();
    if !page.stage.is_empty() {
        let what = format!("{}: files are written next to their destinations and checked", who(&page.stage));
        steps.push(("stage".to_owned(), what, &page.stage));
    }
    for (number, wave) in (1..).zip(&page.waves) {
        steps.push((format!("wave {number}"), format!("{}: {}", wave.purpose, wave.who), &wave.hosts));
    }
    if steps.is_empty() {
        return;
    }
    text.push_str("<section aria-labelledby=\"order\"><h2 id=\"order\">Order</h2>\n");
    for (step, what, hosts) in steps {
        let _ =
            writeln!(text, "<details class=\"found\"><summary><b>{step}</b> {}</summary>", escaped(&what));
        for (host, actions) in hosts {
            let actions: String =
                actions.iter().map(|entry| format!("<li>{}</li>", escaped(&entry.action))).collect();
            let _ = writeln!(text, "<div class=\"part\"><h3>{}</h3><ol>{actions}</ol></div>", escaped(host));
        }
        text.push_str("</details>\n");
    }
    text.push_str("</section>\n");
}

fn hosts(text: &mut String, report: &Report, link: &impl Fn(&Place) -> String) {
    let grouped: Vec<&Item> = report.items.iter().filter(|item| item.group.is_some()).collect();
    if grouped.is_empty() {
        return;
    }
    text.push_str("<section aria-labelledby=\"hosts\"><h2 id=\"hosts\">Hosts</h2>\n");
    for items in grouped.chunk_by(|one, next| one.group == next.group) {
        let name = items.first().and_then(|item| item.group.as_deref()).unwrap_or_default();
        let size = counted(items.len(), report.what);
        let _ = writeln!(
            text,
            "<details class=\"found\"><summary><b>{}</b> {size}</summary><ul class=\"items\">",
            escaped(name)
        );
        for item in items {
            let _ = writeln!(text, "<li>{}</li>", content(item, link));
        }
        text.push_str("</ul></details>\n");
    }
    text.push_str("</section>\n");
}

/// What was found, where, and the difference.
fn content(item: &Item, link: &impl Fn(&Place) -> String) -> String {
    let mut text = named(&item.message);
    for place in &item.places {
        let _ = write!(text, " <span class=\"place\">{}</span>", link(place));
    }
    if let Some(help) = &item.help {
        let _ = write!(text, "<p class=\"help\">help: {}</p>", named(help));
    }
    if !item.excerpt.is_empty() {
        let line = |line: &str| match line.as_bytes().first() {
            Some(b'+') => format!("<ins>{}</ins>\n", escaped(line)),
            Some(b'-') => format!("<del>{}</del>\n", escaped(line)),
            _ => format!("{}\n", escaped(line)),
        };
        let _ =
            write!(text, "<pre tabindex=\"0\">{}</pre>", item.excerpt.lines().map(line).collect::<String>());
    }
    text
}

/// A place, with a link to its line.
fn linked(report: &Report, place: &Place, lines: Option<&str>) -> String {
    let shown = escaped(&report.location(place));
    let Some(base) = lines.filter(|base| base.starts_with("https://")) else { return shown };
    let mut address = String::new();
    for byte in report.path(&place.file).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                address.push(char::from(byte))
            }
            other => {
                let _ = write!(address, "%{other:02X}");
            }
        }
    }
    let line = place.region.map(|region| format!("#L{}", region.line)).unwrap_or_default();
    format!(
        "<a href=\"{}/{address}{line}\" rel=\"noreferrer\">{shown}</a>",
        escaped(base.trim_end_matches('/'))
    )
}

/// Text in which names are in backticks.
fn named(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without its partner is text.
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let part = |(nth, part): (usize, &&str)| match nth % 2 {
        1 => format!("<code>{}</code>", escaped(part)),
        _ => escaped(part),
    };
    parts.iter().enumerate().map(part).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// The digest of a style sheet or a script, as a content security policy names it.
fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
