//! A regular expression for misspelt names of fields, as far as one can describe what
//! [`nearest`](crate::network::nearest) finds: another case, or one typing mistake.

use std::fmt::Write as _;

/// Shorter names are never taken for misspelt ones.
const SHORTEST: usize = 3;

/// Matches the names that are a slip away from one of `names`, and those with a colon but no space after it.
/// It also matches the names themselves.
pub(super) fn pattern(names: &[&str]) -> String {
    let mut pattern = String::from("^(");
    for name in names {
        let letters: Vec<String> = name.chars().map(escaped).collect();
        let cases: String = name.chars().map(either_case).collect();
        let _ = write!(pattern, "{}:.*|", letters.concat());
        if letters.len() >= SHORTEST {
            let _ = write!(pattern, "{cases}|");
        }
        for at in 0..=letters.len() {
            let (before, after) = (letters[..at].concat(), &letters[at..]);
            let all = after.concat();
            if letters.len() + 1 >= SHORTEST {
                let _ = write!(pattern, "{before}.{all}|");
            }
            if let [_, rest @ ..] = after
                && letters.len() >= SHORTEST
            {
                let dropped = if letters.len() > SHORTEST { "?" } else { "" };
                let _ = write!(pattern, "{before}.{dropped}{}|", rest.concat());
            }
            if let [one, other, rest @ ..] = after
                && letters.len() >= SHORTEST
            {
                let _ = write!(pattern, "{before}{other}{one}{}|", rest.concat());
            }
        }
    }
    pattern.pop();
    pattern + ")$"
}

fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c.to_string() } else { format!("\\{c}") }
}

fn either_case(c: char) -> String {
    match c.is_ascii_lowercase() {
        true => format!("[{}{c}]", c.to_ascii_uppercase()),
        false => escaped(c),
    }
}
