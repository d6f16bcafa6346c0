//! Text from a host, made fit to be shown.

/// How long text from a host may be where it is shown.
const LONGEST: usize = 4000;

/// Lines stay lines; whatever else would move a cursor or turn text around is
/// spelled out, and of a long text the end is kept, which says most.
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

/// Marks that change the direction of text, or can't be seen.
fn turns(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(tidy("a\x1b[2Jb\r\n\tc\u{202e}\n\n"), "a\\u{1b}[2Jb\\u{d}\n c\\u{202e}");
    }

    #[test]
    fn the_end_of_a_long_text_is_kept() {
        let long = format!("{}end", "ä".repeat(5000));
        let kept = tidy(&long);
        assert!(kept.len() < 4010 && kept.starts_with("…ä") && kept.ends_with("end"), "{kept}");
    }
}
