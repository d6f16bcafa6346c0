//! What ufw does with a port, read from its files.
//!
//! ufw tries its rules in order, and the first one that matches decides. A rule
//! is ours if it carries our comment and still lets the port in; every other rule
//! is the owner's. The owner's rules are never replaced or deleted: if one of them opens
//! a port, there is nothing to add; if one closes it, the host has an obstacle. While ufw
//! is disabled nothing of it is touched, not even our own
//! rules, because the owner may enable it again.

use super::Facts;
use crate::resource::{HostText, Port, Printable, Redactor, Transport};
use std::collections::BTreeMap;

/// `spore`, as ufw writes a comment.
const OUR_COMMENT: &str = "comment=73706f7265";

/// An active ufw: the rules about connections from anywhere to any address of
/// the host, in the order in which ufw tries them. A rule for some addresses or
/// interfaces only neither opens a port nor shuts it, so it isn't in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    v4: Vec<Rule>,
    /// `None` where ufw or the host has IPv6 disabled.
    v6: Option<Vec<Rule>>,
}

/// What happens to connections to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A rule of the owner's lets them in.
    Open,
    /// One of the owner's rules closes the port, or would be replaced by one of ours: the
    /// rule as written for `ufw delete`.
    Obstructed(Printable),
    /// It is up to one of our rules, whether it exists or not.
    Ours,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// `limit` lets connections in, too.
    lets_in: bool,
    ours: bool,
    /// It is only about some addresses, of the host or of who connects.
    restricted: bool,
    transports: &'static [Transport],
    /// First and last.
    ranges: Vec<(u16, u16)>,
    /// As `ufw` takes it on its command line.
    name: Printable,
    /// The one port that it names, where `ufw allow PORT` would replace it.
    exact: Option<Port>,
}

/// `None` while ufw is disabled.
pub(super) fn of(facts: &Facts) -> Option<Firewall> {
    if !says_yes(facts, "/etc/ufw/ufw.conf", "ENABLED") {
        return None;
    }
    let v6 = says_yes(facts, "/etc/default/ufw", "IPV6") && facts.paths.contains_key("/proc/sys/net/ipv6");
    Some(Firewall {
        v4: rules(facts, "/etc/ufw/user.rules", "0.0.0.0/0"),
        v6: v6.then(|| rules(facts, "/etc/ufw/user6.rules", "::/0")),
    })
}

/// As ufw reads its settings.
fn says_yes(facts: &Facts, path: &str, name: &str) -> bool {
    facts.texts.get(path).is_some_and(|text| {
        text.expose().lines().filter_map(|line| line.trim().split_once('=')).any(|(found, value)| {
            found.eq_ignore_ascii_case(name) && value.trim_matches(['"', '\'']).eq_ignore_ascii_case("yes")
        })
    })
}

fn rules(facts: &Facts, path: &str, any: &str) -> Vec<Rule> {
    let text = facts.texts.get(path).map_or("", HostText::expose);
    text.lines()
        .filter_map(|line| line.strip_prefix("### tuple ### "))
        .filter_map(|tuple| Rule::parse(tuple, any, &facts.redactor))
        .collect()
}

impl Firewall {
    /// What happens to connections to `port`.
    pub fn verdict(&self, port: Port) -> Verdict {
        let v6 = self.v6.as_deref().unwrap_or_default();
        // `ufw allow` would replace it in both files.
        if let Some(rule) = v6.iter().find(|rule| rule.is_owners(port))
            && !self.v4.iter().any(|rule| rule.is_owners(port))
        {
            return Verdict::Obstructed(rule.name.clone());
        }
        // The owner lets only some in, and a rule of ours would let everyone in.
        let decides = |rule: &&Rule| rule.restricted && rule.lets_in && rule.exact == Some(port);
        if let Some(rule) = self.v4.iter().chain(v6).find(decides)
            && !has_ours(&self.v4, port)
            && !self.v4.iter().any(|rule| rule.matches(port))
        {
            return Verdict::Obstructed(rule.name.clone());
        }
        match self.v4.iter().find(|rule| rule.matches(port)) {
            Some(rule) if !rule.ours && !rule.lets_in => Verdict::Obstructed(rule.name.clone()),
            // Our rule stays, in case the owner's rule is removed.
            Some(rule) if !rule.ours && !has_ours(&self.v4, port) => Verdict::Open,
            _ => Verdict::Ours,
        }
    }

