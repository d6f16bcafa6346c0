//! Places in the folder's files, and how much of a file is shown around them.

use super::readable;
use crate::yaml::{Span, small};
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A file of the folder in a form that can be shown: every byte of a secret is masked by
/// another byte, so that places remain valid.
pub struct SourceText {
    name: String,
    text: String,
    /// The offset of each line, so that many problems in a big file can be placed quickly.
    lines: Vec<u32>,
    /// The number of characters before each block of [`BLOCK`] bytes, because a big file
    /// may consist of a single line.
    characters: Vec<u32>,
}

const BLOCK: usize = 1024;
/// The maximum number of bytes that are underlined.
const MOST_SHOWN: usize = 400;
/// If a line continues for more bytes than this on either side of the place, only `PART`
/// bytes of it are shown there.
const LONG: usize = 200;
const PART: usize = 60;
/// The maximum distance of places that are shown together, in bytes. On one line, the
/// maximum is [`MOST_SHOWN`].
const MOST_TOGETHER: usize = 2_000;

impl SourceText {
    pub(crate) fn new(name: &str, text: String) -> Self {
        let mut lines = Vec::with_capacity(1 + text.bytes().filter(|&byte| byte == b'\n').count());
        lines.push(0);
        lines.extend(text.match_indices('\n').map(|(at, _)| small(at + 1)));
        let mut characters = Vec::with_capacity(1 + text.len() / BLOCK);
        let mut before = 0;
        for block in text.as_bytes().chunks(BLOCK) {
            characters.push(before);
            before += small(starts(block));
        }
        Self { name: readable(name), text, lines, characters }
    }

    /// The file's path relative to the folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's text with the secrets masked, without a byte-order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of an offset, counted from zero.
    fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start as usize <= offset).saturating_sub(1)
    }

    /// The offset at which a line begins.
    fn line(&self, line: usize) -> usize {
        self.lines.get(line).map_or(self.text.len(), |&start| start as usize)
    }

    /// The number of characters before `offset`.
    fn characters_before(&self, offset: usize) -> usize {
        let block = (offset / BLOCK).min(self.characters.len().saturating_sub(1));
        let before = self.characters.get(block).map_or(0, |&before| before as usize);
        before + starts(self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default())
    }

    /// The line and the column of an offset, both counted from one.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line_of(offset);
        let before = self.characters_before(self.line(line));
        (line + 1, self.characters_before(offset) - before + 1)
    }

    /// The part of a place that is underlined.
    pub(crate) fn shown(&self, span: Range<usize>) -> Range<usize> {
        if span.len() <= MOST_SHOWN {
            return span;
        }
        let line = self.line(self.line_of(span.start) + 1);
        let end = span.end.min(line.max(span.start + 1)).min(span.start + MOST_SHOWN);
        let shown = span.start..self.boundary(end);
        let text = self.text.get(shown.clone()).unwrap_or_default();
        shown.start..shown.start + text.trim_end().len()
    }

    /// The last character boundary at or before `offset`.
    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or_default()
    }
}

/// The number of characters that begin in these bytes of a text.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

impl SourceCode for SourceText {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let (own, last) = (self.line_of(start), self.line_of(end.saturating_sub(1).max(start)));
        let most = if own == last { MOST_SHOWN } else { MOST_TOGETHER };
        if end > self.text.len() || span.len() > most {
            return Err(MietteError::OutOfBounds);
        }
        let mut first = own.saturating_sub(before);
        let mut from = self.line(first);
        let mut to = self.line(last + after + 1);
        // The lines before and after the place are shown unless they are long.
        if start - self.line(own) > LONG {
            (from, first) = (self.boundary(start - PART), own);
        } else if start - from > 2 * LONG {
            (from, first) = (self.line(own), own);
        }
        if self.line(last + 1).saturating_sub(end) > LONG {
            to = self.boundary(end + PART);
        } else if to.saturating_sub(end) > 2 * LONG {
            to = self.line(last + 1);
        }
        let column = match before {
            0 => self.characters_before(start) - self.characters_before(self.line(own)),
            _ => self.characters_before(from) - self.characters_before(self.line(first)),
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            &self.text.as_bytes()[from..to],
            (from, to - from).into(),
            first,
            column,
            last - first + 1,
        )))
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A place in a file, at which a problem is shown.
#[derive(Clone)]
pub struct Place {
    source: Arc<SourceText>,
    start: u32,
    end: u32,
    /// The place of the value itself, if this place only refers to it by an alias or a
    /// merge key.
    defined: Option<(u32, u32)>,
}

impl Place {
    pub(crate) fn new(source: &Arc<SourceText>, span: Span) -> Self {
        Self { source: Arc::clone(source), start: span.start, end: span.end, defined: None }
    }

    /// A whole file, without any of its text.
    pub(crate) fn of(path: &str) -> Self {
        Self::new(&Arc::new(SourceText::new(path, String::new())), Span::default())
    }

    pub(crate) fn defined_at(mut self, span: Option<Span>) -> Self {
        match span {
            // A value that is written in the merge itself is shown there.
            Some(span) if self.start <= span.start && span.end <= self.end => {
                (self.start, self.end) = (span.start, span.end);
            }
            span => self.defined = span.map(|span| (span.start, span.end)),
        }
        self
    }

    /// The file's path, relative to the folder.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// The file's text, with its secrets masked.
    pub fn source(&self) -> &Arc<SourceText> {
        &self.source
    }

    /// The range of bytes in the file.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The part of the range that is underlined.
    pub fn underlined(&self) -> Range<usize> {
        self.source.shown(self.span())
    }

    /// The place where the value is defined, if this place only refers to it.
    pub fn definition(&self) -> Option<Place> {
        let (start, end) = self.defined?;
        Some(Place { source: Arc::clone(&self.source), start, end, defined: None })
    }

    /// Returns `text`, which was written here, or the masked source if it is a secret.
    pub fn shown<'a>(&'a self, text: &'a str) -> &'a str {
        let (start, end) = self.defined.unwrap_or((self.start, self.end));
        let written = self.source.text().get(start as usize..end as usize);
        written.filter(|written| written.contains("**")).unwrap_or(text)
    }

    /// The line and the column, both counted from one.
    pub fn line_and_column(&self) -> (usize, usize) {
        self.source.position(self.start as usize)
    }

    /// The line and the column of the end of the part that is underlined.
    pub fn end(&self) -> (usize, usize) {
        self.source.position(self.underlined().end)
    }
}

/// Shown as `hosts.yaml:3:5`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        write!(f, "{}:{line}:{column}", self.file())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value and its place.
///
/// `Debug` and `==` only consider the value, so that equal networks look equal wherever
/// they were written.
#[derive(Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The place of the value.
    pub place: Place,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), place: self.place }
    }
}

impl At<String> {
    /// The text, or the masked source if it is a secret.
    pub fn shown(&self) -> &str {
        self.place.shown(&self.value)
    }
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for At<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
