//! Describes the parser's errors as mistakes that a document's author can recognize. The
//! place of a mistake differs from the parser's marker if that doesn't point at the cause.

use super::Span;
use serde_saphyr::granit_parser::{ErrorKind, Marker, ScanError, Span as EventSpan};

/// A YAML error in a document.
pub(crate) struct Flaw {
    pub(crate) mistake: Mistake,
    /// Where the mistake is; for a duplicate key, the place of the first one follows.
    pub(crate) spans: Vec<Span>,
}

/// What is wrong with a document, in the author's terms rather than those of YAML's
/// grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    MergeConflict,
    Tab,
    Indentation,
    /// Nested more deeply than the parser allows, in brackets or by indentation.
    TooDeep,
    NoSpaceAfterDash,
    NoColon,
    /// A list item where `name: value` is expected.
    ItemAmongEntries,
    NoItem,
    SecondColon,
    IndentedTooFar,
    NoNameBeforeColon,
    NothingBetweenCommas,
    OpenBracket,
    MismatchedBracket,
    NoOpeningBracket,
    NoComma,
    OpenQuote,
    TextAfterQuote,
    Escape,
    /// A character that no unquoted value starts with.
    FirstCharacter,
    /// A line that starts like a directive.
    Directive,
    NamelessAnchor,
    ListOnTheSameLine,
    DashInBrackets,
    Comment,
    TextAfterBlockHeader,
    ByteOrderMark,
    UndeclaredTag,
    /// Any other error, in the parser's words.
    Other(String),
    SecondDocument,
    UnknownAlias,
    AliasInItself,
    /// A tag that would change the value.
    Tag,
    TooManyValues,
    /// Aliases of content with further aliases, nested too deeply.
    NestedAliases,
    Key(NotAKey),
    DuplicateKey,
    NotMergeable,
    /// The number of further errors, which were left out.
    More(usize),
}

/// What is in the place of a key but can't be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAKey {
    Empty,
    Null,
    Tagged,
    List,
    Mapping,
}

pub(crate) fn flaw(mistake: Mistake, at: Span) -> Box<Flaw> {
    Box::new(Flaw { mistake, spans: vec![at] })
}

/// The maximum number of errors that are reported for one file.
const MOST_FLAWS: usize = 1_000;

/// Collects the errors that don't end the parsing.
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
            let last = self.all.last().and_then(|flaw| flaw.spans.first()).copied();
            self.all.push(*flaw(Mistake::More(self.left_out), last.unwrap_or_default()));
        }
        self.all
    }
}

/// The mistake that most likely caused one of the parser's errors.
pub(crate) fn syntax(error: &ScanError, text: &str) -> Box<Flaw> {
    let mut at = point(error.marker(), text);
    let (before, line) = lines(at.start as usize, text);
    let written = &text[line.range()];
    let mistake = match error.kind() {
        _ if written.starts_with("<<<<<<<") || written.starts_with("=======") => {
            at = line;
            Mistake::MergeConflict
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
            Mistake::Tab
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::ExpectedDocumentStart => {
            at = line;
            Mistake::Indentation
        }
        ErrorKind::RecursionLimitExceeded => Mistake::TooDeep,
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            at = line;
            match written.strip_prefix('-') {
                Some(rest) if !rest.starts_with([' ', '-']) => Mistake::NoSpaceAfterDash,
                _ => Mistake::NoColon,
            }
        }
        kind @ (ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry) => {
            at = line;
            match (kind, written.starts_with("- ")) {
                (ErrorKind::ExpectedBlockMappingKey, true) => Mistake::ItemAmongEntries,
                (ErrorKind::ExpectedBlockSequenceEntry, false) => Mistake::NoItem,
                _ => Mistake::Indentation,
            }
        }
        ErrorKind::MappingValueNotAllowed => match before {
            _ if text[line.start as usize..at.start as usize].contains(": ") => Mistake::SecondColon,
            Some(before) if has_a_key(&text[before.range()]) => {
                at = line;
                Mistake::IndentedTooFar
            }
            Some(before) => {
                at = before;
                Mistake::NoColon
            }
            None => Mistake::NoNameBeforeColon,
        },
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
            if text[at.range()] == *"," =>
        {
            Mistake::NothingBetweenCommas
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => Mistake::OpenBracket,
        ErrorKind::MismatchedFlowCollectionEnd { .. } => Mistake::MismatchedBracket,
        ErrorKind::MisplacedFlowCollectionEnd => Mistake::NoOpeningBracket,
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement => Mistake::NoComma,
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => Mistake::OpenQuote,
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            Mistake::TextAfterQuote
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => Mistake::Escape,
        ErrorKind::UnexpectedCharacter { .. } | ErrorKind::MappingKeyNotAllowed => Mistake::FirstCharacter,
        ErrorKind::MissingDocumentEndBeforeDirective => Mistake::Directive,
        ErrorKind::MissingAnchorOrAliasName => Mistake::NamelessAnchor,
        ErrorKind::BlockSequenceEntryNotAllowed => Mistake::ListOnTheSameLine,
        ErrorKind::BlockEntryInFlowCollection | ErrorKind::PlainScalarStartsWithDashFlowIndicator => {
            Mistake::DashInBrackets
        }
        ErrorKind::CommentNotSeparated | ErrorKind::CommentInterceptedScalar => Mistake::Comment,
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => {
            Mistake::TextAfterBlockHeader
        }
        ErrorKind::BomInsideDocument => Mistake::ByteOrderMark,
        ErrorKind::UndeclaredTagHandle | ErrorKind::UnclosedVerbatimTag | ErrorKind::MissingTagUri => {
            Mistake::UndeclaredTag
        }
        _ => Mistake::Other(error.info().to_string()),
    };
    flaw(mistake, at)
}

/// The last line before the one at the offset `at` that isn't empty, and the line itself,
/// both without surrounding whitespace.
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

/// The character at a marker. At the end of a line the span is empty.
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

/// Converts an offset, which fits because no file larger than 16 MB is read.
pub(crate) fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