    /// The ports that rules of ours let in, and whether they do so in every file.
    /// ufw may have been cut off between two of them.
    pub(super) fn ours(&self) -> BTreeMap<Port, bool> {
        let files = [Some(&self.v4), self.v6.as_ref()];
        let files: Vec<&Vec<Rule>> = files.into_iter().flatten().collect();
        let rules = files.iter().copied().flatten();
        let ports = rules.clone().filter(|rule| rule.ours).filter_map(|rule| rule.exact);
        // `ufw delete` would take both.
        let is_owners = |port: &Port| rules.clone().any(|rule| rule.is_owners(*port));
        ports
            .filter(|port| !is_owners(port))
            .map(|port| (port, files.iter().all(|file| has_ours(file, port))))
            .collect()
    }
}

fn has_ours(rules: &[Rule], port: Port) -> bool {
    rules.iter().any(|rule| rule.ours && rule.exact == Some(port))
}

impl Rule {
    /// Whether it is the owner's, and `ufw` would replace it by a rule of ours.
    fn is_owners(&self, port: Port) -> bool {
        !self.ours && !self.restricted && self.exact == Some(port)
    }

    /// Reads what follows `### tuple ###`: action, protocol, port, address,
    /// source port, source address; then for an application profile two names;
    /// then direction and interface; then perhaps a comment:
    /// `allow tcp 4242 0.0.0.0/0 any 0.0.0.0/0 in comment=73706f7265`.
    fn parse(tuple: &str, any: &str, redactor: &Redactor) -> Option<Self> {
        let words: Vec<&str> = tuple.split_whitespace().collect();
        let [action, protocol, ports, to, "any", from, rest @ ..] = words.as_slice() else { return None };
        let (comment, rest): (Vec<&str>, Vec<&str>) =
            rest.iter().copied().partition(|word| word.starts_with("comment="));
        let (profile, direction) = match rest.as_slice() {
            [] => (None, "in"),
            [direction] => (None, *direction),
            [profile, _] => (Some(*profile), "in"),
            [profile, _, direction] => (Some(*profile), *direction),
            _ => return None,
        };
        if direction != "in" {
            return None;
        }
        let restricted = [*to, *from] != [any; 2];
        // `ufw delete allow` doesn't take one that logs.
        let is_plain = !action.contains('_');
        // `deny_log`; forwarded connections (`route:allow`) aren't the host's.
        let action = action.split('_').next().unwrap_or_default();
        let lets_in = match action {
            "allow" | "limit" => true,
            "deny" | "reject" => false,
            _ => return None,
        };
        let transports: &[Transport] = match *protocol {
            "tcp" => &[Transport::Tcp],
            "udp" => &[Transport::Udp],
            "any" => &[Transport::Tcp, Transport::Udp],
            _ => return None,
        };
        let range = |text: &str| {
            let (first, last) = text.split_once(':').unwrap_or((text, text));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let ranges = match *ports {
            "any" => vec![(1, u16::MAX)],
            ports => ports.split(',').filter_map(range).collect(),
        };
        let name = match (profile.filter(|name| *name != "-"), *protocol, *ports) {
            (Some(profile), _, _) => format!("{action} '{}'", profile.replace("%20", " ")),
            (None, "any", "any") => format!("{action} from any"),
            (None, protocol, "any") => format!("{action} proto {protocol} from any"),
            (None, "any", ports) => format!("{action} {ports}"),
            (None, protocol, ports) => format!("{action} {ports}/{protocol}"),
        };
        let exact = match (transports, ranges.as_slice()) {
            ([transport], [(first, last)]) if first == last => {
                Some(Port { number: *first, transport: *transport })
            }
            _ => None,
        };
        // A rule of ours that the owner has changed belongs to the owner now.
        let ours =
            is_plain && action == "allow" && exact.is_some() && !restricted && comment.contains(&OUR_COMMENT);
        let name = if restricted {
            let address = |text: &str| if text == any { "any".to_owned() } else { text.to_owned() };
            format!("{action} proto {protocol} from {} to {} port {ports}", address(from), address(to))
        } else {
            name
        };
        let name = redactor.line(&name);
        Some(Self { lets_in, ours, restricted, transports, ranges, name, exact })
    }

    /// Whether it decides what becomes of any connection to this port.
    fn matches(&self, port: Port) -> bool {
        !self.restricted
            && self.transports.contains(&port.transport)
            && self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&port.number))
    }
}
