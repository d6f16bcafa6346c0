//! Makes text from a host safe for a terminal.

/// The maximum length of text from a host, in bytes.
const LONGEST: usize = 4000;

/// Keeps line breaks and escapes all other control characters and characters that change
/// the direction of text. A long text is truncated at the front, because errors are
/// usually at its end.
pub(super) fn tidy(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => safe.push('\n'),
            '\t' => safe.push(' '),
            c if c.is_control() || turns(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    if safe.len() > LONGEST {
        let from = safe.ceil_char_boundary(safe.len() - LONGEST);
        safe.replace_range(..from, "…");
    }
    safe
}

/// Whether a character is invisible or changes the direction of text.
fn turns(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(tidy("a\x1b[2Jb\r\n\tc\u{202e}\n\n"), "a\\u{1b}[2Jb\\u{d}\n c\\u{202e}");
    }

    #[test]
    fn the_end_of_a_long_text_is_kept() {
        let long = format!("{}end", "ä".repeat(5000));
        let kept = tidy(&long);
        assert!(kept.len() < 4010 && kept.starts_with("…ä") && kept.ends_with("end"), "{kept}");
    }
}
