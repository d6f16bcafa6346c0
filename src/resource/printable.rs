//! Text that is safe to show on a terminal.
//!
//! Text on a host or in a network folder may have been written to attack the reader's
//! terminal: `ESC ]52;c;…` writes the clipboard, a carriage return or a newline forges a
//! line of a plan, and direction marks reverse a name. Therefore such text becomes
//! [`Printable`] before it is shown. All constructors pass it through one function, and
//! there is no other way to make a [`Printable`]. The vocabulary of plans ([`Value`],
//! [`Access`], [`Obstacle`], …), the errors of hosts, and the values from the folder
//! contain text of this type only.
//!
//! Text from a host has to pass a [`Redactor`](super::Redactor) as well, which removes the
//! secrets.
//!
//! [`Value`]: super::Value
//! [`Access`]: super::Access
//! [`Obstacle`]: crate::diff::Obstacle

use super::Sha256;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

/// The maximum length of a [`Printable`], in bytes, not counting the note that replaces an
/// omitted part. Real values are far shorter.
pub const LONGEST: usize = 4000;

/// Text of bounded length that can't control a terminal and has no hidden characters.
///
/// A [line](Self::line) or [text](Self::text) can be compared in place of the original: if
/// the original is too long, a digest of it takes the place of its end. An original that
/// contains a written escape, such as a backslash and `u{1b}`, counts as equal to one with
/// the character itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Printable(String);

impl Printable {
    /// One line: line breaks are escaped like other control characters.
    pub fn line(text: &str) -> Self {
        Self(escaped(text, is_hidden))
    }

    /// All lines of a text, which can be compared like [one](Self::line).
    pub fn text(text: &str) -> Self {
        Self(escaped(text, |c| c != '\n' && is_hidden(c)))
    }

    /// The output of a program, to be shown but not compared. A tab becomes a space. If the
    /// text is too long, its beginning is left out, because errors are usually at the end.
    pub fn lines(text: &str) -> Self {
        let text = text.trim_end();
        let from = text.ceil_char_boundary(text.len().saturating_sub(LONGEST));
        let kept = escaped(&text[from..].replace('\t', " "), |c| c != '\n' && is_hidden(c));
        Self(if from > 0 { format!("…{kept}") } else { kept })
    }

    /// Like [`Self::lines`], but in one line, for errors: a second line could pass for a
    /// line of spore's.
    pub fn in_one_line(text: &str) -> Self {
        Self(Self::lines(text).0.replace('\n', " "))
    }

    /// A line that spore has composed, of any length: it may list a thousand nodes.
    pub fn composed(text: String) -> Self {
        match text.contains(is_hidden) {
            true => {
                let escape = |c: char| match is_hidden(c) {
                    true => c.escape_unicode().to_string(),
                    false => c.to_string(),
                };
                Self(text.chars().map(escape).collect())
            }
            false => Self(text),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// In a file, a [`Printable`] is a string.
impl Serialize for Printable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A file may have been edited, so what it contains is made safe again.
impl<'de> Deserialize<'de> for Printable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::composed)
    }
}

impl JsonSchema for Printable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Printable".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// Whether a character controls a terminal or can't be seen: a control character (Unicode's
/// category Cc), a format character (Cf: direction marks, zero-width characters, tags) or a
/// line or paragraph separator.
pub fn is_hidden(c: char) -> bool {
    // Shortcut: most text is ASCII, in which only control characters are hidden.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || FORMAT.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// The ranges of Unicode's category Cf, and the separators. The last range contains tags,
/// variation selectors and unassigned characters, none of which is visible.
const FORMAT: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// The one function through which all text passes that may be shown.
fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'[' | b']'..=b'~');
    if text.len() <= LONGEST && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars() {
        if shown.len() >= LONGEST {
            let digest = Sha256::of(text.as_bytes()).to_string();
            shown.push_str(&format!("… ({} bytes, sha256 {digest:.16})", text.len()));
            break;
        }
        if is_escaped(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Fixed text of spore's. Text that isn't known at compile time needs one of the other
/// constructors, or a [`Redactor`](super::Redactor).
impl From<&'static str> for Printable {
    fn from(text: &'static str) -> Self {
        Self::line(text)
    }
}

impl From<Printable> for String {
    fn from(text: Printable) -> Self {
        text.0
    }
}

impl Deref for Printable {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Printable {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Printable {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Printable {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Printable {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        let table = [
            ("h1 größe ok", "h1 größe ok"),
            ("a\x1b[2Jb\r\n\tc", "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9}c"),
            ("\x1b]52;c;YQ==\x07", "\\u{1b}]52;c;YQ==\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c\u{200b}d\u{feff}", "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}"),
            ("\u{ad}\u{e0041}\u{61c}\u{2028}", "\\u{ad}\\u{e0041}\\u{61c}\\u{2028}"),
        ];
        for (text, shown) in table {
            assert_eq!(Printable::line(text), shown);
        }
        assert_eq!(Printable::lines("a\x1b[2J\n\tb\r\n\n"), "a\\u{1b}[2J\n b");
    }

    #[test]
    fn long_texts_that_differ_stay_different() {
        let long = "ä".repeat(LONGEST);
        let [a, b] = [Printable::line(&long), Printable::line(&format!("{long}b"))];
        assert!(a.len() < LONGEST + 60 && b.len() < LONGEST + 60);
        assert_ne!(a, b);
    }

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        let kept = Printable::lines(&format!("{}\nend\n", "ä\n".repeat(5000)));
        assert!(kept.len() < LONGEST + 10 && kept.starts_with('…') && kept.ends_with("end"), "{kept}");
    }
}
