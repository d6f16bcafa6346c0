//! A report as workflow commands of GitHub Actions, which shows them as annotations of the
//! files. One command is one line. The escaping is that of `@actions/core`.

use super::{Level, Region, Report};
use std::fmt::Write as _;

/// The report as workflow commands. GitHub shows only some annotations of each step, so the
/// most important results come first.
pub fn github(report: &Report) -> String {
    let mut text = String::new();
    for item in &report.items {
        let command = match item.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let title = match &item.host {
            Some(host) => format!("{}: {} ({host})", item.rule.id, item.rule.title),
            None => format!("{}: {}", item.rule.id, item.rule.title),
        };
        let _ = write!(text, "::{command} title={}", property(&title));
        if let Some(place) = item.places.first() {
            let _ = write!(text, ",file={}", property(&report.path(&place.file)));
            if let Some(Region { line, column, end }) = place.region {
                let (end_line, end_column) = end.unwrap_or((line, column + 1));
                let _ = write!(text, ",line={line},endLine={end_line}");
                // GitHub accepts columns only for places within one line.
                if line == end_line {
                    let _ = write!(text, ",col={column},endColumn={end_column}");
                }
            }
        }
        let help = item.help.iter().map(|help| format!("\nhelp: {help}"));
        let message = std::iter::once(item.message.clone()).chain(help).collect::<String>();
        let _ = writeln!(text, "::{}", data(&message));
    }
    text
}

/// Escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    /// The expected values are what `@actions/core` 3.0.1 writes.
    #[test]
    fn text_is_escaped_as_the_official_toolkit_escapes_it() {
        for (text, as_data, as_property) in [
            ("plain", "plain", "plain"),
            ("100%", "100%25", "100%25"),
            ("%0A", "%250A", "%250A"),
            ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
            ("a: b, c", "a: b, c", "a%3A b%2C c"),
            ("::stop-commands::x", "::stop-commands::x", "%3A%3Astop-commands%3A%3Ax"),
        ] {
            assert_eq!((&*data(text), &*property(text)), (as_data, as_property));
        }
    }
}
