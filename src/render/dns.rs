//! The DNS records of a network: as a table, a zone file, JSON, and octoDNS's YAML.

use crate::daemon::tau::dns::{NoRecords, Purpose, Record};
use crate::render::natural::Natural;
use crate::resource::Printable;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use thiserror::Error;

/// The version of the JSON document. A minor version only adds fields.
pub const VERSION: &str = "1.0";
/// The time for which resolvers may keep a record, in seconds.
const TTL: u32 = 300;

/// The records as a JSON document.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "The records that `spore dns --format json` prints")]
pub struct Document {
    /// The version of this format, `major.minor`.
    spore_dns: &'static str,
    /// The records.
    records: Vec<Entry>,
}

/// The records of one name and type.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// The name, with a final dot.
    name: String,
    /// `A`, `AAAA`, `NS` or `CNAME`.
    r#type: &'static str,
    /// The time for which resolvers may keep it, in seconds.
    ttl: u32,
    /// Addresses, or names with a final dot.
    values: Vec<String>,
    /// What the record is for.
    purpose: &'static str,
}

/// A record that is in none of the zones.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is in none of the zones {}", .zones.join(", "))]
pub struct OutsideZones {
    /// The name of the record.
    pub name: String,
    zones: Vec<String>,
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Servers => "the hosts that answer for the network's names",
        Purpose::Services => "hands the names of the services to these hosts",
        Purpose::Generated => "the generated domains of apps",
        Purpose::Custom => "a custom domain",
    }
}

/// Why there are no records, and what to do.
pub fn no_records(why: &NoRecords) -> (String, &'static str) {
    match why {
        NoRecords::NoServer => (
            "no host answers DNS for the network".to_owned(),
            "give a host a node whose shape has the service `seer`: it answers for the network's names",
        ),
        NoRecords::Name(name) => (
            format!("`{}` isn't a name that DNS can have", Printable::line(name)),
            "a label has at most 63 letters, digits, `-` and `_`, and doesn't begin or end with `-`",
        ),
    }
}

/// A table for people.
pub fn table(records: &[Record]) -> String {
    let lines: Vec<[String; 3]> = records
        .iter()
        .flat_map(|record| {
            let line = |value| [format!("{}.", record.name), record.data.kind().to_owned(), value];
            record.data.values().into_iter().map(line)
        })
        .collect();
    let widest = lines.iter().map(|[name, ..]| name.len()).max().unwrap_or_default();
    lines.iter().map(|[name, kind, value]| format!("{name:<widest$}  {kind:<5}  {value}\n")).collect()
}

/// Lines of a zone file. All names are absolute, so they fit any zone that contains them.
pub fn zone_file(records: &[Record]) -> String {
    let mut text = String::new();
    for record in records {
        let _ = writeln!(text, "; {}", purpose(record.purpose));
        for value in record.data.values() {
            let _ = writeln!(text, "{}. {TTL} IN {} {value}", record.name, record.data.kind());
        }
    }
    text
}

/// The records as JSON.
pub fn json(records: &[Record]) -> String {
    let entry = |record: &Record| Entry {
        name: format!("{}.", record.name),
        r#type: record.data.kind(),
        ttl: TTL,
        values: record.data.values(),
        purpose: purpose(record.purpose),
    };
    let document = Document { spore_dns: VERSION, records: records.iter().map(entry).collect() };
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

/// The records for octoDNS, which has a file for each zone. With more than one, each is a document whose first line
/// names its file.
///
/// # Errors
/// If a record is in none of the zones.
pub fn octodns(records: &[Record], zones: &[String]) -> Result<String, OutsideZones> {
    // The innermost zone has the record.
    let mut zones: Vec<String> =
        zones.iter().map(|zone| zone.trim_end_matches('.').to_ascii_lowercase()).collect();
    zones.sort_by_key(|zone| std::cmp::Reverse(zone.len()));
    zones.dedup();
    // octoDNS demands this order.
    let mut by_zone: BTreeMap<&str, BTreeMap<Natural, Vec<&Record>>> = BTreeMap::new();
    for record in records {
        let inner = |zone: &'_ String| -> Option<String> {
            let rest = record.name.strip_suffix(zone.as_str())?;
            if rest.is_empty() { Some(String::new()) } else { rest.strip_suffix('.').map(str::to_owned) }
        };
        let found = zones.iter().find_map(|zone| Some((zone.as_str(), inner(zone)?)));
        let Some((zone, name)) = found else {
            let zones = zones.iter().rev().map(|zone| format!("{zone}.")).collect();
            return Err(OutsideZones { name: record.name.clone(), zones });
        };
        by_zone.entry(zone).or_default().entry(Natural(name)).or_default().push(record);
    }
    let is_one = by_zone.len() == 1;
    let document = |(zone, names): (&&str, &BTreeMap<Natural, Vec<&Record>>)| {
        let file = if is_one { String::new() } else { format!("# {zone}.yaml\n") };
        format!(
            "---\n{file}{}",
            names.iter().map(|(name, records)| entry(&name.0, records)).collect::<String>()
        )
    };
    Ok(by_zone.iter().map(document).collect())
}

/// A name in octoDNS's YAML. Names consist of characters that need no escape in quotes.
fn entry(name: &str, records: &[&Record]) -> String {
    let mut text = format!("'{name}':\n");
    for record in records {
        let values = record.data.values();
        let fields = match values.as_slice() {
            [value] => vec![
                format!("ttl: {TTL}"),
                format!("type: {}", record.data.kind()),
                format!("value: '{value}'"),
            ],
            values => {
                let values = values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
                vec![
                    format!("ttl: {TTL}"),
                    format!("type: {}", record.data.kind()),
                    format!("values: [{values}]"),
                ]
            }
        };
        for (at, field) in fields.iter().enumerate() {
            let before = match (records.len(), at) {
                (1, _) => "  ",
                (_, 0) => "  - ",
                _ => "    ",
            };
            let _ = writeln!(text, "{before}{field}");
        }
    }
    text
}
