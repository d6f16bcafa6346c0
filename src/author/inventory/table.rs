//! Lists with the same fields as the options of `spore host add`: CSV, and an output of Terraform.

use super::{FIELDS, Listed, Unreadable, is_no_field, name, set};
use serde_json::{Map, Value};

/// A table with a header. Several values in one cell are separated by spaces.
pub(super) fn csv(text: &str) -> Result<Vec<Listed>, Unreadable> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        Unreadable::new(format!("line {line}"), error.to_string())
    };
    let header = reader.headers().map_err(broken)?.clone();
    let wrong = |what: String| {
        let is_separated = header.iter().any(|column| column.contains([';', '\t']));
        let hint = if is_separated { "; columns are separated by commas" } else { "" };
        Unreadable::line(1, what + hint)
    };
    let Some(at) = header.iter().position(|column| column == "name") else {
        return Err(wrong("there is no column `name`".to_owned()));
    };
    for (nth, column) in header.iter().enumerate().filter(|(_, column)| !column.is_empty()) {
        if !FIELDS.contains(&column) {
            return Err(wrong(is_no_field(column)));
        }
        if header.iter().take(nth).any(|other| other == column) {
            return Err(wrong(format!("there are two columns `{column}`")));
        }
    }
    let mut hosts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let place = format!("line {}", record.position().map_or(1, csv::Position::line));
        let mut host = Listed::new(name(record.get(at).unwrap_or_default(), &place)?);
        for (column, cell) in header.iter().zip(&record).filter(|(column, _)| *column != "name") {
            let values: Vec<String> = cell.split_whitespace().map(str::to_owned).collect();
            if !values.is_empty() {
                set(&mut host, column, &values, &place)?;
            }
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// The name of the output.
const OUTPUT: &str = "spore_hosts";

/// `terraform output -json`: the output `spore_hosts` maps the names of hosts to their fields.
/// `terraform output -json spore_hosts` is only its value.
pub(super) fn terraform(text: &str) -> Result<Vec<Listed>, Unreadable> {
    let outputs: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        Unreadable::new(format!("line {}", error.line()), format!("it isn't a JSON object: {error}"))
    })?;
    let is_output = |value: &Value| value.get("value").is_some() && value.get("type").is_some();
    let hosts = match outputs.get(OUTPUT) {
        Some(output) => output.get("value").and_then(Value::as_object).cloned(),
        None if outputs.values().any(is_output) => {
            let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
            let what = format!("there is no output of this name; there are {}", names.join(", "));
            return Err(Unreadable::new(OUTPUT, what));
        }
        None => Some(outputs),
    };
    let hosts = hosts.ok_or_else(|| Unreadable::new(OUTPUT, "its value isn't a map of hosts by name"))?;
    hosts.iter().map(|(host, fields)| terraform_host(host, fields)).collect()
}

fn terraform_host(host: &str, fields: &Value) -> Result<Listed, Unreadable> {
    let mut listed = Listed::new(name(host, OUTPUT)?);
    let fields = fields.as_object().ok_or_else(|| Unreadable::new(host, "it isn't an object"))?;
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let scalar = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let values = match value {
            Value::Array(items) => items.iter().map(scalar).collect(),
            value => scalar(value).map(|value| vec![value]),
        };
        let values: Vec<String> = values.ok_or_else(|| {
            Unreadable::new(host, format!("`{field}` is neither a text nor a list of texts"))
        })?;
        if values.iter().any(|value| !value.is_empty()) {
            set(&mut listed, field, &values, host)?;
        }
    }
    Ok(listed)
}
