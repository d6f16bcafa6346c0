//! A daemon's unit template: its text, its directives, and which of these a host's drop-ins
//! override.
//!
//! A node runs with the *merged* unit: a fragment, which should be our template, and
//! drop-ins on top of it. Directives that our template doesn't set belong to the
//! administrator and are left alone. A directive that our template sets and a drop-in
//! changes is an [`Override`]: neither writing the template nor a restart can change it.

use crate::resource::{Document, Effect, Field, FieldPath, Printable, ShapeName, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The template of a daemon's units.
#[derive(Debug)]
pub struct Template {
    path: &'static str,
    text: String,
    document: Arc<Document>,
    directives: Vec<FieldPath>,
}

impl Template {
    /// Creates a template with this text, for this path below `/etc/systemd/system`.
    pub(super) fn new(path: &'static str, text: String) -> Self {
        let document = Arc::new(parse_directives(&text));
        let is_overridable =
            |path: &&FieldPath| path.starts_with("Service.") || path.as_str() == "Unit.StartLimitIntervalSec";
        let directives = document.fields.keys().filter(is_overridable).cloned().collect();
        Self { path, text, document, directives }
    }

    /// The path of the template. It is in `/etc/systemd/system`, which takes precedence
    /// over `/lib`.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The text of the template.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The directives of the template.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// The directives that affect a node and that a drop-in can override, as
    /// `Section.Name`. Dependencies aren't among them, because a drop-in can only add some;
    /// nor is the description, because it is only displayed.
    pub fn directives(&self) -> &[FieldPath] {
        &self.directives
    }

    /// Whether our template takes precedence over the unit file at `fragment`: the file has
    /// the template's name, and is in a directory over which `/etc/systemd/system` takes
    /// precedence.
    pub fn precedes(&self, fragment: &str) -> bool {
        let Some((directory, name)) = fragment.rsplit_once('/') else { return true };
        let is_stronger =
            ["system.control", "transient", "generator.early"].iter().any(|end| directory.ends_with(end));
        self.path.ends_with(&format!("/{name}")) && !is_stronger
    }

    /// The directives that the drop-ins of a shape's unit override. `drop_ins` yields the
    /// path and the text of each drop-in, in the order in which systemd reads them.
    pub fn overrides<'a>(
        &self,
        shape: &ShapeName,
        drop_ins: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Vec<Override> {
        let drop_ins: Vec<_> = drop_ins.map(|(file, text)| (file, parse_directives(text))).collect();
        self.directives
            .iter()
            .filter_map(|path| {
                let wanted = values(&self.document.fields.get(path)?.value);
                let mut in_force: Vec<&str> = wanted.clone();
                let mut by = None;
                for (file, document) in &drop_ins {
                    let Some(field) = document.fields.get(path) else { continue };
                    for value in values(&field.value) {
                        // Commands accumulate; for any other directive the last value
                        // counts. An empty value removes the previous ones.
                        if value.is_empty() || !path.starts_with("Service.Exec") {
                            in_force.clear();
                        }
                        if !value.is_empty() {
                            in_force.push(value);
                        }
                    }
                    by = Some(*file);
                }
                let is =
                    |ours: &&str, value: &&str| canonical(path, ours, shape) == canonical(path, value, shape);
                // Additional commands that the administrator runs before a start are left
                // alone.
                let holds = if path.as_str() == "Service.ExecStartPre" {
                    wanted.iter().all(|ours| in_force.iter().any(|value| is(ours, value)))
                } else {
                    wanted.len() == in_force.len() && wanted.iter().zip(&in_force).all(|(a, b)| is(a, b))
                };
                let file = by.filter(|_| !holds)?.to_owned();
                Some(Override {
                    values: in_force.into_iter().map(str::to_owned).collect(),
                    directive: path.clone(),
                    file,
                })
            })
            .collect()
    }
}

/// Parses a unit file's directives, as `Section.Name`. A directive that occurs several
/// times becomes a list; comments, blank lines and the spaces around `=` are ignored.
pub fn parse_directives(text: &str) -> Document {
    let mut section = String::new();
    let mut values: BTreeMap<String, Vec<Printable>> = BTreeMap::new();
    for line in text.replace("\\\n", " ").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) {
            let words: Vec<&str> = value.split_whitespace().collect();
            values
                .entry(format!("{section}.{}", name.trim()))
                .or_default()
                .push(Printable::line(&words.join(" ")));
        }
    }
    let fields = values.into_iter().map(|(path, mut values)| {
        let effect = effect(&path);
        let value = if values.len() == 1 { Value::Scalar(values.remove(0)) } else { Value::List(values) };
        (Printable::line(&path), Field { value, effect })
    });
    Document { fields: fields.collect() }
}

/// What a change to a directive needs. `LimitCORE` is the one limit that isn't worth a
/// restart: it applies from the next start on, and a node that another tool or an older
/// version of spore started keeps running.
fn effect(path: &str) -> Effect {
    if path == "Service.LimitCORE" {
        return Effect::Reload;
    }
    let restarts = ["Service.ExecStart", "Service.User", "Service.Group"].contains(&path)
        || path.starts_with("Service.Environment")
        || path.starts_with("Service.Limit");
    if restarts { Effect::Restart } else { Effect::Reload }
}

