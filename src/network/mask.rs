//! What of a file may be shown: a copy of the same length, with the secrets
//! masked.
//!
//! Where secrets are at home (hosts, logins, tenancy, accounts), a value is
//! shown only under a key that is known to hold none: a misspelt `passwrod:`
//! hides what follows it. Everywhere, what looks like a secret is masked
//! whatever it is called.

use super::component::Component;
use super::place::Span;
use super::syntax::small;
use std::ops::Range;

/// Gathers what to mask of one text.
pub(super) struct Mask<'t> {
    text: &'t str,
    component: Component,
    hidden: Vec<Span>,
}

impl<'t> Mask<'t> {
    pub(super) fn new(text: &'t str, component: Component) -> Self {
        Self { text, component, hidden: Vec::new() }
    }

    /// A comment stands at `at`.
    pub(super) fn comment(&mut self, at: Span) {
        if self.guarded() {
            self.hide(at.start as usize + 1..at.end as usize);
        }
    }

    /// A key of a mapping stands at `at`.
    pub(super) fn key(&mut self, at: Span) {
        let shown = |c: char| c.is_ascii_alphanumeric() || "_.-@/<'\"*&".contains(c);
        if self.guarded() && !self.text.get(at.range()).unwrap_or_default().chars().all(shown) {
            self.hide(at.range());
        }
    }

    /// A value stands at `at`, below the key `key`, which is below `above`.
    pub(super) fn value(&mut self, at: Span, key: Option<&str>, above: Option<&str>) {
        let text = self.text.get(at.range()).unwrap_or_default();
        if !self.shows(key, above) || (self.guarded() && text.contains('\n')) {
            self.hide(at.range());
        }
    }

    /// What stands at `at` is used below `key`, too.
    pub(super) fn value_again(&mut self, at: Span, key: Option<&str>, above: Option<&str>) {
        // A merge has no key of its own.
        if key.is_some() && !self.shows(key, above) {
            self.hide(at.range());
        }
    }

