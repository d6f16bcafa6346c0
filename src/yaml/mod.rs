//! Parses a YAML document into a tree in which each value knows its place in the text. All
//! YAML that spore may not have written itself is read here: the files of a folder, and the
//! configurations found on hosts. The entry point is `parse`.
//!
//! The tree is built from the parser's events instead of being deserialized, because all
//! errors must be reported, and because the places of secrets must be known even if parsing
//! stops at an error. Aliases share the content that they refer to; it isn't copied.
//!
//! Whatever a text contains, reading it takes time and memory in proportion to its length:
//! the depth, the number of values and the number of comments are limited.

mod merge;
mod syntax;

pub(crate) use syntax::{Flaw, Mistake, NotAKey, small};

use merge::merged;
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Tag};
use serde_yaml::Value;
use serde_yaml::value::TaggedValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;
use syntax::{Flaws, flaw, span_of, syntax};

/// The number of values that any document may have, aliases counted in full: far more than
/// a network needs. A long document may have one more for each `BYTES_A_VALUE` bytes, so
/// that a large file isn't rejected because of its size alone.
const MOST_VALUES: usize = 500_000;
const BYTES_A_VALUE: usize = 10;
/// A long text counts as one more value for each `BYTES_OF_TEXT` bytes.
const BYTES_OF_TEXT: usize = 64;
/// The maximum number of consecutive comments before a value.
const MOST_COMMENTS: usize = 500_000;
/// The maximum depth of nesting, which bounds recursion: far more than any folder has.
const DEEPEST: usize = 64;

/// A value and its place. A value that an alias stands for has the alias's place, and
/// `defined` is the place of its anchor.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) content: Content<'a>,
    pub(crate) span: Span,
    pub(crate) defined: Option<Span>,
}

#[derive(Clone)]
pub(crate) enum Content<'a> {
    Null,
    Scalar {
        text: Cow<'a, str>,
        /// Not quoted, so the text may stand for a value of another type.
        plain: bool,
    },
    /// A scalar with the one tag that has a meaning: see [`Places::tag`].
    Tagged {
        tag: &'static str,
        text: Cow<'a, str>,
    },
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
    Shared(Rc<Content<'a>>),
    /// A value whose error has been reported.
    Broken,
}

#[derive(Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Cow<'a, str>,
    /// Whether the key was written without quotes.
    pub(crate) plain: bool,
    pub(crate) span: Span,
    /// The place where a merged entry was defined; `None` if the entry wasn't merged.
    pub(crate) defined: Option<Span>,
    /// Whether an earlier entry has the same key. Such an entry is checked, but not used.
    pub(crate) again: bool,
    pub(crate) value: Node<'a>,
}

/// The result of parsing a text.
pub(crate) struct Parsed<'a> {
    /// `None` if the text is empty, or if the parsing stopped.
    pub(crate) root: Option<Node<'a>>,
    pub(crate) flaws: Vec<Flaw>,
    /// Whether parsing stopped at an error. If so, what seems to be missing may be in the
    /// rest.
    pub(crate) broken: bool,
}

impl Content<'_> {
    pub(crate) fn resolved(&self) -> &Self {
        match self {
            Self::Shared(content) => content.resolved(),
            content => content,
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.resolved() {
            Self::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Converts the content to a value without places. Mappings are sorted by key, whatever
    /// their order in the file.
    pub(crate) fn to_value(&self) -> Value {
        match self.resolved() {
            Content::Null | Content::Broken | Content::Shared(_) => Value::Null,
            Content::Scalar { text, plain: true } => plain(text),
            Content::Scalar { text, plain: false } => Value::String(text.to_string()),
            Content::Tagged { tag, text } => {
                let value = Value::String(text.to_string());
                Value::Tagged(Box::new(TaggedValue { tag: serde_yaml::value::Tag::new(*tag), value }))
            }
            Content::List(items) => {
                Value::Sequence(items.iter().map(|item| item.content.to_value()).collect())
            }
            Content::Map(entries) => mapping(entries.iter().map(|entry| (&*entry.key, &entry.value.content))),
        }
    }
}

/// A mapping, sorted by key.
pub(crate) fn mapping<'a>(entries: impl Iterator<Item = (&'a str, &'a Content<'a>)>) -> Value {
    let sorted: BTreeMap<_, _> = entries.collect();
    let entry = |(key, content): (&str, &Content<'_>)| (Value::String(key.to_owned()), content.to_value());
    Value::Mapping(sorted.into_iter().map(entry).collect())
}

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Receives the places of a document's parts while the document is parsed.
pub(crate) trait Places {
    /// A comment.
    fn comment(&mut self, _at: Span) {}
    /// A key of a mapping.
    fn key(&mut self, _at: Span) {}
    /// A scalar. `key` is the innermost key that the scalar is under, `above` the one
    /// around it.
    fn value(&mut self, _at: Span, _key: Option<&str>, _above: Option<&str>) {}
    /// An alias makes the scalar or list at `at` a value of `key` as well.
    fn value_again(&mut self, _at: Span, _key: Option<&str>, _above: Option<&str>) {}
    /// The text from `start` on couldn't be parsed.
    fn rest(&mut self, _start: usize) {}
    /// The one tag that has a meaning in this document; other custom tags are errors.
    fn tag(&self) -> Option<&'static str> {
        None
    }
}

