//! The hosts that an SSH configuration names. Patterns aren't hosts, but their options count.

use super::{Listed, Unreadable, name};

/// A `Host` line with its options.
struct Block {
    patterns: Vec<String>,
    options: Vec<(String, String)>,
}

pub(super) fn read(text: &str) -> Result<Vec<Listed>, Unreadable> {
    let mut blocks = vec![Block { patterns: vec!["*".to_owned()], options: Vec::new() }];
    for (line, written) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if written.is_empty() || written.starts_with('#') {
            continue;
        }
        let (word, rest) = written.split_once([' ', '\t', '=']).unwrap_or((written, ""));
        let rest = rest.trim_start_matches([' ', '\t', '=']).trim();
        match word.to_ascii_lowercase().as_str() {
            "host" => {
                let patterns =
                    shlex::split(rest).ok_or_else(|| Unreadable::line(line, "a quote isn't closed"))?;
                blocks.push(Block { patterns, options: Vec::new() });
            }
            // What they mean depends on other files, or on the machine.
            keyword @ ("match" | "include") => {
                let what =
                    format!("`{keyword}` isn't followed; pass a file without it, or list the hosts as CSV");
                return Err(Unreadable::line(line, what));
            }
            keyword => {
                let value = rest.trim_matches('"').to_owned();
                if let Some(block) = blocks.last_mut() {
                    block.options.push((keyword.to_owned(), value));
                }
            }
        }
    }
    let is_name = |pattern: &&String| !pattern.contains(['*', '?', '!']);
    let names = blocks.iter().flat_map(|block| block.patterns.iter().find(is_name));
    names.map(|alias| listed(alias, &blocks)).collect()
}

fn listed(alias: &str, blocks: &[Block]) -> Result<Listed, Unreadable> {
    let mut host = Listed::new(name(alias, alias)?);
    // The first value of each option counts.
    let option = |wanted: &str| {
        let matching = blocks.iter().filter(|block| matches(&block.patterns, alias));
        let mut options = matching.flat_map(|block| &block.options);
        options.find(|(keyword, _)| keyword == wanted).map(|(_, value)| value.clone())
    };
    host.sshd.address = Some(option("hostname").unwrap_or_else(|| alias.to_owned()).replace("%h", alias));
    host.sshd.user = option("user");
    if let Some(port) = option("port") {
        host.sshd.port =
            Some(port.parse().map_err(|_| Unreadable::new(alias, format!("`{port}` isn't a port")))?);
    }
    let jumps = option("proxyjump").filter(|jump| jump != "none").unwrap_or_default();
    host.jumps = jumps.split(',').filter(|jump| !jump.is_empty()).map(str::to_owned).collect();
    Ok(host)
}

fn matches(patterns: &[String], alias: &str) -> bool {
    let negated = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
    let mut positive = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
    !negated.into_iter().any(|pattern| glob(pattern.as_bytes(), alias.as_bytes()))
        && positive.any(|pattern| glob(pattern.as_bytes(), alias.as_bytes()))
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, text) || text.split_first().is_some_and(|(_, shorter)| glob(pattern, shorter))
        }
        (Some((b'?', rest)), Some((_, shorter))) => glob(rest, shorter),
        (Some((first, rest)), Some((other, shorter))) => first == other && glob(rest, shorter),
        _ => false,
    }
}
