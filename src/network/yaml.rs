//! One YAML document as a tree that knows where everything stands.
//!
//! It is built from the parser's events, not by deserializing: what is wrong
//! must not end at the first mistake, and where a secret stands must be known
//! even of a document that breaks off. Aliases are shared, not copied.

use super::mask::Mask;
use super::place::Span;
use super::syntax::{Flaw, flaw, span_of, syntax};
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// Far more than a folder of the largest size that may be read has.
const MOST_NODES: usize = 2_000_000;
/// Far deeper than anything in a folder; it bounds recursion.
const DEEPEST: usize = 64;

/// A value, where it stands, and where it is defined if that is elsewhere.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) content: Content<'a>,
    pub(super) span: Span,
    pub(super) defined: Option<Span>,
}

#[derive(Clone)]
pub(super) enum Content<'a> {
    Null,
    Scalar {
        text: Cow<'a, str>,
        /// Not quoted: it may mean something else than its text.
        plain: bool,
    },
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
    Shared(Rc<Content<'a>>),
    /// Something that has been reported already.
    Broken,
}

#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) span: Span,
    /// Where the entry is defined, if it came by a merge key.
    pub(super) defined: Option<Span>,
    pub(super) value: Node<'a>,
}

/// What became of a text.
pub(super) struct Parsed<'a> {
    /// `None` where there is nothing in it, or where it breaks off.
    pub(super) root: Option<Node<'a>>,
    pub(super) flaws: Vec<Flaw>,
    /// It broke off: nothing can be said about what isn't there.
    pub(super) broken: bool,
}

impl Content<'_> {
    pub(super) fn resolved(&self) -> &Self {
        match self {
            Self::Shared(content) => content.resolved(),
            content => content,
        }
    }
}

/// Reads the one document that `text` holds, and tells `mask` what is in it.
pub(super) fn parse<'a>(text: &'a str, mask: &mut Mask<'_>) -> Parsed<'a> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    options.emit_unresolved_aliases = true;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder =
        Builder { mask, stack: Vec::new(), anchors: HashMap::new(), root: None, flaws: Vec::new(), nodes: 0 };
    let mut reached = 0;
    loop {
        let stopped = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => {
                let at = span_of(&span, text);
                // An end has its place where its collection's next sibling begins.
                if !matches!(event, Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd) {
                    reached = reached.max(at.end);
                }
                builder.event(event, at)
            }
            Some(Err(error)) => Err(syntax(&error, text)),
        };
        if let Err(flaw) = stopped {
            builder.flaws.push(*flaw);
            builder.mask.rest(reached as usize);
            return Parsed { root: None, flaws: builder.flaws, broken: true };
        }
    }
    Parsed { root: builder.root, flaws: builder.flaws, broken: false }
}

struct Builder<'a, 'm, 't> {
    mask: &'m mut Mask<'t>,
    stack: Vec<Frame<'a>>,
    anchors: HashMap<usize, Anchored<'a>>,
    root: Option<Node<'a>>,
    flaws: Vec<Flaw>,
    nodes: usize,
}

/// A finished node with an anchor, ready to be used again.
struct Anchored<'a> {
    content: Rc<Content<'a>>,
    span: Span,
    /// Nodes in it, aliases followed.
    size: usize,
    depth: usize,
}

/// A collection that hasn't ended.
struct Frame<'a> {
    kind: Kind<'a>,
    anchor: usize,
    start: u32,
    /// Where its last part ended.
    end: u32,
    size: usize,
    depth: usize,
}

