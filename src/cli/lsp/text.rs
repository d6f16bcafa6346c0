//! The text of a file as an editor has it, and the positions in it.

use lsp_types::{Position, PositionEncodingKind, Range};

/// The unit in which an editor counts the characters of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
}

impl Encoding {
    /// The best of those that a client offers. Without an offer, it is UTF-16.
    pub(super) fn among(offered: Option<&[PositionEncodingKind]>) -> Self {
        match offered.is_some_and(|offered| offered.contains(&PositionEncodingKind::UTF8)) {
            true => Self::Utf8,
            false => Self::Utf16,
        }
    }

    pub(super) fn name(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
        }
    }
}

/// A text, and the positions of its offsets. An offset doesn't count a byte-order mark; a position does, if
/// the editor's text has one.
#[derive(Clone, Debug)]
pub(super) struct Text {
    text: String,
    encoding: Encoding,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Text {
    pub(super) fn new(text: String, encoding: Encoding) -> Self {
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
                lines.push(at + 1);
            }
        }
        Self { text, encoding, lines }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    fn mark(&self) -> usize {
        if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary((offset + self.mark()).min(self.text.len()));
        let line = self.lines.partition_point(|&start| start <= offset).saturating_sub(1);
        let before = &self.text[self.lines[line]..offset];
        let character: usize = before.chars().map(|c| self.encoding.width(c)).sum();
        Position { line: small(line), character: small(character) }
    }

    pub(super) fn range(&self, span: &std::ops::Range<usize>) -> Range {
        Range { start: self.position(span.start), end: self.position(span.end) }
    }

    /// The offset of a position. One beyond the end of its line is that end, and one in the middle of a
    /// character is the character's beginning.
    pub(super) fn offset(&self, position: Position) -> usize {
        self.raw(position).saturating_sub(self.mark())
    }

    fn raw(&self, position: Position) -> usize {
        let Some(&start) = self.lines.get(position.line as usize) else { return self.text.len() };
        let end = self.lines.get(position.line as usize + 1).copied().unwrap_or(self.text.len());
        let line = self.text[start..end].trim_end_matches(['\n', '\r']);
        let mut character = 0;
        for (at, c) in line.char_indices() {
            character += self.encoding.width(c);
            if character > position.character as usize {
                return start + at;
            }
        }
        start + line.len()
    }

    /// Replaces a part of the text, or all of it.
    pub(super) fn change(&mut self, range: Option<Range>, text: &str) {
        let whole = match range {
            None => text.to_owned(),
            Some(Range { start, end }) => {
                let (start, end) = (self.raw(start), self.raw(end));
                format!("{}{text}{}", &self.text[..start], &self.text[end.max(start)..])
            }
        };
        *self = Self::new(whole, self.encoding);
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_count_in_the_unit_that_was_agreed_on() {
        let text = "a: 'ä😀'\r\nb: 1\rc: 2\n";
        let at = |encoding, offset| {
            let Position { line, character } = Text::new(text.to_owned(), encoding).position(offset);
            (line, character)
        };
        let quote = text.rfind('\'').unwrap_or_default();
        assert_eq!(at(Encoding::Utf8, quote), (0, 10));
        assert_eq!(at(Encoding::Utf16, quote), (0, 7));
        assert_eq!(at(Encoding::Utf16, text.find('b').unwrap_or_default()), (1, 0));
        assert_eq!(at(Encoding::Utf16, text.find('c').unwrap_or_default()), (2, 0));
        assert_eq!(at(Encoding::Utf16, text.len()), (3, 0));
    }

    #[test]
    fn positions_that_do_not_exist_have_an_offset_all_the_same() {
        let text = Text::new("😀b\nc".to_owned(), Encoding::Utf16);
        let offset = |line, character| text.offset(Position { line, character });
        assert_eq!([offset(0, 1), offset(0, 2), offset(0, 99), offset(1, 99), offset(9, 9)], [0, 4, 5, 7, 7]);
    }

    #[test]
    fn a_byte_order_mark_counts_only_in_positions() {
        let text = Text::new("\u{feff}a: b\n".to_owned(), Encoding::Utf16);
        assert_eq!(text.position(3), Position { line: 0, character: 4 });
        assert_eq!(text.offset(Position { line: 0, character: 4 }), 3);
    }

    proptest! {
        #[test]
        fn every_offset_has_its_position(text in "[aä😀\r\n ]{0,40}", utf8 in any::<bool>()) {
            let encoding = if utf8 { Encoding::Utf8 } else { Encoding::Utf16 };
            let lines = Text::new(text.clone(), encoding);
            for (at, c) in text.char_indices() {
                // There is no position between the two characters of a line end.
                if c != '\n' {
                    prop_assert_eq!(lines.offset(lines.position(at)), at);
                }
            }
        }

        #[test]
        fn a_change_is_what_an_editor_made(before in "[aä😀\n]{0,20}", from in 0..20_usize, length in 0..9_usize, new in "[bß\n]{0,5}") {
            let from = before.floor_char_boundary(from.min(before.len()));
            let to = before.floor_char_boundary((from + length).min(before.len())).max(from);
            let mut text = Text::new(before.clone(), Encoding::Utf16);
            text.change(Some(text.range(&(from..to))), &new);
            prop_assert_eq!(text.as_str(), format!("{}{new}{}", &before[..from], &before[to..]));
        }
    }
}
