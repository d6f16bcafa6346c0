//! What ufw does with a port, read from its files.
//!
//! ufw tries its rules in order, and the first rule that matches decides. A rule is ours if
//! it carries our comment and still lets connections to the port in. Every other rule is
//! the administrator's, and is never replaced or deleted: if it opens a port, there is
//! nothing to add; if it closes the port, the host has an obstacle. While ufw is disabled,
//! nothing in it is changed, not even our own rules, because the administrator may enable
//! it again.

use super::Facts;
use crate::resource::{HostText, Port, Printable, Redactor, Transport};
use std::collections::BTreeMap;

/// `spore`, as ufw encodes comments.
const OUR_COMMENT: &str = "comment=73706f7265";

/// An active ufw: its rules for incoming connections, in the order in which ufw tries them.
/// Rules for a single interface are left out, because they neither open a port nor close
/// it. Rules for some addresses only are marked as restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    v4: Vec<Rule>,
    /// `None` if IPv6 is disabled in ufw or on the host.
    v6: Option<Vec<Rule>>,
}

/// What happens to connections to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of the administrator's rules lets the connections in.
    Open,
    /// One of the administrator's rules closes the port, or would be replaced or bypassed
    /// by a rule of ours. The rule is written as for `ufw delete`.
    Obstructed(Printable),
    /// One of our rules decides, or would if it existed.
    Ours,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Whether the rule lets connections in; `limit` does, too.
    lets_in: bool,
    ours: bool,
    /// Whether the rule applies only to some addresses, either of the host or of its peers.
    restricted: bool,
    transports: &'static [Transport],
    /// The first and the last port of each range.
    ranges: Vec<(u16, u16)>,
    /// The rule in the syntax of ufw's command line.
    name: Printable,
    /// The only port of the rule, if there is just one.
    exact: Option<Port>,
}

/// The host's firewall; `None` while ufw is disabled.
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

/// Parses a boolean as ufw parses its settings.
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
        // `ufw allow` would replace the rule for both IPv4 and IPv6.
        if let Some(rule) = v6.iter().find(|rule| rule.is_owners(port))
            && !self.v4.iter().any(|rule| rule.is_owners(port))
        {
            return Verdict::Obstructed(rule.name.clone());
        }
        // The administrator lets only some addresses in, and a rule of ours would let
        // everyone in.
        let decides = |rule: &&Rule| rule.restricted && rule.lets_in && rule.exact == Some(port);
        if let Some(rule) = self.v4.iter().chain(v6).find(decides)
            && !has_ours(&self.v4, port)
            && !self.v4.iter().any(|rule| rule.matches(port))
        {
            return Verdict::Obstructed(rule.name.clone());
        }
        match self.v4.iter().find(|rule| rule.matches(port)) {
            Some(rule) if !rule.ours && !rule.lets_in => Verdict::Obstructed(rule.name.clone()),
            // An existing rule of ours stays, in case the administrator's rule is removed.
            Some(rule) if !rule.ours && !has_ours(&self.v4, port) => Verdict::Open,
            _ => Verdict::Ours,
        }
    }

    /// The ports that our rules open, each with whether they do so for both IPv4 and IPv6:
    /// ufw may have been interrupted between the two.
    pub(super) fn ours(&self) -> BTreeMap<Port, bool> {
        let files = [Some(&self.v4), self.v6.as_ref()];
        let files: Vec<&Vec<Rule>> = files.into_iter().flatten().collect();
        let rules = files.iter().copied().flatten();
        let ports = rules.clone().filter(|rule| rule.ours).filter_map(|rule| rule.exact);
        // `ufw delete` would remove the administrator's rule, too.
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
    /// Whether the rule is the administrator's, and `ufw` would replace it with a rule of
    /// ours.
    fn is_owners(&self, port: Port) -> bool {
        !self.ours && !self.restricted && self.exact == Some(port)
    }

    /// Parses the text that follows `### tuple ###`: action, protocol, port, address,
    /// source port and source address; then, for an application profile, two names; then
    /// the direction with the interface; then perhaps a comment: `allow tcp 4242 0.0.0.0/0
    /// any 0.0.0.0/0 in comment=73706f7265`.
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
        // `ufw delete allow` doesn't accept a rule that logs.
        let is_plain = !action.contains('_');
        // Strips the suffix of `deny_log`, for example. Forwarded connections
        // (`route:allow`) don't concern the host itself.
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
        // A rule of ours that the administrator has changed counts as the administrator's.
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

    /// Whether the rule decides about every connection to this port.
    fn matches(&self, port: Port) -> bool {
        !self.restricted
            && self.transports.contains(&port.transport)
            && self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&port.number))
    }
}
