//! Masks the secrets of a file, in a copy of the same length that can be shown. The parser
//! tells [`Mask`] where the parts of a document are.
//!
//! In files that may contain secrets (hosts, logins, tenancy, accounts), a value is shown
//! only if its key is known to have no secret. Therefore the value of a misspelt
//! `passwrod:` is masked. The values of harmless keys, such as `addr`, are shown even if
//! they couldn't be parsed, because they often contain the error.
//!
//! In every file, comments are masked, and so is any text that looks like a secret. In the
//! files that shouldn't contain secrets, the rest of a line after a word such as `password`
//! is masked as well: any file may be one that belongs elsewhere, by mistake or through a
//! link.

use crate::finding::Component;
use crate::resource::is_hidden;
use crate::yaml::{Places, Span, small};
use std::ops::Range;

/// Collects what to mask in a text.
pub(super) struct Mask<'t> {
    text: &'t str,
    component: Component,
    hidden: Vec<Span>,
    /// Where the text begins that hasn't been parsed.
    rest: usize,
}

/// The parser reports the parts of the document, and each method decides whether to mask
/// its part.
impl Places for Mask<'_> {
    fn comment(&mut self, at: Span) {
        self.rest = at.end as usize;
        self.hide(at.start as usize + 1..at.end as usize);
    }

    fn key(&mut self, at: Span) {
        self.rest = at.end as usize;
        let text = self.text.get(at.range()).unwrap_or_default();
        let shown = |c: char| c.is_ascii_alphanumeric() || " _.-@/<'\"*&".contains(c);
        // Without a `:` after it, the text may be the rest of a value.
        let is_key = || self.text[at.end as usize..].trim_start().starts_with(':');
        if text.contains(PEM) || self.guarded() && !(text.chars().all(shown) && is_key()) {
            self.hide(at.range());
        } else if let Some(end) = text.find(' ').and_then(|_| after_the_name_of_a_secret(text)) {
            self.hide(at.start as usize + end..at.end as usize);
        }
    }

    fn value(&mut self, at: Span, key: Option<&str>, above: Option<&str>) {
        self.rest = at.end as usize;
        let text = self.text.get(at.range()).unwrap_or_default();
        if text.contains(PEM) || self.guarded() && text.contains('\\') || !self.shows(key, above) {
            self.hide(at.range());
        } else if text.contains(['\n', '\r']) {
            self.lines(at);
        } else if let Some(password) = after_a_user(text, self.guarded()) {
            self.hide(at.start as usize + password.start..at.start as usize + password.end);
        }
    }

    fn value_again(&mut self, at: Span, key: Option<&str>, above: Option<&str>) {
        // A merge at the top of the document has no key.
        if key.is_some() && !self.shows(key, above) {
            self.hide(at.range());
        }
    }

    fn rest(&mut self, start: usize) {
        self.rest = start;
        let mut at = start;
        for line in self.text.get(start..).unwrap_or_default().split_inclusive('\n') {
            // The first line may begin in the middle of a value.
            let begins = at != start || start == 0 || self.text.as_bytes()[start - 1] == b'\n';
            let shown = if self.guarded() {
                let value = up_to_the_value(line, begins);
                let above = &self.text[..at + value];
                let key = above.trim_end().strip_suffix(':').map(last_word).unwrap_or_default();
                let is_shown = !key.is_empty() && self.shows(Some(key), None) || is_address(&line[value..]);
                value + if is_shown { harmless(&line[value..]) } else { 0 }
            } else {
                let comment = line.find('#').map_or(line.len(), |hash| hash + 1);
                comment.min(after_the_name_of_a_secret(line).unwrap_or(line.len()))
            };
            self.hide(at + shown..at + line.len());
            at += line.len();
        }
    }
}

impl<'t> Mask<'t> {
    pub(super) fn new(text: &'t str, component: Component) -> Self {
        Self { text, component, hidden: Vec::new(), rest: 0 }
    }

    /// Hides a value of several lines, which was pasted, or whose lines are indented too
    /// far. The first line is shown. The last line is shown, too, if it is a key, which
    /// means that the lines are indented too far.
    fn lines(&mut self, at: Span) {
        let text = self.text.get(at.range()).unwrap_or_default();
        if !self.guarded() && !text.split(is_between).any(|word| self.looks_secret(word)) {
            return;
        }
        let is_name = |line: &str| line.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        let start = text.find(['\n', '\r']).unwrap_or_default();
        let last = text.rfind(['\n', '\r']).unwrap_or_default();
        let is_key = self.text[at.end as usize..].starts_with(':') && is_name(text[last..].trim());
        let end = if is_key { last } else { text.len() };
        let first = after_a_user(&text[..start], true).map_or(start, |password| password.start);
        self.hide(at.start as usize + first..at.start as usize + end);
    }