/// A directive of our template that a drop-in sets to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The directive, such as `Service.LimitNOFILE`.
    pub directive: FieldPath,
    /// The values in force instead; empty if the drop-in only removes ours.
    pub values: Vec<String>,
    /// The last drop-in that sets the directive.
    pub file: String,
}

fn values(value: &Value) -> Vec<&str> {
    match value {
        Value::Scalar(text) => vec![text],
        Value::List(texts) => texts.iter().map(Printable::as_str).collect(),
        Value::Set(_) | Value::Secret(_) | Value::Unavailable => Vec::new(),
    }
}

/// A directive's value in one canonical spelling: `64K` → `65536`, `1s` → `1`.
fn canonical(path: &str, value: &str, shape: &ShapeName) -> String {
    if path.starts_with("Service.Limit") {
        let of_one = |limit: &str| {
            let factor = |c| match c {
                'K' => Some(1u64 << 10),
                'M' => Some(1 << 20),
                'G' => Some(1 << 30),
                _ => None,
            };
            let number = limit.trim_end_matches(['K', 'M', 'G']).parse::<u64>().ok();
            let factor = limit.chars().last().and_then(factor).unwrap_or(1);
            number.and_then(|n| n.checked_mul(factor)).map_or_else(|| limit.to_owned(), |n| n.to_string())
        };
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        return format!("{}:{}", of_one(soft), of_one(hard));
    }
    if path.ends_with("Sec") {
        return value.trim_end_matches("sec").trim_end_matches('s').trim_end().to_owned();
    }
    if path.starts_with("Service.Exec") {
        return with_specifier(value, shape);
    }
    value.to_owned()
}

/// Replaces the name of the shape with its specifier: `… -s elders …` → `… -s %i …`.
pub fn with_specifier(arguments: &str, shape: &ShapeName) -> String {
    let mut words: Vec<&str> = arguments.split_whitespace().collect();
    for i in 1..words.len() {
        if words[i - 1] == "-s" && words[i] == shape.as_str() {
            words[i] = "%i";
        }
    }
    words.join(" ")
}

/// The program that a command of a unit runs: `-/tb/bin/tau start` → `/tb/bin/tau`.
pub fn program(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or_default().trim_start_matches(['-', '@', ':', '+', '!', '|'])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::tau::template;

    fn found(texts: &[&str]) -> Vec<(String, String)> {
        let shape = "store".parse().unwrap();
        let files: Vec<String> = (1..=texts.len()).map(|i| format!("/{i}.conf")).collect();
        template()
            .overrides(&shape, files.iter().map(String::as_str).zip(texts.iter().copied()))
            .into_iter()
            .map(|found| (found.directive.into(), found.file))
            .collect()
    }

    #[test]
    fn only_what_ours_sets_and_others_change_is_an_override() {
        assert_eq!(
            found(&["[Service]\nCPUQuota=20%\nEnvironment=A\n[Unit]\nDescription=mine\nAfter=x\n"]),
            []
        );
        assert_eq!(found(&["[Service]\nLimitNOFILE=64K\nRestartSec=1s\nLimitAS=infinity:infinity\n"]), []);
        assert_eq!(found(&["[Service]\nExecStart=\nExecStart=/tb/bin/tau start -s store --root /tb\n"]), []);
        assert_eq!(found(&["[Service]\nExecStartPre=/bin/true\n"]), []);
        assert_eq!(found(&["[Service]\nLimitNOFILE=9\n", "[Service]\nLimitNOFILE=65536\n"]), []);
        let of = |directive: &str, file: &str| (directive.to_owned(), file.to_owned());
        assert_eq!(
            found(&["[Service]\nLimitNOFILE=65536\n", "[Service]\nLimitNOFILE=9\n"]),
            [of("Service.LimitNOFILE", "/2.conf")]
        );
        assert_eq!(
            found(&[
                "[Service]\nExecStart=\nExecStart=/tb/bin/tau start -s %i --root /tb --dev-mode\nUser=\n"
            ]),
            [of("Service.ExecStart", "/1.conf"), of("Service.User", "/1.conf")]
        );
        assert_eq!(found(&["[Service]\nExecStart=/bin/true\n"]), [of("Service.ExecStart", "/1.conf")]);
        assert_eq!(found(&["[Service]\nExecStartPre=\n"]), [of("Service.ExecStartPre", "/1.conf")]);
        assert_eq!(
            found(&["[Unit]\nStartLimitIntervalSec=10\n"]),
            [of("Unit.StartLimitIntervalSec", "/1.conf")]
        );
    }

    #[test]
    fn a_template_of_ours_precedes_those_of_packages_alone() {
        for (file, is) in [
            ("/etc/systemd/system/tau@.service", true),
            ("/lib/systemd/system/tau@.service", true),
            ("/run/systemd/system/tau@.service", true),
            ("/etc/systemd/system/tau@store.service", false),
            ("/lib/systemd/system/tau@store.service", false),
            ("/etc/systemd/system.control/tau@.service", false),
            ("/run/systemd/transient/tau@.service", false),
            ("", true),
        ] {
            assert_eq!(template().precedes(file), is, "{file}");
        }
    }
}
