//! Converts a folder between its two dialects: only the fields that the dialects write differently
//! change, each at its place in the text. All bytes around them stay, and so do comments.

use super::{Dialect, FileChange, Impossible};
use crate::network::{Component, Files, Layout};
use crate::yaml::{self, Content, Entry, Node, Places, Span};
use std::collections::BTreeMap;
use std::ops::Range;
use thiserror::Error;

/// A folder in the other dialect.
#[derive(Clone, Debug, Default)]
pub struct Converted {
    /// The files whose text changes, under their old names.
    pub changes: Vec<FileChange>,
    /// The files that get another name: the old one, and the new one.
    pub renamed: Vec<(String, String)>,
}

impl Converted {
    /// The files that change and that are renamed, as they are afterwards; `None` for those that aren't
    /// there any more.
    pub fn after<'f>(&'f self, files: &'f Files) -> Vec<(&'f str, Option<&'f [u8]>)> {
        let text = |path: &str| {
            let changed = self.changes.iter().find(|change| change.path == path);
            let text = changed.and_then(|change| change.after.as_deref()).or_else(|| files.text(path));
            text.map(str::as_bytes)
        };
        let is_renamed = |path: &str| self.renamed.iter().any(|(old, _)| old == path);
        let stays = self.changes.iter().map(|change| &*change.path).filter(|path| !is_renamed(path));
        let stay = stays.map(|path| (path, text(path)));
        stay.chain(self.renamed.iter().flat_map(|(old, new)| [(&**new, text(old)), (&**old, None)])).collect()
    }
}

/// Why a folder can't be converted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unconvertible {
    /// A component can't be edited.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// A value can't be written in the other dialect.
    #[error("{file}:{line}: {why}")]
    Value {
        /// The file.
        file: String,
        /// The line, counted from one.
        line: usize,
        /// The reason, and what to do.
        why: String,
    },
    /// A folder can't get the name that the other dialect has for it.
    #[error(
        "{folder}/ can't be renamed to {new}/ in one step; write its entries into one file, {folder}.yaml"
    )]
    Folder {
        /// The folder.
        folder: &'static str,
        /// The name.
        new: &'static str,
    },
}

/// Converts a folder to the manual's dialect, or to upstream's.
///
/// # Errors
/// The other dialect can't express a value, or the value is written in a way that can't be changed
/// without changing anything else.
pub fn convert(files: &Files, to_manual: bool) -> Result<Converted, Unconvertible> {
    let dialect = if to_manual { Dialect::Manual } else { Dialect::Upstream };
    let mut converted = Converted::default();
    for component in [Component::Network, Component::Logins, Component::Hosts, Component::Shapes] {
        match Layout::of(component, files) {
            Layout::Several => return Err(Impossible::Several(component.names()[0]).into()),
            Layout::Absent => {}
            Layout::File(file) => {
                text(component, &file, false, dialect, files, &mut converted)?;
                rename(component, &file, dialect, &mut converted);
            }
            Layout::Folder(folder) => {
                for (_, file) in Layout::entries(folder, files) {
                    text(component, file, true, dialect, files, &mut converted)?;
                }
                let new = name(component, dialect);
                if folder != new {
                    return Err(Unconvertible::Folder { folder, new });
                }
            }
        }
    }
    Ok(converted)
}

/// The name of a component's file in a dialect.
fn name(component: Component, dialect: Dialect) -> &'static str {
    let names = component.names();
    let name = if dialect == Dialect::Manual { names.first() } else { names.last() };
    name.copied().unwrap_or_default()
}

fn rename(component: Component, file: &str, dialect: Dialect, converted: &mut Converted) {
    let new = name(component, dialect);
    if let Some((stem, ending)) = file.rsplit_once('.')
        && stem != new
    {
        converted.renamed.push((file.to_owned(), format!("{new}.{ending}")));
    }
}

/// The texts of comments, in their order.
#[derive(Default)]
struct Comments(Vec<Span>);

impl Places for Comments {
    fn comment(&mut self, at: Span) {
        self.0.push(at);
    }
}

impl Comments {
    fn texts<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let text = |at: &Span| text.get(at.start as usize..at.end as usize).unwrap_or_default();
        self.0.iter().map(text).collect()
    }
}

