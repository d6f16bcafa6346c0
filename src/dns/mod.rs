//! Compares the DNS records of a network with what name servers answer: who is asked
//! ([`servers_of`]), and what they say of each record ([`check`]). What the records are for is left
//! to other rooms.

mod ask;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use ask::{AskError, Reply, Value, ask};

use crate::daemon::tau::dns::{Data, Record};
use hickory_proto::rr::RecordType;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;
use tokio::task::JoinSet;

/// The label with which a wildcard is tried. Nobody has a name like this.
const TRIED: &str = "spore-dns-check";

/// The maximum number of name servers of a zone that are asked.
const MOST_SERVERS: usize = 8;

/// A name server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameServer {
    /// Its name, if it is known by one.
    pub name: Option<String>,
    /// Where it answers.
    pub address: SocketAddr,
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.address),
        }
    }
}

/// What a name server says of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// The record is there.
    Right,
    /// It isn't, or not as it should be.
    Differs {
        /// Values that aren't there.
        missing: Vec<String>,
        /// What is there instead, or in addition: types and values.
        others: Vec<String>,
    },
    /// The server gives no answer.
    Nothing(String),
}

/// What all name servers say of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The record.
    pub record: Record,
    /// What is said, and by which servers.
    pub said: BTreeMap<Said, Vec<NameServer>>,
}

/// Why it isn't known which servers to ask.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoServers {
    /// None of the resolvers answers.
    #[error("no resolver answers: {0}")]
    NoResolver(AskError),
    /// No domain that contains the name has name servers.
    #[error("no zone contains {0}: is the domain registered?")]
    NoZone(String),
    /// The name servers have no addresses.
    #[error("the name servers of {0} have no addresses")]
    NoAddress(String),
}

/// The name whose zone contains a record: the servers of that zone are asked for it. A delegation
/// is in the zone above.
pub fn zone_name(record: &Record) -> &str {
    let name = record.name.strip_prefix("*.").unwrap_or(&record.name);
    match record.data {
        Data::Ns(_) => name.split_once('.').map_or(name, |(_, above)| above),
        Data::A(_) | Data::Aaaa(_) | Data::Cname(_) => name,
    }
}

/// The name servers of the zone that contains a name, as these resolvers know them. They answer at
/// `port`.
///
/// # Errors
/// There are none, or nobody knows.
pub async fn servers_of(
    name: &str,
    resolvers: &[SocketAddr],
    port: u16,
) -> Result<Vec<NameServer>, NoServers> {
    let mut zone = name;
    while zone.contains('.') {
        let reply = resolve(resolvers, zone, RecordType::NS).await?;
        let names: Vec<String> = reply.of(zone).filter_map(Value::ns).take(MOST_SERVERS).collect();
        if names.is_empty() {
            zone = zone.split_once('.').map_or("", |(_, above)| above);
            continue;
        }
        let mut servers = Vec::new();
        for server in names {
            for kind in [RecordType::A, RecordType::AAAA] {
                let reply = resolve(resolvers, server.trim_end_matches('.'), kind).await?;
                let before = servers.len();
                servers.extend(reply.answers.iter().filter_map(|(_, value)| value.address()).map(|ip| {
                    NameServer {
                        name: Some(server.trim_end_matches('.').to_owned()),
                        address: SocketAddr::new(ip, port),
                    }
                }));
                // This machine may have no IPv6.
                if servers.len() > before {
                    break;
                }
            }
        }
        return if servers.is_empty() { Err(NoServers::NoAddress(zone.to_owned())) } else { Ok(servers) };
    }
    Err(NoServers::NoZone(name.to_owned()))
}

/// Asks the resolvers in turn.
async fn resolve(resolvers: &[SocketAddr], name: &str, kind: RecordType) -> Result<Reply, NoServers> {
    let mut last = AskError::Silent;
    for resolver in resolvers {
        match ask(*resolver, name, kind, true).await {
            Ok(reply) if reply.is_answer() => return Ok(reply),
            Ok(reply) => last = AskError::Refused(reply.code),
            Err(error) => last = error,
        }
    }
    Err(NoServers::NoResolver(last))
}

/// Asks each of the servers for a record.
pub async fn check(record: &Record, servers: &[NameServer]) -> Checked {
    let name = record
        .name
        .strip_prefix("*.")
        .map_or_else(|| record.name.clone(), |above| format!("{TRIED}.{above}"));
    let kind = match record.data {
        Data::A(_) => RecordType::A,
        Data::Aaaa(_) => RecordType::AAAA,
        Data::Ns(_) => RecordType::NS,
        Data::Cname(_) => RecordType::CNAME,
    };
    let mut asking = JoinSet::new();
    for server in servers.iter().cloned() {
        let name = name.clone();
        asking.spawn(async move {
            let reply = ask(server.address, &name, kind, false).await;
            (server, reply)
        });
    }
    let mut said: BTreeMap<Said, Vec<NameServer>> = BTreeMap::new();
    for (server, reply) in asking.join_all().await {
        let what = reply
            .map_or_else(|error| Said::Nothing(error.to_string()), |reply| compare(record, &name, &reply));
        said.entry(what).or_default().push(server);
    }
    said.values_mut().for_each(|servers| servers.sort());
    Checked { record: record.clone(), said }
}

/// What a reply to the question for this name says of a record.
fn compare(record: &Record, name: &str, reply: &Reply) -> Said {
    if !reply.is_answer() {
        return Said::Nothing(reply.code.clone());
    }
    let kind = record.data.kind();
    let mut values: Vec<&Value> = reply.of(name).collect();
    if values.is_empty() {
        // The servers above a delegation only refer to it.
        let referred = reply.authorities.iter().filter(|(owner, value)| {
            value.kind() == "NS" && (owner == name || !reply.is_authoritative && is_below(name, owner))
        });
        values.extend(referred.map(|(_, value)| value));
    }
    let wanted: BTreeSet<String> = record.data.values().into_iter().collect();
    let found: BTreeSet<String> =
        values.iter().filter(|value| value.kind() == kind).map(|value| value.text()).collect();
    let mut others: Vec<String> = found.difference(&wanted).map(|value| format!("{kind} {value}")).collect();
    let of_another_kind = values.iter().filter(|value| value.kind() != kind);
    others.extend(of_another_kind.map(|value| format!("{} {}", value.kind(), value.text())));
    let missing: Vec<String> = wanted.difference(&found).cloned().collect();
    if missing.is_empty() && others.is_empty() { Said::Right } else { Said::Differs { missing, others } }
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

impl Value {
    fn ns(&self) -> Option<String> {
        match self {
            Self::Name("NS", name) => Some(name.clone()),
            _ => None,
        }
    }

    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }
}
