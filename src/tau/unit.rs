//! The unit template `tau@.service`: its text, and what it means.

use crate::resource::{Document, Effect, Field, Value};
use std::collections::BTreeMap;

/// The unit template's file; upstream's is in `/lib/systemd/system`, which
/// belongs to packages, and this one takes precedence over it.
pub const PATH: &str = "/etc/systemd/system/tau@.service";

/// The unit template's text.
pub const TEXT: &str = include_str!("tau@.service");

/// What a unit's text says. A directive that is given several times is a list;
/// comments, blank lines and the spaces around `=` say nothing.
pub fn parse(text: &str) -> Document {
    let mut section = String::new();
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.replace("\\\n", " ").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) {
            let words: Vec<&str> = value.split_whitespace().collect();
            values.entry(format!("{section}.{}", name.trim())).or_default().push(words.join(" "));
        }
    }
    let fields = values.into_iter().map(|(path, mut values)| {
        let effect = effect(&path);
        let value = if values.len() == 1 { Value::Scalar(values.remove(0)) } else { Value::List(values) };
        (path, Field { value, effect })
    });
    Document { fields: fields.collect() }
}

fn effect(path: &str) -> Effect {
    let restarts = ["Service.ExecStart", "Service.User", "Service.Group"].contains(&path)
        || path.starts_with("Service.Environment")
        || path.starts_with("Service.Limit");
    if restarts { Effect::Restart } else { Effect::Reload }
}
