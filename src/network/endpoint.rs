//! Reads the address at which a host's sshd is reached: `ssh.addr`.
//!
//! This rejects names that no resolver would look up. Upstream's tool, written in Go,
//! rejects all of them before it queries DNS, so it can't deploy a folder with such a name.

use super::At;
use super::fields::Item;
use super::hosts::{HostAddress, NotAnAddress};
use super::problem::{ProblemReport, Read};
use crate::finding::{EndpointFlaw as Flaw, Excerpt, Expected, FieldProblem};
use std::net::Ipv6Addr;

/// Reads an IP address or the name of a host.
pub(super) fn read(item: Item<'_>, report: &mut ProblemReport) -> Read<At<String>> {
    let text = item.text(Expected::Address, report)?;
    match text.parse::<HostAddress>() {
        Ok(address) => return Ok(item.at(address.ip.to_string())),
        Err(NotAnAddress) if is_zoned(text) => return Ok(item.at(text.to_owned())),
        Err(NotAnAddress) => {}
    }
    match flaw(text) {
        None => Ok(item.at(text.to_owned())),
        Some(flaw) => Err(item.wrong(FieldProblem::Endpoint { text: item.shown(), flaw }, report)),
    }
}

/// Whether the text is an IPv6 address with a zone: `fe80::1%eth0`.
fn is_zoned(text: &str) -> bool {
    text.split_once('%').is_some_and(|(ip, zone)| {
        ip.parse::<Ipv6Addr>().is_ok() && zone.chars().all(is_plain) && !zone.is_empty()
    })
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn flaw(text: &str) -> Option<Flaw> {
    let is_sound = |part: &str| part.parse::<HostAddress>().is_ok() || flaw_of_name(part).is_none();
    if text.trim() != text && is_sound(text.trim()) {
        return Some(Flaw::Spaces);
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        let is_shown = is_sound(host) && !rest.contains('@');
        return Some(Flaw::Url { host: is_shown.then(|| Excerpt::of(host)) });
    }
    if let Some((_, host)) = text.rsplit_once('@') {
        return Some(Flaw::User { host: is_sound(host).then(|| Excerpt::of(host)) });
    }
    if let Some(rest) = text.strip_prefix('[') {
        return Some(match rest.split_once(']').map(|(ip, rest)| (ip.parse::<Ipv6Addr>(), ip, rest)) {
            Some((Ok(ip), _, "")) => Flaw::BracketedIp(ip),
            Some((Ok(_), ip, rest)) => with_port(ip, rest.trim_start_matches(':')),
            _ => Flaw::Brackets,
        });
    }
    if text.contains([' ', ',', ';']) {
        return Some(Flaw::Words);
    }
    match text.split_once(':') {
        Some((host, port)) if is_sound(host) && port.bytes().all(|b| b.is_ascii_digit()) => {
            Some(with_port(host, port))
        }
        Some((_, rest)) if !rest.contains(':') => Some(Flaw::Colon),
        Some(_) => Some(Flaw::NotIpv6),
        None => flaw_of_name(text),
    }
}

fn with_port(host: &str, port: &str) -> Flaw {
    Flaw::Port { host: Excerpt::of(host), port: port.parse().ok().filter(|&port| port > 0) }
}

fn flaw_of_name(text: &str) -> Option<Flaw> {
    if let Some(other) = text.chars().find(|&c| !is_plain(c)) {
        return Some(match other {
            '/' if text.starts_with(|c: char| c.is_ascii_digit()) => Flaw::PrefixLength,
            other => Flaw::Character(other),
        });
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let parts = || name.split('.');
    if parts().any(str::is_empty) {
        return Some(if text.contains("..") { Flaw::TwoDots } else { Flaw::LeadingDot });
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let is_wrong = |part: &&str| part.parse::<u8>().is_err() || part.starts_with('0') && *part != "0";
        return Some(match parts().find(is_wrong) {
            Some(part) if part.starts_with('0') => Flaw::LeadingZero(Excerpt::of(part)),
            Some(part) if parts().count() == 4 => Flaw::TooHigh(Excerpt::of(part)),
            _ => Flaw::Numbers(parts().count()),
        });
    }
    if text.len() > 253 {
        return Some(Flaw::TooLong);
    }
    if parts().any(|part| part.len() > 63) {
        return Some(Flaw::PartTooLong);
    }
    parts().any(|part| part.starts_with('-') || part.ends_with('-')).then_some(Flaw::Hyphen)
}
