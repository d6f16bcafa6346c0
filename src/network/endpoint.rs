//! Where a host's sshd is reached: `ssh.addr`.
//!
//! This rejects names that no resolver would look up. Upstream's tool, written in Go,
//! rejects all of them before it asks DNS, so it deploys no such folder.

use super::fields::Item;
use super::hosts::{Address, NotAnAddress};
use super::problem::{ProblemReport, Read};
use super::{At, Diagnostic};
use std::net::Ipv6Addr;

/// Reads an IP address or the name of a host.
pub(super) fn read(item: Item<'_>, report: &mut ProblemReport) -> Read<At<String>> {
    let text = item.text("an address", report)?;
    match text.parse::<Address>() {
        Ok(address) => return Ok(item.at(address.ip.to_string())),
        Err(NotAnAddress) if is_zoned(text) => return Ok(item.at(text.to_owned())),
        Err(NotAnAddress) => {}
    }
    match flaw(text) {
        None => Ok(item.at(text.to_owned())),
        Some(Flaw { why, help }) => {
            let message = format!("`{}` is not an IP address or a host name", item.shown());
            Err(report.push(Diagnostic::error(message).at(&item.place(), why).help(help)))
        }
    }
}

struct Flaw {
    why: String,
    help: String,
}

/// `fe80::1%eth0`
fn is_zoned(text: &str) -> bool {
    text.split_once('%').is_some_and(|(ip, zone)| {
        ip.parse::<Ipv6Addr>().is_ok() && zone.chars().all(is_plain) && !zone.is_empty()
    })
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn flaw(text: &str) -> Option<Flaw> {
    let flaw = |why: &str, help: &str| Some(Flaw { why: why.to_owned(), help: help.to_owned() });
    // Only a part that is an address or a name by itself is repeated in a help:
    // the rest may be a password.
    let is_sound = |part: &str| part.parse::<Address>().is_ok() || flaw_of_name(part).is_none();
    if text.trim() != text && is_sound(text.trim()) {
        return flaw("there are spaces around it", "remove the spaces");
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        return match is_sound(host) && !rest.contains('@') {
            true => flaw("this is a URL", &format!("write only the host: `{host}`")),
            false => flaw("this is a URL", "write only the host"),
        };
    }
    if let Some((_, host)) = text.rsplit_once('@') {
        const USER: &str = "the user name is the login's `username`";
        return match is_sound(host) {
            true => flaw("it contains a user name", &format!("write only the host, `{host}`; {USER}")),
            false => flaw("it contains a user name", &format!("write only the host; {USER}")),
        };
    }
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((ip, "")) if ip.parse::<Ipv6Addr>().is_ok() => {
                flaw("an IPv6 address is written without brackets here", &format!("write `{ip}`"))
            }
            Some((ip, rest)) if ip.parse::<Ipv6Addr>().is_ok() => with_port(ip, rest.trim_start_matches(':')),
            _ => flaw("it contains brackets", "write one address, without brackets"),
        };
    }
    if text.contains([' ', ',', ';']) {
        return flaw("this is more than one word", "write one address: the one that spore connects to");
    }
    match text.split_once(':') {
        Some((host, port)) if is_sound(host) && port.bytes().all(|b| b.is_ascii_digit()) => {
            with_port(host, port)
        }
        Some((_, rest)) if !rest.contains(':') => {
            flaw("a host name has no `:`", "write only the host, and the port as `port: 22`")
        }
        Some(_) => flaw(
            "this is not an IPv6 address",
            "write it as `192.0.2.1`, `2001:db8::1` or `host.example.org`",
        ),
        None => flaw_of_name(text),
    }
}

fn with_port(host: &str, port: &str) -> Option<Flaw> {
    let help = match port.parse::<u16>() {
        Ok(port) if port > 0 => format!("write `addr: {host}` and `port: {port}`"),
        _ => format!("write `addr: {host}`, and the port as `port: 22`"),
    };
    Some(Flaw { why: "it contains a port".to_owned(), help })
}

/// Of a text without `:`.
fn flaw_of_name(text: &str) -> Option<Flaw> {
    const HELP: &str = "write it as `192.0.2.1`, `2001:db8::1` or `host.example.org`";
    let flaw = |why: String| Some(Flaw { why, help: HELP.to_owned() });
    if let Some(other) = text.chars().find(|&c| !is_plain(c)) {
        return flaw(match other {
            '/' if text.starts_with(|c: char| c.is_ascii_digit()) => {
                "the part after the `/` is not a prefix length".to_owned()
            }
            // Printed as it is in the file, control characters escaped.
            other => format!("`{other}` can't be part of a host name"),
        });
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let parts = || name.split('.');
    if parts().any(str::is_empty) {
        return flaw(match text.contains("..") {
            true => "two dots in a row".to_owned(),
            false => "it starts with a dot".to_owned(),
        });
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return flaw(
            match parts().find(|part| part.parse::<u8>().is_err() || part.starts_with('0') && *part != "0") {
                Some(part) if part.starts_with('0') => format!("`{part}` starts with a zero"),
                Some(part) if parts().count() == 4 => format!("`{part}` is more than 255"),
                _ => format!("an IPv4 address has four numbers, not {}", parts().count()),
            },
        );
    }
    if text.len() > 253 {
        return flaw("a host name has at most 253 characters".to_owned());
    }
    if parts().any(|part| part.len() > 63) {
        return flaw("between two dots of a host name there are at most 63 characters".to_owned());
    }
    if parts().any(|part| part.starts_with('-') || part.ends_with('-')) {
        return flaw("a part of it starts or ends with `-`".to_owned());
    }
    None
}