fn text(
    component: Component,
    file: &str,
    is_entry: bool,
    dialect: Dialect,
    files: &Files,
    converted: &mut Converted,
) -> Result<(), Unconvertible> {
    if component == Component::Network {
        return Ok(());
    }
    let whole = files.text(file).ok_or_else(|| Impossible::Unreadable(file.to_owned()))?;
    let body = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let mut comments = Comments::default();
    let parsed = yaml::parse(body, &mut comments);
    let mut splices = Splices { text: body, dialect, made: BTreeMap::new(), aliases: Vec::new() };
    let root = parsed.root.as_ref().filter(|_| parsed.flaws.is_empty());
    let done = root.map_or(Ok(()), |root| {
        let entries = entries(root);
        match is_entry {
            true => splices.entry(component, entries),
            false => {
                entries.iter().try_for_each(|entry| splices.entry(component, self::entries(&entry.value)))
            }
        }
    });
    let refuse = |(at, why): No| {
        let line = body.bytes().take(at as usize).filter(|byte| *byte == b'\n').count() + 1;
        Unconvertible::Value { file: file.to_owned(), line, why }
    };
    done.and_then(|()| splices.wrap_aliases()).map_err(refuse)?;
    let after = splices.finish();
    let mut kept = Comments::default();
    drop(yaml::parse(&after, &mut kept));
    let (old, new) = (comments.texts(body), kept.texts(&after));
    if old != new {
        let lost = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let at = comments.0.get(lost).map_or(0, |comment| comment.start);
        return Err(refuse((at, COMMENT.to_owned())));
    }
    if after != body {
        let mark = &whole[..whole.len() - body.len()];
        converted.changes.push(FileChange {
            path: file.to_owned(),
            before: Some(whole.to_owned()),
            after: Some(format!("{mark}{after}")),
            is_secret: false,
        });
    }
    Ok(())
}

fn entries<'n, 'a>(node: &'n Node<'a>) -> &'n [Entry<'a>] {
    match node.content.resolved() {
        Content::Map(entries) => entries,
        _ => &[],
    }
}

/// Why a value can't be converted, and where it is.
type No = (u32, String);

const COMMENT: &str = "a comment would be lost; write it above the field, or at its end";
const ANCHOR: &str = "an anchor, an alias or a tag is in the way; write the value without it";
const STYLE: &str = "the value can't be converted in this style; write it on the line of its field";
const KEYS: &str = "upstream's dialect has one key for each login; write a login for each file, and name \
                    them all in the hosts' `auth`";
const EMPTY: &str = "the list is empty; remove the field";
const PLACE: &str = "only `lat` and `long` can be converted; remove the other fields";
const ORDER: &str = "write `lat` before `long`";
const PORT: &str = "only `p2p`, and `ipfs` below `lite`, can be converted; remove the other fields";
const APART: &str = "`lite` and `ipfs` aren't next to each other; write one below the other";
const OUTSIDE: &str = "`ipfs` is next to `lite`, which has no number; move it into `lite`";

fn no<T>(at: u32, why: &str) -> Result<T, No> {
    Err((at, why.to_owned()))
}

/// Replacements in a text. What aliases stand for is replaced once, where it is defined.
///
/// Whatever is replaced, or gets a character in front of it or behind it, is bounded by text that was
/// looked at ([`bare`](Self::bare)), so that nothing is lost or gets another meaning.
struct Splices<'t> {
    text: &'t str,
    dialect: Dialect,
    /// The new texts, by what they replace.
    made: BTreeMap<(u32, u32), String>,
    /// Aliases, with what they stand for and what is to be put around them.
    aliases: Vec<(Span, Span, [String; 2])>,
}

