//! What the parser says of a document, in our words and our places.

use super::place::Span;
use serde_saphyr::granit_parser::{ErrorKind, Marker, ScanError, Span as EventSpan};

/// What is wrong with a document as YAML.
pub(super) struct Flaw {
    /// Continues the quoted text, where there is one.
    pub(super) message: String,
    /// Shown in quotes before the message.
    pub(super) quoted: Option<Span>,
    pub(super) labels: Vec<(Span, &'static str)>,
    pub(super) help: Option<&'static str>,
}

pub(super) fn flaw(message: &str, at: Span, label: &'static str) -> Box<Flaw> {
    Box::new(Flaw { message: message.to_owned(), quoted: None, labels: vec![(at, label)], help: None })
}

impl Flaw {
    pub(super) fn help(mut self: Box<Self>, help: &'static str) -> Box<Self> {
        self.help = Some(help);
        self
    }
}

/// More mistakes of one file nobody reads.
const MOST_FLAWS: usize = 1_000;

/// What is wrong and doesn't end the reading.
#[derive(Default)]
pub(super) struct Flaws {
    all: Vec<Flaw>,
    left_out: usize,
}

impl Flaws {
    pub(super) fn push(&mut self, flaw: impl FnOnce() -> Box<Flaw>) {
        if self.all.len() < MOST_FLAWS {
            self.all.push(*flaw());
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn finish(mut self) -> Vec<Flaw> {
        if self.left_out > 0 {
            let message = format!("{} more mistakes of this kind are not shown", self.left_out);
            let last = self.all.last().and_then(|flaw| flaw.labels.first()).map(|(span, _)| *span);
            let flaw = flaw(&message, last.unwrap_or_default(), "the last that is");
            self.all.push(*flaw.help("correct some of the others first"));
        }
        self.all
    }
}

pub(super) fn syntax(error: &ScanError, text: &str) -> Box<Flaw> {
    let at = point(error.marker(), text);
    let (message, help) = match error.kind() {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
            ("a tab where YAML allows none", Some("indent with spaces"))
        }
        ErrorKind::InvalidIndentation => {
            ("this indentation fits nothing above", Some("align it with the line that it belongs to"))
        }
        ErrorKind::RecursionLimitExceeded => {
            ("deeper nesting than a network can need", Some("write it with fewer levels"))
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("a `:` is missing", Some("write `name: value`, with a space after the `:`"))
        }
        _ => {
            let message = format!("not YAML: {}", error.info());
            return flaw(&message, at, "here").help("correct the line, or the one above it");
        }
    };
    let mut flaw = flaw(message, at, "here");
    flaw.help = help;
    flaw
}

pub(super) fn span_of(span: &EventSpan, text: &str) -> Span {
    let start = offset(&span.start, text);
    let end = offset(&span.end, text).max(start);
    let trimmed = text.get(start..end).map_or(end, |slice| start + slice.trim_end().len());
    Span { start: small(start), end: small(trimmed) }
}

/// The character at a marker; the last one before it at the end of a line.
fn point(marker: &Marker, text: &str) -> Span {
    let start = offset(marker, text);
    let length = text
        .get(start..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, |next| if next == '\n' || next == '\r' { 0 } else { next.len_utf8() });
    Span { start: small(start), end: small(start + length) }
}

fn offset(marker: &Marker, text: &str) -> usize {
    let mut at = marker.byte_offset().unwrap_or(text.len()).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// No file of more than 16 MB is read.
pub(super) fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
