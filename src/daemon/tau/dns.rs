//! The DNS records that make a network's names resolve. The owner of its domain sets them.
//!
//! Nodes with `seer` answer for everything below `tau.<root>`: `substrate.tau.<root>` resolves to the nodes with
//! `substrate`, and so on. They also answer for generated and custom domains, but are only asked if a record leads to them.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The service that generated domains resolve to.
pub const APPS: &str = "substrate";

/// What the records of a network depend on.
#[derive(Clone, Debug, Default)]
pub struct Names<'n> {
    /// The root domain.
    pub root: &'n str,
    /// The parent of generated domains.
    pub generated: &'n str,
    /// Custom domains, and the service that each resolves to.
    pub custom: BTreeMap<&'n str, &'n str>,
    /// The addresses of the nodes that answer DNS.
    pub servers: Vec<IpAddr>,
}

/// The records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name, in lower case and without a final dot.
    pub name: String,
    /// The type and the values.
    pub data: Data,
    /// What the record is for.
    pub purpose: Purpose,
}

/// The type of a record and its values. Names have no final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// IPv4 addresses.
    A(Vec<IpAddr>),
    /// IPv6 addresses.
    Aaaa(Vec<IpAddr>),
    /// The name of a server for the zone.
    Ns(String),
    /// Another name.
    Cname(String),
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The network's own name servers.
    Servers,
    /// The names of the services.
    Services,
    /// Generated domains.
    Generated,
    /// A custom domain.
    Custom,
}

/// Why there are no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRecords {
    /// No node answers DNS.
    NoServer,
    /// DNS has no such name.
    Name(String),
}

/// The records, in the order of their names' importance.
///
/// # Errors
/// If a name isn't valid in DNS, or no node answers DNS.
pub fn records(names: &Names<'_>) -> Result<Vec<Record>, NoRecords> {
    let [root, generated] = [domain(names.root)?, domain(names.generated)?];
    if names.servers.is_empty() {
        return Err(NoRecords::NoServer);
    }
    let (server, services) = (format!("seer.{root}"), format!("tau.{root}"));
    let record = |name: &str, data: Data, purpose: Purpose| Record { name: name.to_owned(), data, purpose };
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = names.servers.iter().partition(|address| address.is_ipv4());
    let mut records = Vec::new();
    if !v4.is_empty() {
        records.push(record(&server, Data::A(v4), Purpose::Servers));
    }
    if !v6.is_empty() {
        records.push(record(&server, Data::Aaaa(v6), Purpose::Servers));
    }
    records.push(record(&services, Data::Ns(server), Purpose::Services));
    let apps = Data::Cname(format!("{APPS}.{services}"));
    records.push(record(&format!("*.{generated}"), apps, Purpose::Generated));
    for (name, service) in &names.custom {
        let name = domain(name)?;
        // The network itself answers for these.
        let is_below =
            name.strip_suffix(&services).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if super::service(service).is_some() && !is_below {
            records.push(record(&name, Data::Cname(format!("{service}.{services}")), Purpose::Custom));
        }
    }
    Ok(records)
}

/// The name as DNS compares it.
fn domain(name: &str) -> Result<String, NoRecords> {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // The records are up to this much longer.
    let longest = 253 - APPS.len() - ".tau.".len();
    match lower.len() <= longest && lower.split('.').all(is_label) {
        true => Ok(lower),
        false => Err(NoRecords::Name(name.to_owned())),
    }
}

impl Data {
    /// The type, as it is written in a zone file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A(_) => "A",
            Self::Aaaa(_) => "AAAA",
            Self::Ns(_) => "NS",
            Self::Cname(_) => "CNAME",
        }
    }

    /// The values, as they are written in a zone file: names end with a dot.
    pub fn values(&self) -> Vec<String> {
        match self {
            Self::A(addresses) | Self::Aaaa(addresses) => addresses.iter().map(ToString::to_string).collect(),
            Self::Ns(name) | Self::Cname(name) => vec![format!("{name}.")],
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn shown(names: &Names<'_>) -> Vec<String> {
        let line = |record: &Record| {
            format!("{} {} {}", record.name, record.data.kind(), record.data.values().join(" "))
        };
        records(names).unwrap().iter().map(line).collect()
    }

    fn names() -> Names<'static> {
        let servers = ["203.0.113.1", "2001:db8::1", "203.0.113.2"].map(|address| address.parse().unwrap());
        Names {
            root: "Example.org",
            generated: "g.example.org",
            servers: servers.into(),
            custom: BTreeMap::new(),
        }
    }

    #[test]
    fn seer_answers_for_what_is_below_tau() {
        assert_eq!(
            shown(&names()),
            [
                "seer.example.org A 203.0.113.1 203.0.113.2",
                "seer.example.org AAAA 2001:db8::1",
                "tau.example.org NS seer.example.org.",
                "*.g.example.org CNAME substrate.tau.example.org.",
            ]
        );
    }

    #[test]
    fn custom_domains_lead_to_their_service() {
        let custom = [
            ("console.example.org", "gateway"),
            ("CI.other.example", "patrick"),
            ("x.tau.example.org", "gateway"),
            ("nowhere.example.org", "nosuch"),
        ];
        let shown = shown(&Names { custom: custom.into(), ..names() });
        assert_eq!(
            shown[4..],
            [
                "ci.other.example CNAME patrick.tau.example.org.",
                "console.example.org CNAME gateway.tau.example.org."
            ]
        );
    }

    #[test]
    fn nothing_else_becomes_a_record() {
        assert_eq!(records(&Names { servers: Vec::new(), ..names() }), Err(NoRecords::NoServer));
        let long = format!("{}.example", ["a"; 120].join("."));
        for name in
            ["", "a b.example", "x\n@ IN A 192.0.2.1", "-a.example", "a..example", "*.example", "a;b", &long]
        {
            let root = records(&Names { root: name, ..names() });
            assert_eq!(root, Err(NoRecords::Name(name.to_owned())));
            let custom = records(&Names { custom: [(name, "gateway")].into(), ..names() });
            assert_eq!(custom, Err(NoRecords::Name(name.to_owned())));
        }
    }
}