    /// Nobody knows what there is from `start` on.
    pub(super) fn rest(&mut self, start: usize) {
        if !self.guarded() {
            return;
        }
        let mut at = start;
        for line in self.text.get(start..).unwrap_or_default().split_inclusive('\n') {
            let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
            let name = line[indent..].find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)));
            // The first line may begin in the middle of a value.
            let begins = at != start || start == 0 || self.text.as_bytes()[start - 1] == b'\n';
            let shown = match name {
                Some(end) if begins && line[indent + end..].starts_with(':') => indent + end + 1,
                _ if line.trim_start_matches([' ', '\t']).starts_with(':') => {
                    line.len() - line.trim_start().len() + 1
                }
                _ => indent,
            };
            self.hide(at + shown..at + line.len());
            at += line.len();
        }
    }

    /// The text to show.
    pub(super) fn finish(mut self) -> String {
        self.hide_what_looks_secret();
        let mut bytes = self.text.as_bytes().to_vec();
        // Anything can be hidden many times over: by every alias to it.
        self.hidden.sort_unstable();
        let mut done = 0;
        for range in self.hidden {
            let from = done.max(range.start as usize);
            done = done.max(range.end as usize);
            for byte in bytes.get_mut(from..done).unwrap_or_default() {
                if !matches!(byte, b'\n' | b'\r' | b' ' | b'\t') {
                    *byte = b'*';
                }
            }
        }
        // Whole characters were replaced, so it is still text.
        defuse(String::from_utf8(bytes).unwrap_or_default())
    }

    /// Hides every character of which a part is in `range`.
    fn hide(&mut self, range: Range<usize>) {
        let (mut start, mut end) = (range.start, range.end.min(self.text.len()));
        if start >= end {
            return;
        }
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.hidden.push(Span { start: small(start), end: small(end) });
    }

    /// Whether secrets are at home in this file.
    fn guarded(&self) -> bool {
        match self.component {
            Component::Hosts | Component::Logins | Component::Tenancy | Component::Accounts => true,
            Component::Network | Component::Shapes | Component::Tau => false,
        }
    }

    fn shows(&self, key: Option<&str>, above: Option<&str>) -> bool {
        let Some(key) = key else { return !self.guarded() };
        match self.component {
            Component::Hosts => match key {
                "addr" | "port" | "auth" | "location" | "lat" | "long" | "gps" | "id" | "ssh" | "shapes" => {
                    true
                }
                "key" => above == Some("ssh"),
                _ => false,
            },
            Component::Logins => matches!(key, "user" | "username" | "files" | "key"),
            Component::Tenancy => matches!(key, "provider" | "owner" | "client-id"),
            Component::Accounts => false,
            Component::Network | Component::Shapes | Component::Tau => {
                let key = key.to_ascii_lowercase();
                !["pass", "secret", "token", "private-key", "privatekey"]
                    .iter()
                    .any(|word| key.starts_with(word))
            }
        }
    }

    fn hide_what_looks_secret(&mut self) {
        let text = self.text;
        let mut from = 0;
        while let Some(start) = text[from..].find("-----BEGIN").map(|at| from + at) {
            let end = text[start..].find("-----END").map_or(text.len(), |at| start + at);
            let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
            self.hide(start..end);
            from = end;
        }
        let mut from = 0;
        while let Some(start) = text[from..].find("//").map(|at| from + at + 2) {
            let end = text[start..].find(char::is_whitespace).map_or(text.len(), |at| start + at);
            if let Some(user) = text[start..end].rfind('@') {
                self.hide(start..start + user);
            }
            if let Some(query) = text[start..end].find('?') {
                self.hide(start + query + 1..end);
            }
            from = end;
        }
        let mut at = 0;
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-.".contains(c))) {
            // What is left out by the split is one character.
            if self.looks_secret(word) {
                self.hide(at..at + word.len());
            }
            at += word.len();
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }

    /// Base64 or hexadecimal of more than a few bytes, unless it is a peer id
    /// or the digest of a file. Rather a harmless word too many.
    fn looks_secret(&self, word: &str) -> bool {
        // A peer id has 52 characters; what is much longer has something else in it.
        if word.len() < 16 || word.starts_with("12D3KooW") && word.len() < 56 {
            return false;
        }
        let tail = word.rsplit('/').next().unwrap_or(word);
        // A digit too many or a stray character doesn't make a key less of one.
        let longest = tail.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
        if longest.is_some_and(|length| length >= 32 || length >= 16 && length == tail.len()) {
            return !(self.component == Component::Tau && word.len() == 64 && tail.len() == 64);
        }
        let count = |test: fn(&u8) -> bool| word.as_bytes().iter().filter(|b| test(b)).count();
        count(u8::is_ascii_uppercase) >= 3
            && count(u8::is_ascii_lowercase) >= 3
            && (word.len() >= 24 || count(u8::is_ascii_digit) >= 1)
            && (word.starts_with("CAES") || !word.contains(['.', '_', '-']) && word.matches('/').count() < 4)
    }
}

/// Puts something harmless of the same length in the place of each character
/// that a terminal obeys instead of showing it, or that hides others. A line
/// that only a carriage return ends is ended by a line feed.
fn defuse(text: String) -> String {
    let harmful = |c: char| match c {
        '\n' | '\t' => false,
        c if c.is_control() => true,
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => true,
        _ => false,
    };
    if !text.contains(harmful) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        shown.push_str(match (c, c.len_utf8()) {
            ('\r', _) if rest.peek() == Some(&'\n') => "\r",
            ('\r', _) => "\n",
            (_, 1) if harmful(c) => "?",
            (_, 2) if harmful(c) => "·",
            (_, 3) if harmful(c) => "\u{fffd}",
            _ => {
                shown.push(c);
                continue;
            }
        });
    }
    shown
}
