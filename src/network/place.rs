//! Where a value was written.

use miette::NamedSource;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A file of the folder, as a person may see it: every secret in it is masked,
/// byte for byte, so that places still fit.
pub type Source = NamedSource<String>;

/// A place in a file: what a problem is shown at.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    start: u32,
    end: u32,
    /// Where the value itself stands, where this place only refers to it by
    /// an alias or a merge key.
    defined: Option<(u32, u32)>,
}

impl Place {
    pub(super) fn new(source: &Arc<Source>, span: Span) -> Self {
        Self { source: Arc::clone(source), start: span.start, end: span.end, defined: None }
    }

    pub(super) fn defined_at(mut self, span: Span) -> Self {
        self.defined = Some((span.start, span.end));
        self
    }

    /// The file, relative to the folder.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// The file's text, with its secrets masked.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The bytes in the file.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where the value is defined, where it is only referred to here.
    pub fn definition(&self) -> Option<Place> {
        let (start, end) = self.defined?;
        Some(Place { source: Arc::clone(&self.source), start, end, defined: None })
    }

    /// Line and column, both counted from one.
    pub fn line_and_column(&self) -> (usize, usize) {
        let text = self.source.inner();
        let before = text.get(..self.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }
}

/// `hosts.yaml:3:5`
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

/// Bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and where it was written.
///
/// Its `Debug` shows the value alone: two folders that say the same look the
/// same.
#[derive(Clone)]
pub struct At<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), place: self.place }
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
