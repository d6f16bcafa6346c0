//! Colours, where the reader has them.

use std::fmt;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// With ANSI escapes.
    Colour,
}

/// What a text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something new.
    Good,
    /// Something that changes.
    Change,
    /// Something that goes, or went wrong.
    Bad,
    /// A heading.
    Strong,
    /// Something that may be skipped.
    Faint,
}

impl Style {
    /// `text`, in the colour of its tone.
    pub fn paint(self, tone: Tone, text: impl fmt::Display) -> String {
        let code = match (self, tone) {
            (Self::Plain, _) => return text.to_string(),
            (Self::Colour, Tone::Good) => 32,
            (Self::Colour, Tone::Change) => 33,
            (Self::Colour, Tone::Bad) => 31,
            (Self::Colour, Tone::Strong) => 1,
            (Self::Colour, Tone::Faint) => 2,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