/// Parses `text`, which must be a single document, and tells `places` where its parts are.
pub(crate) fn parse<'a>(text: &'a str, places: &mut dyn Places) -> Parsed<'a> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    options.emit_unresolved_aliases = true;
    // The parser's default is too low for a file in which many lines are commented out.
    options.max_buffered_comment_events = MOST_COMMENTS;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder {
        places,
        stack: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        flaws: Flaws::default(),
        values: 0,
        most_values: MOST_VALUES + text.len() / BYTES_A_VALUE,
    };
    let mut reached = 0;
    loop {
        let stopped = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => {
                let at = span_of(&span, text);
                // The place of an end event is where the collection's next sibling begins.
                if !matches!(event, Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd) {
                    reached = reached.max(at.end);
                }
                builder.event(event, at)
            }
            Some(Err(error)) => Err(syntax(&error, text)),
        };
        if let Err(flaw) = stopped {
            builder.places.rest(reached as usize);
            let mut flaws = builder.flaws.finish();
            flaws.push(*flaw);
            return Parsed { root: None, flaws, broken: true };
        }
    }
    Parsed { root: builder.root, flaws: builder.flaws.finish(), broken: false }
}

struct Builder<'a, 'p> {
    places: &'p mut dyn Places,
    stack: Vec<Frame<'a>>,
    anchors: HashMap<usize, Anchored<'a>>,
    root: Option<Node<'a>>,
    flaws: Flaws,
    values: usize,
    most_values: usize,
}

/// A complete node with an anchor, which aliases can refer to.
struct Anchored<'a> {
    content: Rc<Content<'a>>,
    span: Span,
    extent: Extent,
}

/// The size of a node, counting whatever its aliases stand for.
#[derive(Clone, Copy)]
struct Extent {
    values: usize,
    depth: usize,
}

impl Extent {
    const SCALAR: Self = Self { values: 1, depth: 0 };
}

/// A collection that hasn't ended.
struct Frame<'a> {
    kind: Kind<'a>,
    anchor: usize,
    start: u32,
    /// Where the last part so far ended.
    end: u32,
    extent: Extent,
}