enum Kind<'a> {
    List(Vec<Node<'a>>),
    Map { entries: Vec<Entry<'a>>, merges: Vec<Node<'a>>, key: Key<'a> },
}

/// What the next node of a mapping is.
enum Key<'a> {
    /// A key.
    Awaited,
    /// The value of this key.
    Is(Cow<'a, str>, Span),
    /// What to merge.
    Merge,
    /// The value of a key that was none.
    Bad,
}

impl<'a> Builder<'a, '_, '_> {
    fn event(&mut self, event: Event<'a>, at: Span) -> Result<(), Box<Flaw>> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(flaw("a second document in one file", at, "it starts here")
                    .help("keep one document, or move the other to a file of its own"));
            }
            Event::Comment(..) => self.mask.comment(at),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), at)?
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                self.open(Kind::List(Vec::new()), anchor, at);
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                let kind = Kind::Map { entries: Vec::new(), merges: Vec::new(), key: Key::Awaited };
                self.open(kind, anchor, at);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at)?,
            Event::Alias(id) => self.alias(id, at)?,
            Event::UnresolvedAlias(_) => {
                let help = "define the anchor above, or quote the value";
                self.flaws.push(*flaw("an alias to an anchor that isn't there", at, "this alias").help(help));
                self.add(Node { content: Content::Broken, span: at, defined: None }, 0, 1, 0)?;
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
        self.tag(tag, at);
        let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.core_suffix() != Some("str"));
        let awaits_key =
            matches!(self.stack.last(), Some(Frame { kind: Kind::Map { key: Key::Awaited, .. }, .. }));
        if awaits_key {
            self.mask.key(at);
        } else {
            let (key, above) = path(&self.stack);
            self.mask.value(at, key, above);
        }
        let content = if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
            Content::Null
        } else {
            Content::Scalar { text, plain }
        };
        self.add(Node { content, span: at, defined: None }, anchor, 1, 0)
    }

    /// Tags that change nothing are let through, others could mean anything.
    fn tag(&mut self, tag: Option<&Tag>, at: Span) {
        let Some(tag) = tag else { return };
        if !tag.is_yaml_core_schema() && tag.parts() != ("", "!") && tag.parts() != ("!", "") {
            let flaw = flaw("a tag that means nothing here", at, "this value has it").help("remove the tag");
            self.flaws.push(*flaw);
        }
    }

    fn open(&mut self, kind: Kind<'a>, anchor: usize, at: Span) {
        self.stack.push(Frame { kind, anchor, start: at.start, end: at.end, size: 1, depth: 0 });
    }

    fn close(&mut self, at: Span) -> Result<(), Box<Flaw>> {
        let Some(Frame { kind, anchor, start, end, size, depth }) = self.stack.pop() else { return Ok(()) };
        // Of a block collection the end has no extent, and stands too far down.
        let end = if at.start == at.end { end } else { at.end };
        let content = match kind {
            Kind::List(items) => Content::List(items),
            Kind::Map { entries, merges, .. } => Content::Map(self.merged(entries, merges)),
        };
        self.add(Node { content, span: Span { start, end }, defined: None }, anchor, size, depth + 1)
    }

    fn alias(&mut self, id: usize, at: Span) -> Result<(), Box<Flaw>> {
        let (key, above) = path(&self.stack);
        let Some(anchored) = self.anchors.get(&id) else {
            let help = "write the value out";
            self.flaws.push(*flaw("an alias to what it is itself a part of", at, "this alias").help(help));
            return self.add(Node { content: Content::Broken, span: at, defined: None }, 0, 1, 0);
        };
        self.mask.value_again(anchored.span, key, above);
        let node = Node {
            content: Content::Shared(Rc::clone(&anchored.content)),
            span: at,
            defined: Some(anchored.span),
        };
        let (size, depth) = (anchored.size, anchored.depth);
        self.add(node, 0, size, depth)
    }

    fn add(&mut self, mut node: Node<'a>, anchor: usize, size: usize, depth: usize) -> Result<(), Box<Flaw>> {
        if !matches!(node.content, Content::List(_) | Content::Map(_)) {
            self.nodes = self.nodes.saturating_add(size);
        }
        if self.nodes > MOST_NODES {
            return Err(flaw("more values than a network can need", node.span, "reading stopped here")
                .help("look for aliases that multiply each other"));
        }
        if depth > DEEPEST {
            return Err(flaw("deeper nesting than a network can need", node.span, "reading stopped here")
                .help("look for aliases that nest in each other"));
        }
        if anchor != 0 {
            let content = Rc::new(node.content);
            node.content = Content::Shared(Rc::clone(&content));
            self.anchors.insert(anchor, Anchored { content, span: node.span, size, depth });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.end = frame.end.max(node.span.end);
        frame.size = frame.size.saturating_add(size);
        frame.depth = frame.depth.max(depth);
        match &mut frame.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, merges, key } => match std::mem::replace(key, Key::Awaited) {
                Key::Is(name, span) => entries.push(Entry { key: name, span, defined: None, value: node }),
                Key::Merge => merges.push(node),
                Key::Bad => {}
                Key::Awaited => match node.content.resolved() {
                    Content::Scalar { text, plain: true } if text == "<<" => *key = Key::Merge,
                    Content::Scalar { text, .. } => *key = Key::Is(text.clone(), node.span),
                    Content::Broken => *key = Key::Bad,
                    content => {
                        let what = match content {
                            Content::Null => "a key that is empty",
                            Content::List(_) => "a list as a key",
                            _ => "a mapping as a key",
                        };
                        *key = Key::Bad;
                        self.flaws.push(
                            *flaw(what, node.span, "a name is expected here")
                                .help("write a name, in quotes if need be"),
                        );
                    }
                },
            },
        }
        Ok(())
    }

    /// The entries, without those whose key is there already, and then those
    /// of the mappings that were merged in.
    fn merged(&mut self, entries: Vec<Entry<'a>>, merges: Vec<Node<'a>>) -> Vec<Entry<'a>> {
        let mut seen: HashMap<Cow<'a, str>, Span> = HashMap::new();
        let mut kept: Vec<Entry<'a>> = Vec::with_capacity(entries.len());
        for entry in entries {
            let first = if kept.len() < 8 {
                kept.iter().find(|other| other.key == entry.key).map(|other| other.span)
            } else {
                if seen.is_empty() {
                    seen.extend(kept.iter().map(|other| (other.key.clone(), other.span)));
                }
                let first = seen.get(&entry.key).copied();
                seen.entry(entry.key.clone()).or_insert(entry.span);
                first
            };
            match first {
                None => kept.push(entry),
                Some(first) => self.flaws.push(Flaw {
                    message: "is there twice".to_owned(),
                    quoted: Some(entry.span),
                    labels: vec![(entry.span, "again here"), (first, "first here")],
                    help: Some("remove or rename one of the two"),
                }),
            }
        }
        let mut sources = Vec::new();
        for merge in merges {
            match merge.content.resolved() {
                Content::List(items) => {
                    let shared = merge.defined.is_some();
                    sources.extend(items.iter().map(|item| {
                        let mut item = item.clone();
                        if shared {
                            item.span = merge.span;
                        }
                        item
                    }));
                }
                _ => sources.push(merge),
            }
        }
        for source in sources {
            let Content::Map(entries) = source.content.resolved() else {
                if !matches!(source.content.resolved(), Content::Broken) {
                    let help = "`<<` takes a mapping, or a list of them";
                    self.flaws.push(*flaw("not a mapping to merge", source.span, "this").help(help));
                }
                continue;
            };
            for entry in entries {
                if kept.iter().all(|other| other.key != entry.key) {
                    let defined = Some(entry.defined.unwrap_or(entry.span));
                    kept.push(Entry { span: source.span, defined, ..entry.clone() });
                }
            }
        }
        kept
    }
}

/// The key that the next value belongs to, and the key above that one.
fn path<'s>(stack: &'s [Frame<'_>]) -> (Option<&'s str>, Option<&'s str>) {
    let mut keys = stack.iter().rev().filter_map(|frame| match &frame.kind {
        Kind::Map { key: Key::Is(key, _), .. } => Some(key.as_ref()),
        _ => None,
    });
    (keys.next(), keys.next())
}
