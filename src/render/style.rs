//! Colours, for terminals that show them.

use std::fmt;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// Text with ANSI escape sequences.
    Colour,
}

/// The meaning of a text, which determines its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something new.
    Good,
    /// Something that changes.
    Change,
    /// Something that is removed or has failed.
    Bad,
    /// A heading.
    Strong,
    /// Something that the reader may skip.
    Faint,
}

impl Style {
    /// Returns `text` in the colour of its tone.
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