    /// The masked text.
    pub(super) fn finish(mut self) -> String {
        self.hide_what_looks_secret();
        // In UTF-16, for instance, nothing can be recognized.
        if self.text.contains('\0') {
            self.hide(0..self.text.len());
        }
        let mut bytes = self.text.as_bytes().to_vec();
        // The same range can be hidden many times, by every alias to it.
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
        // Whole characters were replaced, so the bytes are still valid UTF-8.
        defuse(String::from_utf8(bytes).unwrap_or_default())
    }

    /// Hides every character that is at least partly in `range`.
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

    /// Whether this file may contain secrets.
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
                "addr" | "port" | "jump" | "auth" | "location" | "lat" | "long" | "gps" | "id" | "ssh"
                | "shapes" | "key_file" => true,
                "key" => above == Some("ssh"),
                _ => false,
            },
            Component::Logins => matches!(key, "user" | "username" | "files" | "key" | "password_file"),
            Component::Tenancy => matches!(key, "provider" | "owner" | "client-id" | "key_file"),
            Component::Accounts => false,
            Component::Network | Component::Shapes | Component::Tau => {
                let key = key.to_ascii_lowercase();
                !SECRETS.iter().any(|name| key.starts_with(name))
            }
        }
    }

    fn hide_what_looks_secret(&mut self) {
        let text = self.text;
        // In the parsed part, a private key has been masked together with the value that
        // contains it.
        let mut from = self.rest;
        while let Some(start) = text[from..].find(PEM).map(|at| from + at) {
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
        for line in text.split_inclusive('\n') {
            // In files that may contain secrets, everything that isn't known to be harmless
            // is already hidden.
            if let Some(start) = after_a_word_for_secrets(line).filter(|_| !self.guarded()) {
                self.hide(at + start..at + line.len());
            }
            at += line.len();
        }
        let mut at = 0;
        for word in text.split(is_between) {
            // The separator that the split leaves out is one character.
            if self.looks_secret(word) {
                self.hide(at..at + word.len());
            }
            at += word.len();
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }

    /// Whether the word is base64 or hexadecimal of more than a few bytes. Peer ids, and
    /// the digests of files in `tau.yaml`, aren't masked. In doubt, a harmless word is
    /// masked, too.
    fn looks_secret(&self, word: &str) -> bool {
        // A peer id has 52 characters, so a much longer word contains something else.
        if word.len() < 16 || word.starts_with("12D3KooW") && word.len() < 56 {
            return false;
        }
        let begins = |part: &str| part.len() >= 16 && TOKENS.iter().any(|token| part.starts_with(token));
        if word.split('=').any(begins) {
            return true;
        }
        let tail = word.rsplit('/').next().unwrap_or(word);
        // A key with an additional digit or a stray character is still recognized.
        let longest = tail.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
        if longest.is_some_and(|length| length >= 32 || length >= 16 && length == tail.len()) {
            return !(self.component == Component::Tau && word.len() == 64 && tail.len() == 64);
        }
        is_random(word)
    }
}

/// The beginning of a private key in PEM.
const PEM: &str = "-----BEGIN";

/// Whether no secret contains this character.
fn is_between(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || "+/=_-.".contains(c))
}

/// The length of a line up to its value: the indentation, and the key with its `:` if there
/// is one.
fn up_to_the_value(line: &str, begins: bool) -> usize {
    let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
    let name = line[indent..].find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)));
    match name {
        Some(end) if begins && line[indent + end..].starts_with(':') => indent + end + 1,
        _ if line.trim_start_matches([' ', '\t']).starts_with(':') => {
            line.len() - line.trim_start().len() + 1
        }
        _ => indent,
    }
}

/// The trailing word of a text, which is a key if a `:` follows.
fn last_word(text: &str) -> &str {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    text.rfind(|c| !is_word(c))
        .map_or(text, |at| &text[at + text[at..].chars().next().map_or(1, char::len_utf8)..])
}

/// Whether the text consists of digits, dots and the punctuation around addresses, as
/// `[192.0.2.1,` does.
fn is_address(text: &str) -> bool {
    let text = text.trim();
    text.contains('.') && text.chars().all(|c| c.is_ascii_digit() || " .:/[],'\"".contains(c))
}

/// The maximum number of characters that are shown of a value that couldn't be parsed.
const MOST_HARMLESS: usize = 200;

/// How much of a value that couldn't be parsed is shown if its key has no secret. The part
/// that is shown ends before the first character that is in neither an address nor a name,
/// and after the `:` of a word that may be another key.
fn harmless(value: &str) -> usize {
    let value = &value[..value.char_indices().nth(MOST_HARMLESS).map_or(value.len(), |(at, _)| at)];
    let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || " \t\"'[],.:/%@_-".contains(c)));
    let shown = &value[..end.unwrap_or(value.len())];
    let is_number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let colons = shown.match_indices(':').map(|(at, _)| at);
    let is_in_ipv6 = |at: usize| {
        let is_hex = |c: char| c.is_ascii_hexdigit() || c == ':';
        let start = shown[..at].rfind(|c| !is_hex(c)).map_or(0, |at| at + 1);
        let end = shown[at..].find(|c| !is_hex(c)).map_or(shown.len(), |end| at + end);
        shown[start..end].matches(':').count() >= 2
    };
    let cut = colons.into_iter().find(|&at| !is_number(last_word(&shown[..at])) && !is_in_ipv6(at));
    cut.map_or(shown.len(), |at| at + 1)
}

