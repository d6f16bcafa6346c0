//! The edits that fix findings: those that a finding's help proposes, if there is exactly one way to make
//! them. Each is made with [`mod@crate::edit`], or only replaces a key, and is made on the text that the
//! finding is about. `tests/folders/editor.rs` checks that no finding survives its fix.

use super::names::Spot;
use super::tree::{self, Part};
use super::{Cursor, unmarked};
use crate::edit::{self, Change, New, Path, Step};
use crate::finding::{
    DomainNames, EndpointFlaw, Excerpt, FieldProblem, Finding, KeyProblem, Kind, Locations, Place, Services,
};
use crate::network::Files;
use crate::yaml::Mistake;
use serde_yaml::Value;
use std::ops::Range;

/// An edit that fixes a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does.
    pub what: Fixing,
    /// What is replaced.
    pub spot: Spot,
    /// By what.
    pub text: String,
}

/// What a fix does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fixing {
    /// It writes this instead.
    Replace(String),
    /// It removes what the finding is about.
    Remove,
    /// It writes a space after the `:`.
    Space,
    /// It puts a name in quotes.
    Quote,
    /// It adds this line.
    Add(String),
    /// It exchanges two values.
    Swap,
}

/// The edits that fix a finding. Each of them is enough.
pub fn fixes(finding: &Finding, files: &Files) -> Vec<Fix> {
    let Some(place) = finding.places().first().filter(|place| place.definition().is_none()) else {
        return Vec::new();
    };
    let Some(text) = files.text(place.file()).map(unmarked) else { return Vec::new() };
    let at = At { place, text };
    let fix = match finding.kind() {
        Kind::Field(FieldProblem::Misspelt { meant, .. }) => at.rename(meant),
        Kind::Field(
            FieldProblem::Unknown { .. } | FieldProblem::ListedTwice { .. } | FieldProblem::EmptyItem,
        ) => at.remove(),
        Kind::Field(FieldProblem::NoSpace { .. }) => at.space_after(':'),
        Kind::Field(FieldProblem::ReadOtherwise { .. }) => at.quote(),
        Kind::Field(FieldProblem::NoSuch { near: Some(near), .. }) => at.write(near),
        Kind::Field(FieldProblem::Endpoint { flaw: EndpointFlaw::BracketedIp(ip), .. }) => {
            at.set(&ip.to_string())
        }
        Kind::Domain(DomainNames::NoService { near: Some(near), .. }) => at.set(near),
        Kind::Domain(DomainNames::OldService { name, .. }) => at.set(name),
        Kind::Services(Services::Unknown { near: Some(near), .. }) => at.set(near),
        Kind::Key(KeyProblem::NotTheId { id, .. }) => at.set(&id.to_string()),
        Kind::Field(FieldProblem::Missing { example, .. }) => at.add(example),
        Kind::Field(FieldProblem::Port(_)) => at.unquote(),
        Kind::Locations(Locations::Swapped { .. }) => {
            finding.places().get(1).and_then(|other| at.swap(other))
        }
        Kind::Yaml(Mistake::ByteOrderMark) => at.cut(),
        Kind::Yaml(Mistake::NoSpaceAfterDash) => at.space_after('-'),
        _ => None,
    };
    fix.into_iter().collect()
}

/// A place in the text of a file.
struct At<'f> {
    place: &'f Place,
    text: &'f str,
}