enum Kind<'a> {
    List(Vec<Node<'a>>),
    Map { entries: Vec<Entry<'a>>, merges: Vec<Node<'a>>, key: PendingKey<'a> },
}

/// What the next node in a mapping is.
enum PendingKey<'a> {
    /// A key.
    Awaited,
    /// The value of this key; the flag says whether the key is unquoted.
    Is(Cow<'a, str>, bool, Span),
    /// The value of a merge key, `<<`.
    Merge,
    /// The value of an invalid key.
    Bad,
}

impl<'a> Builder<'a, '_> {
    fn event(&mut self, event: Event<'a>, at: Span) -> Result<(), Box<Flaw>> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(flaw(Mistake::SecondDocument, at));
            }
            Event::Comment(..) => self.places.comment(at),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), at)?
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                self.open(Kind::List(Vec::new()), anchor, at);
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                let kind = Kind::Map { entries: Vec::new(), merges: Vec::new(), key: PendingKey::Awaited };
                self.open(kind, anchor, at);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at)?,
            Event::Alias(id) => self.alias(id, at)?,
            Event::UnresolvedAlias(_) => {
                self.flaws.push(|| flaw(Mistake::UnknownAlias, at));
                self.add(Node { content: Content::Broken, span: at, defined: None }, 0, Extent::SCALAR)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Span,
    ) -> Result<(), Box<Flaw>> {
        let meant = tag.and_then(|tag| self.meant(tag));
        if meant.is_none() {
            self.tag(tag, at);
        }
        let plain = style == ScalarStyle::Plain
            && tag.is_none_or(|tag| !is_bare(tag) && tag.core_suffix() != Some("str"));
        let awaits_key =
            matches!(self.stack.last(), Some(Frame { kind: Kind::Map { key: PendingKey::Awaited, .. }, .. }));
        if awaits_key {
            self.places.key(at);
        } else {
            let (key, above) = path(&self.stack);
            self.places.value(at, key, above);
        }
        let values = 1 + text.len() / BYTES_OF_TEXT;
        let content = if let Some(tag) = meant {
            Content::Tagged { tag, text }
        } else if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
            Content::Null
        } else {
            Content::Scalar { text, plain }
        };
        self.add(Node { content, span: at, defined: None }, anchor, Extent { values, ..Extent::SCALAR })
    }

    /// Returns the name of `tag` if it is the tag that has a meaning in this document.
    fn meant(&self, tag: &Tag) -> Option<&'static str> {
        self.places.tag().filter(|known| matches!(tag.parts(), ("!", name) if name == *known))
    }

    /// Reports a tag that could change the value; tags without an effect are accepted.
    fn tag(&mut self, tag: Option<&Tag>, at: Span) {
        let Some(tag) = tag else { return };
        if !tag.is_yaml_core_schema() && !is_bare(tag) {
            self.flaws.push(|| flaw(Mistake::Tag, at));
        }
    }

    fn open(&mut self, kind: Kind<'a>, anchor: usize, at: Span) {
        self.stack.push(Frame { kind, anchor, start: at.start, end: at.end, extent: Extent::SCALAR });
    }

    fn close(&mut self, at: Span) -> Result<(), Box<Flaw>> {
        let Some(Frame { kind, anchor, start, end, mut extent }) = self.stack.pop() else { return Ok(()) };
        // A block collection ends with an empty event at its next sibling, which is too far
        // down.
        let end = if at.start == at.end { end } else { at.end };
        let content = match kind {
            Kind::List(items) => Content::List(items),
            Kind::Map { entries, merges, .. } => Content::Map(merged(entries, merges, &mut self.flaws)),
        };
        extent.depth += 1;
        self.add(Node { content, span: Span { start, end }, defined: None }, anchor, extent)
    }

    fn alias(&mut self, id: usize, at: Span) -> Result<(), Box<Flaw>> {
        let (key, above) = path(&self.stack);
        let Some(anchored) = self.anchors.get(&id) else {
            self.flaws.push(|| flaw(Mistake::AliasInItself, at));
            return self.add(Node { content: Content::Broken, span: at, defined: None }, 0, Extent::SCALAR);
        };
        // The places of a mapping's parts were reported where the mapping is defined.
        if !matches!(*anchored.content, Content::Map(_)) {
            self.places.value_again(anchored.span, key, above);
        }
        let node = Node {
            content: Content::Shared(Rc::clone(&anchored.content)),
            span: at,
            defined: Some(anchored.span),
        };
        let extent = anchored.extent;
        self.add(node, 0, extent)
    }

    fn add(&mut self, mut node: Node<'a>, anchor: usize, extent: Extent) -> Result<(), Box<Flaw>> {
        // The items of a collection were counted when they were added.
        let fresh = !matches!(node.content, Content::List(_) | Content::Map(_));
        self.values = self.values.saturating_add(if fresh { extent.values } else { 1 });
        if self.values > self.most_values {
            return Err(flaw(Mistake::TooManyValues, node.span));
        }
        if extent.depth > DEEPEST {
            return Err(flaw(Mistake::NestedAliases, node.span));
        }
        if anchor != 0 {
            let content = Rc::new(node.content);
            node.content = Content::Shared(Rc::clone(&content));
            self.anchors.insert(anchor, Anchored { content, span: node.span, extent });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.end = frame.end.max(node.span.end);
        frame.extent.values = frame.extent.values.saturating_add(extent.values);
        frame.extent.depth = frame.extent.depth.max(extent.depth);
        match &mut frame.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, merges, key } => match std::mem::replace(key, PendingKey::Awaited) {
                PendingKey::Is(name, plain, span) => {
                    entries.push(Entry { key: name, plain, span, defined: None, again: false, value: node });
                }
                PendingKey::Merge => merges.push(node),
                PendingKey::Bad => {}
                PendingKey::Awaited => *key = key_of(&node, &mut self.flaws),
            },
        }
        Ok(())
    }
}

fn key_of<'a>(node: &Node<'a>, flaws: &mut Flaws) -> PendingKey<'a> {
    let what = match node.content.resolved() {
        Content::Scalar { text, plain: true } if text == "<<" => return PendingKey::Merge,
        Content::Scalar { text, plain } => return PendingKey::Is(text.clone(), *plain, node.span),
        Content::Broken => return PendingKey::Bad,
        Content::Null if node.span.start == node.span.end => NotAKey::Empty,
        Content::Null => NotAKey::Null,
        Content::Tagged { .. } => NotAKey::Tagged,
        Content::List(_) => NotAKey::List,
        _ => NotAKey::Mapping,
    };
    flaws.push(|| flaw(Mistake::Key(what), node.span));
    PendingKey::Bad
}

/// Whether the tag is `!`, which turns every scalar into text.
fn is_bare(tag: &Tag) -> bool {
    matches!(tag.parts(), ("", "!") | ("!", ""))
}

/// The key that the next value belongs to, and the next key further out.
fn path<'s>(stack: &'s [Frame<'_>]) -> (Option<&'s str>, Option<&'s str>) {
    let mut keys = stack.iter().rev().filter_map(|frame| match &frame.kind {
        Kind::Map { key: PendingKey::Is(key, ..), .. } => Some(key.as_ref()),
        _ => None,
    });
    (keys.next(), keys.next())
}

/// Converts an unquoted scalar according to YAML 1.2's core schema, which tau's reader uses
/// for fields without a declared type.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    // Some readers take `007` for a number, others for text; text preserves it.
    if number && !(unsigned.len() > 1 && unsigned.starts_with('0') && !unsigned.contains('.')) {
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
        if let Ok(number) = text.parse::<f64>() {
            return number.into();
        }
    }
    Value::String(text.to_owned())
}
