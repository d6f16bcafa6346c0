//! The parser's errors, with our own messages and places.

use super::Span;
use serde_saphyr::granit_parser::{ErrorKind, Marker, ScanError, Span as EventSpan};

/// A YAML error in a document.
pub(crate) struct Flaw {
    /// Follows the quoted text, if there is one.
    pub(crate) message: String,
    /// Shown in quotes before the message.
    pub(crate) quoted: Option<Span>,
    pub(crate) labels: Vec<(Span, &'static str)>,
    pub(crate) help: Option<&'static str>,
}

pub(crate) fn flaw(message: &str, at: Span, label: &'static str) -> Box<Flaw> {
    Box::new(Flaw { message: message.to_owned(), quoted: None, labels: vec![(at, label)], help: None })
}

impl Flaw {
    pub(crate) fn help(mut self: Box<Self>, help: &'static str) -> Box<Self> {
        self.help = Some(help);
        self
    }
}

/// The maximum number of errors that are reported for one file.
const MOST_FLAWS: usize = 1_000;

/// Errors that don't end the parsing.
#[derive(Default)]
pub(crate) struct Flaws {
    all: Vec<Flaw>,
    left_out: usize,
}

impl Flaws {
    pub(crate) fn push(&mut self, flaw: impl FnOnce() -> Box<Flaw>) {
        if self.all.len() < MOST_FLAWS {
            self.all.push(*flaw());
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Flaw> {
        if self.left_out > 0 {
            let message = format!("{} more errors in this file are not shown", self.left_out);
            let last = self.all.last().and_then(|flaw| flaw.labels.first()).map(|(span, _)| *span);
            let flaw = flaw(&message, last.unwrap_or_default(), "the last one shown");
            self.all.push(*flaw.help("fix the errors above first"));
        }
        self.all
    }
}

const INDENT: &str = "this indentation matches no line above";
const ALIGN: &str = "align it with the lines of the same mapping or list";
const COLON: &str = "write `name: value`, with a space after the `:`";

/// Explains a parser's error to the author of the document, who doesn't know the
/// grammar.
pub(crate) fn syntax(error: &ScanError, text: &str) -> Box<Flaw> {
    let mut at = point(error.marker(), text);
    let (before, line) = lines(at.start as usize, text);
    let written = &text[line.range()];
    let (message, help) = match error.kind() {
        _ if written.starts_with("<<<<<<<") || written.starts_with("=======") => {
            at = line;
            ("an unresolved merge conflict", "keep one of the two versions, and remove git's markers")
        }
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            at = text[at.start as usize..].find('\t').map_or(at, |tab| {
                let start = at.start + small(tab);
                Span { start, end: start + 1 }
            });
            ("YAML doesn't allow a tab here", "indent with spaces")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::ExpectedDocumentStart => {
            at = line;
            (INDENT, ALIGN)
        }
        ErrorKind::RecursionLimitExceeded => ("nested too deeply for a network", "use fewer levels"),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            at = line;
            match written.strip_prefix('-') {
                Some(rest) if !rest.starts_with([' ', '-']) => {
                    ("a space is missing after the `-`", "write `- item`")
                }
                _ => ("a `:` is missing", COLON),
            }
        }
        kind @ (ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry) => {
            at = line;
            match (kind, written.starts_with("- ")) {
                (ErrorKind::ExpectedBlockMappingKey, true) => (
                    "an item of a list where `name: value` is expected",
                    "put it under the name that it belongs to, indented",
                ),
                (ErrorKind::ExpectedBlockSequenceEntry, false) => (
                    "an item of a list is expected here",
                    "begin the line with `- `, or align it with the mapping that it belongs to",
                ),
                _ => (INDENT, ALIGN),
            }
        }
        ErrorKind::MappingValueNotAllowed => match before {
            _ if text[line.start as usize..at.start as usize].contains(": ") => {
                ("a second `:` in one line", "put the value in quotes, or on lines of its own, indented")
            }
            Some(before) if has_a_key(&text[before.range()]) => {
                at = line;
                ("this line is indented too far", "align it with the line above it")
            }
            Some(before) => {
                at = before;
                ("a `:` is missing", COLON)
            }
            None => ("a `:` without a name before it", COLON),
        },
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
            if text[at.range()] == *"," =>
        {
            ("there is nothing between two commas", "remove one of them, or add the missing item")
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("this bracket is never closed", "close it: `[` with `]`, and `{` with `}`")
        }
        ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            ("a bracket is closed by one of another kind", "close `[` with `]`, and `{` with `}`")
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            ("there is no opening bracket for this", "remove it, or add the opening bracket")
        }
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement => (
            "a `,` or a closing bracket is missing before this",
            "put a `,` after each entry, and close the bracket after the last",
        ),
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => {
            ("a quote above isn't closed", "close it on the line on which it was opened")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "something follows the closing quote",
            "add a `,` or a `:` in between, or quote the whole value; within single quotes, write `'` as `''`",
        ),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => {
            ("unknown escape sequence", "write `\\\\`, or put the value in single quotes")
        }
        ErrorKind::UnexpectedCharacter { .. } | ErrorKind::MappingKeyNotAllowed => {
            ("a value can't start with this character", "put the value in quotes")
        }
        ErrorKind::MissingDocumentEndBeforeDirective => {
            ("a line can't start with this", "put the name in quotes")
        }
        ErrorKind::MissingAnchorOrAliasName => {
            ("`*` and `&` need a name", "put the value in quotes, or write the name of an anchor")
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            ("a list can't begin here", "begin it on a new line, or write `[one, two]`")
        }
        ErrorKind::BlockEntryInFlowCollection | ErrorKind::PlainScalarStartsWithDashFlowIndicator => {
            ("a `-` inside brackets", "remove it, or quote it: `[one, two]` already is a list")
        }
        ErrorKind::CommentNotSeparated | ErrorKind::CommentInterceptedScalar => {
            ("a `#` in the wrong place", "put a space before a comment, or quote the value")
        }
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => {
            ("something follows the `|` or `>`", "begin the text on the next line, or quote it")
        }
        ErrorKind::BomInsideDocument => ("a byte-order mark inside the file", "remove it"),
        ErrorKind::UndeclaredTagHandle | ErrorKind::UnclosedVerbatimTag | ErrorKind::MissingTagUri => {
            ("this tag has no meaning here", "remove it, or quote the value")
        }
        _ => {
            let message = format!("invalid YAML: {}", error.info());
            return flaw(&message, at, "here").help("fix this line or the one above it");
        }
    };
    flaw(message, at, "here").help(help)
}

/// The line of an offset, and the last one before it that isn't empty.
fn lines(at: usize, text: &str) -> (Option<Span>, Span) {
    let content = |start: usize, end: usize| {
        let line = &text[start..end];
        let first = start + line.len() - line.trim_start().len();
        Span { start: small(first), end: small((start + line.trim_end().len()).max(first)) }
    };
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let before = text[..start].trim_end();
    let above = before.rfind('\n').map_or(0, |end| end + 1);
    ((!before.is_empty()).then(|| content(above, before.len())), content(start, end))
}

/// Whether a line is `name: …`.
fn has_a_key(line: &str) -> bool {
    line.contains(": ") || line.ends_with(':')
}

pub(crate) fn span_of(span: &EventSpan, text: &str) -> Span {
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
pub(crate) fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