impl At<'_> {
    fn fix(&self, what: Fixing, span: Range<usize>, text: impl Into<String>) -> Option<Fix> {
        let spot = Spot { file: self.place.file().to_owned(), span };
        Some(Fix { what, spot, text: text.into() })
    }

    /// The way to the key or the value that is exactly here.
    fn path(&self) -> Option<(Path, Part)> {
        let root = tree::root(self.text)?;
        let mut found = None;
        tree::each(&root, &mut Vec::new(), &mut |way, part, span, _| {
            if span.range() == self.place.span() {
                found = Some((Path(way.to_vec()), part));
            }
        });
        found
    }

    /// What is written here, without its quotes.
    fn written(&self) -> Option<&str> {
        self.text.get(self.place.span())
    }

    /// Replaces a key by another that needs no quotes.
    fn rename(&self, name: &str) -> Option<Fix> {
        self.path().filter(|(_, part)| *part == Part::Key)?;
        self.fix(Fixing::Replace(name.to_owned()), self.place.span(), name)
    }

    /// Replaces a name, which is a key or a value.
    fn write(&self, name: &Excerpt) -> Option<Fix> {
        let name = name.to_string();
        match self.path()? {
            (path, Part::Key) => {
                // Whether a key needs quotes is known where it is written.
                let entry = edit::by_hand(&name, &New::List(Vec::new()));
                let key = entry.rsplit_once(':')?.0;
                let siblings = Path(path.0[..path.0.len() - 1].to_vec());
                let has_it =
                    edit::value(self.text, &Path([siblings.0, vec![Step::Key(name.clone())]].concat()));
                has_it.is_none().then(|| self.fix(Fixing::Replace(name.clone()), self.place.span(), key))?
            }
            _ => self.set(&name),
        }
    }

    /// Replaces a value.
    fn set(&self, value: &str) -> Option<Fix> {
        let (path, _) = self.path().filter(|(_, part)| *part == Part::Value)?;
        let after = edit::edit(self.text, &path, &Change::Set(New::text(value))).ok()?;
        let (span, text) = difference(self.text, &after);
        self.fix(Fixing::Replace(value.to_owned()), span, text)
    }

    fn remove(&self) -> Option<Fix> {
        let (path, _) = self.path()?;
        let after = edit::edit(self.text, &path, &Change::Remove).ok()?;
        let (span, text) = difference(self.text, &after);
        self.fix(Fixing::Remove, span, text)
    }

    fn space_after(&self, sign: char) -> Option<Fix> {
        let end = self.place.span().start + self.written()?.find(sign)? + sign.len_utf8();
        self.fix(Fixing::Space, end..end, " ")
    }

    /// Adds an entry, which is written in YAML, to the mapping whose key is here, or to the document.
    fn add(&self, example: &str) -> Option<Fix> {
        // Some examples leave something to the user.
        if example.contains(['…', '<', '`']) {
            return None;
        }
        let example_root = tree::root(example)?;
        let Value::Mapping(entries) = example_root.content.to_value() else { return None };
        let (key, value) = entries.into_iter().next()?;
        let path = match self.place.span() {
            Range { start: 0, end: 0 } => Path::default(),
            _ => self.path().filter(|(_, part)| *part == Part::Key)?.0,
        };
        let change = Change::Add(key.as_str()?.to_owned(), new(&value)?);
        let after = edit::edit(self.text, &path, &change).ok()?;
        let (span, text) = difference(self.text, &after);
        self.fix(Fixing::Add(example.to_owned()), span, text)
    }

    /// Writes a number without its quotes.
    fn unquote(&self) -> Option<Fix> {
        let (path, _) = self.path().filter(|(_, part)| *part == Part::Value)?;
        let digits = self.written()?.trim_matches(['"', '\'']);
        digits.parse::<u16>().ok().filter(|port| port.to_string() == digits && *port > 0)?;
        let after = edit::edit(self.text, &path, &Change::Set(New::Plain(digits.to_owned()))).ok()?;
        let (span, text) = difference(self.text, &after);
        self.fix(Fixing::Replace(digits.to_owned()), span, text)
    }

    /// Exchanges two numbers.
    fn swap(&self, other: &Place) -> Option<Fix> {
        let other = At { place: other, text: self.text };
        let is_plain = |text: &&str| text.parse::<f64>().is_ok();
        let (one, two) = (self.written().filter(is_plain)?, other.written().filter(is_plain)?);
        let ((here, _), (there, _)) = (self.path()?, other.path()?);
        let set = |text: &str, path: &Path, value: &str| {
            edit::edit(text, path, &Change::Set(New::Plain(value.to_owned()))).ok()
        };
        let after = set(&set(self.text, &here, two)?, &there, one)?;
        let (span, text) = difference(self.text, &after);
        self.fix(Fixing::Swap, span, text)
    }

    fn quote(&self) -> Option<Fix> {
        let written = self.written().filter(|written| written.chars().all(char::is_alphanumeric))?;
        self.fix(Fixing::Quote, self.place.span(), format!("\"{written}\""))
    }

    fn cut(&self) -> Option<Fix> {
        self.written().filter(|written| *written == "\u{feff}")?;
        self.fix(Fixing::Remove, self.place.span(), "")
    }
}

/// The value, to be written.
fn new(value: &Value) -> Option<New> {
    Some(match value {
        Value::String(text) => New::text(text),
        Value::Number(number) => New::Plain(number.to_string()),
        Value::Bool(value) => New::Plain(value.to_string()),
        Value::Sequence(items) => New::List(items.iter().map(new).collect::<Option<_>>()?),
        Value::Mapping(entries) => {
            let entry = |(key, value): (&Value, &Value)| Some((key.as_str()?.to_owned(), new(value)?));
            New::Map(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        Value::Null | Value::Tagged(_) => return None,
    })
}

/// The part in which two texts differ, and what the second has there.
fn difference(before: &str, after: &str) -> (Range<usize>, String) {
    let same = before.char_indices().zip(after.chars()).find(|((_, a), b)| a != b);
    let start = same.map_or(before.len().min(after.len()), |((at, _), _)| at);
    let rest = before[start..].chars().rev().zip(after[start..].chars().rev());
    let end: usize = rest.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    (start..before.len() - end, after[start..after.len() - end].to_owned())
}

impl Cursor<'_> {
    /// Whether a finding is about what is in this range of the cursor's file.
    pub fn is_about(&self, finding: &Finding, range: &Range<usize>) -> bool {
        let shown = finding.places().first().filter(|place| place.file() == self.file);
        shown.is_some_and(|place| place.span().start <= range.end && range.start <= place.span().end)
    }
}
