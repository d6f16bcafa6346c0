//! Reads the servers through which a host is reached: `ssh.jump`.

use super::fields::Item;
use super::problem::{ProblemReport, Read};
use super::{At, HostDraft};
use crate::finding::{Excerpt, Expected, FieldProblem, Finding, JumpFlaw};
use crate::resource::HostName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;

/// A jump host: an SSH server through which another one is reached. It is written as OpenSSH's
/// `ProxyJump`, `[user@]host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Jump {
    /// The user, if it is named.
    pub user: Option<String>,
    /// The name of a host in the folder, a host name or an IP address without brackets.
    pub host: String,
    /// The port, if it is named.
    pub port: Option<u16>,
}

impl Jump {
    /// Parses `[user@]host[:port]` or `ssh://[user@]host[:port]`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("ssh://").map_or(text, |uri| uri.trim_end_matches('/'));
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => match rest.split_once(']')? {
                (host, "") => (host, None),
                (host, rest) => (host, Some(rest.strip_prefix(':')?)),
            },
            None => match place.split_once(':') {
                // An IPv6 address without brackets has no port.
                Some((_, rest)) if rest.contains(':') => (place, None),
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            Some(port) => Some(port.parse::<NonZeroU16>().ok()?.get()),
            None => None,
        };
        if !is_host(host) || user.is_some_and(|user| !is_user(user)) {
            return None;
        }
        Some(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }

    /// The host of the folder that this may name. A user or a port makes it another server.
    pub fn host_name(&self) -> Option<HostName> {
        match self {
            Self { user: None, host, port: None } => host.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port } = self;
        if let Some(user) = user {
            write!(f, "{user}@")?;
        }
        match port {
            Some(port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Some(port) => write!(f, "{host}:{port}"),
            None => f.write_str(host),
        }
    }
}

/// Whether the text can be passed to `ssh` as a host. It contains nothing that is special to a shell,
/// because the user's SSH configuration may make it part of a command.
pub fn is_host(text: &str) -> bool {
    let (ip, zone) = text.split_once('%').unwrap_or((text, "0"));
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match ip.parse::<Ipv6Addr>() {
        Ok(_) => !zone.is_empty() && is_plain(zone),
        Err(_) => !text.is_empty() && !text.starts_with('-') && is_plain(text),
    }
}

/// Whether the text can be passed to `ssh` as a user. Users of a directory service may contain `@`
/// and `\`.
fn is_user(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@\\+".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
}

/// Reads one jump host or a list of them.
pub(super) fn read(item: Item<'_>, report: &mut ProblemReport) -> Vec<At<Jump>> {
    let read = |item: Item<'_>, report: &mut ProblemReport| -> Read<At<Jump>> {
        let text = item.text(Expected::JumpHost, report)?;
        match Jump::parse(text) {
            Some(jump) => Ok(item.at(jump)),
            None => Err(item.wrong(FieldProblem::Jump { text: item.shown(), flaw: JumpFlaw::Form }, report)),
        }
    };
    let items = item.items(report);
    items.into_iter().filter_map(|item| read(item, report).ok()).collect()
}

/// Reports hosts that are reached through themselves.
pub(super) fn loops(hosts: &BTreeMap<HostName, HostDraft>, report: &mut ProblemReport) {
    let jumps = |name: &HostName| {
        let ssh = hosts.get(name).and_then(|host| host.ssh.as_ref());
        ssh.map(|ssh| ssh.jumps.as_slice()).unwrap_or_default()
    };
    for name in hosts.keys() {
        let mut passed = BTreeSet::new();
        let mut before = vec![name.clone()];
        // Of several jump hosts, only the first is reached in its own way.
        let mut ways: Vec<&At<Jump>> = jumps(name).iter().collect();
        while let Some(jump) = ways.pop() {
            let Some(next) = jump.host_name() else { continue };
            if next == *name {
                let text = Excerpt::of(jump.place.shown(&jump.host));
                let flaw = if before.len() == 1 { JumpFlaw::Itself } else { JumpFlaw::Loop };
                report.push(Finding::new(FieldProblem::Jump { text, flaw }).at(&jump.place));
                break;
            }
            if passed.insert(next.clone()) {
                ways.extend(jumps(&next).first());
                before.push(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jump_hosts_are_written_as_for_ssh() {
        let shown = |text: &str| Jump::parse(text).map(|Jump { user, host, port }| (user, host, port));
        let user = |name: &str| Some(name.to_owned());
        assert_eq!(shown("h"), Some((None, "h".to_owned(), None)));
        assert_eq!(shown("a@b@h:1"), Some((user("a@b"), "h".to_owned(), Some(1))));
        assert_eq!(shown("::1"), Some((None, "::1".to_owned(), None)));
        assert_eq!(shown("me@[fe80::1%eth0]:33"), Some((user("me"), "fe80::1%eth0".to_owned(), Some(33))));
        assert_eq!(shown("ssh://me@h:44/"), Some((user("me"), "h".to_owned(), Some(44))));
        for wrong in [
            "", "@h", "a@", "h:", "h:0", "h:x", "[::1", "[::1]2", "-h", "a@-h", "-a@h", "a b", "a:b@h", "h;x",
        ] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
        for text in ["h", "a@b@h:1", "::1", "me@[fe80::1%eth0]:33"] {
            assert_eq!(Jump::parse(text).map(|jump| jump.to_string()).as_deref(), Some(text));
        }
        let named = |text: &str| Jump::parse(text).and_then(|jump| jump.host_name());
        assert_eq!((named("h1").map(|name| name.to_string()), named("a@h1")), (Some("h1".to_owned()), None));
    }
}