impl Splices<'_> {
    fn finish(self) -> String {
        let (mut text, mut at) = (String::new(), 0);
        for ((start, end), new) in self.made {
            text.push_str(self.text.get(at..start as usize).unwrap_or_default());
            text.push_str(&new);
            at = end as usize;
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        text
    }

    fn put(&mut self, at: Range<u32>, new: impl Into<String>) -> Result<(), No> {
        let (start, end, new) = (at.start, at.end, new.into());
        let overlaps = |(&(from, to), old): (&(u32, u32), &String)| {
            let is_same = (from, to) == (start, end);
            is_same && *old != new || !is_same && from < end && start < to
        };
        // They don't overlap, so none in front of the first that ends before this one can reach it.
        let mut near = self.made.range(..=(end, u32::MAX)).rev().take_while(|((_, to), _)| *to >= start);
        if near.any(overlaps) {
            return no(start, STYLE);
        }
        self.made.insert((start, end), new);
        Ok(())
    }

    /// Puts text around a value, behind its anchor.
    fn wrap(&mut self, node: &Node<'_>, around: [String; 2]) -> Result<(), No> {
        if let Some(defined) = node.defined {
            self.aliases.push((node.span, defined, around));
            return Ok(());
        }
        let [before, after] = around;
        self.put(node.span.start..node.span.start, before)?;
        self.put(node.span.end..node.span.end, after)
    }

    /// Puts text around each alias for which it wasn't put around the value that the alias stands for.
    fn wrap_aliases(&mut self) -> Result<(), No> {
        for (at, defined, [before, after]) in std::mem::take(&mut self.aliases) {
            if !self.made.contains_key(&(defined.start, defined.start)) {
                self.put(at.start..at.start, before)?;
                self.put(at.end..at.end, after)?;
            }
        }
        Ok(())
    }

    fn source(&self, range: Range<u32>) -> &str {
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// Fails if there is anything but white space and these characters.
    fn bare(&self, range: Range<u32>, punctuation: &[char]) -> Result<(), No> {
        let text = self.source(range.clone());
        let is_allowed = |char: char| char.is_whitespace() || punctuation.contains(&char);
        match text.chars().all(is_allowed) {
            true => Ok(()),
            false if text.contains('#') => no(range.start, COMMENT),
            false if text.contains(['&', '*', '!']) => no(range.start, ANCHOR),
            false => no(range.start, STYLE),
        }
    }

    /// Fails unless a place is the first in its line.
    fn first_in_line(&self, at: u32) -> Result<(), No> {
        match self.source(self.line(at)..at).trim().is_empty() {
            true => Ok(()),
            false => no(at, STYLE),
        }
    }

    /// Fails unless a value is written on one line, behind its key. It may have an anchor, or be an alias.
    fn beside(&self, field: &Entry<'_>) -> Result<(), No> {
        let (end, at) = (key(field).end, field.value.span);
        let gap = self.source(end..at.start);
        let anchor = gap.trim_start_matches(':').trim();
        let is_beside = gap.starts_with(':') && (anchor.is_empty() || anchor.starts_with('&'));
        match is_beside && !gap.contains('\n') && self.is_short(at) {
            true => Ok(()),
            false => no(key(field).start, STYLE),
        }
    }

    /// Whether a value is written on one line, and isn't a block.
    fn is_short(&self, at: Span) -> bool {
        let text = self.source(at.start..at.end);
        !text.contains('\n') && !text.starts_with(['|', '>'])
    }

    fn entry(&mut self, component: Component, fields: &[Entry<'_>]) -> Result<(), No> {
        let is_manual = self.dialect == Dialect::Manual;
        match component {
            Component::Logins => {
                self.field(fields, ["user", "username"])?;
                if let Some(keys) = self.field(fields, ["files", "key"])? {
                    if is_manual { self.listed(keys)? } else { self.alone(keys, Some(KEYS))? }
                }
            }
            Component::Hosts => {
                for ssh in fields.iter().filter(|field| field.key == "ssh") {
                    if let Some(names) = self.field(entries(&ssh.value), ["key", "auth"])? {
                        if is_manual { self.alone(names, None)? } else { self.listed(names)? }
                    }
                }
                if let Some(place) = self.field(fields, ["gps", "location"])? {
                    self.location(place)?;
                }
            }
            Component::Shapes => {
                if let Some(services) = self.field(fields, ["protocols", "services"])? {
                    self.services(services)?;
                }
                for ports in fields.iter().filter(|field| field.key == "ports") {
                    self.ports(ports)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Renames a field to the dialect's name.
    fn field<'e, 'a>(
        &mut self,
        fields: &'e [Entry<'a>],
        names: [&'static str; 2],
    ) -> Result<Option<&'e Entry<'a>>, No> {
        let mut found = fields.iter().filter(|field| names.contains(&&*field.key));
        let Some(field) = found.next() else { return Ok(None) };
        if let Some(other) = found.next() {
            let [one, two] = names;
            return Err((
                key(other).start,
                format!("`{one}` and `{two}` are both written; remove one of them"),
            ));
        }
        self.rename(key(field), &field.key, names[usize::from(self.dialect == Dialect::Upstream)])?;
        Ok(Some(field))
    }

    /// Replaces a text at a place. Quotes stay.
    fn rename(&mut self, at: Span, old: &str, new: &str) -> Result<(), No> {
        if old == new {
            return Ok(());
        }
        let written = self.source(at.start..at.end);
        let new = if written.contains(old) { written.replace(old, new) } else { new.to_owned() };
        self.put(at.start..at.end, new)
    }

    /// Makes one text a list.
    fn listed(&mut self, field: &Entry<'_>) -> Result<(), No> {
        let Content::Scalar { text, plain } = field.value.content.resolved() else { return Ok(()) };
        self.beside(field)?;
        if *plain && text.contains([',', '[', ']', '{', '}']) {
            return no(field.value.span.start, "write the value in quotes");
        }
        self.wrap(&field.value, ["[", "]"].map(str::to_owned))
    }

    /// Makes a list of one text that text. A longer list stays, unless `several` says why it can't.
    fn alone(&mut self, field: &Entry<'_>, several: Option<&'static str>) -> Result<(), No> {
        let Content::List(items) = field.value.content.resolved() else { return Ok(()) };
        let at = value(&field.value);
        let item = match (items.as_slice(), several) {
            ([item], _) => item.span,
            ([], _) => return no(at.start, EMPTY),
            (_, Some(why)) => return no(at.start, why),
            (_, None) => return Ok(()),
        };
        let text = self.source(item.start..item.end).to_owned();
        if self.is_flow(at) {
            self.bare(at.start..item.start, &['['])?;
            self.bare(item.end..at.end, &[',', ']'])?;
            return self.put(at.start..at.end, text);
        }
        if field.value.defined.is_some() {
            return Ok(());
        }
        let end = key(field).end;
        self.bare(end..item.start, &[':', '-'])?;
        self.put(end..item.start, ": ")
    }

    fn is_flow(&self, at: Span) -> bool {
        self.source(at.start..at.end).starts_with(['[', '{'])
    }

    /// Where the line of a place begins.
    fn line(&self, at: u32) -> u32 {
        let begins = self.source(0..at).rfind('\n').and_then(|end| u32::try_from(end + 1).ok());
        begins.unwrap_or_default()
    }

    /// The column of a place.
    fn column(&self, at: u32) -> u32 {
        at - self.line(at)
    }

    /// As much white space as there are characters in front of a place in its line.
    fn indent(&self, at: u32) -> String {
        " ".repeat(self.column(at) as usize)
    }

    /// The end of the line in which a place is.
    fn end_of_line(&self, at: u32) -> &'static str {
        let rest = self.text.get(at as usize..).unwrap_or_default();
        let end = rest.find('\n').and_then(|end| end.checked_sub(1)).and_then(|end| rest.as_bytes().get(end));
        if end == Some(&b'\r') { "\r\n" } else { "\n" }
    }

    /// A number that is written on one line.
    fn number(&self, node: &Node<'_>) -> Result<String, No> {
        let at = node.span;
        if node.defined.is_some() {
            return no(at.start, ANCHOR);
        }
        match node.content.text() {
            Some(text) if self.is_short(at) => Ok(text.trim().to_owned()),
            _ => no(at.start, STYLE),
        }
    }

    fn location(&mut self, field: &Entry<'_>) -> Result<(), No> {
        let at = value(&field.value);
        match (field.value.content.resolved(), self.dialect) {
            (Content::List(items), Dialect::Upstream) => {
                let [lat, long] = items.as_slice() else { return no(at.start, STYLE) };
                self.named(field, [lat, long])
            }
            (Content::Map(parts), Dialect::Manual) => {
                let part = |name: &str| parts.iter().find(|part| part.key == name);
                match (part("lat"), part("long"), parts.len()) {
                    (Some(lat), Some(long), 2) => self.unnamed(at, [lat, long]),
                    _ => no(at.start, PLACE),
                }
            }
            _ => Ok(()),
        }
    }

    /// Writes a list of two numbers as `lat` and `long`.
    fn named(&mut self, field: &Entry<'_>, items: [&Node<'_>; 2]) -> Result<(), No> {
        let at = value(&field.value);
        let [lat, long] = [self.number(items[0])?, self.number(items[1])?];
        let [first, second] = items.map(|item| item.span);
        if self.is_flow(at) {
            self.bare(at.start..first.start, &['['])?;
            self.bare(first.end..second.start, &[','])?;
            self.bare(second.end..at.end, &[',', ']'])?;
            return self.put(at.start..at.end, format!("{{lat: {lat}, long: {long}}}"));
        }
        if field.value.defined.is_some() {
            return Ok(());
        }
        for (item, text) in [(first, format!("lat: {lat}")), (second, format!("long: {long}"))] {
            let line = self.line(item.start);
            self.bare(line..item.start, &['-'])?;
            let dash = self.source(line..item.start).find('-').and_then(|dash| u32::try_from(dash).ok());
            let Some(dash) = dash else { return no(item.start, STYLE) };
            // The items of a list may be as far left as its key.
            let indent = if dash > self.column(key(field).start) { "" } else { "  " };
            self.put(line + dash..item.end, format!("{indent}{text}"))?;
        }
        Ok(())
    }

    /// Writes `lat` and `long` as a list of two texts.
    fn unnamed(&mut self, at: Span, parts: [&Entry<'_>; 2]) -> Result<(), No> {
        let numbers = [self.number(&parts[0].value)?, self.number(&parts[1].value)?];
        for part in parts {
            self.bare(key(part).end..part.value.span.start, &[':'])?;
        }
        let [(from, to), (then, end)] = parts.map(|part| (key(part).start, part.value.span.end));
        if self.is_flow(at) {
            self.bare(at.start..from.min(then), &['{'])?;
            self.bare(to.min(end)..from.max(then), &[','])?;
            self.bare(to.max(end)..at.end, &[',', '}'])?;
            return self.put(at.start..at.end, format!("[\"{}\", \"{}\"]", numbers[0], numbers[1]));
        }
        if then < from {
            return no(then, ORDER);
        }
        for (range, number) in [(from..to, &numbers[0]), (then..end, &numbers[1])] {
            self.first_in_line(range.start)?;
            self.put(range, format!("- \"{number}\""))?;
        }
        Ok(())
    }

    fn services(&mut self, field: &Entry<'_>) -> Result<(), No> {
        if self.dialect == Dialect::Manual {
            return Ok(());
        }
        self.listed(field)?;
        let items = match field.value.content.resolved() {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&field.value),
        };
        items
            .iter()
            .filter(|item| item.content.text() == Some("node"))
            .try_for_each(|item| self.rename(value(item), "node", "substrate"))
    }

    fn ports(&mut self, ports: &Entry<'_>) -> Result<(), No> {
        let parts = entries(&ports.value);
        let is_flow = self.is_flow(value(&ports.value));
        let find = |name: &str| parts.iter().position(|part| part.key == name);
        let part = |name: &str| find(name).and_then(|index| parts.get(index));
        let (main, lite, ipfs) = (part("main"), part("lite"), part("ipfs"));
        if self.dialect == Dialect::Upstream {
            main.map_or(Ok(()), |main| self.flatten(main, is_flow, &["p2p"]))?;
            let Some(lite) = lite else { return Ok(()) };
            let inner = entries(&lite.value).iter().find(|part| part.key == "ipfs");
            if let (Some(inner), Some(_)) = (inner, ipfs) {
                return no(key(inner).start, "`ipfs` is written twice; remove one of them");
            }
            return self.flatten(lite, is_flow, &["p2p", "ipfs"]);
        }
        let is_number = |part: &&Entry<'_>| part.value.content.text().is_some();
        for part in main.iter().chain(lite.iter().filter(|_| ipfs.is_none())) {
            if is_number(part) {
                self.nest(part, "p2p")?;
            }
        }
        match (lite, ipfs) {
            (None, Some(ipfs)) => {
                self.rename(key(ipfs), "ipfs", "lite")?;
                self.nest(ipfs, "ipfs")
            }
            (Some(lite), Some(ipfs)) if !is_number(&lite) => no(key(ipfs).start, OUTSIDE),
            (Some(lite), Some(ipfs)) => {
                let (one, other) = (find("lite").unwrap_or_default(), find("ipfs").unwrap_or_default());
                match other.checked_sub(one) {
                    Some(1) => self.join([(lite, "p2p"), (ipfs, "ipfs")], is_flow),
                    _ if one == other + 1 => self.join([(ipfs, "ipfs"), (lite, "p2p")], is_flow),
                    _ => no(key(ipfs).start, APART),
                }
            }
            _ => Ok(()),
        }
    }

    fn nest(&mut self, part: &Entry<'_>, name: &str) -> Result<(), No> {
        self.beside(part)?;
        self.wrap(&part.value, [format!("{{{name}: "), "}".to_owned()])
    }

    /// Writes two ports that follow each other below `lite`.
    fn join(&mut self, parts: [(&Entry<'_>, &str); 2], is_flow: bool) -> Result<(), No> {
        let [(one, first), (other, second)] = parts;
        let (at, then) = (key(one), key(other));
        self.beside(one)?;
        self.beside(other)?;
        if is_flow {
            self.bare(one.value.span.end..then.start, &[','])?;
            self.put(at.start..at.end, format!("lite: {{{first}"))?;
            self.put(then.start..then.end, second)?;
            let end = other.value.span.end;
            return self.put(end..end, "}");
        }
        self.first_in_line(at.start)?;
        self.first_in_line(then.start)?;
        let indent = self.indent(at.start);
        self.put(at.start..at.end, format!("lite:{}{indent}  {first}", self.end_of_line(at.start)))?;
        self.put(then.start..then.end, format!("  {second}"))
    }

    /// Writes the ports below a port next to it; `p2p` gets its name.
    fn flatten(&mut self, part: &Entry<'_>, is_flow: bool, known: &[&str]) -> Result<(), No> {
        let Content::Map(inner) = part.value.content.resolved() else { return Ok(()) };
        let (outer, at) = (key(part), value(&part.value));
        if inner.is_empty() || inner.iter().any(|inner| !known.contains(&&*inner.key)) {
            return no(outer.start, PORT);
        }
        if part.value.defined.is_some() {
            return no(outer.start, ANCHOR);
        }
        let name = |inner: &Entry<'_>| match &*inner.key {
            "p2p" => part.key.to_string(),
            other => other.to_owned(),
        };
        if !self.is_flow(at) {
            let mut start = outer.start;
            self.bare(outer.end..inner.first().map_or(outer.end, |first| key(first).start), &[':'])?;
            for (i, entry) in inner.iter().enumerate() {
                let this = key(entry);
                self.first_in_line(this.start)?;
                if i > 0 {
                    start = this.start - self.column(this.start).saturating_sub(self.column(outer.start));
                }
                self.put(start..this.end, name(entry))?;
            }
            return Ok(());
        }
        let mut end = outer.end;
        let mut ports = Vec::new();
        for inner in inner {
            let (this, at) = (key(inner), inner.value.span);
            self.bare(end..this.start, &[':', '{', ','])?;
            self.bare(this.end..at.start, &[':'])?;
            ports.push(format!("{}: {}", name(inner), self.source(at.start..at.end)));
            end = at.end;
        }
        self.bare(end..at.end, &[',', '}'])?;
        let gap = match is_flow {
            true => ", ".to_owned(),
            false => format!("{}{}", self.end_of_line(outer.start), self.indent(outer.start)),
        };
        self.put(outer.start..at.end, ports.join(&gap))
    }
}

/// Where a key is written.
fn key(entry: &Entry<'_>) -> Span {
    entry.defined.unwrap_or(entry.span)
}

/// Where a value is written.
fn value(node: &Node<'_>) -> Span {
    node.defined.unwrap_or(node.span)
}