/// Prefixes of keys whose values are secret, in lowercase.
const SECRETS: [&str; 5] = ["pass", "secret", "token", "private-key", "privatekey"];

/// Further words that are followed by a secret, wherever they are in a line.
const ANNOUNCING: [&str; 5] = ["authorization", "bearer", "api-key", "api_key", "apikey"];

/// The prefixes of the tokens of well-known services. Such tokens are recognized even if
/// the rest consists of ordinary words.
const TOKENS: [&str; 25] = [
    "AGE-SECRET-KEY-",
    "AIza",
    "AKIA",
    "ASIA",
    "SG.",
    "dckr_pat_",
    "dop_v1_",
    "eyJ",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hf_",
    "hvs.",
    "npm_",
    "pypi-",
    "rk_live_",
    "sk-",
    "sk_live_",
    "xapp-",
    "xox",
    "ya29.",
];

/// The offset at which a secret begins in a line, after a word that announces it:
/// `password: …`, `export API_TOKEN=…`, `Bearer …`.
fn after_a_word_for_secrets(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let names = SECRETS.iter().chain(&ANNOUNCING);
    let starts = names.flat_map(|name| lower.match_indices(name)).filter_map(|(at, _)| {
        // A word begins at the `token` of `API_TOKEN`, but not at the `pass` of `bypass`.
        let begins = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let word = lower[at..].find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))?;
        let secret = lower[at + word..].trim_start_matches([' ', '\t', ':', '=', '\'', '"']);
        let start = lower.len() - secret.len();
        (begins && start > at + word).then_some(start)
    });
    starts.min()
}

/// The end of the word in `text` that announces a secret.
fn after_the_name_of_a_secret(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let start = SECRETS.iter().filter_map(|name| lower.find(name)).min()?;
    let end = lower[start..].find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)));
    end.map(|end| start + end)
}

/// Where a password may be in a value that should be a name or an address: `…` in
/// `root:…@192.0.2.1`, and in files that may contain secrets also in `root:…`.
fn after_a_user(text: &str, guarded: bool) -> Option<Range<usize>> {
    // The scheme of a URL is harmless.
    let begin = text.find("://").map_or(0, |at| at + 3);
    let start = begin + text[begin..].find(':')? + 1;
    if let Some(end) = text.rfind('@').filter(|&end| end > start) {
        return Some(start..end);
    }
    let rest = text[start..].split('%').next().unwrap_or_default();
    let is_address = rest.chars().all(|c| c.is_ascii_hexdigit() || ":./[]'\"".contains(c));
    (guarded && !is_address).then_some(start..text.trim_end_matches(['\'', '"']).len())
}

/// Whether upper case, lower case and digits alternate more often than in words. In
/// `ProductionDeployKey`, for instance, they alternate less often than in base64.
fn is_random(word: &str) -> bool {
    let kind = |c: u8| match c {
        b'A'..=b'Z' => 'A',
        b'a'..=b'z' => 'a',
        b'0'..=b'9' => '0',
        _ => '-',
    };
    let kinds: Vec<char> = word.bytes().map(kind).collect();
    let count = |kind: char| kinds.iter().filter(|&&other| other == kind).count();
    let (upper, lower, digits) = (count('A'), count('a'), count('0'));
    let mut parts = 0;
    for (at, &kind) in kinds.iter().enumerate() {
        let before = |by: usize| at.checked_sub(by).and_then(|at| kinds.get(at)).copied();
        // A capital letter and the lower-case letters after it count as one part.
        let goes_on =
            before(1) == Some(kind) || kind == 'a' && before(1) == Some('A') && before(2) != Some('A');
        parts += usize::from(kind != '-' && !goes_on);
    }
    let characters = upper + lower + digits;
    let is_mixed = upper >= 3 && lower >= 3 || digits >= 5 && lower + upper >= 5 && characters == word.len();
    is_mixed && characters >= 16 && characters < 3 * parts
}

/// Replaces each character that controls a terminal, or hides other characters, by harmless
/// text of the same length. A carriage return without a line feed becomes a line feed.
fn defuse(text: String) -> String {
    let harmful = |c: char| !matches!(c, '\n' | '\t') && is_hidden(c);
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
            (_, 4) if harmful(c) => "\u{fffd}?",
            _ => {
                shown.push(c);
                continue;
            }
        });
    }
    shown
}
